"""Weights of background rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError


def as_weights(weights: npt.ArrayLike | None, n_rows: int) -> npt.NDArray[np.float64]:
    """Return the weights of background rows, normalized to sum to 1; None means equal weights.

    Raises
    ------
    InvalidInputError
        If there are no rows, or the weights are not one finite, non-negative number per row, with a positive sum.
    """
    if n_rows == 0:
        raise InvalidInputError("The 'background' parameter must hold at least one row. Got 0.")
    if weights is None:
        return np.full(n_rows, 1.0 / n_rows)
    try:
        given = np.asarray(weights, dtype=np.float64)
    except (ValueError, TypeError, MemoryError) as error:
        raise InvalidInputError(
            f"The 'weights' parameter must give a number for each background row: {error}."
        ) from error
    if given.shape != (n_rows,) or not np.isfinite(given).all() or (given < 0).any() or not given.sum() > 0:
        raise InvalidInputError(
            f"The 'weights' parameter must give a finite, non-negative number for each of the {n_rows} background "
            f"rows, not all 0. Got an array of shape {given.shape}."
        )
    share: npt.NDArray[np.float64] = given / given.sum()
    return share
