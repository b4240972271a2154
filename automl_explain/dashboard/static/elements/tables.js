// Tables of numbers: beside each chart, closed until asked for, in pages of PAGE rows, sortable, copied as CSV.

import { counted, csvText, numberText, shortened } from "../data/format.js";
import { toggleRow } from "../data/state.js";
import { copyText, element } from "./dom.js";

const PAGE = 50;

// A closed table beside a chart. `table` is {caption, n, columns: [{label, get(i), text?(value, i)}], rows?}; `get`
// returns what is copied, `text` what is shown. `rows` holds the positions of shown rows, which get a button that
// selects them.
export function numbersTable(table, state) {
  const details = element(
    "details",
    { class: "axd-numbers" },
    element("summary", { text: `Table of these numbers (${counted(table.n, "row")})` }),
  );
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(dataTable(table, state));
  });
  return details;
}

// The table itself, open. Options as for `numbersTable`.
export function dataTable(table, state) {
  const view = { table, state, page: 0, order: null, sorted: null, rising: true };
  view.body = element("tbody");
  view.where = element("span", { class: "axd-soft", "aria-live": "polite" });
  view.heads = table.columns.map((column, k) => headCell(view, column, k));
  const heads = element("tr", {}, table.rows ? element("th", { scope: "col", text: "Select" }) : null, view.heads);
  const box = element(
    "div",
    { class: "axd-table-box", tabindex: "0", role: "region", "aria-label": table.caption },
    element("table", {}, element("caption", { text: table.caption }), element("thead", {}, heads), view.body),
  );
  const bar = element("div", { class: "axd-table-bar" }, copyButton(table), table.n > PAGE ? pageButtons(view) : null);
  fillPage(view);
  if (table.rows) followSelection(view);
  return element("div", {}, bar, box);
}

// Rows may be selected elsewhere; a table that has left the page stops following.
function followSelection(view) {
  const stop = view.state.subscribe((_, changed) => {
    if (!view.body.isConnected) stop();
    else if (changed.has("selected"))
      view.body.querySelectorAll("button").forEach((button) => button.dispatchEvent(new CustomEvent("selection")));
  });
}

function headCell(view, column, k) {
  const button = element("button", {
    type: "button",
    text: column.label,
    title: "Sort",
    on: { click: () => sortBy(view, k) },
  });
  return element("th", { scope: "col", class: isNumeric(column, view.table.n) ? "axd-number" : null }, button);
}

function isNumeric(column, n) {
  for (let i = 0; i < Math.min(n, 20); i += 1) {
    const value = column.get(i);
    if (value != null) return typeof value === "number";
  }
  return true;
}

function compare(a, b) {
  const missing = (value) => value == null || Number.isNaN(value);
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  return typeof a === "number" && typeof b === "number"
    ? a - b
    : String(a).localeCompare(String(b), undefined, { numeric: true });
}

function sortBy(view, k) {
  view.rising = view.sorted === k ? !view.rising : false;
  view.sorted = k;
  const { get } = view.table.columns[k];
  const values = Array.from({ length: view.table.n }, (_, i) => get(i));
  view.order = values.map((_, i) => i).sort((i, j) => (view.rising ? 1 : -1) * compare(values[i], values[j]));
  view.page = 0;
  view.heads.forEach((head, other) => {
    if (other === k) head.setAttribute("aria-sort", view.rising ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  });
  fillPage(view);
}

function fillPage(view) {
  const { table } = view;
  const from = view.page * PAGE;
  const places = Array.from({ length: Math.min(PAGE, table.n - from) }, (_, k) =>
    view.order ? view.order[from + k] : from + k,
  );
  view.body.replaceChildren(...places.map((i) => bodyRow(view, i)));
  view.where.textContent =
    table.n > PAGE ? `${from + 1} to ${from + places.length} of ${table.n.toLocaleString("en-US")}` : "";
}

function bodyRow(view, i) {
  const { table, state } = view;
  const cells = table.columns.map((column, k) => {
    const value = column.get(i);
    const numeric = typeof value === "number" && !column.text;
    const text = column.text
      ? column.text(value, i)
      : numeric
        ? numberText(value)
        : value === ""
          ? ""
          : shortened(value ?? "missing", 60);
    const isNumber = view.heads[k].classList.contains("axd-number");
    const cell = element(k === 0 && !isNumber ? "th" : "td", { class: isNumber ? "axd-number" : null, text });
    if (cell.tagName === "TH") cell.scope = "row";
    if (typeof value === "string" && text !== value) cell.title = value;
    return cell;
  });
  return element(
    "tr",
    {},
    table.rows ? element("td", {}, selectButton(state, table.rows[i], table.rowName?.(i))) : null,
    cells,
  );
}

function selectButton(state, row, name) {
  const button = element("button", {
    type: "button",
    class: "axd-small",
    "aria-label": name ? `Select row ${name}` : null,
    on: { click: () => toggleRow(state, row) },
  });
  const show = () => {
    const isOn = state.current.selected.includes(row);
    button.setAttribute("aria-pressed", String(isOn));
    button.textContent = isOn ? "Selected" : "Select";
  };
  button.addEventListener("selection", show);
  show();
  return button;
}

function copyButton(table) {
  const button = element("button", { type: "button", class: "axd-small", text: "Copy as CSV" });
  button.addEventListener("click", async () => {
    const rows = Array.from({ length: table.n }, (_, i) => table.columns.map((column) => column.get(i)));
    const copied = await copyText(
      csvText(
        table.columns.map((column) => column.label),
        rows,
      ),
    );
    button.textContent = copied ? "Copied" : "The browser refused to copy";
    setTimeout(() => {
      button.textContent = "Copy as CSV";
    }, 2000);
  });
  return button;
}

function pageButtons(view) {
  const last = Math.ceil(view.table.n / PAGE) - 1;
  const turn = (by) => {
    view.page = Math.max(0, Math.min(last, view.page + by));
    fillPage(view);
  };
  return element(
    "span",
    { class: "axd-pages" },
    element("button", { type: "button", class: "axd-small", text: "Previous", on: { click: () => turn(-1) } }),
    view.where,
    element("button", { type: "button", class: "axd-small", text: "Next", on: { click: () => turn(1) } }),
  );
}
