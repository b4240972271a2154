// Outputs along walks from a background row to a row: in each step the cells of one more player are taken from the row. A tree
// is walked once for all steps of a walk: each leaf that is reached is the leaf of an interval of steps.

import { addWeighted, expandedOutputs, joined } from "./scorer_structures.js";
import { splitsLeft, treeCells } from "./scorer_trees.js";

// A function from a row to its walks. `walk(b, since, size)` are the outputs of a walk from the background row b, flat
// (size + 1, K): those after t steps begin at t K. Player p has the row's cells after `since[p]` steps and later; players in
// whose cells the two rows are equal may have any number. `players` are the players of the columns that the model reads.
export function walksOf(model, rows, players) {
  const inner = (WALKS[model.structure.as] ?? walksOfAny)(model, rows, players);
  if (!model.expands) return inner;
  return (row) => {
    const walk = inner(row);
    return (b, since, size) => expandedOutputs(model, walk(b, since, size));
  };
}

// Whether each split sends a row left, as bits.
function leftBits(trees, row) {
  const cells = treeCells(trees, row);
  const bits = new Uint32Array(Math.ceil(trees.nSplits / 32));
  for (let split = 0; split < trees.nSplits; split += 1) if (splitsLeft(trees, split, cells)) bits[split >> 5] |= 1 << (split & 31);
  return bits;
}

function walksOfTrees(model, rows, players) {
  const { trees } = model.structure;
  const { place, right, roots, width, values, output, nOutputs } = trees;
  const theirs = rows.map((other) => leftBits(trees, model.table(other)));
  const playerOf = Int32Array.from(trees.feature, (column) => players[column]);
  const room = trees.nSplits + 1;
  const open = { node: new Int32Array(room), first: new Int32Array(room), last: new Int32Array(room) };

  function addLeaf(sums, tree, leaf, first, last) {
    const from = (-1 - leaf) * width;
    const columns = width === nOutputs ? 0 : output[tree];
    for (let k = 0; k < width; k += 1) {
      sums[first * nOutputs + columns + k] += values[from + k];
      sums[(last + 1) * nOutputs + columns + k] -= values[from + k];
    }
  }

  return (row) => {
    const mine = leftBits(trees, model.table(row));
    return (b, since, size) => {
      const other = theirs[b];
      const sums = new Float64Array((size + 2) * nOutputs);
      for (let tree = 0; tree < roots.length; tree += 1) {
        let [node, first, last, waiting] = [roots[tree], 0, size, 0];
        for (;;) {
          const split = place[node];
          if (split < 0) {
            addLeaf(sums, tree, split, first, last);
            if (waiting === 0) break;
            waiting -= 1;
            [node, first, last] = [open.node[waiting], open.first[waiting], open.last[waiting]];
            continue;
          }
          const [word, bit] = [split >> 5, split & 31];
          const left = (mine[word] >>> bit) & 1;
          let goesLeft = left;
          if (left !== ((other[word] >>> bit) & 1)) {
            const from = since[playerOf[split]];
            if (from > last) goesLeft = 1 - left;
            else if (from > first) {
              open.node[waiting] = left ? right[node] : node + 1;
              open.first[waiting] = first;
              open.last[waiting] = from - 1;
              waiting += 1;
              first = from;
            }
          }
          node = goesLeft ? node + 1 : right[node];
        }
      }
      for (let k = 0; k < nOutputs; k += 1) sums[k] += trees.base[k];
      for (let at = nOutputs; at < (size + 1) * nOutputs; at += 1) sums[at] += sums[at - nOutputs];
      return sums.subarray(0, (size + 1) * nOutputs);
    };
  };
}

function walksOfLinear(model, rows, players) {
  const { coef, nOutputs, outputs } = model.structure;
  const theirs = rows.map(model.table);
  const starts = theirs.map(outputs);
  return (row) => {
    const mine = model.table(row);
    return (b, since, size) => {
      const sums = new Float64Array((size + 1) * nOutputs);
      sums.set(starts[b]);
      for (let j = 0; j < mine.length; j += 1) {
        if (mine[j] === theirs[b][j]) continue;
        const at = since[players[j]] * nOutputs;
        for (let k = 0; k < nOutputs; k += 1) sums[at + k] += coef[k * mine.length + j] * (mine[j] - theirs[b][j]);
      }
      for (let at = nOutputs; at < sums.length; at += 1) sums[at] += sums[at - nOutputs];
      return sums;
    };
  };
}

function walksOfMixture(model, rows, players) {
  const { members, weights, constant, nOutputs } = model.structure;
  const makers = members.map((member) => walksOf(member, rows, players));
  return (row) => {
    const walks = makers.map((make) => make(row));
    return (b, since, size) => {
      const sums = new Float64Array((size + 1) * nOutputs);
      for (let at = 0; at < sums.length; at += nOutputs) sums.set(constant, at);
      walks.forEach((walk, j) => {
        const [own, width] = [walk(b, since, size), members[j].nOutputs];
        for (let t = 0; t <= size; t += 1) {
          addWeighted(sums.subarray(t * nOutputs, (t + 1) * nOutputs), own.subarray(t * width, (t + 1) * width), weights[j]);
        }
      });
      return sums;
    };
  };
}

// Thresholds of a final model may tell apart sums that differ by rounding, so that its members are asked afresh.
function walksOfComposite(model, rows, players) {
  const { members, combine, pass, roundingMatters } = model.structure;
  if (roundingMatters || members.some(({ member, space }) => member.space !== space)) return walksOfAny(model, rows, players);
  const makers = members.map(({ member }) => walksOf(member, rows, players));
  return (row) => {
    const walks = makers.map((make) => make(row));
    const passes = pass(row) !== null;
    return (b, since, size) => {
      const own = walks.map((walk) => walk(b, since, size));
      const parts = [];
      for (let t = 0; t <= size; t += 1) {
        if (t > 0 && !passes && own.every((outputs, m) => isUnchanged(outputs, t, members[m].member.nOutputs))) {
          parts.push(parts[t - 1]); // most players are in few trees
          continue;
        }
        const at = own.map((outputs, m) => outputs.subarray(t * members[m].member.nOutputs, (t + 1) * members[m].member.nOutputs));
        parts.push(combine(at.length === 1 ? at[0] : joined(at), passes ? pass(rowAfter(t, row, rows[b], since, players)) : null));
      }
      return joined(parts);
    };
  };
}

function isUnchanged(outputs, t, width) {
  for (let at = t * width; at < (t + 1) * width; at += 1) if (outputs[at] !== outputs[at - width]) return false;
  return true;
}

function walksOfPrepared(model, rows, players) {
  const inner = model.structure.model;
  const make = walksOf(inner, rows.map(inner.prepare), Int32Array.from(inner.parent, (column) => players[column]));
  return (row) => make(inner.prepare(row));
}

function rowAfter(t, row, other, since, players) {
  return other.map((cell, j) => (since[players[j]] <= t ? row[j] : cell));
}

function walksOfAny(model, rows, players) {
  const outputsOf = (row) => model.structure.outputs(model.table(row));
  return (row) => (b, since, size) =>
    joined(Array.from({ length: size + 1 }, (_, t) => outputsOf(rowAfter(t, row, rows[b], since, players))));
}

const WALKS = {
  Trees: walksOfTrees, Linear: walksOfLinear, Mixture: walksOfMixture, Composite: walksOfComposite, Prepared: walksOfPrepared,
};
