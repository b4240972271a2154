// Fields to edit the cells of a row, one per feature, by its kind. A field is
// { box, show(cell), refuse(sentence or null), mark(edited, locked) }.

import { cellText, shortened } from "../data/format.js";
import { element, uniqueId } from "../elements/dom.js";

const MISSING_CELL = "missing";
const LONGEST_LIST = 25;

const FIELD_MAKERS = {
  number: (feature, onEdit) => numberCell(feature, "any", onEdit),
  duration: (feature, onEdit) => numberCell(feature, "any", onEdit),
  integer: (feature, onEdit) => numberCell(feature, "1", onEdit),
  date: dateCell,
  boolean: booleanCell,
  category: categoryCell,
};

// A field of a feature; `onEdit(cell)` is called with what the user enters, `onEnd()` when the field is left.
export function cellField(feature, { onEdit, onEnd, limits, onLimits }) {
  const id = uniqueId("cell");
  const { input, write, extra = null } = FIELD_MAKERS[feature.levels ? "category" : feature.kind](feature, onEdit);
  input.id = id;
  const note = element("span", { class: "axd-cell-note", "aria-live": "polite" });
  input.setAttribute("aria-describedby", `${id}-note`);
  note.id = `${id}-note`;
  const restore = element("button", { type: "button", class: "axd-small", text: "Restore", hidden: true, "aria-label": `Restore ${feature.name}` });
  const constraint = limitsBox(feature, limits, onLimits);
  const box = element("div", { class: "axd-cell" },
    element("label", { for: id, text: shortened(feature.name, 60), title: feature.name }),
    element("div", { class: "axd-cell-line" }, input, extra, restore, constraint), note);
  input.addEventListener("blur", onEnd);
  return {
    box, restore, input,
    show: write,
    refuse(sentence) {
      box.classList.toggle("axd-refused", sentence !== null);
      input.setAttribute("aria-invalid", String(sentence !== null));
      if (sentence !== null) note.textContent = sentence;
    },
    mark(original, edited, locked) {
      box.classList.toggle("axd-edited", edited);
      restore.hidden = !edited;
      input.disabled = locked;
      if (!box.classList.contains("axd-refused")) note.textContent = edited ? `was ${cellText(feature, original ?? NaN, 30)}` : "";
    },
  };
}

function numberCell(feature, step, onEdit) {
  const input = element("input", { type: "number", step, placeholder: MISSING_CELL });
  input.addEventListener("input", () => {
    if (input.validity.badInput) onEdit(undefined, "A number is needed.");
    else onEdit(input.value === "" ? null : Number(input.value));
  });
  const write = (cell) => { input.value = cell === null ? "" : String(cell); };
  return { input, write };
}

// Dates are milliseconds since 1970 in UTC. A column whose dates have no time of day is edited as days.
function dateCell(feature, onEdit) {
  const hasTime = feature.values.some((value) => !Number.isNaN(value) && value % 86400e3 !== 0);
  const input = element("input", { type: hasTime ? "datetime-local" : "date", step: hasTime ? "1" : null });
  input.addEventListener("input", () => {
    if (input.validity.badInput) onEdit(undefined, "A date is needed.");
    else onEdit(input.value === "" ? null : Date.parse(hasTime ? `${input.value}Z` : input.value));
  });
  const write = (cell) => { input.value = cell === null ? "" : new Date(cell).toISOString().slice(0, hasTime ? 19 : 10); };
  return { input, write };
}

function booleanCell(feature, onEdit) {
  return listCell([["1", "True"], ["0", "False"]], feature.missing > 0, onEdit);
}

function categoryCell(feature, onEdit) {
  const options = feature.levels.map((level, code) => [String(code), level]);
  return options.length <= LONGEST_LIST ? listCell(options, feature.missing > 0, onEdit) : searchedCell(feature, onEdit);
}

function listCell(options, mayBeMissing, onEdit) {
  const shown = options.map(([value, text]) => element("option", { value, text: shortened(text, 50), title: text }));
  const missing = element("option", { value: "", text: MISSING_CELL });
  if (!mayBeMissing) missing.hidden = true;
  const input = element("select", {}, missing, shown);
  input.addEventListener("change", () => onEdit(input.value === "" ? null : Number(input.value)));
  const write = (cell) => { input.value = cell === null ? "" : String(cell); };
  return { input, write };
}

// Many levels: text that suggests those that contain it.
function searchedCell(feature, onEdit) {
  const list = element("datalist", { id: uniqueId("levels") }, feature.levels.map((level) => element("option", { value: level })));
  const input = element("input", { type: "text", list: list.id, autocomplete: "off", placeholder: MISSING_CELL });
  const codes = new Map(feature.levels.map((level, code) => [level, code]));
  input.addEventListener("input", () => {
    if (input.value === "") onEdit(null);
    else if (codes.has(input.value)) onEdit(codes.get(input.value));
    else onEdit(undefined, "Choose one of the known values.");
  });
  const write = (cell) => { input.value = cell === null ? "" : feature.levels[cell]; };
  return { input, write, extra: list };
}

// Constraints of a feature: locked, and a range for numbers.
function limitsBox(feature, limits, onLimits) {
  const locked = element("input", { type: "checkbox", id: uniqueId("locked"), checked: limits.locked });
  locked.addEventListener("change", () => {
    limits.locked = locked.checked;
    onLimits();
  });
  const parts = [element("div", { class: "axd-toggle" }, locked, element("label", { for: locked.id, text: "Locked" }))];
  if (["number", "integer", "duration"].includes(feature.kind) && !feature.levels) {
    for (const [name, text] of [["low", "At least"], ["high", "At most"]]) {
      const input = element("input", { type: "number", step: "any", id: uniqueId(name), value: limits[name] ?? "", placeholder: "any" });
      input.addEventListener("change", () => {
        limits[name] = input.value === "" ? null : Number(input.value);
        onLimits();
      });
      parts.push(element("div", { class: "axd-limit" }, element("label", { for: input.id, text }), input));
    }
  }
  return element("details", { class: "axd-limits" },
    element("summary", { text: "Limits", "aria-label": `Limits of ${feature.name}` }), element("div", { class: "axd-limits-box" }, parts));
}
