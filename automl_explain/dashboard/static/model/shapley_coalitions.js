// Shapley values of functions of models, such as the probability of a booster, from coalitions of the row's features: all
// coalitions if there are few, otherwise antithetic permutations with standard errors.

import { expandedOutputs, joined } from "./scorer_structures.js";
import { splitsLeft, treeCells } from "./scorer_trees.js";
import { walksOf } from "./shapley_walks.js";

const MOST_EXACT_PLAYERS = 12;
const EXACT_BUDGET_MS = 150;
const EXACT_TRIAL_MS = 50;
const SAMPLING_BUDGET_MS = 80;
const FEWEST_ROUNDS = 2;
const MOST_ROUNDS = 50;

// Values of a row as `shapleyValues` returns them.
export function coalitionValues(question, row) {
  const differing = question.rows.map((other) => differingPlayers(question, row, other));
  const most = Math.max(...differing.map((players) => players.length));
  const exact = most <= MOST_EXACT_PLAYERS ? everyCoalition(question, row, differing) : null;
  return exact ?? sampledValues(question, row, differing);
}

// Players with a cell in which the row and a background row differ.
function differingPlayers(question, row, other) {
  const found = new Set();
  for (let j = 0; j < row.length; j += 1) {
    if (!Object.is(row[j], other[j]) && row[j] !== other[j]) found.add(question.players[j]);
  }
  return Int32Array.from(found).sort();
}

function emptyValues(question) {
  return Array.from({ length: question.model.nOutputs }, () => new Float64Array(question.nPlayers));
}

// Exact values; null if, after a trial, they would take too long.
function everyCoalition(question, row, differing) {
  const values = emptyValues(question);
  const started = performance.now();
  for (let b = 0; b < question.rows.length; b += 1) {
    addExact(values, question, row, b, differing[b]);
    const spent = performance.now() - started;
    if (spent > EXACT_TRIAL_MS && (spent / (b + 1)) * question.rows.length > EXACT_BUDGET_MS) return null;
  }
  return { values, errors: null, note: null };
}

function addExact(values, question, row, b, present) {
  const d = present.length;
  if (d === 0) return;
  const nOutputs = values.length;
  const table = coalitionTable(question.model, row, question.rows[b], question.players, present);
  const shares = sizeShares(d);
  const sizes = coalitionSizes(d);
  for (let i = 0; i < d; i += 1) {
    const bit = 1 << i;
    for (let set = 0; set < 1 << d; set += 1) {
      if (set & bit) continue;
      const share = shares[sizes[set]] * question.weights[b];
      const [without, withIt] = [set * nOutputs, (set | bit) * nOutputs];
      for (let k = 0; k < nOutputs; k += 1) values[k][present[i]] += share * (table[withIt + k] - table[without + k]);
    }
  }
}

// s! (d-1-s)! / d! for each size s.
function sizeShares(d) {
  const shares = new Float64Array(d);
  let choose = 1;
  for (let size = 0; size < d; size += 1) {
    if (size > 0) choose *= (d - size) / size;
    shares[size] = 1 / (d * choose);
  }
  return shares;
}

function coalitionSizes(d) {
  const sizes = new Uint8Array(1 << d);
  for (let set = 1; set < sizes.length; set += 1) sizes[set] = sizes[set >> 1] + (set & 1);
  return sizes;
}

// Outputs of a model for every coalition of the players `present`, flat (2^d, K). Bit i of a coalition: the i-th of them has
// the row's cells; all others have those of the background row.
function coalitionTable(model, row, other, players, present) {
  const make = TABLE_MAKERS[model.structure.as] ?? maskedTable;
  return expandedOutputs(model, make(model, row, other, players, present));
}

function maskedTable(model, row, other, players, present) {
  const position = positionsOf(present);
  const parts = [];
  for (let set = 0; set < 1 << present.length; set += 1) {
    parts.push(model.structure.outputs(model.table(mixedRow(row, other, players, position, set))));
  }
  return joined(parts);
}

function positionsOf(present) {
  return new Map(Array.from(present, (player, i) => [player, i]));
}

// Each leaf that the two rows can reach is v times the product of [player in S] over P and [player not in S] over N. The
// products are expanded into sums over subsets, which are added up once for all leaves.
function tableOfTrees(model, row, other, players, present) {
  const { trees } = model.structure;
  const [mine, theirs] = [treeCells(trees, model.table(row)), treeCells(trees, model.table(other))];
  const position = positionsOf(present);
  const { place, right, feature, width, values, output, roots, nOutputs } = trees;
  const sums = new Float64Array((1 << present.length) * nOutputs);
  for (let k = 0; k < nOutputs; k += 1) sums[k] = trees.base[k];
  let column = 0;

  function addLeaf(node, own, absent) {
    const from = (-1 - place[node]) * width;
    let some = absent;
    for (;;) {
      const sign = parity(some) ? -1 : 1;
      const at = (own | some) * nOutputs;
      if (width === nOutputs) for (let k = 0; k < width; k += 1) sums[at + k] += sign * values[from + k];
      else sums[at + column] += sign * values[from];
      if (some === 0) return;
      some = (some - 1) & absent;
    }
  }

  function walk(node, own, absent) {
    const split = place[node];
    if (split < 0) {
      addLeaf(node, own, absent);
      return;
    }
    const [left, theirLeft] = [splitsLeft(trees, split, mine), splitsLeft(trees, split, theirs)];
    const [here, there] = [left ? node + 1 : right[node], theirLeft ? node + 1 : right[node]];
    if (here === there) {
      walk(here, own, absent);
      return;
    }
    const bit = 1 << position.get(players[feature[split]]);
    if (!(absent & bit)) walk(here, own | bit, absent);
    if (!(own & bit)) walk(there, own, absent | bit);
  }

  for (let tree = 0; tree < roots.length; tree += 1) {
    column = Math.max(output[tree], 0);
    walk(roots[tree], 0, 0);
  }
  for (let bit = 1; bit < 1 << present.length; bit <<= 1) {
    for (let set = 0; set < 1 << present.length; set += 1) {
      if (!(set & bit)) continue;
      for (let k = 0; k < nOutputs; k += 1) sums[set * nOutputs + k] += sums[(set ^ bit) * nOutputs + k];
    }
  }
  return sums;
}

function parity(bits) {
  let folded = bits ^ (bits >> 8);
  folded ^= folded >> 4;
  folded ^= folded >> 2;
  return (folded ^ (folded >> 1)) & 1;
}

function tableOfLinear(model, row, other, players, present) {
  const { coef, nOutputs, outputs } = model.structure;
  const [mine, theirs] = [model.table(row), model.table(other)];
  const position = positionsOf(present);
  const steps = new Float64Array(present.length * nOutputs);
  for (let j = 0; j < mine.length; j += 1) {
    const i = position.get(players[j]);
    if (i === undefined) continue;
    for (let k = 0; k < nOutputs; k += 1) steps[i * nOutputs + k] += coef[k * mine.length + j] * (mine[j] - theirs[j]);
  }
  const table = new Float64Array((1 << present.length) * nOutputs);
  table.set(outputs(theirs));
  for (let set = 1; set < 1 << present.length; set += 1) {
    const i = 31 - Math.clz32(set);
    for (let k = 0; k < nOutputs; k += 1) {
      table[set * nOutputs + k] = table[(set ^ (1 << i)) * nOutputs + k] + steps[i * nOutputs + k];
    }
  }
  return table;
}

function tableOfMixture(model, row, other, players, present) {
  const { members, weights, constant, nOutputs } = model.structure;
  const table = new Float64Array((1 << present.length) * nOutputs);
  for (let at = 0; at < table.length; at += 1) table[at] = constant[at % nOutputs];
  members.forEach((member, number) => {
    const own = coalitionTable(member, row, other, players, present);
    for (let set = 0; set < 1 << present.length; set += 1) {
      for (let m = 0; m < member.nOutputs; m += 1) {
        for (let k = 0; k < nOutputs; k += 1) {
          table[set * nOutputs + k] += own[set * member.nOutputs + m] * weights[number][m * nOutputs + k];
        }
      }
    }
  });
  return table;
}

function tableOfComposite(model, row, other, players, present) {
  const { members, combine, pass, roundingMatters } = model.structure;
  if (roundingMatters || members.some(({ member, space }) => member.space !== space)) {
    return maskedTable(model, row, other, players, present);
  }
  const tables = members.map(({ member }) => coalitionTable(member, row, other, players, present));
  const position = positionsOf(present);
  const passes = pass(row) !== null;
  const parts = [];
  for (let set = 0; set < 1 << present.length; set += 1) {
    const outputs = joined(tables.map((table, m) =>
      table.subarray(set * members[m].member.nOutputs, (set + 1) * members[m].member.nOutputs)));
    const passed = passes ? pass(mixedRow(row, other, players, position, set)) : null;
    parts.push(combine(outputs, passed));
  }
  return joined(parts);
}

function mixedRow(row, other, players, position, set) {
  return other.map((cell, j) => {
    const i = position.get(players[j]);
    return i !== undefined && (set >> i) & 1 ? row[j] : cell;
  });
}

function tableOfPrepared(model, row, other, players, present) {
  const inner = model.structure.model;
  const innerPlayers = Int32Array.from(inner.parent, (column) => players[column]);
  return coalitionTable(inner, inner.prepare(row), inner.prepare(other), innerPlayers, present);
}

const TABLE_MAKERS = {
  Trees: tableOfTrees, Linear: tableOfLinear, Mixture: tableOfMixture, Composite: tableOfComposite, Prepared: tableOfPrepared,
};

// A small generator of numbers in [0, 1), so that the same row has the same sampled values.
function seededRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffled(players, random) {
  const order = players.slice();
  for (let i = order.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

// Means over rounds; a round walks from every background row to the row, in a random order of the players and its reverse.
function sampledValues(question, row, differing) {
  const { rows, weights, nPlayers, model } = question;
  const size = model.nOutputs * nPlayers;
  if (!question.cache.has("walks")) question.cache.set("walks", walksOf(model, rows, question.players));
  const walk = question.cache.get("walks")(row);
  const random = seededRandom(1);
  const [sums, squares] = [rows.map(() => new Float64Array(size)), rows.map(() => new Float64Array(size))];
  const since = new Int32Array(nPlayers);
  const made = new Float64Array(size);
  const started = performance.now();
  let rounds = 0;
  while (rounds < MOST_ROUNDS && (rounds < FEWEST_ROUNDS || performance.now() - started < SAMPLING_BUDGET_MS)) {
    for (let b = 0; b < rows.length; b += 1) {
      const order = shuffled(differing[b], random);
      made.fill(0);
      addWalk(made, walk, b, order, since);
      addWalk(made, walk, b, order.reverse(), since);
      for (let at = 0; at < size; at += 1) {
        sums[b][at] += made[at];
        squares[b][at] += made[at] ** 2;
      }
    }
    rounds += 1;
  }
  const [values, errors] = [emptyValues(question), emptyValues(question)];
  for (let at = 0; at < size; at += 1) {
    const [k, player] = [Math.floor(at / nPlayers), at % nPlayers];
    let variance = 0;
    for (let b = 0; b < rows.length; b += 1) {
      const mean = sums[b][at] / rounds;
      values[k][player] += weights[b] * mean;
      variance += (weights[b] ** 2 * Math.max(squares[b][at] / rounds - mean ** 2, 0)) / (rounds - 1);
    }
    errors[k][player] = Math.sqrt(variance);
  }
  const note = `The values are sampled: ${2 * rounds} orders of the features for each of ${rows.length} background rows.`;
  return { values, errors, note };
}

// Adds half of what each player changes when the players' cells are taken from the row one after the other.
function addWalk(made, walk, b, order, since) {
  order.forEach((player, step) => { since[player] = step + 1; });
  const outputs = walk(b, since, order.length);
  const nOutputs = outputs.length / (order.length + 1);
  const nPlayers = since.length;
  for (let step = 0, at = 0; step < order.length; step += 1) {
    for (let k = 0; k < nOutputs; k += 1, at += 1) made[k * nPlayers + order[step]] += (outputs[at + nOutputs] - outputs[at]) / 2;
  }
}
