// The search: what its explained runs teach, loss against importance, agreement of near-best runs, and which run is
// shown.

import { classColor } from "../charts/palette.js";
import { lossText, numberText, shareText, shortened } from "../data/format.js";
import { importanceOf, rankedFeatures } from "../data/page_data.js";
import { buttonControl, selectControl, viewSettings } from "../elements/controls.js";
import { element } from "../elements/dom.js";
import { dataTable } from "../elements/tables.js";

const SHOWN_FEATURES = 15;

export const SEARCH_VIEW = {
  id: "search",
  title: "Search",
  group: "search",
  about: "What the runs of the search have in common, and which of them is shown.",
  absent: (data) => !data.search,
  draw: drawSearch,
};

function drawSearch(container, context) {
  const { search } = context.data;
  drawFindings(container, search);
  drawLosses(container, context);
  if (search.findings) drawAgreement(container, context, search.findings);
  drawRuns(container, context);
}

function drawFindings(container, { findings }) {
  if (!findings?.sentences.length) return;
  container.append(
    element(
      "div",
      { class: "axd-findings" },
      element(
        "ul",
        {},
        findings.sentences.map((text) => element("li", { text })),
      ),
    ),
  );
}

// The share of each feature in the importance of a run; null if the page does not have its explanation.
function runShares(data, run) {
  const explanation = data.explanations.find(({ id }) => id === run.explanation);
  if (!explanation) return null;
  const size = importanceOf(explanation, null).map(Math.abs);
  const total = size.reduce((sum, value) => sum + value, 0);
  return size.map((value) => value / (total || 1));
}

// Learners in order of their best loss; the colour of each.
function learnerColors(runs, palette) {
  const names = [...new Set([...runs].sort((a, b) => a.loss - b.loss).map(({ learner }) => learner))];
  return new Map(names.map((name, place) => [name, classColor(palette, place)]));
}

// What can lie on the horizontal axis of the runs: number, seconds, share of a feature, most important first.
function runAxes(data, runs) {
  const first = runs.some(({ seconds }) => seconds != null) ? [["seconds", "seconds of training"]] : [];
  return [
    { label: "Run", options: [["number", "number in the search"], ...first] },
    {
      label: "Importance",
      options: rankedFeatures(data.explanations[0], null)
        .slice(0, 100)
        .map((j) => [`share:${j}`, `share of ${data.features[j].name}`]),
    },
  ];
}

function runValue(data, run, axis) {
  if (axis.startsWith("share:")) return runShares(data, run)?.[axis.slice(6)] ?? NaN;
  return run[axis] ?? NaN;
}

function drawLosses(container, context) {
  const { data } = context;
  const runs = data.search.runs.filter(({ loss }) => loss != null);
  if (!runs.length) return;
  const axes = runAxes(data, runs);
  const area = element("div");
  const { settings, set } = viewSettings(context, { axis: axes[1].options[0]?.[0] ?? "number" }, () =>
    fillLosses(area, context, runs, settings.axis),
  );
  container.append(
    element("h2", { text: "Loss and importance" }),
    element("div", { class: "axd-controls" }, selectControl("Horizontal axis", axes, settings.axis, set("axis"))),
    area,
  );
  fillLosses(area, context, runs, settings.axis);
}

function fillLosses(area, context, runs, axis) {
  const { charts, data, state } = context;
  charts.clear(area);
  area.replaceChildren();
  const palette = charts.palette();
  const colors = learnerColors(runs, palette);
  const label = axis.startsWith("share:")
    ? `share of ${data.features[axis.slice(6)].name} in the importance`
    : axis === "number"
      ? "number of the run"
      : axis;
  const shown = runs.map((run) => ({ ...run, x: runValue(data, run, axis) })).filter(({ x }) => !Number.isNaN(x));
  const chart = charts.chart(area, {
    title: `Scatter plot: loss of ${shown.length} runs and ${label}.`,
    height: 340,
    x: { label, kind: "linear" },
    y: { label: runs[0].metric ? `loss (${runs[0].metric})` : "loss", kind: "linear" },
    legend: [...colors].map(([name, color]) => ({ label: name, color })),
    table: {
      caption: `Loss and ${label}`,
      n: shown.length,
      columns: [
        { label: "Run", get: (k) => shown[k].number },
        { label: "Learner", get: (k) => shown[k].learner },
        { label, get: (k) => shown[k].x },
        { label: "Loss", get: (k) => shown[k].loss, text: lossText },
      ],
    },
  });
  const near = new Set(data.search.findings?.near_best ?? []);
  chart.points({
    x: shown.map(({ x }) => x),
    y: shown.map(({ loss }) => loss),
    color: shown.map(({ learner }) => colors.get(learner)),
    size: 10,
    alpha: 0.85,
    edge: shown.map(({ id, learner }) => (near.has(id) ? palette.ink : colors.get(learner))),
    edgeWidth: 1.6,
    tip: (k) => [
      `Run ${shown[k].number}`,
      ["learner", shown[k].learner],
      ["loss", lossText(shown[k].loss)],
      [label, axis.startsWith("share:") ? shareText(shown[k].x) : numberText(shown[k].x)],
      ...(near.has(shown[k].id) ? ["near-best"] : []),
    ],
    onPick: (k) => showRun(context, state, shown[k]),
  });
  chart.show();
  const hidden = runs.length - shown.length;
  const sentences = [
    near.size ? "A dark edge marks the near-best runs." : "",
    hidden ? `${hidden} runs are not drawn: their explanations are not in this page.` : "",
  ];
  area.append(element("p", { class: "axd-soft", text: sentences.filter(Boolean).join(" ") }));
}

// Shows a run's explanation in all views, if the page has it.
function showRun({ data, announce }, state, run) {
  const place = data.explanations.findIndex(({ id }) => id === run.explanation);
  if (place < 0) return announce(`The explanation of run ${run.number} is not in this page.`);
  return state.update({ explanation: place });
}

// The range of each feature's share over the near-best runs: features whose bars are short are agreed on.
function drawAgreement(container, { charts }, findings) {
  const shown = findings.importance.slice(0, SHOWN_FEATURES);
  if (!shown.length || shown[0].mean == null) return;
  container.append(element("h2", { text: "Agreement of the near-best runs" }));
  const chart = charts.chart(container, {
    title: "Range plot: share of the importance of each feature over the near-best runs.",
    height: 80 + 26 * shown.length,
    zoom: false,
    x: { label: "share of the importance over the near-best runs: lowest, mean, highest", kind: "linear", zero: true },
    y: {
      kind: "names",
      names: shown.map(({ feature }) => feature),
      flip: true,
      width: container.clientWidth < 560 ? 14 : 30,
    },
    table: {
      caption: "Share of the importance over the near-best runs",
      n: findings.importance.length,
      columns: [
        { label: "Feature", get: (k) => findings.importance[k].feature },
        ...[
          ["mean", "Mean"],
          ["low", "Lowest"],
          ["high", "Highest"],
        ].map(([key, title]) => ({ label: title, get: (k) => findings.importance[k][key] ?? NaN, text: shareText })),
        { label: `In the top ${findings.top_k}`, get: (k) => findings.importance[k].in_top ?? NaN, text: shareText },
        { label: "Correlation with the loss", get: (k) => findings.importance[k].with_loss ?? NaN },
      ],
    },
  });
  const y = shown.map((_, k) => k);
  chart.segments({
    x0: shown.map(({ low }) => low),
    x1: shown.map(({ high }) => high),
    y0: y,
    y1: y,
    color: chart.palette.bar,
    width: 5,
    alpha: 0.45,
  });
  chart.points({
    x: shown.map(({ mean }) => mean),
    y,
    color: chart.palette.bar,
    size: 10,
    alpha: 1,
    tip: (k) => [
      shown[k].feature,
      ["mean", shareText(shown[k].mean)],
      ["range", `${shareText(shown[k].low)} to ${shareText(shown[k].high)}`],
      [`in the top ${findings.top_k}`, shareText(shown[k].in_top)],
    ],
  });
  chart.rule({ on: "x", value: 0 });
  chart.show();
}

function drawRuns(container, context) {
  const { data, state } = context;
  const { runs, final } = data.search;
  const known = new Map(data.explanations.map(({ id }, place) => [id, place]));
  const choices = runs.filter(({ explanation }) => known.has(explanation));
  container.append(element("h2", { text: "Runs" }));
  if (choices.length > 1) {
    container.append(
      element(
        "div",
        { class: "axd-controls" },
        choices.slice(0, 30).map((run) => {
          const place = known.get(run.explanation);
          return buttonControl(`Run ${run.number}, ${shortened(run.learner, 20)}`, () => showRun(context, state, run), {
            class: "axd-small",
            "aria-pressed": String(place === state.current.explanation),
          });
        }),
      ),
    );
  }
  container.append(
    dataTable(
      {
        caption: "All runs of the search",
        n: runs.length,
        columns: [
          {
            label: "Run",
            get: (k) => runs[k].number,
            text: (value, k) => `${value}${runs[k].id === final ? " (final)" : ""}`,
          },
          { label: "Learner", get: (k) => runs[k].learner },
          { label: "Loss", get: (k) => runs[k].loss ?? NaN, text: lossText },
          { label: "Score", get: (k) => runs[k].score ?? NaN, text: lossText },
          { label: "Status", get: (k) => runs[k].status },
          { label: "Seconds", get: (k) => runs[k].seconds ?? NaN },
          { label: "Most important", get: (k) => runs[k].top_features.map(([name]) => name).join(", ") },
          { label: "Why not explained", get: (k) => runs[k].why ?? "" },
        ],
      },
      state,
    ),
  );
}
