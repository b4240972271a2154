"""Counts of rows drawn with replacement, for bootstrap intervals over many rows."""

from __future__ import annotations

import numpy as np

from automl_explain.explainers.compiled._arrays import Floats, Longs, Words
from automl_explain.explainers.compiled._jit import kernel

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)


@kernel
def draw_counts(draws: Longs, states: Words, counts: Floats) -> None:
    """Count how often each row of a block is drawn in each resample.

    Parameters
    ----------
    draws : ndarray, shape (R,)
        Number of rows that each resample draws from the block.
    states : ndarray, shape (R,)
        States of the random generators (SplitMix64), which are advanced.
    counts : ndarray, shape (R, k)
        Overwritten with the counts of the k rows; k is below 2**20.

    References
    ----------
    Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    n_rows = np.uint64(counts.shape[1])
    for r in range(counts.shape[0]):
        for i in range(counts.shape[1]):
            counts[r, i] = 0.0
        state = states[r]
        for _ in range(draws[r]):
            state += _STEP
            z = state
            z = (z ^ (z >> _30)) * _FIRST
            z = (z ^ (z >> _27)) * _SECOND
            z = z ^ (z >> _31)
            counts[r, ((z >> _32) * n_rows) >> _32] += 1.0
        states[r] = state


@kernel
def add_counted(counts: Floats, rows: Floats, weights: Floats, totals: Floats, total: Floats) -> None:
    """Add the counted rows of a block to the sums of each resample.

    A product of matrices would do the same, but NumPy's takes all cores, which the threads that call this already share.

    Parameters
    ----------
    counts : ndarray, shape (R, k)
    rows : ndarray, shape (k, P)
    weights : ndarray, shape (k,)
        Weights of the rows.
    totals : ndarray, shape (R, P)
        Weighted sums of the rows, added to.
    total : ndarray, shape (R,)
        Sums of the weights, added to.
    """
    for r in range(counts.shape[0]):
        for i in range(counts.shape[1]):
            share = counts[r, i] * weights[i]
            total[r] += share
            for p in range(rows.shape[1]):
                totals[r, p] += share * rows[i, p]
