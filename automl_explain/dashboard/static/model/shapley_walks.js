// Outputs of a row whose cells change player by player, as in a walk from a background row to the explained row: trees are routed
// again only if the player's columns are tested on their present paths.

import { addWeighted, expandedOutputs, joined } from "./scorer_structures.js";
import { splitsLeft, treeCells } from "./scorer_trees.js";

const MOST_MASK_WORDS = 8e6;

// A walker of a model: `start(row)` returns the outputs of a row, `move(row, player)` those after the cells of one player have
// changed in it. `players` are the players of the columns that the model reads.
export function outputWalker(model, players, nPlayers) {
  const inner = WALKERS[model.structure.as]?.(model, players, nPlayers) ?? null;
  if (inner === null) return { start: model.own, move: model.own };
  return {
    start: (row) => expandedOutputs(model, inner.start(model.table(row))),
    move: (row, player) => expandedOutputs(model, inner.move(model.table(row), player)),
  };
}

// The players that are tested on the path to each node, as bits; null if that would take too much memory.
function pathMasks(trees, players, nWords) {
  const { place, right, feature } = trees;
  if (place.length * nWords > MOST_MASK_WORDS) return null;
  const masks = new Uint32Array(place.length * nWords);
  for (let node = 0; node < place.length; node += 1) {
    if (place[node] < 0) continue;
    const player = players[feature[place[node]]];
    for (const child of [node + 1, right[node]]) {
      for (let word = 0; word < nWords; word += 1) masks[child * nWords + word] = masks[node * nWords + word];
      masks[child * nWords + (player >> 5)] |= 1 << (player & 31);
    }
  }
  return masks;
}

function treeWalker(model, players, nPlayers) {
  const { trees } = model.structure;
  const { place, right, roots, width, values, output } = trees;
  const nWords = Math.ceil(nPlayers / 32);
  const masks = pathMasks(trees, players, nWords);
  if (masks === null) return null;
  const leaves = new Int32Array(roots.length);
  let sums = null;

  function add(tree, sign) {
    const at = (-1 - place[leaves[tree]]) * width;
    if (width === sums.length) for (let k = 0; k < width; k += 1) sums[k] += sign * values[at + k];
    else sums[output[tree]] += sign * values[at];
  }

  function route(tree, cells) {
    let node = roots[tree];
    while (place[node] >= 0) node = splitsLeft(trees, place[node], cells) ? node + 1 : right[node];
    leaves[tree] = node;
  }

  return {
    start(row) {
      const cells = treeCells(trees, row);
      sums = trees.base.slice();
      for (let tree = 0; tree < roots.length; tree += 1) {
        route(tree, cells);
        add(tree, 1);
      }
      return sums.slice();
    },
    move(row, player) {
      const cells = treeCells(trees, row);
      const [word, bit] = [player >> 5, 1 << (player & 31)];
      for (let tree = 0; tree < roots.length; tree += 1) {
        if (!(masks[leaves[tree] * nWords + word] & bit)) continue;
        add(tree, -1);
        route(tree, cells);
        add(tree, 1);
      }
      return sums.slice();
    },
  };
}

function mixtureWalker(model, players, nPlayers) {
  const { members, weights, constant } = model.structure;
  const walkers = members.map((member) => outputWalker(member, players, nPlayers));
  const ask = (outputsOf) => {
    const out = constant.slice();
    walkers.forEach((walker, j) => addWeighted(out, outputsOf(walker), weights[j]));
    return out;
  };
  return { start: (row) => ask((walker) => walker.start(row)), move: (row, player) => ask((walker) => walker.move(row, player)) };
}

// Thresholds of a final model may tell apart sums that differ by rounding, so that its members are asked afresh.
function compositeWalker(model, players, nPlayers) {
  const { members, combine, pass, roundingMatters } = model.structure;
  if (roundingMatters || members.some(({ member, space }) => member.space !== space)) return null;
  const walkers = members.map(({ member }) => outputWalker(member, players, nPlayers));
  return {
    start: (row) => combine(joined(walkers.map((walker) => walker.start(row))), pass(row)),
    move: (row, player) => combine(joined(walkers.map((walker) => walker.move(row, player))), pass(row)),
  };
}

function preparedWalker(model, players, nPlayers) {
  const inner = model.structure.model;
  const walker = outputWalker(inner, Int32Array.from(inner.parent, (column) => players[column]), nPlayers);
  return { start: (row) => walker.start(inner.prepare(row)), move: (row, player) => walker.move(inner.prepare(row), player) };
}

const WALKERS = { Trees: treeWalker, Mixture: mixtureWalker, Composite: compositeWalker, Prepared: preparedWalker };
