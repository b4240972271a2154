"""What the tests of the page's views share: cases with their pages, and what a test reads and clicks."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from automl_explain import ExplanationDashboard, explain_model
from tests.dashboard.pages import CASES

CLIPBOARD = """Object.defineProperty(navigator, "clipboard",
  { configurable: true, value: { writeText: async (text) => { window.copied = text; } } })"""
PLOT = "[...Bokeh.index.roots].find((root) => root.canvas_view)"
"""The view of the chart that is drawn."""
PLACE = """([x, y]) => {
  const view = [...Bokeh.index.roots].find((root) => root.canvas_view);
  const canvas = view.canvas_view.el.getBoundingClientRect();
  return [canvas.left + view.frame.x_scale.compute(x), canvas.top + view.frame.y_scale.compute(y)];
}"""
"""Where a place of the chart lies on the screen."""


@dataclass(frozen=True)
class Case:
    """A page and what Python knows of it."""

    path: Path
    model: Any
    rows: pd.DataFrame
    labels: Any
    explanation: Any


def make_case(name, folder):
    """Return a case of `tests.dashboard.pages` with its page."""
    model, background, rows, labels = CASES[name]()
    explanation = explain_model(model, background, rows)
    path = ExplanationDashboard(explanation, model, rows, true_labels=labels).save(folder / f"{name}.html")
    return Case(path, model, rows, labels, explanation.raw)


def wait_for_page(page, milliseconds=0):
    """Wait until the page has painted what was asked of it, and `milliseconds` of its own clock have passed after.

    Views of selected rows are drawn a frame after a click is painted. The clock is the page's, since on a loaded machine
    that of the test runs ahead of it.
    """
    page.evaluate(
        "wait => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, wait))))",
        milliseconds,
    )


def select(page, *rows):
    """Select rows by their names, and wait for the views of them."""
    for row in rows:
        page.get_by_label("Name of a row to select").fill(str(row))
        page.get_by_role("button", name="Add", exact=True).click()
        page.get_by_role("button", name=f"Row {row} is selected. Drop it", exact=True).wait_for()
    wait_for_page(page)


def show(page, tab):
    page.get_by_role("tab", name=tab, exact=True).click()
    page.locator(".axd-view canvas").first.wait_for()


def table_of(page, chart=0):
    """The numbers of a chart, from the button that copies them."""
    page.evaluate(CLIPBOARD)
    figure = page.locator(".axd-view .axd-chart").nth(chart)
    if not figure.get_by_role("button", name="Copy as CSV").count():
        figure.locator("summary").click()
    page.evaluate("window.copied = null")
    figure.get_by_role("button", name="Copy as CSV").click()
    page.wait_for_function("window.copied !== null")
    return pd.read_csv(io.StringIO(page.evaluate("window.copied")), dtype={"Row": str})


def class_values(explanation, name):
    return explanation.local_importance_values[list(map(str, explanation.classes)).index(name)]
