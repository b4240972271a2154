// Perturbation: the cells of a selected row can be edited, and the model answers for the edited row: its prediction, its own
// explanation beside that of the original, and a warning if it is far from the data.

import { csvText, numberText, shareText, shortened } from "../data/format.js";
import { withoutCells } from "../data/page_data.js";
import { buttonControl, selectControl } from "../elements/controls.js";
import { copyText, debounced, element } from "../elements/dom.js";
import { cellField } from "./cell_fields.js";
import { distanceWarnings } from "./distance.js";
import { changeText, closeEdit, createEdits, editText, isEdited, redoEdit, resetEdits, setCell, undoEdit } from "./edits.js";
import { cellsOfRow, outputName, strongestFeatures, valuesOfRow } from "./values.js";
import { drawChanges, drawPlace } from "./whatif_charts.js";

const WHATIF_DELAY_MS = 300;
const WHATIF_FIRST_FIELDS = 12;
const MOST_CLASSES_SHOWN = 6;

export const WHATIF_VIEW = {
  id: "what-if", title: "What-if", group: "local",
  absent: withoutCells,
  needs: (data) => (data.hasCells ? null : "The cells of the rows are not known. Pass the explained table to edit rows."),
  draw: drawWhatIf,
};

// A sentence in place of the view if the model cannot be asked; else null.
export async function refusalOf(transport) {
  const ready = await transport.ready;
  return ready && ready.available === false ? ready.sentence : null;
}

// The context of a view that asks the model, which is that of the first explanation, whichever one is chosen.
export function modelContext(context) {
  return { ...context, explanation: context.data.explanations[0], output: context.data.classes ? context.classIndex : 0 };
}

// Whose model answers, if it is not the one that the user may think of; else null.
export function modelNote({ data, state, transport }) {
  const said = transport.kind === "surrogate" ? [data.model.reason] : [];
  if (state.current.explanation > 0) said.push(`The model of ${data.explanations[0].name} answers.`);
  return said.length ? element("p", { class: "axd-missing", text: said.join(" ") }) : null;
}

async function drawWhatIf(container, chosen) {
  const context = modelContext(chosen);
  const { data, state, transport, memory } = context;
  const root = element("div", { class: "axd-whatif" });
  container.append(root);
  const reason = await refusalOf(transport);
  if (!root.isConnected) return;
  if (reason) {
    root.append(element("p", { class: "axd-empty", text: reason }));
    return;
  }
  const rows = state.current.selected;
  memory.rows ??= new Map();
  if (!rows.includes(memory.row)) memory.row = rows.at(-1);
  const { row } = memory;
  if (!memory.rows.has(row)) memory.rows.set(row, createEdits(cellsOfRow(data, row)));
  const view = { root, context, row, edits: memory.rows.get(row), before: null, after: null };
  view.answer = element("div");
  view.status = element("p", { class: "axd-soft", role: "status" });
  view.warning = element("div", { class: "axd-missing", role: "status", hidden: true });
  view.history = element("div");
  view.charts = element("div");
  view.later = debounced(() => ask(view), WHATIF_DELAY_MS);
  const redraw = (other) => {
    memory.row = other;
    context.charts.clear(root);
    root.remove();
    drawWhatIf(container, chosen);
  };
  root.append(
    ...[modelNote(context), headOf(view, rows, redraw)].filter(Boolean),
    element("div", { class: "axd-whatif-parts" }, fieldsOfRow(view),
      element("div", { class: "axd-answer" }, view.status, view.answer, view.warning),
      element("div", { class: "axd-whatif-charts" }, view.charts, view.history)));
  refresh(view);
  ask(view);
}

function headOf(view, rows, redraw) {
  const { context, edits } = view;
  const { data } = context;
  const act = (action) => () => {
    action(edits);
    refresh(view);
    view.later.cancel();
    ask(view);
  };
  view.undo = buttonControl("Undo", act(undoEdit));
  view.redo = buttonControl("Redo", act(redoEdit));
  view.reset = buttonControl("Reset", act(resetEdits));
  const copy = buttonControl("Copy edited row as CSV", async () => {
    const cells = data.features.map((feature, j) => (edits.cells[j] === null ? null : feature.levels?.[edits.cells[j]] ?? edits.cells[j]));
    context.announce(await copyText(csvText(data.features.map(({ name }) => name), [cells])) ? "The edited row was copied." : "The browser refused to copy.");
  });
  const choice = rows.length > 1
    ? selectControl("Row", rows.map((row) => [row, `Row ${data.rowName(row)}`]), view.row, redraw)
    : element("h2", { text: `Row ${shortened(data.rowName(view.row), 40)}` });
  return element("div", { class: "axd-controls" }, choice, view.undo, view.redo, view.reset, copy);
}

// The fields, the most important feature of the row first, with a search for names.
function fieldsOfRow(view) {
  const { context, edits, row } = view;
  const { data, explanation, output } = context;
  const order = explanation.values ? strongestFeatures([valuesOfRow(explanation, output, row).values]) : data.features.map((_, j) => j);
  view.fields = new Map();
  const boxes = order.map((j) => {
    const feature = data.features[j];
    const field = cellField(feature, {
      onEdit: (cell, sentence) => edit(view, feature, cell, sentence),
      onEnd: () => closeEdit(edits),
      limits: edits.limits[j],
      onLimits: () => refresh(view),
    });
    field.show(edits.cells[j]);
    field.restore.addEventListener("click", () => {
      closeEdit(edits);
      edit(view, feature, edits.original[j]);
      closeEdit(edits);
      field.show(edits.cells[j]);
    });
    view.fields.set(j, field);
    return field.box;
  });
  const found = element("p", { class: "axd-soft", "aria-live": "polite" });
  const search = element("input", { type: "search", placeholder: "Search features", "aria-label": "Search features" });
  const more = buttonControl("Show all features", () => {
    view.all = true;
    filter();
  });
  const filter = () => {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    order.forEach((j, place) => {
      const matches = wanted ? data.features[j].name.toLowerCase().includes(wanted) : view.all || place < WHATIF_FIRST_FIELDS || isEdited(edits, j);
      boxes[place].hidden = !matches;
      shown += Number(matches);
    });
    more.hidden = Boolean(wanted) || shown === order.length;
    found.textContent = shown < order.length ? `${shown} of ${order.length} features` : "";
  };
  search.addEventListener("input", filter);
  filter();
  const bar = order.length > WHATIF_FIRST_FIELDS ? element("div", { class: "axd-search" }, search, found) : null;
  return element("form", { class: "axd-fields", "aria-label": "Cells of the row", on: { submit: (event) => event.preventDefault() } }, bar, boxes, more);
}

function edit(view, feature, cell, sentence = null) {
  const field = view.fields.get(feature.index);
  const refused = sentence ?? setCell(view.edits, feature, cell);
  field.refuse(refused);
  refresh(view, { keep: feature.index });
  if (refused === null) view.later();
}

// Shows the state of all fields, the buttons and the history; the field `keep`, in which the user types, is left as it is.
function refresh(view, { keep = null } = {}) {
  const { edits } = view;
  for (const [j, field] of view.fields) {
    if (j !== keep) {
      field.show(edits.cells[j]);
      field.refuse(null);
    }
    field.mark(edits.original[j], isEdited(edits, j), edits.limits[j].locked);
  }
  view.undo.disabled = !edits.done.length;
  view.redo.disabled = !edits.undone.length;
  view.reset.disabled = !edits.done.length && !edits.cells.some((_, j) => isEdited(edits, j));
  showHistory(view);
}

async function ask(view) {
  const { context, edits } = view;
  const { transport } = context;
  view.status.textContent = "The model is asked …";
  try {
    view.before ??= await answerFor(transport, edits.original, "what-if before");
    const cells = [...edits.cells];
    const isSame = cells.every((cell, j) => cell === edits.original[j]);
    const after = isSame ? view.before : await answerFor(transport, cells, "what-if");
    if (after === null || view.before === null || !view.root.isConnected) return; // a later edit has been asked for
    view.after = after;
    noteOutputs(view);
    view.status.textContent = "";
    showAnswer(view, cells);
    showHistory(view);
    context.state.update({ edited: isSame ? null : editedRow(view.row, cells, after) });
  } catch (error) {
    if (!view.root.isConnected) return;
    view.status.replaceChildren(element("span", { class: "axd-error", text: `The model cannot answer for this row. ${error.message}` }));
    view.answer.replaceChildren();
    context.charts.clear(view.charts);
    view.charts.replaceChildren();
  }
}

// The prediction and explanation of a row; null if a later question on the topic has been asked. A model that predicts but does
// not explain has a sentence in `why`.
async function answerFor(transport, cells, topic) {
  const [predicted, explained] = await Promise.all([
    transport.predict([cells], topic),
    transport.explain([cells], topic).catch((error) => ({ why: error.message })),
  ]);
  if (predicted === null || explained === null) return null;
  return { output: predicted.output[0], probability: predicted.probability?.[0] ?? null, explained };
}

// The edited row as the charts of all rows draw it (charts/edited_point.js).
function editedRow(row, cells, { output, probability, explained }) {
  return { row, cells, output, probability, values: explained.values?.map(([values]) => values) ?? null };
}

// Remembers the output after the last edit, for the history.
function noteOutputs(view) {
  const last = view.edits.done.at(-1);
  if (last) last.output = view.after.output[view.context.output];
}

function showAnswer(view, cells) {
  const { context, before, after, edits } = view;
  view.answer.replaceChildren(answerTable(context, before, after));
  const edited = cells.map((_, j) => j).filter((j) => cells[j] !== edits.original[j]);
  const sentences = distanceWarnings(context.data, cells, edited);
  view.warning.hidden = !sentences.length;
  view.warning.replaceChildren(element("ul", {}, sentences.map((text) => element("li", { text }))));
  context.charts.clear(view.charts);
  view.charts.replaceChildren();
  drawPlace(view.charts, context, before, after);
  drawChanges(view.charts, context, { before, after, original: edits.original, cells });
}

function answerTable(context, before, after) {
  const { data, output, classIndex } = context;
  const isShare = data.output.space === "probability";
  const lines = [];
  const addLine = (name, from, to, text = numberText) => {
    const change = text === shareText ? pointsText(to - from) : changeText(from, to);
    lines.push({ name, cells: [[text(from), from], [text(to), to], [change, to - from]] });
  };
  if (data.classes) lines.push({ name: "Predicted class", cells: [[bestClass(data, before)], [bestClass(data, after)], [""]] });
  if (!isShare) addLine(capital(outputName(context)), before.output[output], after.output[output]);
  const shares = isShare ? [before.output, after.output] : [before.probability, after.probability];
  if (shares[0] && data.classes) {
    for (const c of shownClasses(shares[1], classIndex)) addLine(`Probability of ${shortened(data.classes[c], 40)}`, shares[0][c], shares[1][c], shareText);
  }
  const heads = ["Prediction", "Before", "After", "Change"].map((text) => element("th", { scope: "col", text, class: text === "Prediction" ? null : "axd-number" }));
  const body = lines.map(({ name, cells }) => element("tr", {}, element("th", { scope: "row", text: name }),
    cells.map(([text, exact]) => element("td", { class: exact === undefined ? "axd-number axd-word" : "axd-number", text, title: exact }))));
  return element("table", { class: "axd-before-after" }, element("caption", { text: "Prediction before and after the edits" }),
    element("thead", {}, element("tr", {}, heads)), element("tbody", {}, body));
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function pointsText(difference) {
  return `${numberText(difference * 100, { signed: true })} points`;
}

function bestClass(data, { output, probability }) {
  const shares = probability ?? output;
  return shortened(data.classes[shares.indexOf(Math.max(...shares))], 30);
}

// The chosen class, and those with the largest probabilities.
function shownClasses(shares, chosen) {
  const others = shares.map((_, c) => c).filter((c) => c !== chosen).sort((a, b) => shares[b] - shares[a]);
  return [chosen, ...others.slice(0, MOST_CLASSES_SHOWN - 1)];
}

function showHistory(view) {
  const { edits, context, before } = view;
  if (!edits.done.length) {
    view.history.replaceChildren();
    return;
  }
  const first = before?.output[context.output];
  const items = edits.done.map((one, k) => {
    const previous = k === 0 ? first : edits.done[k - 1].output;
    const change = changeText(previous, one.output);
    return element("li", {}, editText(context.data.features[one.index], one), change ? element("span", { class: "axd-soft", text: ` (${change})` }) : null);
  });
  view.history.replaceChildren(element("h2", { text: "Edits" }), element("ol", { class: "axd-history" }, items));
}
