"""Whether a model classifies: what it says itself, and where it leaves that open, what its user says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._fitted_model import FittedModel, Matrix, Opaque, Predict

TASKS = ("classification", "regression")
ROUNDING = 1e-6
"""How far beyond 0 or 1 a probability may be."""


def with_task(model: FittedModel, task: str | None) -> FittedModel:
    """Return the model as one of a task; None: as it is.

    What a model is, is read from it. Only where it is known by one column of predictions may a classifier be taken for a
    regression: said to be a classification, the column is the probability of the second of two classes.

    Raises
    ------
    InvalidInputError
        If there is no such task, or the model contradicts it.
    """
    if task is not None and task not in TASKS:
        raise InvalidInputError(f"The 'model_task' parameter must be one of {TASKS}. Got {task!r}.")
    own = "regression" if model.classes is None else "classification"
    if task in (None, own):
        return model
    open_to_both = type(model.structure) is Opaque and model.output_space == "response" and own == "regression"
    if not open_to_both:
        outputs = "a number" if own == "regression" else f"{model.n_outputs} classes"
        raise InvalidInputError(
            f"The 'model_task' parameter must not contradict the model: {model.name} is a {own}, whose output is {outputs}. "
            f"Got {task!r}. Leave it out, or pass a function that returns what is to be explained."
        )
    space: Any = "probability"
    return replace(
        model,
        outputs={space: _two_classes(model.predict, model.name)},
        output_space=space,
        task="binary",
        classes=(0, 1),
    )


def _two_classes(predict: Predict, name: str) -> Predict:
    def probabilities(table: Any) -> Matrix:
        second = predict(table)
        if not ((second >= -ROUNDING) & (second <= 1 + ROUNDING)).all():
            raise InvalidInputError(
                f"The 'model_task' parameter is 'classification', so that {name} must return probabilities, from 0 to 1. "
                f"Got values from {np.min(second):.4g} to {np.max(second):.4g}."
            )
        return np.hstack([1.0 - second, second])

    return probabilities
