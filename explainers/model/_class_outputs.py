"""From the outputs of a structure to one per class."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.model._fitted_model import FittedModel


def expand_binary(
    values: npt.NDArray[np.float64], model: FittedModel, *, axis: int = 0, centred: bool = False
) -> npt.NDArray[np.float64]:
    """Return values with one entry per output of the model along an axis.

    A binary model may have a structure with one output, that of the second class. The first class then gets the
    negative (log-odds, and every difference) or the complement (base values that are probabilities). Other values are
    returned as they are.

    Parameters
    ----------
    values : ndarray
        Values or base values of the structure's outputs.
    model : FittedModel
        The model they belong to.
    axis : int, default 0
        Axis of the outputs.
    centred : bool, default False
        Whether they are differences from a base value, which have no complement.
    """
    if values.shape[axis] != 1 or model.n_outputs != 2:
        return values
    first: Any = -values if centred or model.output_space != "probability" else 1.0 - values
    return np.concatenate([first, values], axis=axis)
