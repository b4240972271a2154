// Points over two fields: where a field puts each row on an axis, which colour it gives it, and how rows outside of the
// cohort are drawn.

import { fieldCell, fieldText } from "../data/fields.js";
import { numberText, shortened } from "../data/format.js";
import { extentOf, ranksOf, steadyNoise } from "../data/stats.js";
import { classColor, rampColors } from "./palette.js";

const MOST_COLORS = 7;
const JITTER = 0.32;

// A field on an axis: `spec` for the chart, `places` of all rows, and `missing`, the place of rows without a value
// (null if every row has one). `isLog` drops values that are not positive.
export function fieldAxis(field, { isLog = false, jitter = false, width = 20, seed = 0 } = {}) {
  const spread = (row) => (jitter ? (steadyNoise(row * 2 + seed) - 0.5) * 2 * JITTER : 0);
  if (field.kind === "category") {
    const anyMissing = field.values.some(Number.isNaN);
    const names = anyMissing ? [...field.levels, "missing"] : field.levels;
    const places = Float64Array.from(
      field.values,
      (value, row) => (Number.isNaN(value) ? field.levels.length : value) + spread(row),
    );
    return { spec: { label: field.label, kind: "names", names, width }, places, missing: null };
  }
  const [low, high] = extentOf(field.values);
  const kind = field.kind === "date" ? "date" : isLog && high > 0 ? "log" : "linear";
  if (kind === "log") {
    return {
      spec: { label: `${field.label} (log scale)`, kind },
      places: Float64Array.from(field.values, (value) => (value > 0 ? value : NaN)),
      missing: null,
    };
  }
  const step = jitter ? smallestStep(field.values) * 0.4 : 0;
  const missing = field.values.some(Number.isNaN) && low <= high ? low - (high - low || 1) * 0.09 : null;
  const places = Float64Array.from(
    field.values,
    (value, row) =>
      (Number.isNaN(value) ? (missing ?? NaN) : value) + (step ? (steadyNoise(row * 2 + seed) - 0.5) * 2 * step : 0),
  );
  return { spec: { label: field.label, kind }, places, missing };
}

// The smallest distance between two values of a field with few of them, which may be jittered; else a hundredth of its
// range.
function smallestStep(values) {
  const distinct = [...new Set(values)].filter(Number.isFinite).sort((a, b) => a - b);
  if (distinct.length < 2) return 1;
  const range = distinct.at(-1) - distinct[0];
  if (distinct.length > 60) return range / 100;
  return Math.min(...distinct.slice(1).map((value, k) => value - distinct[k]));
}

// The colour that a field gives each row, and the legend. Without a field all rows have the colour of bars.
export function fieldColors(field, palette) {
  if (!field) return { colors: null, one: palette.bar, legend: null };
  if (field.kind === "category") return categoryColors(field, palette);
  const ranks = ranksOf(field.values);
  const text = (row) => fieldText(field, row);
  const [low, high] = extremeRows(field.values);
  const hasMissing = field.values.some(Number.isNaN);
  const legend = low < 0 ? [] : [{ label: shortened(field.label, 60), low: text(low), high: text(high) }];
  if (hasMissing) legend.push({ label: "missing", color: palette.neutral });
  return { colors: rampColors(palette, ranks), one: palette.bar, legend };
}

function extremeRows(values) {
  let [low, high] = [-1, -1];
  values.forEach((value, row) => {
    if (Number.isNaN(value)) return;
    if (low < 0 || value < values[low]) low = row;
    if (high < 0 || value > values[high]) high = row;
  });
  return [low, high];
}

// The most frequent levels have colours of their own, in the order of the levels; the others share grey.
function categoryColors(field, palette) {
  const counts = new Float64Array(field.levels.length);
  for (const value of field.values) if (!Number.isNaN(value)) counts[value] += 1;
  const levels = [...counts.keys()];
  const named =
    levels.length <= MOST_COLORS
      ? levels
      : levels
          .sort((a, b) => counts[b] - counts[a])
          .slice(0, MOST_COLORS - 1)
          .sort((a, b) => a - b);
  const ofLevel = new Array(field.levels.length).fill(palette.neutral);
  named.forEach((level, place) => {
    ofLevel[level] = classColor(palette, place);
  });
  const legend = named.map((level, place) => ({
    label: `${place ? "" : `${shortened(field.label, 40)}: `}${shortened(field.levels[level], 40)}`,
    color: ofLevel[level],
  }));
  const others = field.levels.length - named.length;
  if (others) legend.push({ label: `${others} other levels`, color: palette.neutral });
  if (field.values.some(Number.isNaN)) legend.push({ label: "missing", color: palette.neutral });
  return {
    colors: Array.from(field.values, (value) => (Number.isNaN(value) ? palette.neutral : ofLevel[value])),
    one: palette.bar,
    legend,
  };
}

// Radius and opacity by the number of points, so that crowds stay readable.
export function pointLook(n) {
  if (n > 20000) return { size: 3, alpha: 0.35 };
  if (n > 5000) return { size: 4, alpha: 0.45 };
  return n > 1000 ? { size: 5, alpha: 0.6 } : { size: 7, alpha: 0.75 };
}

// Draws rows as points: those outside of the cohort first, in a pale colour. `tip(row)` are the lines of the tooltip.
export function drawRows(chart, { rows, x, y, colors, one, mask, tip }) {
  const look = pointLook(rows.length);
  const drawn = rows.filter((row) => Number.isFinite(x[row]) && Number.isFinite(y[row]));
  const layer = (members, looks) =>
    members.length &&
    chart.points({
      x: Float64Array.from(members, (row) => x[row]),
      y: Float64Array.from(members, (row) => y[row]),
      rows: members,
      ...look,
      ...looks,
      tip: (i) => tip(members[i]),
    });
  if (mask)
    layer(
      drawn.filter((row) => !mask[row]),
      { color: chart.palette.faded, alpha: Math.min(0.6, look.alpha) },
    );
  const inside = mask ? drawn.filter((row) => mask[row]) : drawn;
  layer(inside, { color: colors ? inside.map((row) => colors[row]) : one });
  return drawn.length;
}

// Says where the rows without a value of a field are, beside its axis.
export function markMissing(chart, axis, on, other) {
  if (axis.missing === null) return;
  chart.rule({ on, value: axis.missing, dash: [3, 4] });
  const [low, high] = other;
  const at =
    on === "x"
      ? { x: [axis.missing], y: [high], align: "left", dx: 4, baseline: "top" }
      : { y: [axis.missing], x: [high], align: "right", dy: -7 };
  if (Number.isFinite(low)) chart.texts({ ...at, text: ["missing"], color: chart.palette.soft });
}

// The columns of a table of rows: name, the fields, and whether the row is in the cohort.
export function rowsTable(context, fields, caption) {
  const { data, mask, cohort } = context;
  const unique = [...new Map(fields.filter(Boolean).map((field) => [field.id, field])).values()];
  const rows = Array.from({ length: data.n }, (_, row) => row);
  const columns = [
    { label: "Row", get: (row) => data.rowName(row) },
    ...unique.map((field) => ({
      label: field.label,
      get: (row) => fieldCell(field, row),
      text: field.kind === "number" ? (value, row) => fieldText(field, row) : undefined,
    })),
  ];
  if (mask) columns.push({ label: `In ${cohort.name}`, get: (row) => (mask[row] ? "yes" : "no") });
  return { caption, n: data.n, rows, rowName: data.rowName, columns };
}

// The lines of a row's tooltip.
export function rowTip(context, fields) {
  const unique = [...new Map(fields.filter(Boolean).map((field) => [field.id, field])).values()];
  return (row) => [
    `Row ${context.data.rowName(row)}`,
    ...unique.map((field) => [shortened(field.label, 40), field.feature ? fieldText(field, row) : tipText(field, row)]),
  ];
}

function tipText(field, row) {
  return field.kind === "number" ? numberText(field.values[row]) : fieldText(field, row);
}
