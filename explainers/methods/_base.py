"""What every way of computing attributions has in common: an engine maps rows to an `Attribution`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.compiled._arrays import Values
from automl_explain.explainers.methods._background import SUMMARIES
from automl_explain.explainers.methods._settings import Settings
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.tables._table import Table
from automl_explain.explainers.tables._weights import as_weights


@dataclass(frozen=True, eq=False)
class Attribution:
    """Values of n rows for K outputs and P players.

    Parameters
    ----------
    values : ndarray, shape (K, n, P)
    standard_errors : ndarray of the same shape, or None where the values are exact
    notes : tuple of str
        What a reader must know of these values.
    """

    values: Values
    standard_errors: Values | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Question:
    """What is to be explained: a model, the background it is compared with, and the players.

    Parameters
    ----------
    model : FittedModel
        In the output and feature space asked for.
    background : Table or None
        Rows that stand for absent features, in the model's engineered format; None only for path-dependent trees.
    players : ndarray of int, shape (f,), or None
        Player of each engineered column; None: each column is its own.
    n_players : int or None
        Number of players P, when `players` is given.
    settings : Settings
    weights : ndarray of shape (B,), or None
        Weights of the background rows; None: all alike.
    """

    model: FittedModel
    background: Table | None
    players: npt.NDArray[np.intp] | None = None
    n_players: int | None = None
    settings: Settings = field(default_factory=Settings)
    weights: Values | None = None

    def fewer_rows(self, size: int) -> tuple[Table, Values | None, tuple[str, ...]]:
        """Return the background for an engine whose cost grows with its rows: at most `size`, their weights, and a note."""
        assert self.background is not None
        share = None if self.weights is None else as_weights(self.weights, len(self.background))
        summarise = SUMMARIES[self.settings.sampling.background_summary]
        background, share, note = summarise(
            self.model, self.background, self.settings.sampling.background_size or size, share
        )
        return background, share, () if note is None else (note,)


class Engine(Protocol):
    """One way of computing attributions for one question."""

    method: str
    """Name shown to the user."""
    reason: str
    """Why these are the values, in words."""
    notes: tuple[str, ...]
    """What a reader must know."""
    base_values: Values
    """Output when every player is absent, (K,)."""

    def attribute(self, rows: Table) -> Attribution:
        """Return the attribution of engineered rows."""
        ...
