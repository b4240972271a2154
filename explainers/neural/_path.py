"""Contributions of cells along the straight path from a background row to a row, completed so that they add up."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.neural._network import Matrix, Network

Values = npt.NDArray[np.float64]
POINTS_BYTES = 64 * 2**20
"""Memory of the gradients at the points of one batch of pairs."""


class PathPart(NamedTuple):
    """Contributions for M pairs of a row and a background row."""

    values: Values
    """(K, M, f): they add up to the difference of the outputs of a pair."""
    missed: Values
    """(K, M): what the gradients alone missed of that difference."""


def path_contributions(network: Network, rows: Matrix, others: Matrix, n_intervals: int) -> PathPart:
    """Return contributions by gradients at the midpoints of intervals between each background row and its row.

    The gradients of an interval, times its length, add up to the change of the output only approximately. What they miss
    is shared among the cells in proportion to the absolute contributions of the interval.

    Parameters
    ----------
    network : Network
        With `gradients`.
    rows, others : ndarray, shape (M, f)
        Rows and the background row of each.
    n_intervals : int

    Returns
    -------
    PathPart

    References
    ----------
    Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", arXiv 1703.01365.
    """
    assert network.gradients is not None
    step = (rows - others) / n_intervals
    before = network.outputs(others).T
    values, missed = np.zeros((len(before), *rows.shape)), np.zeros(before.shape)
    for number in range(n_intervals):
        last = number + 1 == n_intervals
        after = network.outputs(rows if last else others + (number + 1) * step).T
        parts = _gradients(network, others + (number + 0.5) * step) * step
        rest = after - before - parts.sum(axis=2)
        sizes = np.abs(parts)
        total = sizes.sum(axis=2)
        flat = total == 0.0  # no gradient anywhere: shared by the lengths of the steps
        if flat.any():
            sizes[flat] = np.broadcast_to(np.abs(step), sizes.shape)[flat]
            total = sizes.sum(axis=2)
        share = np.divide(rest, total, out=np.zeros_like(rest), where=total > 0.0)
        values += parts + share[:, :, None] * sizes
        missed += rest
        before = after
    return PathPart(values, missed)


def pairs_at_once(network: Network, n_outputs: int) -> int:
    """Return the number of pairs whose gradients fit in memory."""
    return max(1, min(network.rows_at_once, POINTS_BYTES // (8 * network.n_columns * n_outputs)))


def _gradients(network: Network, points: Matrix) -> Values:
    """Return the derivatives at points (M, f), (K, M, f)."""
    assert network.gradients is not None
    return network.flat(network.gradients(network.arrays(points)))
