// How far an edited row is from the rows that are shown: cells outside the range of their column, and the distance to the nearest row.

import { cellText, shortened } from "../data/format.js";
import { quantile } from "../data/stats.js";

const DISTANCE_ROWS = 1500;
const DISTANCE_SAMPLE = 150;
const FAR_SHARE = 0.99;

// Sentences on why a row is unlike the data; none if it is not. `edited` are the positions of its edited features.
export function distanceWarnings(data, cells, edited) {
  if (!edited.length) return [];
  const sentences = edited.map((j) => rangeSentence(data.features[j], cells[j])).filter((one) => one !== null);
  const measured = data.cached("distances", () => measureRows(data));
  const nearest = nearestDistance(measured, Float64Array.from(cells, (cell) => cell ?? NaN), -1);
  if (nearest > measured.limit) {
    sentences.push(`No row is near this one: its nearest row is farther away than that of ${FAR_SHARE * 100}% of the rows.`);
  }
  return sentences;
}

function rangeSentence(feature, cell) {
  if (cell === null) return feature.missing ? null : `No row has a missing cell in ${shortened(feature.name, 40)}.`;
  if (feature.levels || feature.kind === "boolean" || feature.min === null) return null;
  const name = `${shortened(feature.name, 40)} = ${cellText(feature, cell)}`;
  if (cell > feature.max) return `${name} is above every row; the largest value is ${cellText(feature, feature.max)}.`;
  if (cell < feature.min) return `${name} is below every row; the smallest value is ${cellText(feature, feature.min)}.`;
  return null;
}

// The distance of two rows is the mean over features of |difference| / range, and of 0 or 1 for categories (Gower, 1971,
// doi:10.2307/2528823). The limit is the distance to the nearest other row that FAR_SHARE of the rows do not exceed.
function measureRows(data) {
  const step = Math.max(1, Math.ceil(data.n / DISTANCE_ROWS));
  const rows = Array.from({ length: Math.ceil(data.n / step) }, (_, k) => k * step);
  const columns = data.features.map(({ values }) => Float64Array.from(rows, (row) => values[row]));
  const spans = data.features.map(({ levels, kind, min, max }) => (levels || kind === "boolean" ? null : max - min || 1));
  const measured = { columns, spans, n: rows.length, limit: 0 };
  const some = Math.max(1, Math.floor(rows.length / DISTANCE_SAMPLE));
  const own = [];
  for (let k = 0; k < rows.length; k += some) {
    own.push(nearestDistance(measured, Float64Array.from(columns, (column) => column[k]), k));
  }
  measured.limit = Math.max(quantile(Float64Array.from(own.filter(Number.isFinite)).sort(), FAR_SHARE) || 0, 1e-9);
  return measured;
}

function nearestDistance({ columns, spans, n }, cells, except) {
  const sums = new Float64Array(n);
  columns.forEach((column, j) => {
    const [cell, span] = [cells[j], spans[j]];
    const isMissing = Number.isNaN(cell);
    for (let k = 0; k < n; k += 1) {
      const other = column[k];
      if (isMissing || Number.isNaN(other)) sums[k] += isMissing === Number.isNaN(other) ? 0 : 1;
      else sums[k] += span === null ? Number(cell !== other) : Math.abs(cell - other) / span;
    }
  });
  let least = Infinity;
  for (let k = 0; k < n; k += 1) if (k !== except && sums[k] < least) least = sums[k];
  return least / columns.length;
}
