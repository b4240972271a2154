// Statistics of arrays.

export function mean(values) {
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) sum += values[i];
  return values.length ? sum / values.length : NaN;
}

export function meanSize(values) {
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) sum += Math.abs(values[i]);
  return values.length ? sum / values.length : NaN;
}

// Smallest and largest finite value.
export function extentOf(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low && value > -Infinity) low = value;
    if (value > high && value < Infinity) high = value;
  }
  return [low, high];
}

// A quantile of sorted values, with linear interpolation.
export function quantile(sorted, share) {
  if (!sorted.length) return NaN;
  const place = (sorted.length - 1) * share;
  const low = Math.floor(place);
  return sorted[low] + (place - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

function sortedFinite(values) {
  return Float64Array.from(Array.from(values).filter(Number.isFinite)).sort();
}

// The five numbers of a box: whiskers at the furthest values within 1.5 interquartile ranges of the box.
export function boxOf(values) {
  const sorted = sortedFinite(values);
  const [q1, median, q3] = [0.25, 0.5, 0.75].map((share) => quantile(sorted, share));
  const reach = 1.5 * (q3 - q1);
  const low = sorted.find((value) => value >= q1 - reach);
  const high = sorted.findLast((value) => value <= q3 + reach);
  return { n: sorted.length, q1, median, q3, low, high, mean: mean(sorted) };
}

// Gaussian kernel density at `steps` places over the range of the values, scaled to a largest density of 1. Bandwidth:
// Silverman's rule of thumb (1986). Values are binned first, so the cost grows with the number of steps.
export function density(values, steps = 64) {
  const sorted = sortedFinite(values);
  const n = sorted.length;
  if (!n) return { at: [], height: [] };
  const center = mean(sorted);
  const deviation = Math.sqrt(mean(sorted.map((value) => (value - center) ** 2)));
  const spread = Math.min(deviation, (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 1.34) || deviation;
  const width = 0.9 * spread * n ** -0.2 || Math.abs(center) * 1e-3 || 1e-6;
  const [low, high] = [sorted[0] - 1.5 * width, sorted[n - 1] + 1.5 * width];
  const step = (high - low) / (steps - 1);
  const counts = new Float64Array(steps);
  for (const value of sorted) counts[Math.round((value - low) / step)] += 1;
  const at = Array.from(counts, (_, k) => low + k * step);
  const height = at.map((place) =>
    at.reduce((sum, other, k) => sum + counts[k] * Math.exp(-0.5 * ((place - other) / width) ** 2), 0),
  );
  const most = Math.max(...height);
  return { at, height: height.map((value) => value / most) };
}

// Ranks from 0 to 1, the mean rank for ties, NaN for missing values and for constant columns.
export function ranksOf(values) {
  const ranks = new Float64Array(values.length).fill(NaN);
  const order = Array.from(values.keys())
    .filter((i) => !Number.isNaN(values[i]))
    .sort((i, j) => values[i] - values[j]);
  const groups = [];
  for (let from = 0; from < order.length;) {
    let to = from;
    while (to < order.length && values[order[to]] === values[order[from]]) to += 1;
    groups.push([from, to]);
    from = to;
  }
  if (groups.length < 2) return ranks;
  const middle = ([from, to]) => (from + to - 1) / 2;
  const [first, last] = [middle(groups[0]), middle(groups.at(-1))];
  for (const group of groups) {
    for (let k = group[0]; k < group[1]; k += 1) ranks[order[k]] = (middle(group) - first) / (last - first);
  }
  return ranks;
}

// Counts of values in `bins` equal bins from low to high.
export function histogram(values, bins, low, high) {
  const counts = new Float64Array(bins);
  const width = (high - low) / bins || 1;
  for (const value of values) {
    if (Number.isFinite(value)) counts[Math.min(bins - 1, Math.max(0, Math.floor((value - low) / width)))] += 1;
  }
  return { counts, edges: Array.from({ length: bins + 1 }, (_, k) => low + k * width) };
}

// A number from 0 to 1 that depends on `seed` alone, so that a point's jitter is the same at each drawing.
export function steadyNoise(seed) {
  let mixed = (seed + 0x9e3779b9) | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
}

const SWARM_BINS = 110;
const SWARM_STEP = 0.075;
const SWARM_HALF = 0.4;

// Distances of the points of a swarm from the middle of their line, as in plots/_beeswarm.py: equal values lie
// alternately above and below, closer together the more there are.
export function swarmOffsets(values, low, high) {
  const width = high - low;
  const counts = new Int32Array(SWARM_BINS + 1);
  const bins = Int32Array.from(values, (value) =>
    width > 0 ? Math.min(SWARM_BINS, Math.max(0, Math.floor(((value - low) / width) * SWARM_BINS))) : 0,
  );
  const places = Float64Array.from(bins, (bin) => {
    const rank = counts[bin];
    counts[bin] += 1;
    return Math.floor((rank + 1) / 2) * (rank % 2 ? 1 : -1);
  });
  const tallest = Math.max(1, Math.floor(Math.max(...counts) / 2));
  const step = Math.min(SWARM_STEP, SWARM_HALF / tallest);
  return places.map((place) => place * step);
}
