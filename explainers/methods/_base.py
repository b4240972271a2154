"""The interface of the engines: an engine answers a `Question`, mapping rows to an `Attribution`."""

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
    standard_errors : ndarray of the same shape, or None
        None if the values are exact.
    notes : tuple of str
        What readers of these values need to know.
    coalition_r2 : float or None
        How well sums of approximate values describe the outputs of coalitions; None for values that are not approximations.
    outputs : ndarray of shape (n, K), or None
        What the structure predicts for the rows, if it is found on the way to the values.
    """

    values: Values
    standard_errors: Values | None = None
    notes: tuple[str, ...] = ()
    coalition_r2: float | None = None
    outputs: Values | None = None


@dataclass(frozen=True, eq=False)
class Question:
    """What an engine explains: a model, a background and the players.

    Parameters
    ----------
    model : FittedModel
        The model in the requested output and feature space.
    background : Table or None
        Rows that provide the values of absent features, in the model's engineered format. None only for path-dependent
        values.
    players : ndarray of int, shape (f,), or None
        Player of each engineered column. None: each column is a player.
    n_players : int or None
        Number of players P, when `players` is given.
    settings : Settings
    weights : ndarray of shape (B,), or None
        Weights of the background rows. None: equal weights.
    n_rows : int or None
        Number of rows that will be explained. None: not known, or many.
    """

    model: FittedModel
    background: Table | None
    players: npt.NDArray[np.intp] | None = None
    n_players: int | None = None
    settings: Settings = field(default_factory=Settings)
    weights: Values | None = None
    n_rows: int | None = None

    def fewer_rows(self, size: int) -> tuple[Table, Values | None, tuple[str, ...]]:
        """Return a background for engines whose cost grows with its rows.

        Parameters
        ----------
        size : int
            Maximum number of rows, unless the sampling options set `background_size`.

        Returns
        -------
        tuple
            Rows, their weights or None, and a note if rows were left out.
        """
        assert self.background is not None
        share = None if self.weights is None else as_weights(self.weights, len(self.background))
        summarise = SUMMARIES[self.settings.sampling.background_summary]
        background, share, note = summarise(
            self.model, self.background, self.settings.sampling.background_size or size, share
        )
        return background, share, () if note is None else (note,)


class Engine(Protocol):
    """An algorithm that computes attributions for one question."""

    method: str
    """Name of the method, shown to the user."""
    reason: str
    """Why this method was chosen, shown to the user."""
    notes: tuple[str, ...]
    """What readers of the values need to know."""
    base_values: Values
    """Outputs with every player absent, (K,)."""

    def attribute(self, rows: Table) -> Attribution:
        """Compute the attribution of engineered rows."""
        ...
