// Metrics of the rows of a cohort, in the form of automl_explain/dashboard/data/_metrics.py, which has them for all
// rows.

import { predictedClasses } from "./fields.js";
import { extentOf, histogram, mean } from "./stats.js";

const CURVE_POINTS = 200;
const CALIBRATION_BINS = 10;
const RESIDUAL_BINS = 40;
const SMALLEST = 1e-15;

// The metrics of `rows`, without those whose truth is not known.
export function metricsOf(data, rows) {
  const known = rows.filter((row) => !Number.isNaN(data.predictions.truth[row]));
  return data.classes ? classificationMetrics(data, known) : regressionMetrics(data, known);
}

function classificationMetrics(data, rows) {
  const { truth, probability, output } = data.predictions;
  const predicted = predictedClasses(data, { id: "", output, probability });
  const confusion = data.classes.map(() => new Array(data.classes.length).fill(0));
  for (const row of rows) confusion[truth[row]][predicted[row]] += 1;
  const losses = probability
    ? rows.map((row) => -Math.log(Math.min(1, Math.max(SMALLEST, probability[truth[row]][row]))))
    : null;
  const orNull = (value) => (Number.isNaN(value) ? null : value);
  return {
    rows: rows.length,
    confusion,
    scores: {
      accuracy: orNull(mean(rows.map((row) => Number(truth[row] === predicted[row])))),
      log_loss: losses && orNull(mean(losses)),
    },
    classes: data.classes.map((_, c) =>
      classMetrics(
        rows.map((row) => truth[row] === c),
        rows.map((row) => (probability ?? output)[c][row]),
        probability !== null,
      ),
    ),
  };
}

function classMetrics(isClass, score, isProbability) {
  const n = score.length;
  const positives = isClass.filter(Boolean).length;
  if (positives === 0 || positives === n) return null;
  const points = curvePoints(isClass, score, positives);
  let [auc, average, before] = [0, 0, { x: 0, y: 0 }];
  for (const { tpr, fpr, precision } of points) {
    auc += ((fpr - before.x) * (tpr + before.y)) / 2;
    average += (tpr - before.y) * precision;
    before = { x: fpr, y: tpr };
  }
  const kept = thinned(points);
  const column = (name) => kept.map((point) => point[name]);
  return {
    positives,
    auc,
    average_precision: average,
    brier: isProbability ? mean(score.map((value, i) => (value - isClass[i]) ** 2)) : null,
    roc: {
      false_positive: [0, ...column("fpr")],
      true_positive: [0, ...column("tpr")],
      threshold: [null, ...column("threshold")],
    },
    precision_recall: { recall: column("tpr"), precision: column("precision"), threshold: column("threshold") },
    calibration: isProbability ? calibrationOf(isClass, score) : null,
    thresholds: isProbability ? thresholdsOf(isClass, score) : null,
  };
}

// One point for each distinct score, from the highest on.
function curvePoints(isClass, score, positives) {
  const order = score.map((_, i) => i).sort((a, b) => score[b] - score[a]);
  const points = [];
  let [tp, fp] = [0, 0];
  order.forEach((i, place) => {
    if (isClass[i]) tp += 1;
    else fp += 1;
    if (place + 1 < order.length && score[order[place + 1]] === score[i]) return;
    points.push({
      tpr: tp / positives,
      fpr: fp / (score.length - positives),
      precision: tp / (tp + fp),
      threshold: score[i],
    });
  });
  return points;
}

function thinned(points) {
  const most = Math.min(points.length, CURVE_POINTS);
  const places = new Set(
    Array.from({ length: most }, (_, k) => Math.floor(most > 1 ? (k * (points.length - 1)) / (most - 1) : 0)),
  );
  return points.filter((_, place) => places.has(place));
}

function calibrationOf(isClass, probability) {
  const bins = Array.from({ length: CALIBRATION_BINS }, () => ({ count: 0, predicted: 0, observed: 0 }));
  probability.forEach((value, i) => {
    const bin = bins[Math.min(CALIBRATION_BINS - 1, Math.floor(value * CALIBRATION_BINS))];
    bin.count += 1;
    bin.predicted += value;
    bin.observed += Number(isClass[i]);
  });
  const used = bins.filter(({ count }) => count);
  return {
    predicted: used.map(({ predicted, count }) => predicted / count),
    observed: used.map(({ observed, count }) => observed / count),
    counts: used.map(({ count }) => count),
  };
}

function thresholdsOf(isClass, probability) {
  const threshold = Array.from({ length: 101 }, (_, k) => k / 100);
  const counts = threshold.map((least) => {
    const found = { tp: 0, fp: 0, tn: 0, fn: 0 };
    probability.forEach((value, i) => {
      found[value >= least ? (isClass[i] ? "tp" : "fp") : isClass[i] ? "fn" : "tn"] += 1;
    });
    return found;
  });
  return {
    threshold,
    ...Object.fromEntries(["tp", "fp", "tn", "fn"].map((name) => [name, counts.map((found) => found[name])])),
  };
}

function regressionMetrics(data, rows) {
  const { truth, output } = data.predictions;
  const targets = rows.map((row) => truth[row]);
  const residuals = rows.map((row) => truth[row] - output[0][row]);
  const center = mean(targets);
  const spread = targets.reduce((sum, value) => sum + (value - center) ** 2, 0);
  const squared = residuals.reduce((sum, value) => sum + value * value, 0);
  const [low, high] = rows.length ? extentOf(residuals) : [0, 0];
  const { counts, edges } =
    high > low
      ? histogram(residuals, RESIDUAL_BINS, low, high)
      : histogram(residuals, RESIDUAL_BINS, low - 0.5, low + 0.5);
  return {
    rows: rows.length,
    residuals: { counts: [...counts], edges },
    scores: {
      r2: spread > 0 ? 1 - squared / spread : null,
      mae: rows.length ? mean(residuals.map(Math.abs)) : null,
      rmse: rows.length ? Math.sqrt(squared / rows.length) : null,
    },
  };
}
