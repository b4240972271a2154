"""Whether two computations of a model's outputs agree: judged by the spread of the outputs, whatever their unit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

ROUNDING = 16 * float(np.finfo(np.float32).eps)
"""Difference, relative to the magnitude of an output, that models computed in float32 make by rounding."""


DOUBLE_ROUNDING = 16 * float(np.finfo(np.float64).eps)
"""The same for models computed in float64."""


def size_of(*outputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the magnitude of each output, (K,), in arrays of shape (..., K)."""
    sizes = [np.abs(part).reshape(-1, part.shape[-1]).max(axis=0, initial=0.0) for part in outputs]
    return np.asarray(np.max(sizes, axis=0))


def agree(
    made: npt.NDArray[np.float64], known: npt.NDArray[np.float64], share: float, *, rounding: float = ROUNDING
) -> bool:
    """Return whether outputs of n rows are those known, up to a share of the spread of each output over the rows.

    Parameters
    ----------
    made, known : ndarray, shape (n, K)
    share : float
        Largest difference, as a share of the spread.
    rounding : float
        Difference allowed in addition, relative to the magnitude of each output.
    """
    if made.shape != known.shape:
        return False
    made = np.where(np.isfinite(made), made, np.nan)  # an infinite output agrees with nothing
    allowed = share * (np.ptp(known, axis=0) if len(known) else 0.0)
    with np.errstate(invalid="ignore"):
        return bool((np.abs(made - known) <= allowed + rounding * size_of(made, known)).all())
