"""Reason codes: the features with the largest values of a row, in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl_explain.explainers.formatting._numbers import python_value
from automl_explain.explainers.formatting._reasons import DISCLAIMER, UNKNOWN, direction, reason_text
from automl_explain.service.protocols._protocol import Answered

__all__ = ["DISCLAIMER", "reasons"]


def reasons(answered: Answered) -> list[list[dict[str, Any]]]:
    """Return the reasons of each row, largest first: feature, value, contribution, direction and a sentence.

    For a classification they are those of the predicted class. Features without a contribution are no reason.
    """
    scored, asked, model = answered.scored, answered.asked, answered.model
    if scored.values is None:
        return []
    by_class = scored.values if scored.values.ndim == 3 else scored.values[None]
    found = []
    for row, predicted in enumerate(scored.predictions):
        which = 0
        if model.classes is not None:
            which = model.classes.index(predicted) if predicted in model.classes else int(scored.outputs[row].argmax())
        values = by_class[which, row]
        order = np.argsort(-np.abs(values), kind="stable")[: asked.top_k]
        found.append([_reason(answered, row, int(j), float(values[j]), which) for j in order if values[j]])
    return found


def _reason(answered: Answered, row: int, feature: int, contribution: float, which: int) -> dict[str, Any]:
    model = answered.model
    name, classes = model.features[feature], model.classes or ()
    known = name in answered.asked.cells
    cell = answered.asked.cells[name][row] if known else None
    return {
        "feature": name,
        "value": python_value(cell),
        "contribution": contribution,
        "direction": direction(contribution),
        "text": reason_text(
            name,
            cell if known else UNKNOWN,
            contribution,
            model.output_space,
            classes[which] if classes else None,
            n_classes=len(classes),
        ),
    }
