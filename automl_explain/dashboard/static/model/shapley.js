// Interventional Shapley values of a row over the background rows of the page, in the output space of the explanation: exact
// for trees, linear models, Gaussian kernels, and their sums; from coalitions for functions of such models.

import { coalitionValues } from "./shapley_coalitions.js";
import { prepareTreeBackground, treeValues } from "./shapley_trees.js";

const TINY = 1e-300;

// What is explained: `rows` are background rows as `model` reads them, `weights` add up to 1, `players` are the players of the
// columns. A question keeps what engines compute once (`cache`), also for its parts.
export function shapleyQuestion(model, rows, weights, players, nPlayers) {
  return { model, rows, weights, players, nPlayers, cache: new Map(), parts: new Map() };
}

// Values of a row: {values: [Float64Array(nPlayers) per output], errors: the same or null, note: sentence or null}.
export function shapleyValues(question, row) {
  const { model } = question;
  const engine = SHAPLEY_ENGINES[model.structure.as] ?? coalitionValues;
  const made = engine(question, row);
  if (!model.expands || made.values.length !== 1) return made;
  const [values] = made.values;
  const errors = made.errors === null ? null : [made.errors[0], made.errors[0]];
  return { ...made, values: [values.map((value) => -value), values], errors };
}

function onceFor(question, key, make) {
  if (!question.cache.has(key)) question.cache.set(key, make());
  return question.cache.get(key);
}

function exactly(values) {
  return { values, errors: null, note: null };
}

function ofTrees(question, row) {
  const { model, rows, weights, players, nPlayers } = question;
  const { trees } = model.structure;
  const prepared = onceFor(question, "trees", () => prepareTreeBackground(trees, rows.map(model.table), weights));
  return exactly(treeValues(trees, prepared, model.table(row), players, nPlayers));
}

function ofLinear(question, row) {
  const { model, rows, weights, players, nPlayers } = question;
  const { coef, nOutputs } = model.structure;
  const mean = onceFor(question, "mean", () => {
    const tables = rows.map(model.table);
    return tables[0].map((_, j) => tables.reduce((sum, table, b) => sum + weights[b] * table[j], 0));
  });
  const cells = model.table(row);
  const values = Array.from({ length: nOutputs }, (_, k) => {
    const made = new Float64Array(nPlayers);
    for (let j = 0; j < cells.length; j += 1) made[players[j]] += coef[k * cells.length + j] * (cells[j] - mean[j]);
    return made;
  });
  return exactly(values);
}

// Nodes in [0, 1] and weights of the Gauss-Legendre rule that integrates polynomials of degree 2 n - 1.
function gaussLegendre(n) {
  const nodes = new Float64Array(n);
  const weights = new Float64Array(n);
  for (let i = 0; i < n; i += 1) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    let slope = 1;
    for (let round = 0; round < 100; round += 1) {
      let [before, here] = [1, x];
      for (let k = 2; k <= n; k += 1) [before, here] = [here, ((2 * k - 1) * x * here - (k - 1) * before) / k];
      slope = (n * (x * here - before)) / (x * x - 1);
      const step = here / slope;
      x -= step;
      if (Math.abs(step) < 1e-16) break;
    }
    nodes[i] = (1 - x) / 2;
    weights[i] = 1 / ((1 - x * x) * slope * slope);
  }
  return { nodes, weights };
}

// The factor of each player at each centre, (P, c): exp of minus its share of the scaled squared distance.
function kernelFactors(structure, cells, players, nPlayers) {
  const { centres, gamma, nCentres } = structure;
  const factors = new Float64Array(nPlayers * nCentres);
  for (let j = 0; j < cells.length; j += 1) {
    for (let c = 0; c < nCentres; c += 1) {
      factors[players[j] * nCentres + c] -= gamma[j] * (cells[j] - centres[c * cells.length + j]) ** 2;
    }
  }
  return factors.map(Math.exp);
}

// A kernel is a product of one factor per player, so that its value is the integral over t of the derivative of
// prod_j (b_j + t (x_j - b_j)), as in explainers/methods/_rbf.py.
function ofKernels(question, row) {
  const { model, rows, weights, players, nPlayers } = question;
  const { structure } = model;
  const { nCentres, nOutputs } = structure;
  const theirs = onceFor(question, "kernels", () =>
    rows.map((other) => kernelFactors(structure, model.table(other), players, nPlayers)));
  const rule = onceFor(question, "rule", () => gaussLegendre(Math.ceil(nPlayers / 2)));
  const mine = kernelFactors(structure, model.table(row), players, nPlayers);
  const slopes = new Float64Array(nPlayers * nCentres);
  const whole = new Float64Array(nCentres);
  theirs.forEach((absent, b) => {
    rule.nodes.forEach((t, k) => {
      whole.fill(rule.weights[k] * weights[b]);
      for (let at = 0; at < mine.length; at += 1) whole[at % nCentres] *= absent[at] + t * (mine[at] - absent[at]);
      for (let player = 0, at = 0; player < nPlayers; player += 1) {
        for (let c = 0; c < nCentres; c += 1, at += 1) {
          const step = mine[at] - absent[at];
          slopes[at] += whole[c] * (step / Math.max(absent[at] + t * step, TINY));
        }
      }
    });
  });
  const values = Array.from({ length: nOutputs }, (_, k) => {
    const made = new Float64Array(nPlayers);
    for (let player = 0, at = 0; player < nPlayers; player += 1) {
      for (let c = 0; c < nCentres; c += 1, at += 1) made[player] += slopes[at] * structure.weights[c * nOutputs + k];
    }
    return made;
  });
  return exactly(values);
}

// The question about a member of an ensemble; `rows` and `players` differ for a member with its own preprocessing.
function partOf(question, key, model, rows, players) {
  if (!question.parts.has(key)) {
    question.parts.set(key, shapleyQuestion(model, rows, question.weights, players, question.nPlayers));
  }
  return question.parts.get(key);
}

// Adds values of a member, (K_member, P), times its weights to those of the sum; errors add as variances.
function weightedSum(question, row, members, weights, nOutputs) {
  const values = Array.from({ length: nOutputs }, () => new Float64Array(question.nPlayers));
  const variances = Array.from({ length: nOutputs }, () => new Float64Array(question.nPlayers));
  const notes = new Set();
  let sampled = false;
  members.forEach((member, number) => {
    const part = shapleyValues(partOf(question, number, member, question.rows, question.players), row);
    if (part.note) notes.add(part.note);
    sampled ||= part.errors !== null;
    part.values.forEach((own, m) => {
      for (let k = 0; k < nOutputs; k += 1) {
        const weight = weights[number][m * nOutputs + k];
        for (let player = 0; player < own.length; player += 1) {
          values[k][player] += weight * own[player];
          if (part.errors !== null) variances[k][player] += (weight * part.errors[m][player]) ** 2;
        }
      }
    });
  });
  return { values, errors: sampled ? variances.map((one) => one.map(Math.sqrt)) : null, note: [...notes].join(" ") || null };
}

function ofMixture(question, row) {
  const { members, weights, nOutputs } = question.model.structure;
  return weightedSum(question, row, members, weights, nOutputs);
}

function ofComposite(question, row) {
  const { members, sum } = question.model.structure;
  if (sum === null || members.some(({ member, space }) => member.space !== space)) return coalitionValues(question, row);
  const nOutputs = question.model.nOutputs;
  let at = 0;
  const weights = members.map(({ member }) => {
    const part = sum.subarray(at, at + member.nOutputs * nOutputs);
    at += part.length;
    return part;
  });
  return weightedSum(question, row, members.map(({ member }) => member), weights, nOutputs);
}

function ofPrepared(question, row) {
  const inner = question.model.structure.model;
  const rows = onceFor(question, "prepared", () => question.rows.map(inner.prepare));
  const players = onceFor(question, "players", () => Int32Array.from(inner.parent, (column) => question.players[column]));
  return shapleyValues(partOf(question, "prepared", inner, rows, players), inner.prepare(row));
}

const SHAPLEY_ENGINES = {
  Trees: ofTrees, Linear: ofLinear, RadialBasis: ofKernels, Mixture: ofMixture, Composite: ofComposite, Prepared: ofPrepared,
};
