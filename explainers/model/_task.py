"""Whether a model is a classification or a regression: read from the model, or set by the user if it is open."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._structures import Matrix, Opaque, Predict
from automl_explain.explainers.neural._network import Network

TASKS = ("classification", "regression")
ROUNDING = 1e-6
"""Maximum distance of a probability beyond 0 or 1."""


def with_task(model: FittedModel, task: str | None) -> FittedModel:
    """Return the model as a classification or a regression; unchanged if `task` is None.

    The task of a model is read from the model. It is open only for a black-box model with one column of predictions, which
    is read as a regression. As a classification, the column holds probabilities of the second of two classes.

    Raises
    ------
    InvalidInputError
        If the task is unknown, or the model contradicts it.
    """
    if task is not None and task not in TASKS:
        raise InvalidInputError(f"The 'model_task' parameter must be one of {TASKS}. Got {task!r}.")
    of_numbers = model.classes is None or (model.task == "multitarget" and model.output_space == "response")
    own = "regression" if of_numbers else "classification"
    if task in (None, own):
        return model
    is_black_box = model.classes is None and type(model.structure) in (Opaque, Network)
    open_to_both = is_black_box and model.output_space == "response"
    if not open_to_both:
        outputs = "a number" if model.classes is None else f"{model.n_outputs} classes"
        if model.task == "multitarget":
            outputs = f"{model.n_outputs} targets"
        raise InvalidInputError(
            f"The 'model_task' parameter must not contradict the model: {model.name} is a {own}, whose output is {outputs}. "
            f"Got {task!r}. Leave it out, or pass a function that returns the output to explain."
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
                f"With model_task='classification', {name} must return probabilities, from 0 to 1. "
                f"Got values from {np.min(second):.4g} to {np.max(second):.4g}."
            )
        return np.hstack([1.0 - second, second])

    return probabilities
