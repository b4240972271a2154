"""State of rows whose coalitions are evaluated in stages, until their standard errors are small enough."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.coalitions._coalition_sampling import Coalitions, Design
from automl_explain.explainers.coalitions._game import Game
from automl_explain.explainers.compiled._arrays import Values
from automl_explain.explainers.tables._table import Table


class Clock:
    """The time that a call has taken, and its budget in seconds; None means no limit."""

    def __init__(self, budget: float | None) -> None:
        self._started = time.monotonic()
        self._budget = budget

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self._started

    def over(self, more: float) -> bool:
        """Return whether `more` further seconds exceed the budget."""
        return self._budget is not None and self.seconds + more > self._budget


class RowBlock:
    """Rows that are explained together, with the values of the coalitions evaluated so far.

    Parameters
    ----------
    rows : Table
        n rows in the model's engineered format.
    numbers : ndarray of int, shape (n,)
        Their positions among the rows of the call.
    n_all : float
        Number of all coalitions of the relevant players, averaged over the background; the largest of all rows.
    """

    def __init__(self, rows: Table, numbers: npt.NDArray[np.intp], n_all: float) -> None:
        self.rows, self.numbers, self.n_all = rows, numbers, n_all
        self.design: Design | None = None
        self.exact = False
        """Whether all coalitions have been evaluated."""
        self.n_coalitions = 0
        """Coalitions evaluated per row."""
        self.values: Values = np.empty((0, len(rows), 0))
        """Shapley values (K, n, P)."""
        self.errors: Values = self.values
        """Standard errors, of the same shape; zeros when exact."""
        self._seconds = 0.0
        self._known: Values | None = None
        self._full = self.values

    @property
    def error(self) -> float:
        """The largest standard error."""
        return float(self.errors.max(initial=0.0))

    def all_within(self, n_coalitions: int) -> bool:
        """Return whether there are at most that many coalitions besides the empty and the grand one."""
        return self.n_all - 2 <= n_coalitions

    def seconds_for(self, n_more: float) -> float:
        """Estimate the time of `n_more` further coalitions from that of those evaluated so far."""
        return self._seconds * n_more / max(1, self.n_coalitions)

    def evaluate_all(self, game: Game, n_players: int) -> None:
        """Evaluate all coalitions of the relevant players; the values are exact."""
        self.values = game.shapley_values(self.rows, n_players)
        self.errors, self.exact, self.n_coalitions = np.zeros_like(self.values), True, int(self.n_all)

    def evaluate(self, game: Game, design: Design) -> None:
        """Evaluate the coalitions of a design that are not known yet, and compute the values."""
        started = time.monotonic()
        place = np.full(len(design.coalitions), -1) if self.design is None else _places(self.design, design)
        fresh = place < 0
        wanted = design.coalitions[fresh]
        if self._known is None:  # with the grand coalition first, so that additivity is checked and not assumed
            values = game.values(self.rows, np.insert(wanted, 0, True, axis=0))
            self._full, values = values[:, 0].T[:, :, None], values[:, 1:]
        else:
            values = game.values(self.rows, wanted)
            known = np.empty((len(self.rows), len(place), values.shape[2]))
            known[:, fresh], known[:, ~fresh] = values, self._known[:, place[~fresh]]
            values = known
        self._known, self.design, self.exact, self.n_coalitions = values, design, design.exact, len(design.coalitions)
        self._solve(design)
        self._seconds += time.monotonic() - started

    def _solve(self, design: Design) -> None:
        assert self._known is not None
        known = np.ascontiguousarray(self._known.transpose(2, 1, 0))

        def attribution(estimate: Values, share: Values) -> Values:
            return np.asarray((estimate @ known).transpose(0, 2, 1) + share * self._full)

        self.values = attribution(design.estimate, design.share)
        if design.exact:
            self.errors = np.zeros_like(self.values)
            return
        left_out = np.stack([attribution(estimate, share) for estimate, share in design.blocks])
        n_blocks = len(left_out)
        spread = np.sqrt((n_blocks - 1) / n_blocks * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
        self.errors = design.inflation * spread


def _places(old: Design, new: Design) -> npt.NDArray[np.intp]:
    """Return the position of each coalition of a design in an older design; -1 for a new one."""
    position = {key: i for i, key in enumerate(_keys(old.coalitions))}
    return np.array([position.get(key, -1) for key in _keys(new.coalitions)], dtype=np.intp)


def _keys(coalitions: Coalitions) -> list[bytes]:
    return [row.tobytes() for row in np.packbits(coalitions, axis=1)]
