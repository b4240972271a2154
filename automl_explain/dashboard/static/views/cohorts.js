// Cohorts: named filters, made here and laid over all views, and a comparison of them.

import { boxesTable, drawBoxes } from "../charts/boxes.js";
import { classColor } from "../charts/palette.js";
import { cohortBuilder } from "../cohorts/builder.js";
import { cohortRows, filterText } from "../cohorts/cohorts.js";
import { fieldsOf } from "../data/fields.js";
import { NONE, numberText, shareText, shortened } from "../data/format.js";
import { onlyExamples, rankedFeatures } from "../data/page_data.js";
import { mean, meanSize } from "../data/stats.js";
import { buttonControl } from "../elements/controls.js";
import { element, uniqueId } from "../elements/dom.js";

const MOST_FEATURES = 10;
const MOST_COMPARED = 6;

export const COHORTS_VIEW = {
  id: "cohorts",
  title: "Cohorts",
  group: "global",
  about: "Named groups of rows. The one that is chosen is laid over every view.",
  draw: drawCohorts,
  absent: onlyExamples,
  needs: (data) => (data.n ? null : "The rows are not known. Pass the explained table to divide it into cohorts."),
};

function drawCohorts(container, context) {
  const { state } = context;
  const fields = fieldsOf(context);
  const all = { name: allRowsName(context), filters: [], place: null };
  const cohorts = [all, ...state.current.cohorts.map((cohort, place) => ({ ...cohort, place }))].map((cohort) => ({
    ...cohort,
    rows: cohortRows(context, cohort),
  }));
  container.append(cohortTable(context, cohorts, fields), cohortBuilder(context, fields));
  if (cohorts.length > 1) compareCohorts(container, context, cohorts.slice(0, MOST_COMPARED + 1), fields);
}

function allRowsName({ data }) {
  return data.rows.shown < data.rows.total ? "All rows shown" : "All rows";
}

// What is told of each cohort: a title, the number and its text.
function measures({ data, classIndex }, fields) {
  const find = (id) => fields.find((field) => field.id === id);
  const column = (id, title, text) => {
    const field = find(id);
    return field
      ? {
          title,
          text,
          of: (rows) => mean(rows.map((row) => field.values[row]).filter((value) => !Number.isNaN(value))),
        }
      : null;
  };
  const name = data.classes?.[classIndex];
  const truth = find("truth");
  const share =
    truth && data.classes
      ? {
          title: `Share of ${name}`,
          text: shareText,
          of: (rows) =>
            mean(
              rows
                .map((row) => truth.values[row])
                .filter((value) => !Number.isNaN(value))
                .map((value) => Number(value === classIndex)),
            ),
        }
      : column("truth", "Mean true value", numberText);
  return [
    data.classes
      ? (column(`probability:${classIndex}`, `Mean probability of ${name}`, shareText) ??
        column("output", "Mean output", numberText))
      : column("output", "Mean prediction", numberText),
    share,
    column("correct", "Accuracy", shareText),
    column("error", "Mean absolute error", numberText),
  ].filter(Boolean);
}

function cohortTable(context, cohorts, fields) {
  const columns = measures(context, fields);
  const group = uniqueId("cohort");
  const head = (text, kind) => element("th", { scope: "col", class: kind, text });
  const heads = element(
    "tr",
    {},
    head("Shown", "axd-narrow"),
    head("Cohort", null),
    head("Rows", "axd-number"),
    columns.map(({ title }) => head(title, "axd-number")),
    element("td"),
  );
  const rows = cohorts.map((cohort) => cohortRow(context, cohort, { fields, columns, group }));
  return element(
    "div",
    { class: "axd-table-box", tabindex: "0", role: "region", "aria-label": "Cohorts" },
    element(
      "table",
      {},
      element("caption", { text: "The cohort chosen here is laid over all views" }),
      element("thead", {}, heads),
      element("tbody", {}, rows),
    ),
  );
}

function cohortRow({ data, state }, cohort, { fields, columns, group }) {
  const { name, place, rows, filters } = cohort;
  const id = uniqueId("use");
  const radio = element("input", { type: "radio", name: group, id, checked: state.current.cohort === place });
  radio.addEventListener("change", () => state.update({ cohort: place }));
  const number = (text) => element("td", { class: "axd-number", text });
  const sentence = filters.map((filter) => filterText(filter, fields)).join("; ");
  const remove = () =>
    buttonControl("Remove", () => removeCohort(state, place), { class: "axd-small", "aria-label": `Remove ${name}` });
  return element(
    "tr",
    {},
    element("td", {}, radio),
    element(
      "th",
      { scope: "row" },
      element("label", { for: id, text: shortened(name, 60) }),
      sentence ? element("div", { class: "axd-soft axd-caption", text: sentence }) : null,
    ),
    number(`${rows.length.toLocaleString("en-US")} (${shareText(rows.length / (data.n || 1))})`),
    columns.map(({ of, text }) => number(rows.length ? text(of(rows)) : NONE)),
    element("td", {}, place === null ? null : remove()),
  );
}

function removeCohort(state, place) {
  const { cohort, cohorts } = state.current;
  const kept = cohort === null || cohort === place ? null : cohort - Number(cohort > place);
  state.update({ cohorts: Object.freeze(cohorts.filter((_, k) => k !== place)), cohort: kept });
}

function compareCohorts(container, context, cohorts, fields) {
  const filled = cohorts.filter(({ rows }) => rows.length);
  container.append(element("h2", { text: "Comparison" }));
  const pair = element("div", { class: "axd-pair" });
  container.append(pair);
  comparePredictions(pair, context, filled, fields);
  if (context.explanation.values) compareImportance(pair, context, filled);
}

function colorsOf(palette, cohorts) {
  return cohorts.map(({ place }) => (place === null ? palette.neutral : classColor(palette, place)));
}

function comparePredictions(pair, { charts, data, classIndex }, cohorts, fields) {
  const field = fields.find(({ id }) => id === `probability:${classIndex}`) ?? fields.find(({ id }) => id === "output");
  if (!field) return;
  const palette = charts.palette();
  const colors = colorsOf(palette, cohorts);
  const groups = cohorts.map(({ name, rows }, at) => ({
    at,
    name,
    color: colors[at],
    values: Float64Array.from(rows, (row) => field.values[row]),
  }));
  const chart = charts.chart(pair, {
    title: `Box plot: ${field.label} in each cohort.`,
    heading: data.classes ? `Predictions: ${field.label}` : "Predictions",
    height: 90 + 44 * groups.length,
    zoom: false,
    x: { label: field.label, kind: "linear" },
    y: { kind: "names", names: groups.map(({ name }) => name), flip: true, width: 20 },
    table: boxesTable(groups, `${field.label} in each cohort`, "Cohort"),
  });
  drawBoxes(chart, groups, { across: true });
  chart.show();
}

function compareImportance(pair, { charts, data, explanation, output }, cohorts) {
  const palette = charts.palette();
  const colors = colorsOf(palette, cohorts);
  const values = explanation.values[output];
  const found = cohorts.map(({ rows }) =>
    values.map((column) => meanSize(Float64Array.from(rows, (row) => column[row]))),
  );
  const shown = rankedFeatures(explanation, output).slice(0, MOST_FEATURES);
  const chart = charts.chart(pair, {
    title: "Dot plot: mean absolute importance of the features in each cohort.",
    heading: "Importance",
    height: 90 + 28 * shown.length,
    zoom: false,
    x: { label: `mean absolute importance (${explanation.unit})`, kind: "linear", zero: true },
    y: { kind: "names", names: shown.map((j) => data.features[j].name), flip: true, width: 20 },
    legend: cohorts.map(({ name }, c) => ({ label: shortened(name, 40), color: colors[c] })),
    table: {
      caption: "Mean absolute importance in each cohort",
      n: shown.length,
      columns: [
        { label: "Feature", get: (k) => data.features[shown[k]].name },
        ...cohorts.map(({ name }, c) => ({ label: name, get: (k) => found[c][shown[k]] })),
      ],
    },
  });
  const sizes = shown.map((j) => found.map((column) => column[j]));
  chart.segments({
    x0: sizes.map((row) => Math.min(...row)),
    x1: sizes.map((row) => Math.max(...row)),
    y0: shown.map((_, k) => k),
    y1: shown.map((_, k) => k),
    color: chart.palette.rule,
    width: 2,
  });
  cohorts.forEach(({ name }, c) =>
    chart.points({
      x: sizes.map((row) => row[c]),
      y: shown.map((_, k) => k),
      color: colors[c],
      size: 10,
      alpha: 0.95,
      edge: chart.palette.page,
      tip: (k) => [data.features[shown[k]].name, [name, numberText(sizes[k][c])]],
    }),
  );
  chart.rule({ on: "x", value: 0 });
  chart.show();
}
