"""The noise of a loss on validation rows, as losses of parts by which runs are compared."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

RowNumbers = npt.NDArray[np.intp]

BLOCKS = 20
"""Number of blocks into which the validation rows are divided."""
FEWEST_ROWS = 2 * BLOCKS
"""Number of validation rows below which the noise of a loss is not estimated."""
SAME_LOSS = 1e-6
"""Largest relative difference between a trial's loss and the same loss computed again."""


def block_losses(loss: Callable[[RowNumbers], float], n_rows: int, expected: float | None = None) -> tuple[float, ...]:
    """Return the losses of blocks of validation rows, the same blocks for all runs; empty if they cannot be computed.

    A block's loss is its pseudo-value in the jackknife that leaves out one block at a time, ``B L - (B - 1) L_without``,
    so that it holds for any metric, not only for means over rows. Like the losses of folds, the losses of two runs are
    compared part by part. The rule for folds takes into account that their training rows overlap. Rows of one validation
    table have no such dependence, and their losses are drawn together so that the rule gives their own standard error.

    Parameters
    ----------
    loss : callable
        From row numbers to the loss of a model on these rows.
    n_rows : int
        Number of validation rows.
    expected : float, optional
        The loss of the model on all rows, as the search computed it. If it differs, nothing is known of the noise.

    References
    ----------
    Miller, "The jackknife: a review", 1974, doi:10.1093/biomet/61.1.1.
    """
    if n_rows < FEWEST_ROWS:
        return ()
    everything = np.arange(n_rows)
    whole = float(loss(everything))
    if not math.isfinite(whole):
        return ()
    if expected is not None and not math.isclose(whole, expected, rel_tol=SAME_LOSS, abs_tol=SAME_LOSS * abs(whole)):
        return ()
    block = np.random.default_rng(0).permutation(n_rows) % BLOCKS
    without = np.array([loss(everything[block != number]) for number in range(BLOCKS)], dtype=np.float64)
    values = BLOCKS * whole - (BLOCKS - 1) * without
    if not np.isfinite(values).all():
        return ()
    drawn = whole + (values - values.mean()) * math.sqrt((BLOCKS - 1) / (2 * BLOCKS - 1))
    return tuple(drawn.tolist())
