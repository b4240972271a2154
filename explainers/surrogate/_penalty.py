"""The penalty of a linear surrogate, chosen on rows that are held out of its training."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Outputs = npt.NDArray[np.float64]

CONSTANT = float("inf")
"""The penalty under which all coefficients are 0."""
PATIENCE = 2
"""Number of penalties in a row with a larger error after which no further ones are tried."""
LARGER = 1e-3
"""Relative excess over the smallest error from which an error counts as larger."""


@dataclass(frozen=True)
class Choice:
    """A penalty, and the squared error on held-out rows under it."""

    penalty: float
    error: float


def choose_penalty(
    attempts: Iterable[tuple[float, Outputs]], constant: Outputs, error_of: Callable[[Outputs], float]
) -> Choice:
    """Return the penalty of the smallest error; `CONSTANT` if no penalty has a smaller one than the constant outputs.

    Small penalties take long to solve for, and large ones do not. Those after the best are therefore not all tried.

    Parameters
    ----------
    attempts : iterable of (penalty, outputs)
        Penalties from the largest to the smallest, each with the outputs predicted for the held-out rows.
    constant : ndarray
        Outputs without any coefficient.
    error_of : callable
        From outputs predicted for the held-out rows to their squared error.
    """
    best, waited = Choice(CONSTANT, error_of(constant)), 0
    for penalty, outputs in attempts:
        error = error_of(outputs)
        waited = waited + 1 if error > (1.0 + LARGER) * best.error else 0
        if error < best.error:
            best = Choice(penalty, error)
        if waited == PATIENCE:
            break
    return best
