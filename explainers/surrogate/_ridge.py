"""Ridge regression of several outputs for a path of penalties, the largest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.surrogate._encoding import Matrix

Outputs = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float64]
Solution = tuple[Outputs, Weights]
"""Coefficients, (K, f), and intercepts, (K,)."""

STEPS = 200
"""Maximum number of steps of conjugate gradients per penalty. A stop before convergence acts as a larger penalty does."""
RESIDUAL = 5e-4
"""Norm of the residual, as a share of that without coefficients, at which the steps end."""


def solve_by_eigenvectors(
    X: Outputs, outputs: Outputs, weights: Weights, penalties: Sequence[float]
) -> Iterator[Solution]:
    """Solve from one eigendecomposition of the products of the columns or, if they are fewer, of the rows.

    ``(Z' Z + a I)^-1 Z' = Z' (Z Z' + a I)^-1``, for centred and weighted rows Z.
    """
    mean, middle = np.average(X, axis=0, weights=weights), np.average(outputs, axis=0, weights=weights)
    root = np.sqrt(weights)[:, None]
    rows, targets = root * (X - mean), root * (outputs - middle)
    by_column = rows.shape[1] <= rows.shape[0]
    values, vectors = np.linalg.eigh(rows.T @ rows if by_column else rows @ rows.T)
    turned = vectors.T @ (rows.T @ targets if by_column else targets)
    for penalty in penalties:
        solved = vectors @ (turned / (np.maximum(values, 0.0) + penalty)[:, None])
        coef = (solved if by_column else rows.T @ solved).T
        yield coef, middle - coef @ mean


def solve_by_steps(X: Matrix, outputs: Outputs, weights: Weights, penalties: Sequence[float]) -> Iterator[Solution]:
    """Solve by conjugate gradients, each penalty from the solution of the one before. A sparse matrix stays sparse.

    References
    ----------
    Hestenes and Stiefel, "Methods of conjugate gradients for solving linear systems", 1952, doi:10.6028/jres.049.044.
    """
    total, transposed = weights.sum(), X.T.tocsr() if hasattr(X.T, "tocsr") else X.T
    mean = np.asarray(transposed @ weights) / total
    middle = weights @ outputs / total
    weight = weights[:, None]

    def back(errors: Outputs) -> Outputs:
        """From one number per row to one per centred column."""
        weighed = weight * errors
        return np.asarray(transposed @ weighed) - np.outer(mean, weighed.sum(axis=0))

    def penalised(penalty: float, coef: Outputs) -> Outputs:
        return back(np.asarray(X @ coef) - mean @ coef) + penalty * coef

    right = back(outputs - middle)
    coef = np.zeros_like(right)
    for penalty in penalties:
        coef = _conjugate_gradients(partial(penalised, penalty), right, coef)
        yield coef.T.copy(), middle - mean @ coef


def _conjugate_gradients(apply: Callable[[Outputs], Outputs], right: Outputs, start: Outputs) -> Outputs:
    """Solve ``apply(x) = right`` for each column of `right`; `apply` is symmetric and positive definite."""
    x = start.copy()
    residual = right - apply(x)
    direction = residual.copy()
    squares = (residual**2).sum(axis=0)
    enough = RESIDUAL**2 * (right**2).sum(axis=0)
    for _ in range(STEPS):
        if (squares <= enough).all():
            break
        image = apply(direction)
        step = _ratio(squares, (direction * image).sum(axis=0))
        x += step * direction
        residual -= step * image
        before, squares = squares, (residual**2).sum(axis=0)
        direction = residual + _ratio(squares, before) * direction
    return x


def _ratio(above: Weights, below: Weights) -> Weights:
    """Divide; 0 for outputs that are solved exactly."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
