// The head of the page: title, what is explained, what is chosen for all views, notes.

import { counted, numberText, shortened } from "../data/format.js";
import { MOST_SELECTED, toggleRow } from "../data/state.js";
import { selectControl } from "../elements/controls.js";
import { element, uniqueId } from "../elements/dom.js";

const THEMES = [
  ["auto", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

export function titleBar({ data, state, explanation }) {
  const parts = [
    explanation.method,
    explanation.model_kind ?? null,
    data.rows.total ? counted(data.rows.total, data.nouns.example) : null,
    counted(data.features.length, data.nouns.feature),
    data.classes ? `${data.classes.length} classes` : null,
  ];
  return element(
    "header",
    { class: "axd-head" },
    element(
      "div",
      {},
      element("h1", { text: shortened(data.title, 120), title: data.title }),
      element("p", { class: "axd-soft", text: parts.filter(Boolean).join(" · ") }),
    ),
    selectControl("Colours", THEMES, state.current.theme, (theme) => state.update({ theme })),
  );
}

// The bar of choices that hold for all views. `refill` draws it again when cohorts or rows change.
export function choicesBar(context) {
  const bar = element("div", { class: "axd-choices", role: "region", "aria-label": "What is shown in all views" });
  fillChoices(bar, context);
  return bar;
}

export function fillChoices(bar, { data, state }) {
  const { current } = state;
  const controls = [];
  if (data.explanations.length > 1) {
    const options = data.explanations.map(({ name }, k) => [k, name]);
    controls.push(
      selectControl("Explanation", options, current.explanation, (explanation) => state.update({ explanation })),
    );
  }
  if (data.classes) {
    const options = data.classes.map((name, c) => [c, name]);
    controls.push(selectControl("Class", options, current.classIndex, (classIndex) => state.update({ classIndex })));
  }
  if (current.cohorts.length) {
    const options = [["all", "All rows"], ...current.cohorts.map(({ name }, k) => [k, name])];
    controls.push(
      selectControl("Cohort", options, current.cohort ?? "all", (chosen) =>
        state.update({ cohort: chosen === "all" ? null : chosen }),
      ),
    );
  }
  if (data.n) controls.push(selectedRows(data, state));
  bar.replaceChildren(...controls);
  bar.hidden = !controls.length;
}

function selectedRows(data, state) {
  const { selected } = state.current;
  const chips = selected.map((row) =>
    element(
      "button",
      {
        type: "button",
        class: "axd-chip",
        "aria-label": `Row ${data.rowName(row)} is selected. Drop it`,
        on: { click: () => toggleRow(state, row) },
      },
      element("span", { text: `Row ${shortened(data.rowName(row), 18)}` }),
      element("span", { "aria-hidden": "true", text: "×" }),
    ),
  );
  return element(
    "div",
    { class: "axd-selected", role: "group", "aria-label": `Selected rows, at most ${MOST_SELECTED}` },
    element("span", { class: "axd-caption", text: "Selected rows" }),
    element(
      "div",
      { class: "axd-chips" },
      chips.length ? chips : element("span", { class: "axd-soft", text: "Click a point, or name a row" }),
      rowPicker(data, state),
    ),
  );
}

// A field for the name of a row, as the user's index has it: the way to select a row without a mouse.
function rowPicker(data, state) {
  const id = uniqueId("row");
  const field = element("input", {
    type: "text",
    id,
    size: 8,
    autocomplete: "off",
    placeholder: "row",
    "aria-label": "Name of a row to select",
  });
  const pick = () => {
    const wanted = field.value.trim();
    const row = Array.from({ length: data.n }, (_, k) => k).find((k) => data.rowName(k) === wanted);
    field.setCustomValidity(row === undefined ? `No row shown is called “${shortened(wanted, 40)}”.` : "");
    if (row === undefined) field.reportValidity();
    else if (!state.current.selected.includes(row)) toggleRow(state, row);
  };
  const form = element(
    "form",
    { class: "axd-row-picker" },
    field,
    element("button", { class: "axd-small", text: "Add" }),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    pick();
  });
  field.addEventListener("input", () => field.setCustomValidity(""));
  return form;
}

// Notes on the explanation, and what cannot be shown; nothing if there are none.
export function notesBox({ data, explanation }) {
  const { method, reason } = explanation;
  const notes = [
    ...(reason ? [`Method ${method}: ${reason}${/[.!?]$/.test(reason) ? "" : "."}`] : []),
    ...data.notes,
    ...explanation.notes,
  ];
  const error = explanation.additivity_error;
  if (error != null)
    notes.push(`Largest difference between the sum of a row's values and its prediction: ${numberText(error)}.`);
  if (!notes.length && !data.missing.length) return null;
  const list = (sentences) =>
    element(
      "ul",
      {},
      sentences.map((text) => element("li", { text })),
    );
  return element(
    "div",
    { class: "axd-notes" },
    data.missing.length ? element("div", { class: "axd-missing" }, list(data.missing)) : null,
    notes.length ? element("details", {}, element("summary", { text: `Notes (${notes.length})` }), list(notes)) : null,
  );
}

// "n of N rows shown", and what the model in the page says of itself.
export function footerBar({ data, transport }) {
  const { shown, total } = data.rows;
  const { example } = data.nouns;
  const rows =
    shown < total
      ? `${shown.toLocaleString("en-US")} of ${counted(total, example)} shown as points. Importance, histograms and performance are of all ${example}s.`
      : total
        ? `All ${counted(total, example)} shown.`
        : "";
  const check = element("p", { class: "axd-check", role: "status" });
  Promise.resolve(transport.ready).then((ready) => {
    check.textContent = ready?.sentence ?? "";
  });
  return element("footer", { class: "axd-foot" }, element("p", { text: rows }), check);
}
