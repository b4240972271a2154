// Tree ensembles: splits, rows routed through them, outputs. See explainers/trees/_routing.py; the arrays are those that
// automl_explain/dashboard/model/_scorer_coding.py shortens.

const MISSING_LEFT = 1;
const NAN_IS_ZERO = 2;
const ZERO_IS_MISSING = 4;
const UNSEEN_LEFT = 8;
const ZERO_THRESHOLD = Math.fround(1e-35);
const SPLIT_NUMERIC = 0;
const SPLIT_NAN_LEFT = 1;

// Trees as the page walks them. Nodes are in preorder: the left child of a node is the next one. `place` of a node is its
// position among the splits, or -1 - its position among the leaves; `right` is the right child of a split.
export function readTrees(facts, name, arrays) {
  const of = (key) => arrays[`${name}.${key}`];
  const leaf = of("leaf");
  const place = new Int32Array(leaf.length);
  const right = new Int32Array(leaf.length);
  const open = [];
  let nSplits = 0;
  let nLeaves = 0;
  for (let node = 0; node < leaf.length; node += 1) {
    if (node > 0 && leaf[node - 1] && open.length) right[open.pop()] = node;
    if (leaf[node]) {
      place[node] = -1 - nLeaves;
      nLeaves += 1;
    } else {
      place[node] = nSplits;
      nSplits += 1;
      open.push(node);
    }
  }
  const base = Float64Array.from(of("base"));
  const trees = {
    place, right, nSplits, nLeaves, base,
    roots: Int32Array.from(of("roots")),
    output: Int32Array.from(of("output"), (one) => one - 1),
    feature: Int32Array.from(of("feature")),
    threshold: Float64Array.from(of("threshold")),
    kind: Uint8Array.from(of("kind")),
    flags: Uint8Array.from(of("flags")),
    start: Int32Array.from(of("category_start")),
    size: Int32Array.from(of("category_size")),
    words: Uint32Array.from(of("categories")),
    values: Float64Array.from(of("values")),
    float32: facts.float32,
    allowsMissing: facts.allows_missing,
    width: nLeaves ? of("values").length / nLeaves : 1,
    nOutputs: base.length,
  };
  return trees;
}

function generalLeft(trees, split, cell) {
  const flags = trees.flags[split];
  let x = cell;
  if (Number.isNaN(x) && flags & NAN_IS_ZERO) x = 0;
  if (Number.isNaN(x) || (flags & ZERO_IS_MISSING && Math.abs(x) <= ZERO_THRESHOLD)) return (flags & MISSING_LEFT) !== 0;
  const size = trees.size[split];
  if (size === 0) return x <= trees.threshold[split];
  if (x <= -1 || x >= 32 * size) return (flags & UNSEEN_LEFT) !== 0;
  const category = Math.trunc(x);
  return ((trees.words[trees.start[split] + (category >> 5)] >>> (category & 31)) & 1) === 1;
}

// Whether a split sends a row left. Cells are those of `treeCells`.
export function splitsLeft(trees, split, row) {
  const x = row[trees.feature[split]];
  const kind = trees.kind[split];
  if (kind === SPLIT_NUMERIC) return x <= trees.threshold[split];
  if (kind === SPLIT_NAN_LEFT) return !(x > trees.threshold[split]);
  return generalLeft(trees, split, x);
}

// A row as the library of the trees compares it.
export function treeCells(trees, row) {
  return trees.float32 ? row.map(Math.fround) : row;
}

// The outputs of a row: the base plus the leaves, in the order of the trees.
export function treeOutputs(trees, row) {
  const cells = treeCells(trees, row);
  const { place, right, values, width, output, roots } = trees;
  const out = trees.base.slice();
  for (let tree = 0; tree < roots.length; tree += 1) {
    let node = roots[tree];
    while (place[node] >= 0) node = splitsLeft(trees, place[node], cells) ? node + 1 : right[node];
    const at = (-1 - place[node]) * width;
    if (width === out.length) for (let k = 0; k < width; k += 1) out[k] += values[at + k];
    else out[output[tree]] += values[at];
  }
  return out;
}
