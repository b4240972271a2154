// ROC, precision and recall, and calibration of one class, with the place of the threshold on them.

import { numberText, shareText } from "../data/format.js";
import { element } from "../elements/dom.js";

const UNIT_RANGE = [-0.02, 1.02];

export function drawClassCurves(area, context, series, threshold) {
  const { data, classIndex } = context;
  const known = series.filter(({ metrics }) => metrics.classes[classIndex]);
  if (!known.length) {
    area.append(
      element("p", {
        class: "axd-empty",
        text: `Every row, or no row, is ${data.classes[classIndex]}: there are no curves.`,
      }),
    );
    return;
  }
  const pair = element("div", { class: "axd-pair" });
  area.append(pair);
  drawCurve(pair, context, known, threshold, {
    heading: "ROC",
    x: "false positive rate",
    y: "true positive rate",
    diagonal: true,
    points: ({ roc }) => ({ x: roc.false_positive, y: roc.true_positive, threshold: roc.threshold }),
    step: false,
    score: ({ auc }) => `area ${numberText(auc)}`,
  });
  drawCurve(pair, context, known, threshold, {
    heading: "Precision and recall",
    x: "recall",
    y: "precision",
    diagonal: false,
    points: ({ precision_recall: pr }) => ({ x: pr.recall, y: pr.precision, threshold: pr.threshold }),
    score: ({ average_precision: average }) => `average precision ${numberText(average)}`,
  });
  if (known[0].metrics.classes[classIndex].calibration) drawCalibration(pair, context, known);
}

// The point of a curve that a threshold leads to: the last with a threshold at least as high.
function placeOf(thresholds, threshold) {
  let place = 0;
  thresholds.forEach((value, k) => {
    if (value === null || value >= threshold) place = k;
  });
  return place;
}

function drawCurve(pair, { data, charts, classIndex }, series, threshold, curve) {
  const name = data.classes[classIndex];
  const found = series.map(({ metrics }) => metrics.classes[classIndex]);
  const points = found.map(curve.points);
  const chart = charts.chart(pair, {
    title: `${curve.heading} of ${name}: ${curve.score(found[0])}.`,
    heading: `${curve.heading} of ${name}`,
    height: 330,
    zoom: false,
    x: { label: curve.x, kind: "linear", range: UNIT_RANGE },
    y: { label: curve.y, kind: "linear", range: UNIT_RANGE },
    legend: series.map(({ name: whose, color }, s) => ({
      label: `${series.length > 1 ? `${whose}: ` : ""}${curve.score(found[s])}`,
      color,
    })),
    table: {
      caption: `${curve.heading} of ${name}, all rows`,
      n: points[0].x.length,
      columns: [
        { label: "Threshold", get: (k) => points[0].threshold[k] ?? NaN },
        { label: curve.x, get: (k) => points[0].x[k] },
        { label: curve.y, get: (k) => points[0].y[k] },
      ],
    },
  });
  if (curve.diagonal) chart.segments({ x0: [0], y0: [0], x1: [1], y1: [1], color: chart.palette.rule, dash: [5, 4] });
  chart.lines({
    xs: points.map(({ x }) => x),
    ys: points.map(({ y }) => y),
    color: series.map(({ color }) => color),
    width: 2.2,
    tip: (line, k) => [
      series[line].name,
      ["threshold", numberText(points[line].threshold[k])],
      [curve.x, shareText(points[line].x[k])],
      [curve.y, shareText(points[line].y[k])],
    ],
  });
  const places = points.map((point) => placeOf(point.threshold, threshold));
  chart.points({
    x: points.map(({ x }, s) => x[places[s]]),
    y: points.map(({ y }, s) => y[places[s]]),
    color: series.map(({ color }) => color),
    size: 11,
    alpha: 1,
    edge: chart.palette.ink,
    edgeWidth: 1.5,
  });
  chart.show();
}

function drawCalibration(pair, { data, charts, classIndex }, series) {
  const name = data.classes[classIndex];
  const found = series.map(({ metrics }) => metrics.classes[classIndex].calibration);
  const [first] = found;
  const chart = charts.chart(pair, {
    title: `Calibration of ${name}: share of ${name} by predicted probability.`,
    heading: `Calibration of ${name}`,
    height: 330,
    zoom: false,
    x: { label: `mean predicted probability of ${name}`, kind: "linear", range: UNIT_RANGE },
    y: { label: `share of rows that are ${name}`, kind: "linear", range: UNIT_RANGE },
    legend: series.map(({ name: whose, color }) => ({ label: whose, color })),
    table: {
      caption: `Calibration of ${name}, all rows`,
      n: first.counts.length,
      columns: [
        { label: "Mean probability", get: (k) => first.predicted[k] },
        { label: "Observed share", get: (k) => first.observed[k] },
        { label: "Rows", get: (k) => first.counts[k] },
      ],
    },
  });
  chart.segments({ x0: [0], y0: [0], x1: [1], y1: [1], color: chart.palette.rule, dash: [5, 4] });
  chart.lines({
    xs: found.map(({ predicted }) => predicted),
    ys: found.map(({ observed }) => observed),
    color: series.map(({ color }) => color),
    width: 2,
  });
  found.forEach(({ predicted, observed, counts }, s) => {
    const most = Math.max(...counts);
    chart.points({
      x: predicted,
      y: observed,
      color: series[s].color,
      alpha: 1,
      size: counts.map((count) => 5 + 9 * Math.sqrt(count / most)),
      tip: (k) => [
        series[s].name,
        ["mean probability", shareText(predicted[k])],
        ["observed", shareText(observed[k])],
        ["rows", counts[k].toLocaleString("en-US")],
      ],
    });
  });
  chart.show();
}
