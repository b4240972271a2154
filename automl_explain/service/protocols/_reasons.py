"""Reason codes: the features with the largest values of a row, in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl_explain.explainers.formatting._names import shortened
from automl_explain.explainers.formatting._numbers import cell_text, number_text, python_value
from automl_explain.service.protocols._protocol import Answered

DISCLAIMER = (
    "Reasons say what the model's output was computed from. They are not causes: a change of a feature need not change "
    "the outcome in the world."
)
OF_A_CLASS = {"probability": "the probability of {}", "log_odds": "the log-odds of {}", "margin": "the margin of {}"}
"""Output space of a classification -> what a feature raises or lowers."""
WIDTH = 60
"""Characters of a name in a sentence."""


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
        unit = _unit(answered, which)
        found.append([_reason(answered, row, int(j), float(values[j]), unit) for j in order if values[j]])
    return found


def _unit(answered: Answered, which: int) -> str:
    classes = answered.model.classes
    if classes is None:
        return "the prediction" if answered.model.output_space == "response" else "the margin"
    pattern = OF_A_CLASS.get(answered.model.output_space, "the output of {}")
    return pattern.format(shortened(repr(python_value(classes[which])), WIDTH))


def _reason(answered: Answered, row: int, feature: int, contribution: float, unit: str) -> dict[str, Any]:
    name = answered.model.features[feature]
    known = name in answered.asked.cells
    cell = answered.asked.cells[name][row] if known else None
    direction = "raises" if contribution > 0 else "lowers"
    which = f"{shortened(name, WIDTH)} = {cell_text(cell, WIDTH)}" if known else shortened(name, WIDTH)
    text = f"{which} {direction} {unit} by {number_text(abs(contribution))}"
    return {
        "feature": name,
        "value": python_value(cell),
        "contribution": contribution,
        "direction": direction,
        "text": text,
    }
