// Exact interventional Shapley values of tree ensembles: a row and each background row go down a tree together, those that
// are sent the same way as one set of bits. A leaf with the players P of the row and N of the background rows adds
// v (|P|-1)! |N|! / (|P|+|N|)! to each player of P, and takes v |P|! (|N|-1)! / (|P|+|N|)! from each of N.
// Source: Laberge and Pequignot, "Understanding interventional TreeSHAP", arXiv 2209.15123.

import { splitsLeft, treeCells } from "./scorer_trees.js";

const OF_ROW = 1;
const OF_BACKGROUND = 2;

// Table [p][q] of (p-1)! q! / (p+q)! for p from 1; 1 / (p C(p+q, p)).
function pairShares(most) {
  const table = Array.from({ length: most + 1 }, () => new Float64Array(most + 1));
  for (let p = 1; p <= most; p += 1) {
    let choose = 1;
    for (let q = 0; p + q <= most; q += 1) {
      if (q > 0) choose *= (p + q) / q;
      table[p][q] = 1 / (p * choose);
    }
  }
  return table;
}

function deepestLeaf(trees) {
  const depth = new Int32Array(trees.place.length);
  let deepest = 0;
  for (let node = 0; node < depth.length; node += 1) {
    if (trees.place[node] < 0) continue;
    depth[node + 1] = depth[node] + 1;
    depth[trees.right[node]] = depth[node] + 1;
    deepest = Math.max(deepest, depth[node] + 1);
  }
  return deepest;
}

// What is computed once for an ensemble and a background: the background rows that each split sends left, as bits, and the
// weights of every byte of a set.
export function prepareTreeBackground(trees, rows, weights) {
  const nWords = Math.ceil(rows.length / 32);
  const lefts = new Uint32Array(trees.nSplits * nWords);
  rows.forEach((row, b) => {
    const cells = treeCells(trees, row);
    const bit = 1 << (b & 31);
    for (let split = 0, at = b >> 5; split < trees.nSplits; split += 1, at += nWords) {
      if (splitsLeft(trees, split, cells)) lefts[at] |= bit;
    }
  });
  const bytes = new Float64Array(nWords * 4 * 256);
  for (let byte = 0; byte < nWords * 4; byte += 1) {
    for (let set = 1; set < 256; set += 1) {
      const lowest = 31 - Math.clz32(set & -set);
      const b = byte * 8 + lowest;
      bytes[byte * 256 + set] = bytes[byte * 256 + (set & (set - 1))] + (b < rows.length ? weights[b] : 0);
    }
  }
  const every = new Uint32Array(nWords);
  rows.forEach((_, b) => { every[b >> 5] |= 1 << (b & 31); });
  const deepest = deepestLeaf(trees);
  return { nWords, lefts, bytes, every, deepest, shares: pairShares(deepest + 1) };
}

// The values of a row: an array of Float64Array(nPlayers), one per output of the trees.
export function treeValues(trees, prepared, row, players, nPlayers) {
  const { nWords, lefts, bytes, shares, deepest } = prepared;
  const { place, right, feature, values, width, output, roots } = trees;
  const cells = treeCells(trees, row);
  const phi = Array.from({ length: trees.nOutputs }, () => new Float64Array(nPlayers));
  const side = new Uint8Array(nPlayers);
  const own = new Int32Array(deepest + 1);
  const theirs = new Int32Array(deepest + 1);
  const sets = new Uint32Array((2 * deepest + 3) * nWords);
  let target = phi[0];
  const vector = width > 1;

  function addLeaf(node, at, p, q) {
    let weight = 0;
    for (let word = 0; word < nWords; word += 1) {
      const set = sets[at + word];
      const table = word * 1024;
      weight += bytes[table + (set & 255)] + bytes[table + 256 + ((set >>> 8) & 255)]
        + bytes[table + 512 + ((set >>> 16) & 255)] + bytes[table + 768 + (set >>> 24)];
    }
    const plus = p ? shares[p][q] * weight : 0;
    const minus = q ? shares[q][p] * weight : 0;
    const from = (-1 - place[node]) * width;
    if (!vector) {
      const value = values[from];
      for (let i = 0; i < p; i += 1) target[own[i]] += value * plus;
      for (let i = 0; i < q; i += 1) target[theirs[i]] -= value * minus;
      return;
    }
    for (let k = 0; k < width; k += 1) {
      const value = values[from + k];
      for (let i = 0; i < p; i += 1) phi[k][own[i]] += value * plus;
      for (let i = 0; i < q; i += 1) phi[k][theirs[i]] -= value * minus;
    }
  }

  // `at` is where the set of background rows begins; the two sets of the next level follow at `next`.
  function walk(node, at, next, p, q) {
    const split = place[node];
    if (split < 0) {
      if (p + q) addLeaf(node, at, p, q);
      return;
    }
    const left = splitsLeft(trees, split, cells);
    const mine = left ? node + 1 : right[node];
    const player = players[feature[split]];
    if (side[player] === OF_ROW) {
      walk(mine, at, next, p, q);
      return;
    }
    const other = left ? right[node] : node + 1;
    const agreeing = next;
    const differing = next + nWords;
    let some = 0;
    let others = 0;
    for (let word = 0; word < nWords; word += 1) {
      const set = sets[at + word];
      const bits = lefts[split * nWords + word];
      const same = set & (left ? bits : ~bits);
      const rest = set & ~same;
      sets[agreeing + word] = same;
      sets[differing + word] = rest;
      some |= same;
      others |= rest;
    }
    const below = next + 2 * nWords;
    if (some !== 0) walk(mine, agreeing, below, p, q);
    if (others === 0) return;
    if (side[player] === OF_BACKGROUND) {
      walk(other, differing, below, p, q);
      return;
    }
    side[player] = OF_ROW;
    own[p] = player;
    walk(mine, differing, below, p + 1, q);
    side[player] = OF_BACKGROUND;
    theirs[q] = player;
    walk(other, differing, below, p, q + 1);
    side[player] = 0;
  }

  sets.set(prepared.every);
  for (let tree = 0; tree < roots.length; tree += 1) {
    if (width === 1) target = phi[phi.length === 1 ? 0 : output[tree]];
    walk(roots[tree], 0, nWords, 0, 0);
  }
  return phi;
}
