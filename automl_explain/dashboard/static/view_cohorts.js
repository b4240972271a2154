// Cohorts: named filters, made here and laid over all views, and a comparison of them.

import { boxesTable, drawBoxes } from "./boxes.js";
import { filterEditor } from "./cohort_editor.js";
import { cohortRows, filterText } from "./cohorts.js";
import { buttonControl } from "./controls.js";
import { element, uniqueId } from "./dom.js";
import { fieldsOf } from "./fields.js";
import { counted, NONE, numberText, shareText, shortened } from "./format.js";
import { onlyExamples, rankedFeatures } from "./page_data.js";
import { classColor } from "./palette.js";
import { mean, meanSize } from "./stats.js";

const MOST_FEATURES = 10;
const MOST_COMPARED = 6;

export const COHORTS_VIEW = {
  id: "cohorts", title: "Cohorts", group: "global",
  about: "Named groups of rows. The one that is chosen is laid over every view.", draw: drawCohorts,
  absent: onlyExamples,
  needs: (data) => (data.n ? null : "The rows are not known. Pass the explained table to divide it into cohorts."),
};

function drawCohorts(container, context) {
  const { state } = context;
  const fields = fieldsOf(context);
  const all = { name: allRowsName(context), filters: [], place: null };
  const cohorts = [all, ...state.current.cohorts.map((cohort, place) => ({ ...cohort, place }))].map((cohort) => ({ ...cohort, rows: cohortRows(context, cohort) }));
  container.append(cohortTable(context, cohorts, fields), builder(context, fields));
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
    return field ? { title, text, of: (rows) => mean(rows.map((row) => field.values[row]).filter((value) => !Number.isNaN(value))) } : null;
  };
  const name = data.classes?.[classIndex];
  const truth = find("truth");
  const share = truth && data.classes
    ? { title: `Share of ${name}`, text: shareText, of: (rows) => mean(rows.map((row) => truth.values[row]).filter((value) => !Number.isNaN(value)).map((value) => Number(value === classIndex))) }
    : column("truth", "Mean true value", numberText);
  return [
    data.classes ? column(`probability:${classIndex}`, `Mean probability of ${name}`, shareText) ?? column("output", "Mean output", numberText) : column("output", "Mean prediction", numberText),
    share, column("correct", "Accuracy", shareText), column("error", "Mean absolute error", numberText),
  ].filter(Boolean);
}

function cohortTable(context, cohorts, fields) {
  const { data, state } = context;
  const columns = measures(context, fields);
  const group = uniqueId("cohort");
  const head = (text, isNumber) => element("th", { scope: "col", class: isNumber ? "axd-number" : null, text });
  const rows = cohorts.map((cohort) => {
    const id = uniqueId("use");
    const radio = element("input", { type: "radio", name: group, id, checked: state.current.cohort === cohort.place, on: { change: () => state.update({ cohort: cohort.place }) } });
    const filters = cohort.filters.map((filter) => filterText(filter, fields.find(({ id: name }) => name === filter.field) ?? { label: "a field that this explanation lacks", levels: [] }));
    return element("tr", {},
      element("td", {}, radio),
      element("th", { scope: "row" }, element("label", { for: id, text: shortened(cohort.name, 60) }), filters.length ? element("div", { class: "axd-soft axd-caption", text: filters.join("; ") }) : null),
      element("td", { class: "axd-number", text: `${cohort.rows.length.toLocaleString("en-US")} (${shareText(cohort.rows.length / (data.n || 1))})` }),
      columns.map(({ of, text }) => element("td", { class: "axd-number", text: cohort.rows.length ? text(of(cohort.rows)) : NONE })),
      element("td", {}, cohort.place === null ? null : buttonControl("Remove", () => removeCohort(state, cohort.place), { class: "axd-small", "aria-label": `Remove ${cohort.name}` })));
  });
  return element("div", { class: "axd-table-box", tabindex: "0", role: "region", "aria-label": "Cohorts" },
    element("table", {}, element("caption", { text: "The cohort chosen here is laid over all views" }),
      element("thead", {}, element("tr", {}, element("th", { scope: "col", class: "axd-narrow", text: "Shown" }), head("Cohort"), head("Rows", true), columns.map(({ title }) => head(title, true)), element("td"))),
      element("tbody", {}, rows)));
}

function removeCohort(state, place) {
  const { cohort, cohorts } = state.current;
  const kept = cohort === null || cohort === place ? null : cohort - Number(cohort > place);
  state.update({ cohorts: Object.freeze(cohorts.filter((_, k) => k !== place)), cohort: kept });
}

function addCohort(state, cohort) {
  const { cohorts } = state.current;
  state.update({ cohorts: Object.freeze([...cohorts, Object.freeze(cohort)]), cohort: cohorts.length });
}

// The form for a new cohort. Its draft is kept while other views are looked at.
function builder(context, fields) {
  const { memory, state } = context;
  memory.draft ??= { name: "", filters: [] };
  const { draft } = memory;
  const list = element("div", { class: "axd-filters" });
  const count = element("p", { class: "axd-soft", role: "status" });
  const nameId = uniqueId("name");
  const name = element("input", { type: "text", id: nameId, value: draft.name, placeholder: "a name", on: { input: () => { draft.name = name.value; } } });
  const say = () => {
    const rows = draft.filters.length ? cohortRows(context, draft).length : 0;
    count.textContent = draft.filters.length ? `${counted(rows, "row")} of ${context.data.n.toLocaleString("en-US")} pass.` : "Add a filter.";
  };
  const fill = () => {
    list.replaceChildren(...draft.filters.map((filter, k) =>
      filterEditor(fields, filter, { change: (next) => { draft.filters[k] = next; say(); }, replace: (next) => { draft.filters[k] = next; fill(); }, remove: () => { draft.filters.splice(k, 1); fill(); } })));
    say();
  };
  const save = () => {
    if (!draft.filters.length) {
      say();
      return;
    }
    const filled = draft.name.trim() || draft.filters.map((filter) => filterText(filter, fields.find(({ id }) => id === filter.field))).join(", ");
    memory.draft = { name: "", filters: [] };
    addCohort(state, { name: filled, filters: draft.filters });
  };
  const add = () => {
    draft.filters.push(filterEditor.first(fields));
    fill();
    list.lastElementChild?.querySelector("select")?.focus();
  };
  fill();
  return element("section", { class: "axd-builder", "aria-label": "A new cohort" },
    element("h2", { text: "A new cohort" }), presets(context, fields), list,
    element("div", { class: "axd-controls" }, buttonControl("Add a filter", add),
      element("div", { class: "axd-control" }, element("label", { for: nameId, text: "Name" }), name), buttonControl("Save the cohort", save, { class: "axd-primary" })), count);
}

// Cohorts that are often wanted, one click each.
function presets({ data, state }, fields) {
  const find = (id) => fields.find((field) => field.id === id);
  const made = [];
  if (find("correct")) {
    made.push({ name: "Wrong predictions", filters: [{ field: "correct", kind: "levels", levels: [0] }] });
    made.push({ name: "Correct predictions", filters: [{ field: "correct", kind: "levels", levels: [1] }] });
  }
  const error = find("error");
  if (error && data.n >= 10) {
    const sorted = Float64Array.from(error.values).filter((value) => !Number.isNaN(value)).sort();
    made.push({ name: "Tenth with the largest errors", filters: [{ field: "error", kind: "range", low: sorted[Math.floor(sorted.length * 0.9)], high: Infinity }] });
  }
  const known = new Set(state.current.cohorts.map(({ name }) => name));
  const left = made.filter(({ name }) => !known.has(name));
  return left.length ? element("div", { class: "axd-controls" }, left.map((cohort) => buttonControl(cohort.name, () => addCohort(state, cohort), { class: "axd-small" }))) : null;
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
  const groups = cohorts.map(({ name, rows }, at) => ({ at, name, color: colors[at], values: Float64Array.from(rows, (row) => field.values[row]) }));
  const chart = charts.chart(pair, {
    title: `Box plot: ${field.label} in each cohort.`, heading: data.classes ? `Predictions: ${field.label}` : "Predictions", height: 90 + 44 * groups.length, zoom: false,
    x: { label: field.label, kind: "linear" }, y: { kind: "names", names: groups.map(({ name }) => name), flip: true, width: 20 },
    table: boxesTable(groups, `${field.label} in each cohort`, "Cohort"),
  });
  drawBoxes(chart, groups, { across: true });
  chart.show();
}

function compareImportance(pair, { charts, data, explanation, output }, cohorts) {
  const palette = charts.palette();
  const colors = colorsOf(palette, cohorts);
  const values = explanation.values[output];
  const found = cohorts.map(({ rows }) => values.map((column) => meanSize(Float64Array.from(rows, (row) => column[row]))));
  const shown = rankedFeatures(explanation, output).slice(0, MOST_FEATURES);
  const chart = charts.chart(pair, {
    title: "Dot plot: mean absolute importance of the features in each cohort.", heading: "Importance", height: 90 + 28 * shown.length, zoom: false,
    x: { label: `mean absolute importance (${explanation.unit})`, kind: "linear", zero: true },
    y: { kind: "names", names: shown.map((j) => data.features[j].name), flip: true, width: 20 },
    legend: cohorts.map(({ name }, c) => ({ label: shortened(name, 40), color: colors[c] })),
    table: {
      caption: "Mean absolute importance in each cohort", n: shown.length,
      columns: [{ label: "Feature", get: (k) => data.features[shown[k]].name }, ...cohorts.map(({ name }, c) => ({ label: name, get: (k) => found[c][shown[k]] }))],
    },
  });
  const sizes = shown.map((j) => found.map((column) => column[j]));
  chart.segments({ x0: sizes.map((row) => Math.min(...row)), x1: sizes.map((row) => Math.max(...row)), y0: shown.map((_, k) => k), y1: shown.map((_, k) => k), color: chart.palette.rule, width: 2 });
  cohorts.forEach(({ name }, c) => chart.points({
    x: sizes.map((row) => row[c]), y: shown.map((_, k) => k), color: colors[c], size: 10, alpha: 0.95, edge: chart.palette.page,
    tip: (k) => [data.features[shown[k]].name, [name, numberText(sizes[k][c])]],
  }));
  chart.rule({ on: "x", value: 0 });
  chart.show();
}
