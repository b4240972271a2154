"""The model of a page in a browser, without the rest of the page."""

import base64
import json

import numpy as np

from automl_explain import TabularExplainer
from automl_explain.dashboard._page import join_modules, json_for_html, script_modules
from automl_explain.dashboard.data._arrays import ArrayBlock
from automl_explain.dashboard.data._columns import column_cells, read_column
from automl_explain.dashboard.data._page_model import PageModel
from automl_explain.dashboard.model._export import export_model
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.tables._table import as_table

PROBE = """
import { bytesOfBase64, readData } from "./data/data.js";
import { columnMap, rowCoder } from "./model/scorer_columns.js";
import { createScorer, pageModelMaker } from "./model/scorer.js";
import { readModel } from "./model/scorer_structures.js";
import { walksOf } from "./model/shapley_walks.js";
import { createTransport } from "./transports/transport.js";
async function openScorer(model, packed) {
  const data = await readData({ features: [], explanations: [], model }, bytesOfBase64(packed));
  globalThis.model = data.model;
  globalThis.scorer = createScorer(data.model);
}
// Outputs along walks from background rows to a row, and of the model itself for the rows of their steps: the largest difference.
function differenceOfWalks(cells, orders) {
  const { columns, intake, model: facts, arrays, n_background: n, players: given } = model.data;
  const own = readModel(facts, "model", arrays);
  const row = columnMap(intake, "intake", arrays)(rowCoder(columns)(cells));
  const width = row.length;
  const rows = Array.from({ length: n }, (_, b) => Float64Array.from(arrays.background.subarray(b * width, (b + 1) * width)));
  const players = Int32Array.from(given ?? row.keys());
  const walk = walksOf(own, rows, players)(row);
  return Math.max(...orders.map((order, b) => {
    const since = new Int32Array(order.length);
    order.forEach((player, step) => { since[player] = step + 1; });
    const found = walk(b, since, order.length);
    return Math.max(...order.concat(0).flatMap((_, t) => {
      const wanted = own.own(rows[b].map((cell, j) => (since[players[j]] <= t ? row[j] : cell)));
      return Array.from(wanted, (output, k) => Math.abs(found[t * wanted.length + k] - output));
    }));
  }));
}
"""


def page_model(model, background, rows, output="auto", feature_space="raw"):
    """A `PageModel` over all columns of `rows`, as the dashboard makes it."""
    explainer = TabularExplainer(model, background, output=output, feature_space=feature_space)
    explanation = explainer.explain_local(rows[:2])
    table = as_table(rows)
    names = table.names or [str(j) for j in range(table.n_columns)]
    columns = tuple(read_column(names[j], column_cells(table, j)) for j in range(table.n_columns))
    feature_map = explanation.feature_map if feature_space == "engineered" else None
    return PageModel(
        columns=columns,
        like=table,
        model=describe(model, table.data),
        background=as_table(background),
        explanation=explanation,
        feature_map=feature_map,
    )


def numbers_of(page, rows):
    """Rows as the page sends them: numbers, None for a missing cell."""
    table = as_table(rows)
    matrix = np.column_stack([c.to_numbers(column_cells(table, j)) for j, c in enumerate(page.columns)])
    return [[None if np.isnan(cell) else float(cell) for cell in row] for row in matrix]


class ScorerPage:
    """The scorer of a page in a browser tab.

    Parameters
    ----------
    tab : playwright page
    page : PageModel
    """

    def __init__(self, tab, page):
        block = ArrayBlock()
        self.entry = export_model(page, block)
        self.packed = base64.b64encode(block.packed()).decode()
        self.size = len(self.packed) + len(json.dumps(self.entry))
        self.page, self.tab = page, tab
        if self.entry["kind"] == "none":
            return
        tab.goto("about:blank")
        tab.add_script_tag(content=join_modules({**script_modules(), "probe.js": PROBE}, "probe.js"))
        tab.evaluate(f"openScorer({json_for_html(self.entry)}, {json.dumps(self.packed)})")

    def predict(self, rows):
        """Outputs (n, C) and probabilities (n, C) or None."""
        made = self.tab.evaluate("rows => scorer.predict(rows)", numbers_of(self.page, rows))
        found = made["probability"]
        return np.array(made["output"]), None if found is None else np.array(found)

    def explain(self, rows):
        """Values (C, n, f), standard errors or None, base values (C,) and the note."""
        made = self.tab.evaluate("rows => scorer.explain(rows)", numbers_of(self.page, rows))
        errors = made["errors"]
        return np.array(made["values"]), errors and np.array(errors), np.array(made["expected"]), made["note"]
