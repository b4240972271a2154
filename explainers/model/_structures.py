"""Structures of models that have no members, and what the outputs of a model mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Task: TypeAlias = Literal["binary", "multiclass", "regression", "multitarget"]
"""Kind of prediction. "multitarget": several targets or labels, each with an output of its own."""
OutputSpace: TypeAlias = Literal["probability", "log_odds", "response", "margin"]
"""Meaning of an output. "probability": the probability of a class. "log_odds": the log-odds of a class, or the scores whose
softmax is the probability. "response": the prediction of a regression. "margin": the sum before any other link, such as the
log of a Poisson regression's prediction, the decision function of a classifier that is not logistic, or the path length of
an isolation forest."""
Matrix: TypeAlias = npt.NDArray[np.float64]
"""A float64 matrix, one row per example."""
Predict: TypeAlias = Callable[[Any], Matrix]
"""A function from a table to one output column per class, or one for a regression: (n, k) float64."""

CENTRES_AT_ONCE = 64
"""Number of kernel centres per block, small enough for the cache."""


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear model, with outputs ``X @ coef.T + intercept``.

    Parameters
    ----------
    coef : ndarray of shape (k, f)
        Coefficients of each output.
    intercept : ndarray of shape (k,)
        Intercept of each output.

    Examples
    --------
    >>> import numpy as np
    >>> from automl_explain import Linear
    >>> Linear(coef=np.array([[2.0, -1.0]]), intercept=np.array([0.5])).coef.shape  # one output, two columns
    (1, 2)
    """

    coef: Matrix
    intercept: Matrix


@dataclass(frozen=True, eq=False)
class RadialBasis:
    """Weighted sums of Gaussian kernels around centres, ``exp(-sum_j gamma_j (x_j - c_j)^2)``.

    Parameters
    ----------
    centres : ndarray of shape (c, f)
        Centres of the kernels, such as support vectors.
    gamma : ndarray of shape (f,)
        Coefficient of the squared distance in each column.
    weights : ndarray of shape (c, k)
        Weight of each kernel in each output.
    intercept : ndarray of shape (k,)
        Intercept of each output.
    """

    centres: Matrix
    gamma: Matrix
    weights: Matrix
    intercept: Matrix

    def parts(self) -> Iterator[RadialBasis]:
        """Yield the sum in blocks of a few centres, without the intercept."""
        for start in range(0, len(self.centres), CENTRES_AT_ONCE):
            part = slice(start, start + CENTRES_AT_ONCE)
            weights = np.ascontiguousarray(self.weights[part])
            yield RadialBasis(self.centres[part], self.gamma, weights, np.zeros_like(self.intercept))

    def distances(self, matrix: Matrix, players: npt.NDArray[np.intp], n_players: int) -> Matrix:
        """Return gamma times the squared distances from the centres, summed over the columns of each player, (n, P, c)."""
        found = np.zeros((len(matrix), n_players, len(self.centres)))
        for column, (player, gamma) in enumerate(zip(players, self.gamma, strict=True)):
            found[:, player] += gamma * (matrix[:, column, None] - self.centres[:, column]) ** 2
        return found


@dataclass(frozen=True)
class Opaque:
    """A black-box model, of which only predictions are known.

    Parameters
    ----------
    why : str
        Why its structure is not known, shown in an explanation's `reason`.
    failed : bool
        Whether it is not known because reading it failed, which an explanation's notes then say.

    Examples
    --------
    >>> from automl_explain import Opaque
    >>> Opaque("its trees split on text").why
    'its trees split on text'
    """

    why: str = "its inner structure is not known"
    failed: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnValues(Opaque):
    """A tree ensemble that cannot be read, but whose library computes path-dependent SHAP values.

    Parameters
    ----------
    why : str
        Why its trees cannot be read, shown in an explanation's `reason`.
    failed : bool
        As in `Opaque`.
    library : str
        Name of the library.
    base_values : ndarray of shape (K,)
        Outputs with every feature absent.
    values : callable
        Function from an engineered table and a number of threads (None: all cores) to values, (K, n, f).
    caution : str
        How the values differ from Shapley values by definition, shown in an explanation's notes. Empty: they do not differ.

    Examples
    --------
    >>> import numpy as np
    >>> from automl_explain import OwnValues
    >>> own = OwnValues(library="CatBoost", base_values=np.zeros(1), values=lambda table, threads: np.zeros((1, len(table), 2)))
    >>> own.library, own.values(np.ones((3, 2)), None).shape
    ('CatBoost', (1, 3, 2))
    """

    library: str
    base_values: npt.NDArray[np.float64]
    values: Callable[[Any, int | None], npt.NDArray[np.float64]]
    caution: str = ""
