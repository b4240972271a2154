// The edits of a row: cells, history with undo and redo, and constraints. Nothing here draws.

import { cellText, numberText } from "../data/format.js";

// `original` are the cells of the row; null is a missing cell.
export function createEdits(original) {
  return { original, cells: [...original], done: [], undone: [], limits: original.map(() => ({ locked: false, low: null, high: null })) };
}

// Sets a cell. Returns a sentence if a constraint forbids the value, else null.
export function setCell(edits, feature, value) {
  const { index } = feature;
  const refused = refusal(edits.limits[index], feature, value);
  if (refused !== null) return refused;
  const from = edits.cells[index];
  if (from === value) return null;
  edits.cells[index] = value;
  edits.undone = [];
  const last = edits.done.at(-1);
  if (last?.index === index && last.open) last.to = value; // further typing in the same field is one edit
  else edits.done.push({ index, from, to: value, open: true });
  return null;
}

// Ends the last edit, so that the next one in the same field is an edit of its own.
export function closeEdit(edits) {
  const last = edits.done.at(-1);
  if (!last) return;
  last.open = false;
  if (last.from === last.to) edits.done.pop();
}

export function undoEdit(edits) {
  const last = edits.done.pop();
  if (!last) return;
  edits.cells[last.index] = last.from;
  edits.undone.push({ ...last, open: false });
}

export function redoEdit(edits) {
  const next = edits.undone.pop();
  if (!next) return;
  edits.cells[next.index] = next.to;
  edits.done.push(next);
}

export function resetEdits(edits) {
  edits.cells = [...edits.original];
  edits.done = [];
  edits.undone = [];
}

export function isEdited(edits, index) {
  return edits.cells[index] !== edits.original[index];
}

function refusal({ locked, low, high }, feature, value) {
  if (locked) return `${feature.name} is locked.`;
  if (value === null || feature.levels) return null;
  if (low !== null && value < low) return `${feature.name} must be at least ${cellText(feature, low)}.`;
  if (high !== null && value > high) return `${feature.name} must be at most ${cellText(feature, high)}.`;
  return null;
}

export function editText(feature, { from, to }) {
  const text = (cell) => cellText(feature, cell ?? NaN, 24);
  return `${feature.name}: ${text(from)} → ${text(to)}`;
}

// What an edit changed, for the history.
export function changeText(before, after) {
  return before == null || after == null ? "" : numberText(after - before, { signed: true });
}
