"""Functions from the outputs of models to decision values and probabilities of classes.

They are `combine` functions of a `Composite`: the votes of a support vector machine, and its coupled probabilities;
calibration; one model per class.

Sources: Platt, "Probabilistic outputs for support vector machines", 1999; Wu, Lin and Weng, "Probability estimates for
multi-class classification by pairwise coupling", JMLR 5, 2004, method 2, with the stopping rule of libsvm.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
from scipy.special import expit

from automl_explain.explainers.compiled._jit import kernel, run_blocks
from automl_explain.explainers.model._structures import Matrix

LEAST_SHARE = 1e-7
"""Least probability of a class against another one."""
TOLERANCE = 0.005
"""Error at which the coupling of probabilities stops, divided by the number of classes."""
MOST_STEPS = 100
"""Largest number of steps of the coupling."""
ROWS_AT_ONCE = 65536
"""Rows per task of a thread."""


@dataclass(frozen=True)
class Votes:
    """The decision function from the margins of pairs: the votes for each class, and the sum of its margins below 1/3.

    It is the `combine` function of a `Composite`.

    Parameters
    ----------
    n_classes : int
    """

    n_classes: int

    def __call__(self, margins: Matrix, rows: Any = None) -> Matrix:
        """Return one decision value per class, (n, K)."""
        votes, sums = np.zeros((2, len(margins), self.n_classes))
        for margin, (one, other) in zip(margins.T, combinations(range(self.n_classes), 2), strict=True):
            votes[:, one] += margin >= 0
            votes[:, other] += margin < 0
            sums[:, one] += margin
            sums[:, other] -= margin
        return np.asarray(votes + sums / (3.0 * (np.abs(sums) + 1.0)))


@dataclass(frozen=True, eq=False)
class Coupled:
    """The probabilities from the margins of pairs. It is the `combine` function of a `Composite`.

    Parameters
    ----------
    slope, shift : ndarray of shape (p,)
        Platt's parameters of each pair: the first class has the probability ``1 / (1 + exp(slope * margin + shift))``.
    n_classes : int
    """

    slope: Matrix
    shift: Matrix
    n_classes: int

    def __call__(self, margins: Matrix, rows: Any = None) -> Matrix:
        """Return one probability per class, (n, K)."""
        first = np.clip(expit(-(margins * self.slope + self.shift)), LEAST_SHARE, 1.0 - LEAST_SHARE)
        return coupled(first, self.n_classes)


@dataclass(frozen=True)
class Sigmoid:
    """Platt's calibration: ``1 / (1 + exp(slope * output + shift))``.

    Parameters
    ----------
    slope, shift : float
    """

    slope: float
    shift: float

    def __call__(self, outputs: Matrix) -> Matrix:
        """Return the calibrated probability of each output."""
        return np.asarray(expit(-(self.slope * outputs + self.shift)))


@dataclass(frozen=True, eq=False)
class Isotonic:
    """Isotonic calibration: linear between knots, constant beyond them.

    Parameters
    ----------
    knots : ndarray of shape (m,)
        Outputs, strictly increasing.
    shares : ndarray of shape (m,)
        Their probabilities.
    """

    knots: Matrix
    shares: Matrix

    def __call__(self, outputs: Matrix) -> Matrix:
        """Return the calibrated probability of each output."""
        return np.interp(outputs, self.knots, self.shares)


Calibrator: TypeAlias = Sigmoid | Isotonic


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Calibrated probabilities of the outputs of one model. It is the `combine` function of a `Composite`.

    Parameters
    ----------
    calibrators : tuple of Calibrator
        That of the second of two classes, or one per class; the shares of several are divided by their sum.
    """

    calibrators: tuple[Calibrator, ...]

    def __call__(self, columns: Matrix, rows: Any = None) -> Matrix:
        """Return one probability per class, (n, K)."""
        if len(self.calibrators) == 1:
            second = self.calibrators[0](columns[:, 1])
            return np.column_stack([1.0 - second, second])
        shares = np.column_stack([one(columns[:, k]) for k, one in enumerate(self.calibrators)])
        return _divided(shares, 1.0 / len(self.calibrators))


@dataclass(frozen=True)
class OnePerClass:
    """The probabilities of a binary model per class, divided by their sum. It is the `combine` function of a `Composite`."""

    def __call__(self, columns: Matrix, rows: Any = None) -> Matrix:
        """Return one probability per class, (n, K), from those of both classes of each model, (n, 2 K)."""
        return _divided(columns[:, 1::2], 0.0)


def _divided(shares: Matrix, otherwise: float) -> Matrix:
    """Return shares divided by their sum, or `otherwise` where all are 0."""
    total = shares.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(shares, total, out=np.full_like(shares, otherwise), where=total != 0))


def coupled(first: Matrix, n_classes: int) -> Matrix:
    """Return class probabilities, (n, K), from the probability of the first class of each pair, (n, p), as libsvm does.

    Its iteration stops early, so that its result, and not its limit, is the probability that the classifier returns.
    """
    found = np.empty((len(first), n_classes))
    parts = [slice(start, start + ROWS_AT_ONCE) for start in range(0, len(first), ROWS_AT_ONCE)]

    def couple(part: slice) -> int:
        _couple(np.ascontiguousarray(first[part]), np.empty((n_classes, n_classes)), np.empty(n_classes), found[part])
        return len(found[part])

    run_blocks(couple, parts, None)
    return found


@kernel
def _couple(first: Matrix, system: Matrix, products: Matrix, out: Matrix) -> None:
    """Write the probabilities (n, K) that fit those of the pairs (n, p). Working space: `system` (K, K), `products` (K,)."""
    n_classes = out.shape[1]
    for row in range(len(first)):
        p = out[row]
        pair = 0
        for t in range(n_classes):
            p[t] = 1.0 / n_classes
            system[t, t] = 0.0
        for one in range(n_classes):
            for other in range(one + 1, n_classes):
                share = first[row, pair]
                system[one, one] += (1.0 - share) * (1.0 - share)
                system[other, other] += share * share
                system[one, other] = system[other, one] = -share * (1.0 - share)
                pair += 1
        for _ in range(max(MOST_STEPS, n_classes)):
            total, error = 0.0, 0.0
            for t in range(n_classes):
                products[t] = 0.0
                for j in range(n_classes):
                    products[t] += system[t, j] * p[j]
                total += p[t] * products[t]
            for t in range(n_classes):
                error = max(error, abs(products[t] - total))
            if error < TOLERANCE / n_classes:
                break
            for t in range(n_classes):
                step = (total - products[t]) / system[t, t]
                p[t] += step
                total = (total + step * (step * system[t, t] + 2.0 * products[t])) / (1.0 + step) / (1.0 + step)
                for j in range(n_classes):
                    products[j] = (products[j] + step * system[t, j]) / (1.0 + step)
                    p[j] /= 1.0 + step
