"""Models given only as a predict function."""

from __future__ import annotations

import reprlib
import types
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from automl_explain.explainers._arguments import off_device
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._model_call import model_call
from automl_explain.explainers.model._structures import Matrix, Opaque, OutputSpace, Predict
from automl_explain.explainers.tables._table import as_table

PROBE_ROWS = 8
"""Rows on which a function is called to find its number of outputs."""


def is_predict_function(model: Any) -> bool:
    """Return whether an object is a callable without the methods of a model."""
    methods = ("predict", "predict_proba", "decision_function")
    return isinstance(model, types.FunctionType | types.MethodType | types.BuiltinFunctionType) or (
        callable(model) and not isinstance(model, type) and not any(hasattr(model, name) for name in methods)
    )


def describe_function(function: Any, examples: Any, name: str | None = None) -> FittedModel:
    """Describe a predict function. One output means regression, several outputs mean classes.

    Outputs of several classes that are not negative and sum to 1 are probabilities. Other outputs are responses.

    Parameters
    ----------
    function : callable
        Function from a table to predictions, (n,) or (n, k).
    examples : table
        Rows on which the function is called.
    name : str, optional
        Name in messages. Default: the name of the function.

    Raises
    ------
    InvalidInputError
        If there are no example rows, or the function fails or does not return one row of numbers per row.
    """
    name = str(name or getattr(function, "__qualname__", type(function).__name__))
    predict = as_columns(function, name)
    outputs = probe(predict, examples, name)
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


def probe(predict: Predict, examples: Any, name: str) -> Matrix:
    """Return the outputs of a few example rows, which show the number of outputs.

    Raises
    ------
    InvalidInputError
        If there are no example rows, or the function cannot take them.
    """
    if examples is None:
        raise InvalidInputError(f"A predict function needs example rows; pass 'initialization_examples' with {name}.")
    rows = as_table(examples, "initialization_examples")
    with model_call(name, "initialization_examples"):
        return predict(rows.take(np.arange(min(PROBE_ROWS, len(rows)))).data)


def as_columns(function: Any, name: str, n_outputs: int | None = None) -> Predict:
    """Wrap a predict function so that it returns a float64 matrix, (n, k).

    The wrapper raises `InvalidInputError` if the function does not return numbers, or one row per row, or `n_outputs`
    outputs per row. `n_outputs` is by default the number in the first call.
    """
    seen = n_outputs

    def predict(table: Any) -> Matrix:
        nonlocal seen
        answer = off_device(function(table))
        if hasattr(answer, "keys") and not hasattr(answer, "shape"):
            raise InvalidInputError(f"{name} must return numbers. {_several(answer, answer.keys())}")
        try:
            outputs = np.asarray(answer, dtype=np.float64)
        except Exception as error:  # the answer's own conversion may raise anything
            raise InvalidInputError(
                f"{name} must return numbers. Got {_first(answer)}: pass the model itself, or its predict_proba, instead of "
                f"a function that predicts labels. The conversion says: {error}"
            ) from error
        outputs = outputs[:, None] if outputs.ndim == 1 else outputs
        if outputs.ndim != 2 or len(outputs) != table.shape[0]:
            arrays = (
                isinstance(answer, tuple | list) and len(answer) > 1 and all(hasattr(part, "shape") for part in answer)
            )
            said = f"{name} must return one row of predictions per row. Got shape {outputs.shape} for {table.shape[0]} rows."
            raise InvalidInputError(f"{said} {_several(answer, range(len(answer)))}" if arrays else said)
        seen = outputs.shape[1] if seen is None and outputs.shape[1] else seen
        if outputs.shape[1] != seen:
            wanted = "numbers for each" if seen is None else f"{seen} output{'s' if seen != 1 else ''} per"
            raise InvalidInputError(f"{name} must return {wanted} row. Got {outputs.shape[1]}.")
        return outputs

    return predict


def _several(answer: Any, keys: Iterable[Any]) -> str:
    """Return the end of a message about several answers at once."""
    known = list(keys)
    choice = f": choose one of them, such as lambda x: function(x)[{known[0]!r}]" if known else ""
    return f"Got a {type(answer).__name__} with {known}{choice}."


def _first(answer: Any) -> str:
    """Return the first element of an answer in words; of an answer that is not a sequence, its type."""
    if not isinstance(answer, list | tuple | np.ndarray | pd.Series):
        return f"a {type(answer).__name__}"
    return reprlib.repr(np.ravel(np.asarray(answer, dtype=object))[:1].tolist())
