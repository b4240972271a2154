// Performance: scores, confusion, ROC, precision and recall, calibration; residuals of a regression. With a cohort, its
// metrics beside those of all rows.

import { counted, NONE, numberText, shareText } from "../data/format.js";
import { metricsOf } from "../data/metrics.js";
import { onlyExamples } from "../data/page_data.js";
import { sliderControl, viewSettings } from "../elements/controls.js";
import { element } from "../elements/dom.js";
import { drawClassCurves } from "./curves.js";
import { drawResiduals } from "./residuals.js";

const MOST_TEXTS = 12;

export const PERFORMANCE_VIEW = {
  id: "performance",
  title: "Performance",
  group: "performance",
  about: "How the predictions compare with the true values.",
  absent: onlyExamples,
  needs: (data) =>
    data.metrics ? null : "The true labels are not known. Pass true_labels to see how well the model predicts.",
  draw: drawPerformance,
};

function drawPerformance(container, context) {
  const { data, mask, cohort, charts } = context;
  const palette = charts.palette();
  const series = [{ name: "all rows", metrics: data.metrics, color: palette.bar }];
  if (mask && data.predictions.truth) {
    const rows = Array.from({ length: data.n }, (_, row) => row).filter((row) => mask[row]);
    series.push({ name: cohort.name, metrics: metricsOf(data, rows), color: palette.classes[1] });
  }
  if (context.explanation.predictions && context.explanation !== data.explanations[0]) {
    container.append(element("p", { class: "axd-soft", text: `Performance is that of ${data.explanations[0].name}.` }));
  }
  container.append(scoreCards(series, context));
  if (!data.classes) drawResiduals(container, context, series);
  else drawClassification(container, context, series);
}

const SCORE_NAMES = [
  ["accuracy", "Accuracy", shareText],
  ["log_loss", "Log loss", numberText],
  ["auc", "Area under ROC", numberText],
  ["average_precision", "Average precision", numberText],
  ["brier", "Brier score", numberText],
  ["r2", "R²", numberText],
  ["mae", "Mean absolute error", numberText],
  ["rmse", "Root mean squared error", numberText],
];

function scoresOf({ metrics }, classIndex) {
  const ofClass = metrics.classes?.[classIndex] ?? {};
  return {
    ...metrics.scores,
    ...("auc" in ofClass
      ? { auc: ofClass.auc, average_precision: ofClass.average_precision, brier: ofClass.brier }
      : {}),
  };
}

function scoreCards(series, { data, classIndex }) {
  const scores = series.map((one) => scoresOf(one, classIndex));
  const ofClass = new Set(["auc", "average_precision", "brier"]);
  const card = (title, values) =>
    element(
      "div",
      {},
      element("dt", { text: title }),
      element(
        "dd",
        {},
        values[0],
        values.length > 1 ? element("small", { text: `${series[1].name}: ${values[1]}` }) : null,
      ),
    );
  const shown = SCORE_NAMES.filter(([key]) => scores[0][key] !== undefined);
  return element(
    "dl",
    { class: "axd-cards" },
    card(
      "Rows with a label",
      series.map(({ metrics }) => metrics.rows.toLocaleString("en-US")),
    ),
    shown.map(([key, title, text]) =>
      card(
        ofClass.has(key) ? `${title}, ${data.classes[classIndex]}` : title,
        scores.map((one) => text(one[key])),
      ),
    ),
  );
}

function drawClassification(container, context, series) {
  const { data, classIndex } = context;
  const hasThresholds = Boolean(data.metrics.classes[classIndex]?.thresholds);
  const area = element("div");
  const redraw = () => {
    context.charts.clear(area);
    area.replaceChildren();
    if (hasThresholds) drawThreshold(area, context, series, settings.threshold);
    drawClassCurves(area, context, series, settings.threshold);
  };
  const { settings, set } = viewSettings(context, { threshold: 0.5 }, redraw);
  if (hasThresholds) {
    container.append(
      element(
        "div",
        { class: "axd-controls" },
        sliderControl(
          `Threshold on the probability of ${data.classes[classIndex]}`,
          { min: 0, max: 1, step: 0.01, value: settings.threshold, text: (value) => value.toFixed(2) },
          set("threshold"),
        ),
      ),
    );
  }
  container.append(area);
  redraw();
  if (data.classes.length > 2 || !hasThresholds) series.forEach((one) => drawConfusion(container, context, one));
}

// The four counts at a threshold as a small table, with the rates that follow from them.
function drawThreshold(area, { data, classIndex }, series, threshold) {
  const name = data.classes[classIndex];
  const place = Math.round(threshold * 100);
  area.append(
    element(
      "div",
      { class: "axd-pair" },
      series.map(({ name: whose, metrics }) => {
        const found = metrics.classes[classIndex]?.thresholds;
        if (!found) return element("p", { class: "axd-soft", text: `${whose}: every row, or no row, is ${name}.` });
        const [tp, fp, tn, fn] = ["tp", "fp", "tn", "fn"].map((key) => found[key][place]);
        return element(
          "div",
          {},
          countTable(
            `Confusion at a threshold of ${threshold.toFixed(2)}${series.length > 1 ? `, ${whose}` : ""}`,
            name,
            { tp, fp, tn, fn },
          ),
          rates({ tp, fp, tn, fn }),
        );
      }),
    ),
  );
}

function countTable(caption, name, { tp, fp, tn, fn }) {
  const total = tp + fp + tn + fn;
  const cell = (count, isRight) => {
    const made = element(
      "td",
      { class: `axd-number axd-count ${isRight ? "axd-right" : "axd-wrong"}` },
      element("b", { text: count.toLocaleString("en-US") }),
      element("small", { text: ` ${shareText(count / total)}` }),
    );
    made.style.setProperty("--share", `${Math.round((100 * count) / total)}%`);
    return made;
  };
  const row = (title, cells) => element("tr", {}, element("th", { scope: "row", text: title }), cells);
  return element(
    "table",
    { class: "axd-confusion" },
    element("caption", { text: caption }),
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        element("td"),
        element("th", { scope: "col", class: "axd-number", text: `Predicted ${name}` }),
        element("th", { scope: "col", class: "axd-number", text: "Predicted other" }),
      ),
    ),
    element(
      "tbody",
      {},
      row(`Truly ${name}`, [cell(tp, true), cell(fn, false)]),
      row("Truly other", [cell(fp, false), cell(tn, true)]),
    ),
  );
}

function rates({ tp, fp, tn, fn }) {
  const share = (part, whole) => (whole ? shareText(part / whole) : NONE);
  const items = [
    ["Precision", share(tp, tp + fp)],
    ["Recall", share(tp, tp + fn)],
    ["False positive rate", share(fp, fp + tn)],
    ["F1", share(2 * tp, 2 * tp + fp + fn)],
    ["Accuracy", share(tp + tn, tp + fp + tn + fn)],
  ];
  return element(
    "p",
    { class: "axd-soft axd-rates" },
    items.map(([title, text]) => element("span", {}, `${title} `, element("b", { text }))),
  );
}

// The whole matrix of classes as shares of the true class; counts are in the table and in the tooltips.
function drawConfusion(container, { data, charts }, { name, metrics, color }) {
  const { confusion } = metrics;
  const n = data.classes.length;
  const cells = confusion.flatMap((counts, i) =>
    counts.map((count, j) => ({ i, j, count, share: count / (counts.reduce((sum, one) => sum + one, 0) || 1) })),
  );
  const used = cells.filter(({ count }) => count > 0);
  const narrow = container.clientWidth < 560;
  const chart = charts.chart(container, {
    title: `Confusion matrix of ${counted(metrics.rows, "row")}, ${name}.`,
    heading: `Confusion of the predicted class, ${name}`,
    height: Math.min(620, 120 + n * 46),
    zoom: n > MOST_TEXTS,
    x: { label: "predicted class", kind: "names", names: data.classes, width: narrow ? 8 : 14 },
    y: { label: "true class", kind: "names", names: data.classes, flip: true, width: narrow ? 10 : 18 },
    table: {
      caption: "Rows by true and predicted class",
      n: n * n,
      columns: [
        { label: "True class", get: (k) => data.classes[cells[k].i] },
        { label: "Predicted class", get: (k) => data.classes[cells[k].j] },
        { label: "Rows", get: (k) => cells[k].count },
        { label: "Share of the true class", get: (k) => cells[k].share, text: shareText },
      ],
    },
  });
  chart.boxes({
    left: used.map(({ j }) => j - 0.48),
    right: used.map(({ j }) => j + 0.48),
    bottom: used.map(({ i }) => i - 0.47),
    top: used.map(({ i }) => i + 0.47),
    color: used.map(({ i, j }) => (i === j ? color : chart.palette.lower)),
    alpha: used.map(({ share }) => 0.12 + 0.75 * share),
    tip: (k) => [
      `${data.classes[used[k].i]} predicted as ${data.classes[used[k].j]}`,
      ["rows", used[k].count.toLocaleString("en-US")],
      ["of the true class", shareText(used[k].share)],
    ],
  });
  if (n <= MOST_TEXTS) {
    chart.texts({
      x: used.map(({ j }) => j),
      y: used.map(({ i }) => i),
      text: used.map(({ count }) => count.toLocaleString("en-US")),
      color: chart.palette.ink,
    });
  }
  chart.show();
}
