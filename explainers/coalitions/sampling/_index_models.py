"""A control variate for sampled values of a game against one background row: a function of one sum over the players.

The outputs of many models of texts and images depend on the present players mostly through one weighted sum: a probability
is a logistic function of it, and what is normalised, or averaged over the words that are present, divides it by a power of
their number. The model ``v(S) = f(a + (|S| / P)**-power * sum of w_i for i in S)`` is fitted to the outputs of the
coalitions. It costs no further outputs; its own Shapley values are exact for few players, otherwise from very many walks.
Sampling is needed only for the difference of the game from it, so that the estimate stays consistent for any game.

Source: regression-adjusted estimates, arXiv:2506.11849.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from automl_explain.explainers.coalitions.sampling._coalition_sampling import Coalitions, Design, make_design
from automl_explain.explainers.compiled._arrays import Bools, Floats, Values
from automl_explain.explainers.compiled._jit import kernel

POWERS = (0.0, 0.5, 1.0)
"""Powers of the number of present players: of a sum, of a Euclidean norm, of a mean."""
MOST_STEPS, SETTLED = 8, 0.05
"""Steps of Newton's method at most, and the largest change of a fitted log-odds after which no more follow."""
LONGEST_STEP, FARTHEST = 6.0, 30.0
"""Largest change of a log-odds in one step, and the largest log-odds."""
PENALTY = 0.03
"""Penalty on the squares of the weights of a logistic function, in units of its log-likelihood."""
SMALL = 1e-6
"""The same for a sum, for each coalition."""
CERTAIN = 1e-6
"""Nearest that an output comes to 0 or 1 in a fit."""
MOST_ENUMERATED = 13
"""Most players all of whose coalitions are evaluated for the values of a fitted model."""
STEPS_OF_WALKS, OF_CHANGES = 1 << 17, 1 << 12
"""Steps of the walks with more players: for the values of a model, and for those of the changes without a block."""


@dataclass(frozen=True, eq=False)
class IndexColumns:
    """Coalitions as columns of a regression; the same for all outputs of a design.

    Parameters
    ----------
    of_power : tuple of ndarray, each of shape (m, 1 + P)
        For each of `POWERS`, a column of ones, and the players divided by that power of the share that is present.
    """

    of_power: tuple[Floats, ...]

    @cached_property
    def least_squares(self) -> tuple[Floats, ...]:
        """For each of `POWERS`, the map from outputs to the coefficients of a sum, (1 + P, m)."""
        found = (np.linalg.solve(own.T @ own + _penalty(own, SMALL * len(own)), own.T) for own in self.of_power)
        return tuple(np.asarray(one, np.float64) for one in found)

    @staticmethod
    def of(coalitions: Coalitions) -> IndexColumns:
        """Return the columns of coalitions (m, P)."""
        present = np.column_stack([np.ones(len(coalitions)), coalitions])
        n_present, n_players = coalitions.sum(axis=1), coalitions.shape[1]
        scales = [_scale(n_present, n_players, power)[:, None] for power in POWERS]
        return IndexColumns(tuple(np.hstack([present[:, :1], scale * present[:, 1:]]) for scale in scales))


@dataclass(frozen=True, eq=False)
class IndexModel:
    """A fitted model.

    Parameters
    ----------
    coefficients : ndarray, shape (1 + P,)
        The intercept and the weights of the players.
    power : float
    is_logistic : bool
        Whether f is the logistic function; otherwise the identity.
    """

    coefficients: Floats
    power: float
    is_logistic: bool

    def outputs(self, coalitions: Coalitions) -> Floats:
        """Return the outputs of coalitions, (m,)."""
        return self._outputs(coalitions @ self.coefficients[1:], coalitions.sum(axis=1))

    def shapley_values(self, n_steps: int = STEPS_OF_WALKS) -> tuple[Floats, Floats]:
        """Return the Shapley values and their standard errors, each (P,); of walks with this many steps if they are not exact."""
        weights = self.coefficients[1:]
        n_players = len(weights)
        exact = np.zeros(n_players)
        if not self.is_logistic and self.power == 0.0:
            return weights, exact
        if n_players <= MOST_ENUMERATED:
            every, columns = _every_coalition(n_players)
            empty, whole = self.outputs(np.array([[False], [True]]).repeat(n_players, axis=1))
            outputs = self.fitted(columns)
            return np.asarray(every.estimate @ (outputs - empty) + every.share * (whole - empty)), exact
        orders, scale = _orders(n_players, n_steps), _scale(np.arange(n_players + 1), n_players, self.power)
        n_orders, steps, total, squares = len(orders), np.empty(n_players), exact.copy(), exact.copy()
        add_walks(weights, orders, scale, self.coefficients[0], self.is_logistic, steps, total, squares)
        variance = np.maximum(squares - total**2 / n_orders, 0.0) / (n_orders - 1)
        return total / n_orders, np.sqrt(variance / n_orders)

    def fitted(self, columns: IndexColumns) -> Floats:
        """Return the outputs of coalitions whose columns are known, (m,)."""
        index = columns.of_power[POWERS.index(self.power)] @ self.coefficients
        return np.asarray(expit(index)) if self.is_logistic else index

    def _outputs(self, sums: Values, n_present: npt.NDArray[np.intp]) -> Values:
        index = self.coefficients[0] + _scale(n_present, len(self.coefficients) - 1, self.power) * sums
        return np.asarray(expit(index)) if self.is_logistic else index


class IndexFit:
    """The model fitted to the outputs of coalitions, with the power whose residuals are smallest.

    Parameters
    ----------
    columns : IndexColumns
        Of m coalitions.
    outputs : ndarray, shape (m,)
        Between 0 and 1 for a logistic function.
    is_logistic : bool
    """

    def __init__(self, columns: IndexColumns, outputs: Floats, *, is_logistic: bool) -> None:
        self._is_logistic = is_logistic
        self._outputs = np.clip(outputs, CERTAIN, 1.0 - CERTAIN) if is_logistic else outputs
        self._penalty = _penalty(columns.of_power[0], PENALTY if is_logistic else SMALL * len(outputs))
        found = []
        for number, (power, own) in enumerate(zip(POWERS, columns.of_power, strict=True)):
            coefficients = self._first(own) if is_logistic else columns.least_squares[number] @ outputs
            fitted = expit(own @ coefficients) if is_logistic else own @ coefficients
            found.append((float(np.sum((outputs - fitted) ** 2)), power, own, coefficients))
        _, self._power, self._columns, self._coefficients = min(found, key=lambda one: one[0])
        if is_logistic:
            self._improve()
        self.model = IndexModel(self._coefficients, self._power, is_logistic)

    def without(self, left_out: Sequence[Bools]) -> list[IndexModel]:
        """Return the models fitted without each of some groups of coalitions, each (m,): one step from the whole fit."""
        columns = self._columns
        gram, gradient, index = self._state(self._coefficients)
        found = []
        for out in left_out:
            part = columns[out]
            information, residuals = self._information(index[out]), self._outputs[out] - self._link(index[out])
            own = gram - part.T @ (information[:, None] * part)
            step = np.linalg.solve(own, gradient - part.T @ residuals)
            step *= min(1.0, LONGEST_STEP / max(float(np.abs(columns @ step).max()), LONGEST_STEP))
            found.append(IndexModel(self._coefficients + step, self._power, self._is_logistic))
        return found

    def _link(self, index: Floats) -> Floats:
        return np.asarray(expit(index)) if self._is_logistic else index

    def _information(self, index: Floats) -> Floats:
        if not self._is_logistic:
            return np.ones_like(index)
        made = expit(index)
        return np.asarray(made * (1.0 - made))

    def _state(self, coefficients: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the matrix and the right side of Newton's step at some coefficients, and the index of each coalition."""
        index = self._columns @ coefficients
        gram = self._columns.T @ (self._information(index)[:, None] * self._columns) + self._penalty
        gradient = self._columns.T @ (self._outputs - self._link(index)) - self._penalty @ coefficients
        return gram, gradient, index

    def _first(self, columns: Floats) -> Floats:
        """Return coefficients by least squares of the outputs' log-odds, weighted by their information."""
        wanted = np.asarray(logit(self._outputs))
        weighted = columns.T * self._information(wanted)
        return np.asarray(np.linalg.solve(weighted @ columns + self._penalty, weighted @ wanted))

    def _improve(self) -> None:
        """Follow Newton's method to the largest likelihood."""
        for _ in range(MOST_STEPS):
            gram, gradient, index = self._state(self._coefficients)
            step = np.linalg.solve(gram, gradient)
            change = self._columns @ step
            largest = float(np.abs(change).max())
            share = min(1.0, LONGEST_STEP / max(largest, LONGEST_STEP))
            if np.abs(index + share * change).max() > FARTHEST:
                return
            self._coefficients = self._coefficients + share * step
            if largest < SETTLED:
                return


def _penalty(columns: Floats, size: float) -> Floats:
    return np.diag(np.append(1e-9, np.full(columns.shape[1] - 1, size)))


def _scale(n_present: npt.NDArray[np.intp], n_players: int, power: float) -> Floats:
    """Return the factors of the sums of coalitions with this many players; 1 for all players, and for none."""
    share = np.where(n_present > 0, n_present, n_players) / n_players
    return np.asarray(share**-power)


@lru_cache(maxsize=4)
def _every_coalition(n_players: int) -> tuple[Design, IndexColumns]:
    """Return the design of all coalitions, and their columns."""
    every = make_design(n_players, 2**n_players, 0)
    return every, IndexColumns.of(every.coalitions)


@lru_cache(maxsize=8)
def _orders(n_players: int, n_steps: int) -> npt.NDArray[np.intp]:
    """Return orders of players for walks, each of which is walked in both directions."""
    rng = np.random.default_rng(n_players)
    return np.argsort(rng.random((max(2, n_steps // (2 * n_players)), n_players)), axis=1)


@kernel
def add_walks(
    weights: Floats,
    orders: npt.NDArray[np.intp],
    scale: Floats,
    intercept: float,
    is_logistic: bool,
    steps: Floats,
    total: Floats,
    squares: Floats,
) -> None:
    """Add the steps of walks along the orders (n, P) and back, each the mean of both, and their squares, to sums (P,).

    `scale` (P + 1,) are the factors of the sums of so many players, and `steps` (P,) is working space.
    """
    n_players = len(weights)
    for number in range(len(orders)):
        for direction in range(2):
            index, reached = 0.0, intercept
            before = 1.0 / (1.0 + np.exp(-reached)) if is_logistic else reached
            for place in range(n_players):
                player = orders[number, n_players - 1 - place if direction else place]
                index += weights[player]
                reached = intercept + scale[place + 1] * index
                after = 1.0 / (1.0 + np.exp(-reached)) if is_logistic else reached
                steps[player] = (after - before + steps[player]) / 2.0 if direction else after - before
                before = after
        for player in range(n_players):
            total[player] += steps[player]
            squares[player] += steps[player] ** 2
