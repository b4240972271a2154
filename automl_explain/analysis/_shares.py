"""Importance as shares of its sum, which can be compared between runs and explanations."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Values = npt.NDArray[np.float64]


def normalised(importance: Values) -> Values:
    """Return importance as shares of its sum; a negative permutation importance counts as 0."""
    positive = np.maximum(importance, 0.0)
    total = positive.sum()
    return positive / total if total > 0 else positive


def rank_correlation(rows: Values) -> Values:
    """Return Spearman's correlation between every two rows; NaN where a row is constant."""
    ranks = rankdata(rows, axis=1)
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    norms = np.sqrt((centred**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(centred @ centred.T / np.outer(norms, norms))


def number_or_none(value: Any) -> float | None:
    """Return a number for JSON: None for NaN and infinities."""
    return float(value) if np.isfinite(value) else None
