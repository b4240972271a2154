// The charts of an edited row: where its prediction lies among those of all shown rows, and its explanation beside the original's.

import { cellText, numberText } from "../data/format.js";
import { extentOf, histogram } from "../data/stats.js";
import { element } from "../elements/dom.js";
import { drawValueBars, featureAndChange, outputName, paddedRange, strongestFeatures } from "./values.js";

const WHATIF_TOP = 10;
const PLACE_BINS = 40;

// A histogram of the shown rows' predictions, with the row before and after as lines.
export function drawPlace(container, context, before, after) {
  const { data, charts, output } = context;
  const all = data.predictions.output?.[output];
  if (!all) return;
  const palette = charts.palette();
  const [from, to] = [before.output[output], after.output[output]];
  const [low, high] = extentOf([...extentOf(all), from, to]);
  const { counts, edges } = histogram(all, PLACE_BINS, low, high);
  const most = Math.max(...counts);
  const chart = charts.chart(container, {
    title: `Histogram of the predictions of all shown rows, with this row before (${numberText(from)}) and after the edits (${numberText(to)}).`,
    heading: "Among all shown rows", height: 170, zoom: false,
    x: { label: outputName(context), kind: "linear" }, y: { label: "rows", kind: "linear", zero: true },
    legend: [{ label: "rows shown", color: palette.faded }, { label: "before", color: palette.neutral }, { label: "after", color: palette.bar }],
    table: {
      caption: "Predictions of the shown rows", n: counts.length,
      columns: [{ label: "From", get: (k) => edges[k] }, { label: "To", get: (k) => edges[k + 1] }, { label: "Rows", get: (k) => counts[k] }],
    },
  });
  chart.boxes({ left: edges.slice(0, -1), right: edges.slice(1), bottom: new Array(PLACE_BINS).fill(0), top: counts, color: palette.faded });
  chart.segments({ x0: [from, to], x1: [from, to], y0: [0, 0], y1: [most, most], color: [palette.neutral, palette.bar], width: 3 });
  chart.show();
}

// Bars of the values before and after, and a table of them.
export function drawChanges(container, context, { before, after, original, cells }) {
  const { data, charts, output } = context;
  const why = after.explained.why ?? before.explained.why;
  if (why) {
    container.append(element("p", { class: "axd-soft", text: why }));
    return;
  }
  const palette = charts.palette();
  const [own, edited] = [before, after].map(({ explained }) => ({
    values: explained.values[output][0], errors: explained.errors?.[output][0] ?? null, base: explained.expected[output],
  }));
  const order = strongestFeatures([own.values, edited.values]).slice(0, WHATIF_TOP);
  const width = container.clientWidth < 480 ? 20 : 34;
  const barsAs = ({ values, errors }, row) => order.map((j) =>
    ({ name: `${data.features[j].name} = ${cellText(data.features[j], row[j] ?? NaN)}`, value: values[j], error: errors?.[j] ?? null, from: 0, to: values[j] }));
  const parts = [barsAs(own, original), barsAs(edited, cells)];
  const chart = charts.chart(container, {
    title: "Bar chart: importance of the features for the row before and after the edits.",
    heading: "Explanation before and after", height: 70 + 32 * order.length, zoom: false,
    x: {
      label: `importance (${outputName(context)})`, kind: "linear",
      range: paddedRange([0, ...parts.flat().flatMap(({ value, error }) => [value - (error ?? 0), value + (error ?? 0)])], container.clientWidth, width),
    },
    y: { kind: "names", names: order.map((j) => featureAndChange(data.features[j], original[j], cells[j], width)), flip: true, width },
    legend: [{ label: `before, base value ${numberText(own.base)}`, color: palette.neutral }, { label: "after", color: palette.bar }],
    table: changesTable(data, own, edited, original, cells),
  });
  chart.rule({ on: "x", value: 0 });
  const tip = (bar) => [bar.name, ["importance", numberText(bar.value, { signed: true })], ...(bar.error === null ? [] : [["standard error", numberText(bar.error)]])];
  drawValueBars(chart, parts[0], { half: 0.17, shift: -0.19, colors: palette.neutral, tip });
  drawValueBars(chart, parts[1], { half: 0.17, shift: 0.19, colors: palette.bar, tip });
  chart.show();
  if (after.explained.note) container.append(element("p", { class: "axd-soft", text: after.explained.note }));
}

function changesTable(data, own, edited, original, cells) {
  const order = strongestFeatures([own.values, edited.values]);
  const cellOf = (row) => (k) => cellText(data.features[order[k]], row[order[k]] ?? NaN);
  const columns = [
    { label: "Feature", get: (k) => data.features[order[k]].name },
    { label: "Value before", get: cellOf(original) }, { label: "Value after", get: cellOf(cells) },
    { label: "Importance before", get: (k) => own.values[order[k]] }, { label: "Importance after", get: (k) => edited.values[order[k]] },
    { label: "Change", get: (k) => edited.values[order[k]] - own.values[order[k]] },
  ];
  if (edited.errors) columns.push({ label: "Standard error after", get: (k) => edited.errors[order[k]] });
  return { caption: "Importance of the features before and after the edits", n: order.length, columns };
}
