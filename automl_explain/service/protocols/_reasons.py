"""Reason codes: the features with the largest values of a row, in words."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from automl_explain.explainers.formatting._numbers import python_value
from automl_explain.explainers.formatting._reasons import DISCLAIMER, UNKNOWN, direction, reason_text
from automl_explain.service.models._served_model import Matrix, ServedModel, output_labels
from automl_explain.service.protocols._protocol import Answered

__all__ = ["DISCLAIMER", "reasons"]

MIDNIGHT = re.compile(r"[T ]00:00(:00(\.0+)?)?$")
"""The time of day of a date that is a day, which a sentence leaves out."""


def reasons(answered: Answered) -> list[list[dict[str, Any]]]:
    """Return the reasons of each row, largest first: feature, value, contribution, direction and a sentence.

    For a classification they are those of the predicted class; for several targets those of each target, one after the
    other. Features without a contribution are no reason.
    """
    scored, asked, model = answered.scored, answered.asked, answered.model
    if scored.values is None:
        return []
    by_class = scored.values if scored.values.ndim == 3 else scored.values[None]
    found = []
    for row, predicted in enumerate(scored.predictions):
        of_row = []
        for which in _explained(model, predicted, scored.outputs[row]):
            values = by_class[which, row]
            order = np.argsort(-np.abs(values), kind="stable")[: asked.top_k]
            of_row += [_reason(answered, row, int(j), float(values[j]), which) for j in order if values[j]]
        found.append(of_row)
    return found


def _explained(model: ServedModel, predicted: Any, outputs: Matrix) -> list[int]:
    """Return the positions of the classes or targets whose values are the reasons of a row."""
    if model.targets is not None:
        return list(range(len(model.targets)))
    if model.classes is None:
        return [0]
    return [model.classes.index(predicted) if predicted in model.classes else int(outputs.argmax())]


def _dates(model: ServedModel) -> set[str]:
    return {column.name for column in model.columns if column.kind == "date"}


def _reason(answered: Answered, row: int, feature: int, contribution: float, which: int) -> dict[str, Any]:
    model = answered.model
    name, classes = model.features[feature], output_labels(model) or ()
    known = name in answered.asked.cells
    cell = answered.asked.cells[name][row] if known else None
    shown = MIDNIGHT.sub("", cell) if isinstance(cell, str) and name in _dates(model) else cell
    return {
        **({} if model.targets is None else {"target": model.targets[which]}),
        "feature": name,
        "value": python_value(cell),
        "contribution": contribution,
        "direction": direction(contribution),
        "text": reason_text(
            name,
            shown if known else UNKNOWN,
            contribution,
            model.output_space,
            classes[which] if classes else None,
            n_classes=len(classes),
        ),
    }
