// The form for a new cohort, and cohorts that are often wanted.

import { counted } from "../data/format.js";
import { buttonControl } from "../elements/controls.js";
import { element, uniqueId } from "../elements/dom.js";
import { cohortRows, filterText } from "./cohorts.js";
import { filterEditor } from "./editor.js";

function addCohort(state, cohort) {
  const { cohorts } = state.current;
  state.update({ cohorts: Object.freeze([...cohorts, Object.freeze(cohort)]), cohort: cohorts.length });
}

// The form. Its draft is kept in the view's memory while other views are looked at.
export function cohortBuilder(context, fields) {
  const { memory, state } = context;
  memory.draft ??= { name: "", filters: [] };
  const { draft } = memory;
  const { list, count, fill } = draftFilters(context, fields, draft);
  const save = () => {
    if (!draft.filters.length) return;
    const name = draft.name.trim() || draft.filters.map((filter) => filterText(filter, fields)).join(", ");
    memory.draft = { name: "", filters: [] };
    addCohort(state, { name, filters: draft.filters });
  };
  const add = () => {
    draft.filters.push(filterEditor.first(fields));
    fill();
    list.lastElementChild?.querySelector("select")?.focus();
  };
  fill();
  return element(
    "section",
    { class: "axd-builder", "aria-label": "A new cohort" },
    element("h2", { text: "A new cohort" }),
    presets(context, fields),
    list,
    element(
      "div",
      { class: "axd-controls" },
      buttonControl("Add a filter", add),
      nameField(draft),
      buttonControl("Save the cohort", save, { class: "axd-primary" }),
    ),
    count,
  );
}

function nameField(draft) {
  const id = uniqueId("name");
  const field = element("input", { type: "text", id, value: draft.name, placeholder: "a name" });
  field.addEventListener("input", () => {
    draft.name = field.value;
  });
  return element("div", { class: "axd-control" }, element("label", { for: id, text: "Name" }), field);
}

// The editors of a draft's filters, and how many rows pass them; `fill` draws them again.
function draftFilters(context, fields, draft) {
  const list = element("div", { class: "axd-filters" });
  const count = element("p", { class: "axd-soft", role: "status" });
  const say = () => {
    const { n } = context.data;
    count.textContent = draft.filters.length
      ? `${counted(cohortRows(context, draft).length, "row")} of ${n.toLocaleString("en-US")} pass.`
      : "Add a filter.";
  };
  const put = (k, next, after) => {
    draft.filters.splice(k, 1, ...(next ? [next] : []));
    after();
  };
  const fill = () => {
    const editors = draft.filters.map((filter, k) =>
      filterEditor(fields, filter, {
        change: (next) => put(k, next, say),
        replace: (next) => put(k, next, fill),
        remove: () => put(k, null, fill),
      }),
    );
    list.replaceChildren(...editors);
    say();
  };
  return { list, count, fill };
}

function presets({ data, state }, fields) {
  const known = new Set(state.current.cohorts.map(({ name }) => name));
  const left = presetCohorts(data, fields).filter(({ name }) => !known.has(name));
  if (!left.length) return null;
  const buttons = left.map((cohort) =>
    buttonControl(cohort.name, () => addCohort(state, cohort), { class: "axd-small" }),
  );
  return element("div", { class: "axd-controls" }, buttons);
}

function presetCohorts(data, fields) {
  const find = (id) => fields.find((field) => field.id === id);
  const made = [];
  if (find("correct")) {
    made.push({ name: "Wrong predictions", filters: [{ field: "correct", kind: "levels", levels: [0] }] });
    made.push({ name: "Correct predictions", filters: [{ field: "correct", kind: "levels", levels: [1] }] });
  }
  const error = find("error");
  if (error && data.n >= 10) {
    const sorted = Float64Array.from(error.values)
      .filter((value) => !Number.isNaN(value))
      .sort();
    const low = sorted[Math.floor(sorted.length * 0.9)];
    made.push({
      name: "Tenth with the largest errors",
      filters: [{ field: "error", kind: "range", low, high: Infinity }],
    });
  }
  return made;
}
