"""The outputs of a structure: one per class, or some of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.neural._network import Network


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
    whole = 1.0 if model.output_space == "probability" and not centred else 0.0
    first: Any = whole - values  # the negative of 0.0 would be shown as -0.0
    return np.concatenate([first, values], axis=axis)


def only_outputs(model: FittedModel, chosen: npt.NDArray[np.intp]) -> FittedModel:
    """Return a network of several classes as a model of some of them alone, in their order."""
    network = model.structure
    assert isinstance(network, Network)
    assert model.classes is not None
    outputs = {space: partial(_picked, predict, chosen) for space, predict in model.outputs.items()}
    classes = tuple(model.classes[k] for k in chosen)
    return replace(model, outputs=outputs, structure=network.only(chosen), classes=classes)


def _picked(predict: Callable[[Any], Any], chosen: npt.NDArray[np.intp], table: Any) -> Any:
    return predict(table)[:, chosen]
