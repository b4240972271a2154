// What the views of single rows share: the values of a row, bars and waterfalls of them, and names of what is predicted.

import { cellText, counted, numberText, shortened, unitText } from "../data/format.js";

// The values of a shown row for one output: {values, errors, base, leftOut, prediction}; errors and prediction may be null.
export function valuesOfRow(explanation, output, row) {
  const ofRow = (blocks) => (blocks ? Float64Array.from(blocks[output], (values) => values[row]) : null);
  return {
    values: ofRow(explanation.values),
    errors: ofRow(explanation.standard_errors),
    base: explanation.expected[output],
    leftOut: explanation.left_out ? explanation.left_out[output][row] : 0,
    prediction: explanation.predictions ? explanation.predictions[output][row] : null,
  };
}

// Features by their largest absolute value in any of some arrays, the largest first.
export function strongestFeatures(arrays) {
  const sizes = Array.from(arrays[0], (_, j) => Math.max(...arrays.map((values) => Math.abs(values[j]))));
  return sizes.map((_, j) => j).sort((a, b) => sizes[b] - sizes[a]);
}

// The cells of a shown row, as the model is asked about them: null for a missing cell.
export function cellsOfRow(data, row) {
  return data.features.map(({ values }) => (Number.isNaN(values[row]) ? null : values[row]));
}

// A feature with its cell, in at most about `width` characters; the name is shortened first.
export function featureAndCell(feature, cell, width) {
  return besideName(feature, ` = ${cellText(feature, cell ?? NaN, 14)}`, width);
}

// The same for a cell that may have been edited.
export function featureAndChange(feature, from, to, width) {
  if (from === to) return featureAndCell(feature, to, width);
  const text = (cell) => cellText(feature, cell ?? NaN, 10);
  return besideName(feature, `: ${text(from)} → ${text(to)}`, width);
}

function besideName(feature, text, width) {
  return `${shortened(feature.name, Math.max(8, width - text.length))}${text}`;
}

// What the values add up to, in words: "probability of leaves", "response".
export function outputName({ data, explanation, output, classIndex }) {
  const word = explanation.unit ?? unitText(data.output.space);
  const several = data.classes && explanation.values?.length !== 1 && output === classIndex;
  return several ? `${word} of ${shortened(data.classes[classIndex], 40)}` : word;
}

// The bars of the strongest features and of all others together, with the words of `data.nouns`: [{name, value, error, feature}].
export function barsOf({ values, errors, leftOut }, order, top, nouns, nameOf) {
  const shown = order.slice(0, top);
  const bars = shown.map((j) => ({ name: nameOf(j), value: values[j], error: errors?.[j] ?? null, feature: j }));
  const others = order.slice(top);
  if (others.length) {
    bars.push({
      name: counted(others.length, `other ${nouns.feature}`),
      value: others.reduce((sum, j) => sum + values[j], 0), error: null, feature: null,
    });
  }
  if (leftOut) bars.push({ name: nouns.left_out, value: leftOut, error: null, feature: null });
  return bars;
}

// The steps of a waterfall: from the base value, each bar begins where the last one ended.
export function waterfallSteps(bars, base) {
  let at = base;
  return bars.map((bar) => {
    const from = at;
    at += bar.value;
    return { ...bar, from, to: at };
  });
}

const TEXT_ROOM = 54;
const NAME_LETTER = 7;

// The range of an axis that has room for the texts beside the bars, in a chart of `room` pixels with names of `width` letters.
export function paddedRange(places, room, width) {
  const finite = places.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const inner = room - NAME_LETTER * width - 40;
  const pad = (high - low || Math.abs(high) || 1) * (TEXT_ROOM / Math.max(inner - 2 * TEXT_ROOM, 80));
  return [low - pad, high + pad];
}

// Draws bars or steps, {from, to, value, error}, with their values as text. `half` is half of a bar's thickness, `shift` its
// distance from the middle of its line.
export function drawValueBars(chart, bars, { half = 0.34, shift = 0, colors = null, tip }) {
  const { palette } = chart;
  const middle = bars.map((_, k) => k + shift);
  chart.boxes({
    left: bars.map(({ from, to }) => Math.min(from, to)), right: bars.map(({ from, to }) => Math.max(from, to)),
    bottom: middle.map((y) => y - half), top: middle.map((y) => y + half),
    color: colors ?? bars.map(({ value }) => (value < 0 ? palette.lower : palette.bar)), tip: (k) => tip(bars[k]),
  });
  const withError = bars.map((bar, k) => ({ ...bar, y: middle[k] })).filter(({ error }) => error !== null && error > 0);
  if (withError.length) {
    chart.segments({
      x0: withError.map(({ to, error }) => to - error), x1: withError.map(({ to, error }) => to + error),
      y0: withError.map(({ y }) => y), y1: withError.map(({ y }) => y), color: palette.ink, width: 1.4,
    });
  }
}

// The value of each bar beside its end.
export function drawValueTexts(chart, bars) {
  for (const rising of [true, false]) {
    const some = bars.map((bar, k) => ({ ...bar, k })).filter(({ value }) => value >= 0 === rising);
    const reach = ({ to, error }) => to + (rising ? 1 : -1) * (error ?? 0);
    chart.texts({
      x: some.map(reach), y: some.map(({ k }) => k), text: some.map(({ value }) => numberText(value, { signed: true })),
      color: chart.palette.soft, background: chart.palette.page, align: rising ? "left" : "right", dx: rising ? 5 : -5,
    });
  }
}

export function barTip(bar) {
  const spread = bar.error === null ? [] : [["standard error", numberText(bar.error)]];
  return [bar.name, ["importance", numberText(bar.value, { signed: true })], ...spread];
}
