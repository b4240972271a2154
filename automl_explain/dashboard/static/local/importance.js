// Local importance: what each feature adds to the prediction of a selected row, as bars or as a waterfall from the base value to
// the prediction; up to three rows side by side.

import { capitalized, cellText, counted, numberText, shareText, shortened } from "../data/format.js";
import { segmentedControl, sliderControl, viewSettings } from "../elements/controls.js";
import { element } from "../elements/dom.js";
import {
  barTip, barsOf, drawValueBars, drawValueTexts, featureAndCell, outputName, paddedRange, strongestFeatures, valuesOfRow, waterfallSteps,
} from "./values.js";

export const LOCAL_IMPORTANCE_VIEW = {
  id: "local-importance", title: "Local importance", group: "local",
  needs: (data) => (data.explanations.some(({ values }) => values) ? null : "The explanation has no values of single rows."),
  draw: drawLocalImportance,
};

function drawLocalImportance(container, context) {
  const { data, explanation } = context;
  if (!explanation.values) {
    container.append(element("p", { class: "axd-empty", text: `${explanation.name} has no values of single rows. Choose another explanation.` }));
    return;
  }
  const area = element("div", { class: "axd-rows" });
  const { settings, set } = viewSettings(context, { top: Math.min(10, data.features.length), form: explanation.additive ? "waterfall" : "bars" },
    () => fillRows(area, context, settings));
  container.append(element("div", { class: "axd-controls" },
    sliderControl(`${capitalized(data.nouns.feature)}s shown`, { min: 1, max: Math.min(data.features.length, 60), value: settings.top }, set("top")),
    explanation.additive
      ? segmentedControl("Drawn as", [["waterfall", "Waterfall"], ["bars", "Bars"]], settings.form, set("form"))
      : null), area);
  fillRows(area, context, settings);
}

function fillRows(area, context, settings) {
  const { charts, state, explanation, output } = context;
  charts.clear(area);
  const rows = state.current.selected;
  const form = explanation.additive ? settings.form : "bars";
  const parts = rows.map((row) => valuesOfRow(explanation, output, row));
  const order = strongestFeatures(parts.map(({ values }) => values));
  const panels = rows.map((row, k) => element("section", { class: "axd-row", "aria-label": `${capitalized(context.data.nouns.example)} ${context.data.rowName(row)}` }, rowHead(context, row, parts[k], form)));
  area.replaceChildren(...panels);
  const drawn = rows.map((row, k) => {
    const bars = barsOf(parts[k], order, settings.top, context.data.nouns, (j) => cellName(context, j, row, nameWidth(panels[k])));
    return form === "waterfall" ? waterfallSteps(bars, parts[k].base) : bars.map((bar) => ({ ...bar, from: 0, to: bar.value }));
  });
  const range = paddedRange(drawn.flatMap((steps) => steps.flatMap(({ from, to, error }) => [from, to - (error ?? 0), to + (error ?? 0)])), panels[0].clientWidth, nameWidth(panels[0]));
  rows.forEach((row, k) => drawRowChart(panels[k], context, { row, part: parts[k], bars: drawn[k], order, form, range }));
}

function nameWidth(panel) {
  return panel.clientWidth < 480 ? 20 : 32;
}

function cellName({ data }, j, row, width) {
  const feature = data.features[j];
  return feature.values ? featureAndCell(feature, feature.values[row], width) : feature.name;
}

// The row's prediction, and its truth if it is known.
function rowHead(context, row, part, form) {
  const { data, classIndex } = context;
  const { probability, truth } = data.predictions;
  const facts = [[form === "waterfall" ? "Base value (dashed line)" : "Base value", numberText(part.base)], [outputName(context), numberText(part.prediction ?? sumOf(part))]];
  if (probability && data.output.space !== "probability") {
    facts.push([`Probability of ${shortened(data.classes[classIndex], 24)}`, shareText(probability[classIndex][row])]);
  }
  if (truth && !Number.isNaN(truth[row])) facts.push(["True value", data.classes ? shortened(data.classes[truth[row]], 24) : numberText(truth[row])]);
  return [
    element("h2", { text: `${capitalized(data.nouns.example)} ${shortened(data.rowName(row), 40)}` }),
    element("dl", { class: "axd-facts" }, facts.map(([name, value]) => element("div", {}, element("dt", { text: name }), element("dd", { text: value })))),
  ];
}

function sumOf({ values, base, leftOut }) {
  return values.reduce((sum, value) => sum + value, base + leftOut);
}

function drawRowChart(panel, context, { row, part, bars, order, form, range }) {
  const { charts, data } = context;
  const end = part.prediction ?? sumOf(part);
  const chart = charts.chart(panel, {
    title: `${form === "waterfall" ? "Waterfall" : "Bar"} chart: importance of ${counted(bars.length, data.nouns.feature)} for ${data.nouns.example} ${data.rowName(row)}.`,
    height: 70 + 27 * bars.length, zoom: false,
    x: { label: form === "waterfall" ? outputName(context) : `importance (${outputName(context)})`, kind: "linear", range },
    y: { kind: "names", names: bars.map(({ name }) => name), flip: true, width: nameWidth(panel) },
    table: rowTable(context, row, part, order),
  });
  if (form === "waterfall") {
    chart.rule({ on: "x", value: part.base, dash: [4, 4] });
    chart.rule({ on: "x", value: end });
    const linked = bars.slice(0, -1);
    chart.segments({
      x0: linked.map(({ to }) => to), x1: linked.map(({ to }) => to), y0: linked.map((_, k) => k + 0.34), y1: linked.map((_, k) => k + 0.66),
      color: chart.palette.rule, width: 1,
    });
  } else {
    chart.rule({ on: "x", value: 0 });
  }
  drawValueBars(chart, bars, { tip: barTip });
  drawValueTexts(chart, bars);
  chart.show();
}

function rowTable({ data }, row, { values, errors }, order) {
  const columns = [
    { label: capitalized(data.nouns.feature), get: (k) => data.features[order[k]].name },
    { label: "Value", get: (k) => valueOf(data.features[order[k]], row) },
    { label: "Importance", get: (k) => values[order[k]] },
  ];
  if (errors) columns.push({ label: "Standard error", get: (k) => errors[order[k]] });
  return { caption: `Importance of the ${data.nouns.feature}s for ${data.nouns.example} ${data.rowName(row)}`, n: order.length, columns };
}

function valueOf(feature, row) {
  return feature.values ? cellText(feature, feature.values[row]) : "";
}
