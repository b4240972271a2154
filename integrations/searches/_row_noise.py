"""The noise of a loss on validation rows, as losses of parts by which runs are compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

RowNumbers = npt.NDArray[np.intp]
_Numbers = npt.NDArray[Any]

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
    if isinstance(loss, _MeanLoss | _OneMinusAUC):
        without = loss.without_each(block)
    else:
        without = np.array([loss(everything[block != number]) for number in range(BLOCKS)], dtype=np.float64)
    values = BLOCKS * whole - (BLOCKS - 1) * without
    if not np.isfinite(values).all():
        return ()
    drawn = whole + (values - values.mean()) * math.sqrt((BLOCKS - 1) / (2 * BLOCKS - 1))
    return tuple(drawn.tolist())


def quick_loss(metric: str, truth: _Numbers, predicted: _Numbers, labels: Any) -> Callable[[RowNumbers], float] | None:
    """Return the loss on some rows without the library's checks of each call; None for other metrics.

    The losses of a search's runs on 20 blocks take longer than their explanations if each loss is computed by the library.

    Parameters
    ----------
    metric : str
        Name of FLAML's metric.
    truth : ndarray of shape (n,)
    predicted : ndarray of shape (n,), or (n, C) for probabilities
    labels : sequence
        The classes in the order of the probabilities.
    """
    if metric == "roc_auc" and predicted.ndim == 1:
        return _OneMinusAUC(truth == np.max(truth), predicted)
    if metric == "log_loss" and predicted.ndim == 2:
        classes = np.unique(labels)
        if len(classes) != predicted.shape[1]:
            return None
        least = np.finfo(predicted.dtype).eps
        share = predicted[np.arange(len(truth)), np.searchsorted(classes, truth)]
        return _MeanLoss(-np.log(np.clip(share, least, 1.0 - least)).astype(np.float64))
    if metric in _OF_ROW and predicted.ndim == 1:
        return _MeanLoss(_OF_ROW[metric](truth, predicted).astype(np.float64))
    return None


@dataclass(frozen=True, eq=False)
class _MeanLoss:
    """The mean of the losses of rows."""

    of_row: _Numbers

    def __call__(self, rows: RowNumbers) -> float:
        return float(self.of_row[rows].mean())

    def without_each(self, block: RowNumbers) -> npt.NDArray[np.float64]:
        """Return the losses on all rows but those of each block, given the blocks of the rows."""
        sums = np.bincount(block, self.of_row, BLOCKS)
        return np.asarray((sums.sum() - sums) / (len(block) - np.bincount(block, minlength=BLOCKS)))


@dataclass(frozen=True, eq=False)
class _OneMinusAUC:
    """1 minus the share of pairs of rows of the two classes that the scores order rightly; ties count half.

    Pairs are counted twice and ties once, in integers.
    """

    second: npt.NDArray[np.bool_]
    scores: _Numbers

    def __call__(self, rows: RowNumbers) -> float:
        second, scores = self.second[rows], self.scores[rows]
        first, others = scores[~second], scores[second]
        return _share_lost(int(_ranks(np.sort(first), others).sum()), len(first), len(others))

    def without_each(self, block: RowNumbers) -> npt.NDArray[np.float64]:
        """Return the losses on all rows but those of each block: its pairs are taken from all, those within it once."""
        second, scores, below = self.second, self.scores, np.empty(len(block), np.int64)
        first, others = scores[~second], scores[second]
        below[second] = _ranks(np.sort(first), others)
        below[~second] = 2 * len(others) - _ranks(np.sort(others), first)
        total, lost = int(below[second].sum()), np.empty(BLOCKS)
        for number in range(BLOCKS):
            inside = block == number
            ours = second[inside]
            mine, theirs = scores[inside][~ours], scores[inside][ours]
            right = total - int(below[inside].sum()) + int(_ranks(np.sort(mine), theirs).sum())
            lost[number] = _share_lost(right, len(first) - len(mine), len(others) - len(theirs))
        return lost


def _ranks(ordered: _Numbers, scores: _Numbers) -> npt.NDArray[np.int64]:
    """Return twice the number of ordered scores below each score, and once that of equal ones."""
    return np.asarray(np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right"))


def _share_lost(right: int, n_first: int, n_second: int) -> float:
    return 1.0 - right / (2 * n_first * n_second) if n_first and n_second else math.nan


_OF_ROW: Mapping[str, Callable[[_Numbers, _Numbers], _Numbers]] = {
    "accuracy": lambda truth, predicted: (truth != predicted).astype(np.float64),
    "mae": lambda truth, predicted: np.abs(truth - predicted),
    "mse": lambda truth, predicted: (truth - predicted) ** 2,
}
"""Metrics that are means over rows -> the loss of each row."""
