// Global importance: mean absolute value of each feature over all rows, with its interval; classes stacked or one
// class.

import { classColor } from "../charts/palette.js";
import { counted, numberText, shareText } from "../data/format.js";
import { importanceOf, rankedFeatures } from "../data/page_data.js";
import { meanSize } from "../data/stats.js";
import { segmentedControl, selectControl, sliderControl, viewSettings } from "../elements/controls.js";
import { element } from "../elements/dom.js";

const SORTS = [
  ["importance", "Importance"],
  ["name", "Name"],
  ["order", "Order in the table"],
];
const MOST_CLASSES = 7;

export const IMPORTANCE_VIEW = {
  id: "importance",
  title: "Global importance",
  group: "global",
  about: "How much each feature moves the output, on average over all rows.",
  draw: drawImportance,
};

function drawImportance(container, context) {
  const { data, explanation } = context;
  const byClass = explanation.importance.mean_abs.length > 1;
  const area = element("div");
  const { settings, set } = viewSettings(
    context,
    {
      top: Math.min(15, data.features.length),
      mode: explanation.importance.mean_abs.length > 2 ? "stacked" : "class",
      sort: "importance",
    },
    () => fillImportance(area, context, settings),
  );
  container.append(
    element(
      "div",
      { class: "axd-controls" },
      sliderControl(
        "Features shown",
        { min: 1, max: Math.min(data.features.length, 100), value: settings.top },
        set("top"),
      ),
      byClass
        ? segmentedControl(
            "Classes",
            [
              ["stacked", "All, stacked"],
              ["class", "The chosen class"],
            ],
            settings.mode,
            set("mode"),
          )
        : null,
      selectControl("Sorted by", SORTS, settings.sort, set("sort")),
    ),
    area,
  );
  fillImportance(area, context, settings);
}

function fillImportance(area, context, settings) {
  const { data, explanation, charts } = context;
  charts.clear(area);
  area.replaceChildren();
  const stacked = settings.mode === "stacked" && explanation.importance.mean_abs.length > 1;
  const size = importanceOf(explanation, stacked ? null : context.output);
  const ranked = rankedFeatures(explanation, stacked ? null : context.output);
  const shown = sortedFeatures(ranked.slice(0, settings.top), data, settings.sort);
  const total = size.reduce((sum, value) => sum + Math.abs(value), 0);
  const rest = ranked.slice(settings.top);
  const chart = charts.chart(area, {
    title: `Bar chart: importance of ${counted(shown.length, data.nouns.feature)}${stacked ? ", classes stacked" : ""}.`,
    height: 70 + 26 * shown.length,
    zoom: false,
    x: { label: importanceLabel(explanation, stacked), kind: "linear", zero: true },
    y: {
      kind: "names",
      names: shown.map((j) => data.features[j].name),
      flip: true,
      width: area.clientWidth < 560 ? 16 : 34,
    },
    legend: stacked ? stackLegend(context) : cohortLegend(context),
    table: importanceTable(context, ranked, size, total, stacked),
  });
  if (stacked) drawStack(chart, context, shown);
  else drawBars(chart, context, shown, total);
  chart.show();
  const share = rest.reduce((sum, j) => sum + Math.abs(size[j]), 0) / (total || 1);
  const sentences = [
    rest.length ? `${counted(rest.length, `more ${data.nouns.feature}`)} with ${shareText(share)} of the importance.` : "",
    !stacked && explanation.importance.low
      ? `Lines are ${Math.round((explanation.importance.confidence ?? 0.95) * 100)}% intervals.`
      : "",
    stacked && context.mask ? `Choose “The chosen class” to see ${context.cohort.name} beside all rows.` : "",
    canOpen(context) ? "A click on a bar opens the feature." : "",
  ];
  area.append(element("p", { class: "axd-soft", text: sentences.filter(Boolean).join(" ") }));
}

function importanceLabel(explanation, stacked) {
  if (explanation.kind === "permutation") return `drop of the score when permuted (${explanation.unit})`;
  return `mean absolute importance${stacked ? ", mean over the classes" : ""} (${explanation.unit})`;
}

function sortedFeatures(features, data, sort) {
  if (sort === "order") return [...features].sort((a, b) => a - b);
  if (sort !== "name") return features;
  return [...features].sort((a, b) =>
    data.features[a].name.localeCompare(data.features[b].name, undefined, { numeric: true }),
  );
}

function barsAt(n, from, to) {
  return {
    bottom: Float64Array.from({ length: n }, (_, k) => k + from),
    top: Float64Array.from({ length: n }, (_, k) => k + to),
  };
}

// One bar for each feature, with its interval, and a thinner one of the cohort.
function drawBars(chart, context, shown, total) {
  const { data, explanation, output, mask } = context;
  const { mean_abs: means, low, high, confidence } = explanation.importance;
  const n = shown.length;
  const right = shown.map((j) => means[output][j]);
  const ofCohort = mask && explanation.values ? cohortImportance(context) : null;
  chart.boxes({
    left: new Array(n).fill(0),
    right,
    ...barsAt(n, ofCohort ? -0.36 : -0.34, ofCohort ? 0.04 : 0.34),
    color: chart.palette.bar,
    tip: (k) => {
      const j = shown[k];
      const range = low
        ? [
            [
              `${Math.round((confidence ?? 0.95) * 100)}% interval`,
              `${numberText(low[output][j])} to ${numberText(high[output][j])}`,
            ],
          ]
        : [];
      return [
        data.features[j].name,
        ["importance", numberText(right[k])],
        ["share", shareText(Math.abs(right[k]) / (total || 1))],
        ...range,
      ];
    },
    onPick: canOpen(context) ? (k) => openDependence(context, shown[k]) : null,
  });
  if (ofCohort) {
    chart.boxes({
      left: new Array(n).fill(0),
      right: shown.map((j) => ofCohort[j]),
      ...barsAt(n, 0.08, 0.38),
      color: chart.palette.classes[1],
      tip: (k) => [data.features[shown[k]].name, [context.cohort.name, numberText(ofCohort[shown[k]])]],
    });
  }
  if (low) {
    const y = shown.map((_, k) => (ofCohort ? k - 0.16 : k));
    chart.segments({
      x0: shown.map((j) => low[output][j]),
      x1: shown.map((j) => high[output][j]),
      y0: y,
      y1: y,
      color: chart.palette.ink,
      width: 1.4,
    });
  }
  chart.rule({ on: "x", value: 0 });
}

// The mean absolute value of each feature over the cohort's shown rows.
function cohortImportance({ explanation, output, mask }) {
  return explanation.values[output].map((values) => meanSize(values.filter((_, row) => mask[row])));
}

function cohortLegend({ cohort, mask, explanation, charts }) {
  if (!cohort || !mask || !explanation.values) return null;
  const palette = charts.palette();
  return [
    { label: "all rows", color: palette.bar },
    { label: cohort.name, color: palette.classes[1] },
  ];
}

// The classes in order of their importance; those after the seventh are one group.
function stackedClasses({ data, explanation }) {
  const blocks = explanation.importance.mean_abs;
  const sums = blocks.map((block) => block.reduce((sum, value) => sum + Math.abs(value), 0));
  const order = sums.map((_, c) => c);
  if (blocks.length <= MOST_CLASSES) return order.map((c) => ({ name: data.classes[c], members: [c] }));
  order.sort((a, b) => sums[b] - sums[a]);
  return [
    ...order.slice(0, MOST_CLASSES).map((c) => ({ name: data.classes[c], members: [c] })),
    { name: `${blocks.length - MOST_CLASSES} other classes`, members: order.slice(MOST_CLASSES) },
  ];
}

function stackLegend(context) {
  const palette = context.charts.palette();
  return stackedClasses(context).map(({ name }, place) => ({ label: name, color: classColor(palette, place) }));
}

// The parts of a bar are the classes' importances divided by the number of classes, so that the bar is their mean.
function drawStack(chart, context, shown) {
  const { data, explanation } = context;
  const blocks = explanation.importance.mean_abs;
  let left = new Array(shown.length).fill(0);
  stackedClasses(context).forEach(({ name, members }, place) => {
    const own = shown.map((j) => members.reduce((sum, c) => sum + blocks[c][j], 0));
    const right = left.map((value, k) => value + own[k] / blocks.length);
    chart.boxes({
      left,
      right,
      ...barsAt(shown.length, -0.34, 0.34),
      color: classColor(chart.palette, place),
      tip: (k) => [data.features[shown[k]].name, [name, numberText(own[k] / members.length)]],
      onPick: canOpen(context) ? (k) => openDependence(context, shown[k]) : null,
    });
    left = right;
  });
  chart.rule({ on: "x", value: 0 });
}

function canOpen({ data, explanation }) {
  return data.hasCells && Boolean(explanation.values);
}

function openDependence(context, feature) {
  context.memoryOf("dependence").feature = feature;
  context.openView("dependence");
}

function importanceTable(context, ranked, size, total, stacked) {
  const { data, explanation, output } = context;
  const { mean_abs: blocks, low, high } = explanation.importance;
  const columns = [
    { label: "Feature", get: (k) => data.features[ranked[k]].name },
    { label: stacked ? "Mean over the classes" : "Importance", get: (k) => size[ranked[k]] },
    { label: "Share", get: (k) => Math.abs(size[ranked[k]]) / (total || 1), text: shareText },
  ];
  if (stacked) data.classes.forEach((name, c) => columns.push({ label: name, get: (k) => blocks[c][ranked[k]] }));
  else if (low) {
    columns.push(
      { label: "Low", get: (k) => low[output][ranked[k]] },
      { label: "High", get: (k) => high[output][ranked[k]] },
    );
  }
  const ofCohort = !stacked && context.mask && explanation.values ? cohortImportance(context) : null;
  if (ofCohort) columns.push({ label: context.cohort.name, get: (k) => ofCohort[ranked[k]] });
  return { caption: "Importance of the features, most important first", n: ranked.length, columns };
}
