"""From the outputs a structure has to one per class."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.model._fitted_model import FittedModel


def all_outputs(
    values: npt.NDArray[np.float64], model: FittedModel, *, centred: bool = False
) -> npt.NDArray[np.float64]:
    """Return values with one leading block per output of the model.

    A binary model whose structure has one output, that of the second class, gets the first class's as its negative
    (log-odds, and every difference) or its complement (base values that are probabilities).

    Parameters
    ----------
    values : ndarray, shape (K, ...)
        Values or base values of the structure's outputs.
    model : FittedModel
        The model they belong to.
    centred : bool
        Whether they are differences from a base value, which have no complement.
    """
    if len(values) != 1 or model.n_outputs != 2:
        return values
    second = values[0]
    first: Any = -second if centred or model.output_space != "probability" else 1.0 - second
    return np.stack([first, second])


def every_output(outputs: npt.NDArray[np.float64], model: FittedModel) -> npt.NDArray[np.float64]:
    """Return outputs of a structure, last axis, with one for each output of the model: as `all_outputs`, which has it first."""
    return np.moveaxis(all_outputs(np.moveaxis(outputs, -1, 0), model), 0, -1)
