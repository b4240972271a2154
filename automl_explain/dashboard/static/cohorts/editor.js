// The editor of one filter of a cohort: a field, then what its cells must be.

import { fieldOptions } from "../data/fields.js";
import { dateText, shortened } from "../data/format.js";
import { extentOf } from "../data/stats.js";
import { buttonControl, selectControl } from "../elements/controls.js";
import { element, uniqueId } from "../elements/dom.js";

const MOST_BOXES = 200;

// A filter that every row with a value passes.
function openFilter(field) {
  if (field.kind === "category") return { field: field.id, kind: "levels", levels: [] };
  return { field: field.id, kind: "range", low: -Infinity, high: Infinity };
}

filterEditor.first = (fields) => openFilter(fields[0]);

// `change` takes a filter whose form stays, `replace` one that needs another form, `remove` ends it.
export function filterEditor(fields, filter, { change, replace, remove }) {
  const field = fields.find(({ id }) => id === filter.field) ?? fields[0];
  const kinds = [
    field.kind === "category" ? ["levels", "is one of"] : ["range", "lies between"],
    ["missing", "is missing"],
  ];
  const toKind = (kind) => replace(kind === "missing" ? { field: field.id, kind } : openFilter(field));
  const editors = { levels: levelEditor, range: rangeEditor, missing: () => null };
  return element(
    "div",
    { class: "axd-filter" },
    selectControl("Field", fieldOptions(fields), field.id, (id) =>
      replace(openFilter(fields.find((other) => other.id === id))),
    ),
    selectControl("Condition", kinds, filter.kind, toKind),
    editors[filter.kind](field, filter, change),
    buttonControl("Remove the filter", remove, { class: "axd-small" }),
  );
}

function rangeEditor(field, filter, change) {
  const isDate = field.kind === "date";
  const [low, high] = extentOf(field.values);
  const shown = (value) => (isDate ? dateText(value).slice(0, 10) : String(Number(value.toPrecision(4))));
  const end = (title, key, limit, hint) => {
    const id = uniqueId("limit");
    const value = Number.isFinite(filter[key]) ? (isDate ? dateText(filter[key]).slice(0, 10) : filter[key]) : "";
    const input = element("input", {
      type: isDate ? "date" : "number",
      step: "any",
      id,
      value,
      placeholder: Number.isFinite(hint) ? shown(hint) : "",
    });
    input.addEventListener("input", () => {
      const number = isDate ? Date.parse(input.value) : Number(input.value);
      const isGiven = input.value !== "" && !Number.isNaN(number);
      filter = { ...filter, [key]: isGiven ? (isDate && key === "high" ? number + 86400e3 - 1 : number) : limit };
      change(filter);
    });
    return element("div", { class: "axd-control" }, element("label", { for: id, text: title }), input);
  };
  return element(
    "div",
    { class: "axd-controls" },
    end("From", "low", -Infinity, low),
    end("To", "high", Infinity, high),
  );
}

// Boxes to tick; with many levels a field that searches them.
function levelEditor(field, filter, change) {
  const chosen = new Set(filter.levels);
  const list = element("div", { class: "axd-levels", role: "group", "aria-label": `Levels of ${field.label}` });
  const fill = (text) => {
    const wanted = text.toLowerCase();
    const levels = field.levels
      .map((name, level) => ({ name, level }))
      .filter(({ name, level }) => chosen.has(level) || name.toLowerCase().includes(wanted));
    list.replaceChildren(...levels.slice(0, MOST_BOXES).map(({ name, level }) => levelBox(name, level)));
    if (levels.length > MOST_BOXES)
      list.append(
        element("span", { class: "axd-soft", text: `and ${levels.length - MOST_BOXES} more; search for them` }),
      );
  };
  const levelBox = (name, level) => {
    const id = uniqueId("level");
    const box = element("input", { type: "checkbox", id, checked: chosen.has(level) });
    box.addEventListener("change", () => {
      if (box.checked) chosen.add(level);
      else chosen.delete(level);
      change({ ...filter, levels: [...chosen].sort((a, b) => a - b) });
    });
    return element(
      "span",
      { class: "axd-toggle" },
      box,
      element("label", { for: id, text: shortened(name, 40), title: name }),
    );
  };
  fill("");
  if (field.levels.length <= 12) return list;
  const search = element("input", {
    type: "search",
    placeholder: "Search the levels",
    "aria-label": `Search the levels of ${field.label}`,
    on: { input: () => fill(search.value) },
  });
  return element("div", {}, search, list);
}
