"""Converts the outputs of a structure to one output per class."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.model._fitted_model import FittedModel


def expand_binary(
    values: npt.NDArray[np.float64], model: FittedModel, *, axis: int = 0, centred: bool = False
) -> npt.NDArray[np.float64]:
    """Expand the single output of a binary structure to one output per class.

    The structure of a binary model may have one output, that of the second class. The output of the first class is its
    complement for base values that are probabilities, and its negative otherwise. Other values are returned unchanged.

    Parameters
    ----------
    values : ndarray
        Values or base values of the structure's outputs.
    model : FittedModel
        The model that the values belong to.
    axis : int, default 0
        Axis of the outputs.
    centred : bool, default False
        Whether the values are differences from a base value, whose complement is their negative in every output space.

    Returns
    -------
    ndarray
        Values with one entry per output of the model along `axis`.
    """
    if values.shape[axis] != 1 or model.n_outputs != 2:
        return values
    first: Any = -values if centred or model.output_space != "probability" else 1.0 - values
    return np.concatenate([first, values], axis=axis)
