"""What a model predicts, asked of its library in a way that an explanation can use."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import joblib
import numpy as np

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._fitted_model import FittedModel, Matrix
from automl_explain.explainers.model._model_call import model_call

FEW_ROWS = 1024
"""Rows up to which a model predicts in this thread: forests with `n_jobs` take longer to wake their threads."""


def predict_finite(model: FittedModel, data: Any, what: str = "the rows") -> Matrix:
    """Return a model's outputs for engineered rows; a Shapley value needs numbers.

    Parameters
    ----------
    model : FittedModel
    data : table
        Engineered rows.
    what : str
        What the rows are called in errors.

    Raises
    ------
    InvalidInputError
        If the model refuses the rows, or an output is NaN or infinite.
    """
    few = data.shape[0] <= FEW_ROWS
    with joblib.parallel_config("sequential") if few else nullcontext(), model_call(model.name, what):
        outputs = model.predict(data)
    if not np.isfinite(outputs).all():
        raise InvalidInputError(
            f"{model.name} predicted {int((~np.isfinite(outputs)).sum())} values that are NaN or infinite in "
            f"{model.output_space}; a Shapley value needs finite outputs."
        )
    return outputs
