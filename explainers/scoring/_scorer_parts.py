"""What a `Scorer` consists of besides its model: how values are computed, what they are called, what is said of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.explanation._fidelity import Fidelity
from automl_explain.explainers.methods._settings import Settings
from automl_explain.explainers.model._feature_map import FeatureMap

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Game:
    """How the values are computed: the players, what stands for absent ones, and the method.

    Parameters
    ----------
    background : ndarray of shape (B, f), or None
        Background rows as the model reads them. None: path-dependent values.
    weights : ndarray of shape (B,), or None
        Weights of the background rows.
    players : ndarray of int, shape (f,), or None
        Player of each column that the model reads.
    n_players : int or None
    engine_name : str
        Method that the explainer used, which the same structure may leave open: "" , "kernel" or a method of networks.
    settings : Settings
    """

    background: Matrix | None
    weights: Matrix | None
    players: npt.NDArray[np.intp] | None
    n_players: int | None
    engine_name: str
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, eq=False)
class Labels:
    """What is explained: the names of features and classes, as in the explainer.

    Parameters
    ----------
    features : tuple of str, or None
    classes : tuple, or None
    is_raw, is_raw_space : bool
        Whether the features are the caller's columns, and whether they are explained through the preprocessing.
    feature_map : FeatureMap or None
        From engineered to raw columns.
    subset : tuple, or None
        Features that are returned.
    """

    features: tuple[str, ...] | None
    classes: tuple[Any, ...] | None
    is_raw: bool
    is_raw_space: bool
    feature_map: FeatureMap | None = None
    subset: tuple[Any, ...] | None = None


@dataclass(frozen=True)
class Account:
    """What the explainer said of its values.

    Parameters
    ----------
    method, reason : str
    notes : tuple of str
    fidelity : Fidelity or None
        How well a surrogate imitates its model.
    """

    method: str
    reason: str
    notes: tuple[str, ...] = ()
    fidelity: Fidelity | None = None
