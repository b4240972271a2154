// The model in the page: predicts and explains rows, and proves itself against Python's predictions when the page opens.

import { afterPaint, whenIdle } from "../elements/dom.js";
import { rowCoder, columnMap } from "./scorer_columns.js";
import { modelOutputs, readModel } from "./scorer_structures.js";
import { shapleyQuestion, shapleyValues } from "./shapley.js";

const SCORER_TOLERANCE = 1e-6;
const CHECK_SLICE_MS = 8;
const CHECK_BUDGET_MS = 4000;

// The maker of a transport from the `data` of the payload's model; see `page_model` in Python.
export function createScorer(model) {
  const { data } = model;
  const code = rowCoder(data.columns);
  const intake = columnMap(data.intake, "intake", data.arrays);
  const reader = readModel(data.model, "model", data.arrays);
  const toProbability = modelOutputs(reader, "probability");
  const read = (row) => intake(code(row));
  const outputsOf = (row) => finiteOutputs(reader.own(read(row)));
  let question = null;
  let expected = null;

  function background() {
    if (question !== null) return question;
    if (!data.n_background) throw new Error("This page has no background rows, so that edited rows are predicted but not explained.");
    const matrix = Float64Array.from(data.arrays.background);
    const width = matrix.length / data.n_background;
    const rows = Array.from({ length: data.n_background }, (_, b) => matrix.subarray(b * width, (b + 1) * width));
    const players = Int32Array.from(data.players ?? rows[0].keys());
    const { weights } = data.arrays;
    question = shapleyQuestion(reader, rows, weights, players, data.n_players ?? width);
    expected = new Array(reader.nOutputs).fill(0);
    rows.forEach((row, b) => reader.own(row).forEach((output, k) => { expected[k] += weights[b] * output; }));
    return question;
  }

  return {
    kind: model.kind,
    outputsOf,
    async predict(rows) {
      const coded = rows.map(read);
      return {
        output: coded.map((row) => Array.from(finiteOutputs(reader.own(row)))),
        probability: toProbability === null ? null : coded.map((row) => Array.from(toProbability(row))),
      };
    },
    async explain(rows) {
      const asked = background();
      const made = rows.map((row) => shapleyValues(asked, read(row)));
      const byColumn = (part) => Array.from(expected, (_, k) => made.map((one) => ofColumns(one[part]?.[k], data)));
      const note = [...new Set(made.map((one) => one.note).filter((one) => one !== null))].join(" ");
      return {
        values: byColumn("values"),
        errors: made.every((one) => one.errors === null) ? null : byColumn("errors"),
        expected: [...expected],
        note: note || null,
      };
    },
  };
}

function finiteOutputs(outputs) {
  if (outputs.every(Number.isFinite)) return outputs;
  throw new Error("The model has no finite prediction for this row.");
}

// Values of players, summed over those of each column of the page; zeros for a row without.
function ofColumns(values, data) {
  const made = new Array(data.columns.length).fill(0);
  values?.forEach((value, player) => { made[data.owner[player]] += value; });
  return made;
}

// Compares the scorer's outputs with Python's for the rows of a page, in slices between which the page stays responsive.
// `rowAt(i)` is a row, `wanted` one column of outputs per class. The difference is relative to the largest output of a class.
async function checkScorer(scorer, rowAt, wanted) {
  const nRows = wanted[0].length;
  const largest = wanted.map((column) => column.reduce((size, one) => Math.max(size, Math.abs(one)), 0));
  const started = performance.now();
  let slice = started;
  let difference = 0;
  let row = 0;
  for (; row < nRows; row += 1) {
    const now = performance.now();
    if (row > 0 && now - started > CHECK_BUDGET_MS) break;
    if (now - slice > CHECK_SLICE_MS) {
      await whenIdle();
      slice = performance.now();
    }
    try {
      scorer.outputsOf(rowAt(row)).forEach((output, k) => {
        const relative = Math.abs(output - wanted[k][row]) / Math.max(largest[k], Number.MIN_VALUE);
        difference = Math.max(difference, Number.isNaN(relative) ? Infinity : relative);
      });
    } catch (error) {
      return { ok: false, rows: row, difference: Infinity, sentence: `What-if is off: a row cannot be predicted in the page. ${error.message}` };
    }
  }
  const ok = difference <= SCORER_TOLERANCE;
  const size = difference === 0 ? "predicts as in Python" : `differs from Python by at most ${difference.toExponential(1)} (relative)`;
  const found = `The ${scorer.kind === "surrogate" ? "surrogate" : "model"} in the page ${size} for ${row === nRows ? `all ${nRows}` : `${row} of ${nRows}`} rows shown`;
  return { ok, rows: row, difference, sentence: ok ? `${found}.` : `${found}, more than ${SCORER_TOLERANCE}. What-if is off.` };
}

// The maker of the page's transport (transports/transport.js). `ready` comes true when the check has ended; a model that fails it
// answers every question with the reason.
export function pageModelMaker(data) {
  const { model } = data;
  const scorer = createScorer(model);
  const isMimic = model.kind === "surrogate";
  const columns = data.features.map(({ values }) => values);
  const rowAt = isMimic
    ? (row) => model.check.rows.subarray(row * columns.length, (row + 1) * columns.length)
    : (row) => columns.map((values) => values[row]);
  const wanted = isMimic ? model.check.output : data.predictions.output;
  const said = [model.reason, ...model.notes].filter((one) => one !== null);
  const ready = afterPaint()
    .then(() => (wanted?.[0].length ? checkScorer(scorer, rowAt, wanted) : UNCHECKED))
    .then((check) => ({ ...check, available: check.ok, sentence: [check.sentence, ...said].join(" ") }));
  const checked = async (method, rows) => {
    const { ok, sentence } = await ready;
    if (!ok) throw new Error(sentence);
    return scorer[method](rows);
  };
  return {
    kind: model.kind,
    ready,
    predict: (rows) => checked("predict", rows),
    explain: (rows) => checked("explain", rows),
  };
}

const UNCHECKED = { ok: false, rows: 0, difference: Infinity, sentence: "What-if is off: there are no predictions by which the model in the page could be checked." };
