// What the views read: the payload of data.js, with what is computed of it once.

// Levels up to which a feature is one of categories, not of texts.
const MOST_CATEGORIES = 20;

// Adds to the data: `cached(name, make)`, `rowName(row)`, `isClassification`, `n` (rows shown), `hasCells` (the
// features' cells are known).
export function prepareData(data) {
  const made = new Map();
  const { labels, positions } = data.rows;
  const features = data.features.map((feature, index) => ({ ...feature, index }));
  return {
    ...data,
    features,
    n: data.rows.shown,
    isClassification: data.task === "classification",
    hasCells: features.some(({ values }) => values),
    rowName: (row) => (labels ? labels[row] : String(positions ? positions[row] : row)),
    cached(name, make) {
      if (!made.has(name)) made.set(name, make());
      return made.get(name);
    },
  };
}

// Whether the page is about texts or images, of which it has examples and an importance, but no rows.
export function onlyExamples(data) {
  return !data.n && Boolean(data.examples);
}

// The place of a class among the outputs of an explanation: some, such as permutation importance, have one for all
// classes.
export function outputPlace(explanation, classIndex) {
  return Math.min(classIndex, explanation.importance.mean_abs.length - 1);
}

// Features from the most important to the least. `output` null: by the mean over the classes.
export function rankedFeatures(explanation, output) {
  const size = importanceOf(explanation, output);
  return size.map((_, j) => j).sort((a, b) => size[b] - size[a]);
}

// Ranked features in the same order, but columns of texts last: most of their cells differ, so that they say little on an axis.
export function byUse(data, ranked) {
  const isText = (j) => (data.features[j].levels ?? []).length > Math.max(MOST_CATEGORIES, data.n / 2);
  return [...ranked.filter((j) => !isText(j)), ...ranked.filter(isText)];
}

// The importance of each feature for a class, or its mean over the classes for null.
export function importanceOf(explanation, output) {
  const blocks = explanation.importance.mean_abs;
  if (output !== null) return blocks[output];
  return blocks[0].map((_, j) => blocks.reduce((sum, block) => sum + block[j], 0) / blocks.length);
}

// Whether the page is of texts or images, which have no cells that could be drawn or edited.
export function withoutCells(data) {
  return Boolean(data.examples);
}
