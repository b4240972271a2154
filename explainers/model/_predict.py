"""Predictions of a model, checked to be finite."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import joblib
import numpy as np

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._model_call import model_call
from automl_explain.explainers.model._structures import Matrix
from automl_explain.explainers.tables._table import Table

FEW_ROWS = 1024
"""Number of rows up to which joblib stays in this thread; for so few rows, starting a forest's threads takes longer."""


def predict_finite(model: FittedModel, data: Any, what: str = "the rows") -> Matrix:
    """Return a model's outputs for engineered rows; Shapley values need finite outputs.

    Parameters
    ----------
    model : FittedModel
    data : table
        Engineered rows.
    what : str
        Name of the rows in error messages.

    Raises
    ------
    InvalidInputError
        If the model cannot predict the rows, or an output is NaN or infinite.
    """
    few = data.shape[0] <= FEW_ROWS
    with joblib.parallel_config("sequential") if few else nullcontext(), model_call(model.name, what):
        outputs = model.predict(data)
    return check_finite(outputs, model, what)


def check_finite(outputs: Matrix, model: FittedModel, what: str = "the rows") -> Matrix:
    """Return outputs of a model, all of which are finite.

    Raises
    ------
    InvalidInputError
        If an output is NaN or infinite.
    """
    if not np.isfinite(outputs).all():
        raise InvalidInputError(
            f"{model.name} predicted {int((~np.isfinite(outputs)).sum())} values that are NaN or infinite in "
            f"{model.output_space} for {what}; Shapley values need finite outputs."
        )
    return outputs


def predict_rows(model: FittedModel, table: Table, what: str = "the rows") -> Matrix:
    """Return a model's outputs for the rows of a table; see `predict_finite`.

    If they depend on the other rows, they are those in the table from which the rows were taken.
    """
    outputs: Matrix = table.through(lambda data: predict_finite(model, data, what), by_table=model.by_table)
    return outputs
