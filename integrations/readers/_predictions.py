"""Convert predictions from the shapes that libraries return to one shape: (n, k) float64.

These are plain functions to be bound with `functools.partial`, so that a description can be pickled if its model can.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from automl_explain.explainers.model._links import log_odds
from automl_explain.explainers.model._structures import Matrix

RawPredict = Callable[[Any], Any]
"""A library's function from a table to predictions."""


def columns(predict: RawPredict, table: Any) -> Matrix:
    """Return one column per output; a vector becomes one column."""
    values = np.asarray(predict(table), dtype=np.float64)
    return values.reshape(len(values), -1)


def both_margins(predict: RawPredict, table: Any) -> Matrix:
    """Return [-m, m] for the margin m of a binary model's second class."""
    margin = np.asarray(predict(table), dtype=np.float64).reshape(-1)
    return np.column_stack([-margin, margin])


def both_probabilities(predict: RawPredict, table: Any) -> Matrix:
    """Return [1 - p, p] for the probability p of a binary model's second class."""
    second = np.asarray(predict(table), dtype=np.float64).reshape(-1)
    return np.column_stack([1.0 - second, second])


def log_odds_of(predict_proba: RawPredict, table: Any) -> Matrix:
    """Return the log-odds of each class, from a function that returns probabilities."""
    return log_odds(columns(predict_proba, table))
