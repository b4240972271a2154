// Summary: the values of the most important features as a swarm, boxes or violins; colour is the feature's scaled
// value.

import { boxesTable, drawBoxes, drawViolins } from "../charts/boxes.js";
import { rampColors } from "../charts/palette.js";
import { pointLook } from "../charts/scatter.js";
import { cellText, counted, numberText } from "../data/format.js";
import { onlyExamples, rankedFeatures } from "../data/page_data.js";
import { extentOf, ranksOf, swarmOffsets } from "../data/stats.js";
import { segmentedControl, sliderControl, viewSettings } from "../elements/controls.js";
import { element } from "../elements/dom.js";

const MOST_POINTS = 15000;

export const SUMMARY_VIEW = {
  id: "summary",
  title: "Summary",
  group: "global",
  about:
    "The importance of the main features, row by row. Points on the right raise the output, points on the left lower it.",
  absent: onlyExamples,
  draw: drawSummary,
};

function drawSummary(container, context) {
  const { data, explanation } = context;
  if (!explanation.values) {
    container.append(
      element("p", {
        class: "axd-empty",
        text: `${explanation.name} has no values of single rows. Choose another explanation.`,
      }),
    );
    return;
  }
  const area = element("div");
  const { settings, set } = viewSettings(context, { top: Math.min(12, data.features.length), kind: "swarm" }, () =>
    fillSummary(area, context),
  );
  container.append(
    element(
      "div",
      { class: "axd-controls" },
      segmentedControl(
        "Drawn as",
        [
          ["swarm", "Swarm"],
          ["boxes", "Boxes"],
          ["violins", "Violins"],
        ],
        settings.kind,
        set("kind"),
      ),
      sliderControl(
        "Features shown",
        { min: 1, max: Math.min(data.features.length, 50), value: settings.top },
        set("top"),
      ),
    ),
    area,
  );
  fillSummary(area, context);
}

function fillSummary(area, context) {
  const { charts, data, explanation, output, classIndex, mask, memory: settings } = context;
  const palette = charts.palette();
  charts.clear(area);
  area.replaceChildren();
  const shown = rankedFeatures(explanation, output).slice(0, settings.top);
  const isSwarm = settings.kind === "swarm";
  const rows = Array.from({ length: data.n }, (_, row) => row).filter((row) => isSwarm || !mask || mask[row]);
  const groups = shown.map((j, at) => ({
    at,
    feature: j,
    name: data.features[j].name,
    color: palette.bar,
    values: Float64Array.from(rows, (row) => explanation.values[output][j][row]),
  }));
  const of = data.classes ? ` for ${data.classes[classIndex]}` : "";
  const chart = charts.chart(area, {
    title: `Summary of the ${counted(shown.length, `most important ${data.nouns.feature}`)}${of}.`,
    height: 80 + (isSwarm ? 38 : 34) * shown.length,
    x: { label: `importance${of} (${explanation.unit})`, kind: "linear" },
    y: { kind: "names", names: groups.map(({ name }) => name), flip: true, width: area.clientWidth < 560 ? 14 : 32 },
    legend: isSwarm
      ? [
          { label: "feature value", low: "low", high: "high" },
          { label: "categories and missing values", color: palette.neutral },
        ]
      : null,
    table: boxesTable(groups, "Values of the most important features", "Feature"),
  });
  chart.rule({ on: "x", value: 0 });
  const openFeature = ({ feature }) => {
    if (!data.features[feature].values) return;
    context.memoryOf("dependence").feature = feature;
    context.openView("dependence");
  };
  const drawn = isSwarm ? drawSwarm(chart, context, groups) : rows.length;
  if (!isSwarm)
    (settings.kind === "boxes" ? drawBoxes : drawViolins)(chart, groups, { across: true, onPick: openFeature });
  chart.show();
  const sentences = [
    drawn < data.n && isSwarm ? `${drawn.toLocaleString("en-US")} of ${counted(data.n, data.nouns.example)} are drawn here.` : "",
    mask && !isSwarm ? `Only the rows of ${context.cohort.name}.` : "",
  ];
  const text = sentences.filter(Boolean).join(" ");
  if (text) area.append(element("p", { class: "axd-soft", text }));
}

// Every row, or evenly spread ones if there would be too many points; selected rows are always among them.
function swarmRows(data, features, selected) {
  const most = Math.floor(MOST_POINTS / features);
  if (data.n <= most) return Array.from({ length: data.n }, (_, row) => row);
  const drawn = new Set(Array.from({ length: most }, (_, k) => Math.floor((k * data.n) / most)));
  selected.forEach((row) => drawn.add(row));
  return [...drawn].sort((a, b) => a - b);
}

function drawSwarm(chart, context, groups) {
  const { data, explanation, output, mask, state } = context;
  const rows = swarmRows(data, groups.length, state.current.selected);
  const values = explanation.values[output];
  const extents = groups.map(({ feature }) => extentOf(values[feature]));
  const [low, high] = [Math.min(...extents.map(([least]) => least)), Math.max(...extents.map(([, most]) => most))];
  const points = { x: [], y: [], color: [], rows: [], features: [] };
  groups.forEach(({ at, feature }) => {
    const own = Float64Array.from(rows, (row) => values[feature][row]);
    const offsets = swarmOffsets(own, low, high);
    const colors = shadesOf(data, feature, chart.palette);
    rows.forEach((row, k) => {
      points.x.push(own[k]);
      points.y.push(at + offsets[k]);
      points.color.push(mask && !mask[row] ? chart.palette.faded : colors[row]);
      points.rows.push(row);
      points.features.push(feature);
    });
  });
  const look = pointLook(rows.length);
  chart.points({
    ...points,
    size: Math.min(6, look.size),
    alpha: Math.max(0.6, look.alpha),
    tip: (i) => {
      const feature = data.features[points.features[i]];
      const cell = feature.values ? [["value", cellText(feature, feature.values[points.rows[i]])]] : [];
      return [
        `Row ${data.rowName(points.rows[i])}`,
        ["feature", feature.name],
        ...cell,
        ["importance", numberText(points.x[i], { signed: true })],
      ];
    },
  });
  return rows.length;
}

// Colours by the rank of a feature's value; grey for categories, missing values and unknown cells.
function shadesOf(data, feature, palette) {
  const { values, levels } = data.features[feature];
  if (!values || levels) return new Array(data.n).fill(palette.neutral);
  const ranks = data.cached(`ranks ${feature}`, () => ranksOf(values));
  return rampColors(palette, ranks);
}
