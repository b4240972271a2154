// Boxes and violins of groups of numbers. A group is { at, name, values, color }; `across` draws them along y, as in
// the summary.

import { counted, dateText, numberText } from "../data/format.js";
import { boxOf, density, quantile } from "../data/stats.js";

const HALF = 0.32;
export const MOST_LEVELS = 20;

function turned(across, { x0, y0, x1, y1 }) {
  return across ? { x0: y0, y0: x0, x1: y1, y1: x1 } : { x0, y0, x1, y1 };
}

function tipOf(groups, found) {
  return (k) => [
    groups[k].name,
    ["rows", found[k].n.toLocaleString("en-US")],
    ["median", numberText(found[k].median)],
    ["middle half", `${numberText(found[k].q1)} to ${numberText(found[k].q3)}`],
    ["mean", numberText(found[k].mean)],
  ];
}

// Boxes from the first to the third quartile, whiskers to the furthest values within 1.5 times that range.
export function drawBoxes(chart, groups, { across = false, onPick } = {}) {
  const shown = groups.filter(({ values }) => values.length);
  const found = shown.map(({ values }) => boxOf(values));
  const at = shown.map((group) => group.at);
  const line = (x0, x1, y0, y1, looks) =>
    chart.segments({ ...turned(across, { x0, y0, x1, y1 }), color: chart.palette.ink, width: 1.2, ...looks });
  line(
    at,
    at,
    found.map(({ low }) => low),
    found.map(({ q1 }) => q1),
  );
  line(
    at,
    at,
    found.map(({ q3 }) => q3),
    found.map(({ high }) => high),
  );
  const low = found.map(({ q1 }) => q1);
  const high = found.map(({ q3 }) => q3);
  const [start, end] = [at.map((place) => place - HALF), at.map((place) => place + HALF)];
  const sides = across
    ? { left: low, right: high, bottom: start, top: end }
    : { left: start, right: end, bottom: low, top: high };
  chart.boxes({
    ...sides,
    color: shown.map(({ color }) => color),
    alpha: 0.65,
    edge: chart.palette.ink,
    tip: tipOf(shown, found),
    onPick: onPick && ((k) => onPick(shown[k])),
  });
  const medians = found.map(({ median }) => median);
  line(start, end, medians, medians, { width: 2.4 });
}

// Violins: densities scaled to one width, with the median and the middle half.
export function drawViolins(chart, groups, { across = false, onPick } = {}) {
  const shown = groups.filter(({ values }) => values.length);
  const found = shown.map(({ values }) => boxOf(values));
  const outlines = shown.map(({ at, values }) => {
    const { at: places, height } = density(values);
    const there = height.map((size) => at - size * HALF * 1.2);
    const back = height.map((size) => at + size * HALF * 1.2).reverse();
    return { side: [...there, ...back], along: [...places, ...[...places].reverse()] };
  });
  chart.patches({
    xs: outlines.map(({ side, along }) => (across ? along : side)),
    ys: outlines.map(({ side, along }) => (across ? side : along)),
    color: shown.map(({ color }) => color),
    alpha: 0.55,
  });
  const at = shown.map((group) => group.at);
  const [low, high] = [found.map(({ q1 }) => q1), found.map(({ q3 }) => q3)];
  const [start, end] = [at.map((place) => place - 0.06), at.map((place) => place + 0.06)];
  const sides = across
    ? { left: low, right: high, bottom: start, top: end }
    : { left: start, right: end, bottom: low, top: high };
  chart.boxes({
    ...sides,
    color: chart.palette.ink,
    tip: tipOf(shown, found),
    onPick: onPick && ((k) => onPick(shown[k])),
  });
  const medians = found.map(({ median }) => median);
  chart.points({ x: across ? medians : at, y: across ? at : medians, color: chart.palette.page, size: 5, alpha: 1 });
}

// The numbers of boxes as a table.
export function boxesTable(groups, caption, nameLabel) {
  const found = groups.map(({ values }) => boxOf(values));
  const column = (label, key) => ({ label, get: (k) => found[k][key] });
  return {
    caption,
    n: groups.length,
    columns: [
      { label: nameLabel, get: (k) => groups[k].name },
      column("Rows", "n"),
      column("Mean", "mean"),
      column("Lower whisker", "low"),
      column("First quartile", "q1"),
      column("Median", "median"),
      column("Third quartile", "q3"),
      column("Upper whisker", "high"),
    ],
  };
}

// Rows grouped by a category, the MOST_LEVELS most frequent levels, in the order of the levels; `left` counts the rest.
export function levelGroups(field, rows) {
  const members = new Map();
  for (const row of rows) {
    const level = Number.isNaN(field.values[row]) ? -1 : field.values[row];
    if (!members.has(level)) members.set(level, []);
    members.get(level).push(row);
  }
  const levels = [...members.keys()].sort((a, b) => members.get(b).length - members.get(a).length);
  const kept = levels.slice(0, MOST_LEVELS).sort((a, b) => (a < 0) - (b < 0) || a - b);
  const left = levels.length - kept.length;
  return {
    groups: kept.map((level, at) => ({
      at,
      level,
      name: level < 0 ? "missing" : field.levels[level],
      rows: members.get(level),
    })),
    left: left ? `${counted(left, "rarer level")} not drawn.` : "",
  };
}

// Rows grouped by bins of a number, of one width or of equal numbers of rows (`equalCounts`); missing ones last.
export function binGroups(field, rows, bins, { equalCounts = false } = {}) {
  const present = rows.filter((row) => Number.isFinite(field.values[row]));
  const edges = (equalCounts ? quantileEdges : widthEdges)(
    Float64Array.from(present, (row) => field.values[row]).sort(),
    bins,
  );
  const members = edges.slice(1).map(() => []);
  for (const row of present) members[binOf(edges, field.values[row])].push(row);
  const text = edgeText(field, edges);
  const groups = members.map((inside, k) => ({
    name: edges[k] === edges[k + 1] ? text(edges[k]) : `${text(edges[k])} to ${text(edges[k + 1])}`,
    rows: inside,
  }));
  const missing = rows.filter((row) => Number.isNaN(field.values[row]));
  if (missing.length) groups.push({ name: "missing", rows: missing });
  return { groups: groups.map((group, at) => ({ ...group, at })), left: "" };
}

function widthEdges(sorted, bins) {
  if (!sorted.length) return [];
  const [low, high] = [sorted[0], sorted.at(-1)];
  return low === high ? [low, high] : Array.from({ length: bins + 1 }, (_, k) => low + (k * (high - low)) / bins);
}

function quantileEdges(sorted, bins) {
  if (!sorted.length) return [];
  const edges = [...new Set(Array.from({ length: bins + 1 }, (_, k) => quantile(sorted, k / bins)))];
  return edges.length > 1 ? edges : [edges[0], edges[0]];
}

// The bin of a value: the last one that begins at or below it.
function binOf(edges, value) {
  let [low, high] = [0, edges.length - 2];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (edges[middle] <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

function edgeText(field, edges) {
  if (field.kind !== "date") return numberText;
  const byDay = edges.length > 1 && edges[1] - edges[0] > 2 * 86400e3;
  return (edge) => (byDay ? dateText(edge).slice(0, 10) : dateText(edge));
}
