"""What the page says of all rows of a column."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.dashboard.data._columns import PageColumn

BINS = 40
"""Most bins of a histogram."""


def column_statistics(numbers: npt.NDArray[np.float64], column: PageColumn) -> dict[str, Any] | None:
    """Return the histogram of a column: counts between edges, or of each level; None if there is nothing to count.

    Parameters
    ----------
    numbers : ndarray of shape (n,)
        All cells, as the page has them.
    column : PageColumn
    """
    if column.levels is not None:
        codes = numbers[~np.isnan(numbers)].astype(np.intp)
        return {"counts": np.bincount(codes, minlength=len(column.levels)).tolist()}
    present = numbers[np.isfinite(numbers)]
    if not len(present):
        return None
    low, high = float(present.min()), float(present.max())
    if column.kind in ("integer", "boolean") and high - low < BINS:
        edges = np.arange(low - 0.5, high + 1.0)
    else:
        edges = np.linspace(low, high, BINS + 1) if high > low else np.array([low - 0.5, low + 0.5])
    counts, edges = np.histogram(present, edges)
    return {"edges": edges.tolist(), "counts": counts.tolist()}
