"""Rows worth looking at, and the steps from the expected value to the output of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from automl_explain.display._class_view import (
    all_outputs,
    class_text,
    default_class,
    local_steps,
    output_text,
    view_class,
)
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.formatting._names import counted
from automl_explain.explainers.formatting._numbers import typeset_number
from automl_explain.report._facts import Model

ORDINALS = ("", "second ", "third ", "fourth ", "fifth ")
TRACK = (2.0, 96.0)
"""Where a track of bars begins, and its width, in percent of its cell."""


@dataclass(frozen=True)
class ChosenRow:
    """A row worth looking at: its number, the class explained, and what is special about it."""

    row: int
    position: int | None
    title: str


@dataclass(frozen=True)
class StepBar:
    """One contribution on its track.

    Parameters
    ----------
    label : str
    value : float
    error : float
        Standard error of the value; 0 where it is exact.
    left, length : float
        Place of the bar, in percent of the track's cell.
    """

    label: str
    value: float
    error: float
    left: float
    length: float


@dataclass(frozen=True)
class Waterfall:
    """How a row's output came about: from the expected value, contribution by contribution.

    Parameters
    ----------
    row : int
    title : str
        What is special about the row.
    unit : str
        What the contributions are parts of.
    start, end : StepBar
        The expected value and the output, as points without a length.
    steps : tuple of StepBar
    """

    row: int
    title: str
    unit: str
    start: StepBar
    end: StepBar
    steps: tuple[StepBar, ...]

    @property
    def is_sampled(self) -> bool:
        """Whether a contribution has a standard error."""
        return any(step.error for step in self.steps)


@dataclass(frozen=True)
class RowsView:
    """The single rows that the report shows of one model, and the rule by which they were chosen."""

    model: Model
    rule: str
    waterfalls: tuple[Waterfall, ...]


def view_rows(model: Model, each: int, top_k: int) -> RowsView | None:
    """Return the rows worth looking at, `each` from either end; None without local values."""
    explanation = model.explanation
    if not explanation.num_examples or not explanation.is_additive or not each:
        return None
    rule, chosen = choose_rows(explanation, each)
    return RowsView(model, rule, tuple(waterfall(explanation, row, top_k) for row in chosen))


def waterfall(explanation: Explanation, chosen: ChosenRow, top_k: int) -> Waterfall:
    """Return the steps from the expected value to a row's output; those beyond `top_k` are one step."""
    view = view_class(explanation, chosen.position)
    steps = local_steps(view, chosen.row, top_k)
    points = view.expected + np.concatenate([[0.0], np.cumsum([step.value for step in steps])])
    low, width = float(points.min()), float(np.ptp(points)) or 1.0
    begin, space = TRACK

    def place(value: float) -> float:
        return begin + space * (value - low) / width

    bars = []
    for step, start, end in zip(steps, points[:-1], points[1:], strict=True):
        value = step.value if abs(step.value) > 1e-9 * width else 0.0
        bars.append(StepBar(step.label, value, step.error, place(min(start, end)), space * abs(value) / width))
    first, last = (float(points[j]) for j in (0, -1))
    return Waterfall(
        chosen.row,
        chosen.title,
        view.unit,
        StepBar("expected value", first, 0.0, place(first), 0.0),
        StepBar("output", last, 0.0, place(last), 0.0),
        tuple(bars),
    )


def choose_rows(explanation: Explanation, each: int) -> tuple[str, list[ChosenRow]]:
    """Return the rule by which rows were chosen, and the rows, `each` from either end.

    For a regression or two classes, these are the rows with the highest and the lowest output. For several classes, they
    are the rows with the largest and the smallest distance between the highest and the second output.
    """
    outputs = all_outputs(explanation)
    if len(explanation.classes or ()) > 2:
        return _by_margin(explanation, outputs, each)
    position = default_class(explanation)
    column = outputs[:, 0 if position is None else position]
    unit = output_text(explanation, position)
    chosen = []
    for word, rows in zip(("highest", "lowest"), _ends(column, each), strict=True):
        for rank, row in enumerate(rows):
            title = f"{ORDINALS[rank]}{word} {unit}: {typeset_number(column[row])}"
            chosen.append(ChosenRow(int(row), position, title))
    return f"the rows with the highest and the lowest {unit} among the {_explained(outputs)}", chosen


def _by_margin(explanation: Explanation, outputs: Any, each: int) -> tuple[str, list[ChosenRow]]:
    ordered = np.sort(outputs, axis=1)
    margin = ordered[:, -1] - ordered[:, -2]
    unit = output_text(explanation)
    chosen = []
    for word, rows in zip(("most certain", "least certain"), _ends(margin, each), strict=True):
        for rank, row in enumerate(rows):
            position = int(np.argmax(outputs[row]))
            label = class_text(explanation, position)
            gap = f"{typeset_number(margin[row])} above the next class"
            title = f"{ORDINALS[rank]}{word}: class {label} at {typeset_number(outputs[row, position])}, {gap}"
            chosen.append(ChosenRow(int(row), position, title))
    rule = (
        f"the rows with the largest (most certain) and the smallest (least certain) distance between the two highest "
        f"{unit} values among the {_explained(outputs)}. Each row is explained for the class that the model predicts"
    )
    return rule, chosen


def _explained(outputs: Any) -> str:
    return f"{counted(len(outputs), 'row')} explained"


def _ends(values: Any, each: int) -> tuple[Any, Any]:
    """Row numbers of the highest and of the lowest values; no row is in both."""
    order = np.argsort(-values, kind="stable")
    each = min(each, len(ORDINALS))
    highest = order[:each]
    return highest, order[max(len(highest), len(order) - each) :][::-1]
