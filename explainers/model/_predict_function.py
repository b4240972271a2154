"""Models given only as a predict function."""

from __future__ import annotations

import types
from typing import Any

import numpy as np

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._fitted_model import FittedModel, Matrix, Opaque, OutputSpace, Predict
from automl_explain.explainers.model._model_call import model_call
from automl_explain.explainers.tables._table import as_table

PROBE_ROWS = 8
"""Rows on which a function is called to find its number of outputs."""


def is_predict_function(model: Any) -> bool:
    """Return whether an object is a callable without the methods of a model."""
    methods = ("predict", "predict_proba", "decision_function")
    return isinstance(model, types.FunctionType | types.MethodType | types.BuiltinFunctionType) or (
        callable(model) and not isinstance(model, type) and not any(hasattr(model, name) for name in methods)
    )


def describe_function(function: Any, examples: Any) -> FittedModel:
    """Describe a predict function. One output means regression, several outputs mean classes.

    Outputs of several classes that are not negative and sum to 1 are probabilities. Other outputs are responses.

    Parameters
    ----------
    function : callable
        Function from a table to predictions, (n,) or (n, k).
    examples : table
        Rows on which the function is called.

    Raises
    ------
    InvalidInputError
        If there are no example rows, or the function does not return one row of numbers per row.
    """
    name = getattr(function, "__qualname__", type(function).__name__)
    if examples is None:
        raise InvalidInputError(f"A predict function needs example rows; pass 'initialization_examples' with {name}.")
    rows = as_table(examples, "initialization_examples")
    predict = as_columns(function, name)
    with model_call(name, "initialization_examples"):
        outputs = predict(rows.take(np.arange(min(PROBE_ROWS, len(rows)))).data)
    n_outputs = outputs.shape[1]
    if n_outputs == 1:
        return FittedModel({"response": predict}, "response", "regression", Opaque("a predict function"), name=name)
    adds_up = bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-6))
    space: OutputSpace = "probability" if adds_up else "response"
    return FittedModel(
        {space: predict},
        space,
        "binary" if n_outputs == 2 else "multiclass",
        Opaque("a predict function"),
        classes=tuple(range(n_outputs)),
        name=name,
    )


def as_columns(function: Any, name: str, n_outputs: int | None = None) -> Predict:
    """Wrap a predict function so that it returns a float64 matrix, (n, k).

    The wrapper raises `InvalidInputError` if the function does not return numbers, or one row per row, or `n_outputs`
    outputs per row. `n_outputs` is by default the number in the first call.
    """
    seen = n_outputs

    def predict(table: Any) -> Matrix:
        nonlocal seen
        answer = function(table)
        try:
            outputs = np.asarray(answer, dtype=np.float64)
        except (ValueError, TypeError) as error:
            raise InvalidInputError(
                f"{name} must return numbers. Got {np.asarray(answer).ravel()[:1].tolist()}: pass the model itself, or its "
                "predict_proba, instead of a function that predicts labels."
            ) from error
        outputs = outputs[:, None] if outputs.ndim == 1 else outputs
        if outputs.ndim != 2 or len(outputs) != table.shape[0]:
            raise InvalidInputError(
                f"{name} must return one row of predictions per row. Got shape {outputs.shape} for {table.shape[0]} rows."
            )
        seen = outputs.shape[1] if seen is None else seen
        if outputs.shape[1] != seen:
            raise InvalidInputError(f"{name} must return {seen} outputs per row. Got {outputs.shape[1]}.")
        return outputs

    return predict
