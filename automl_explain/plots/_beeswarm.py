"""The positions and colours of the points of a beeswarm; `_explanation_plots` draws them."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.display._directions import is_column_of_texts
from automl_explain.explainers.formatting._names import shortened
from automl_explain.explainers.formatting._numbers import cell_text
from automl_explain.explainers.tables._table import Table

Values = npt.NDArray[np.float64]

HALF_HEIGHT = 0.4
"""Largest distance of a point from the middle of its row; rows are 1 apart."""
STEP = 0.075
"""Distance between two points of one bin, unless there are too many."""
BINS = 110
"""Bins over the width of the plot: about one per width of a point."""


def offsets(values: Values, low: float, high: float) -> Values:
    """Return the distance of each point from the middle of its row, so that equal values do not overlap.

    Values are put into bins of equal width. The points of a bin lie alternately above and below the middle, closer together
    the more there are.

    Parameters
    ----------
    values : ndarray, shape (n,)
    low, high : float
        Limits of the axis, the same for all rows.
    """
    n = len(values)
    width = high - low
    scaled = (values - low) / width * BINS if width > 0 else np.zeros(n)
    bins = np.clip(scaled.astype(np.int64), 0, BINS)
    order = np.argsort(bins, kind="stable")
    in_order = bins[order]
    starts = np.searchsorted(in_order, in_order, side="left")
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n) - starts
    counts = np.bincount(bins, minlength=BINS + 1)
    steps = (rank + 1) // 2 * np.where(rank % 2, 1.0, -1.0)
    # one distance for the whole row, so that the height shows the number of points
    tallest = max(int(counts.max(initial=1)) // 2, 1)
    return np.asarray(steps * min(STEP, HALF_HEIGHT / tallest))


MARKS = (("o", "●"), ("s", "■"), ("^", "▲"), ("D", "◆"), ("v", "▼"))
"""matplotlib's marker and the character of each mark; the most frequent category of a feature has the first."""


LEGEND_WIDTH = 84
"""Characters of a line of a legend."""


@dataclass(frozen=True, eq=False)
class Marks:
    """The marks of the cells of a column of categories.

    Parameters
    ----------
    names : tuple of str
        The most frequent categories, most frequent first; none of a column of texts, or without any cell.
    places : ndarray of int, shape (n,)
        Number of each cell's category among the names; -1 for the others and for missing cells.
    grey: str
        Meaning of grey for a column without names.
    """

    names: tuple[str, ...]
    places: npt.NDArray[np.intp]
    grey: str = ""

    def legend(self, feature: str) -> str:
        """Return the legend of a feature, such as "plan: ● basic, ■ plus", in lines that the figure has room for."""
        shown = [f"{MARKS[k][1]} {shortened(name, 14)}" for k, name in enumerate(self.names)]
        names = ", ".join([*shown, "others grey"] if (self.places < 0).any() else shown)
        return textwrap.fill(f"{shortened(feature, 20)}: {names}", LEGEND_WIDTH)


def marks(table: Table, position: int) -> Marks:
    """Return the marks of a column of categories; all cells of a column of texts are grey."""
    cells = pd.Series(table.column(position), dtype=object)
    texts = cells.map(cell_text)
    known = texts[~cells.isna()]
    names = () if is_column_of_texts(known) else tuple(known.value_counts().index[: len(MARKS)])
    codes = {name: k for k, name in enumerate(names)}
    grey = "" if names else "texts" if len(known) else "missing values"
    return Marks(names, np.array([codes.get(text, -1) for text in texts], dtype=np.intp), grey)


@dataclass(frozen=True, eq=False)
class Shade:
    """The colours of the points of one feature.

    Parameters
    ----------
    ranks : ndarray, shape (n,)
        From 0 for the lowest value to 1 for the highest; NaN for a grey point.
    grey : str
        Meaning of grey for this feature; empty without grey points.
    """

    ranks: Values
    grey: str


def shades(table: Table, position: int) -> Shade:
    """Return the shade of each cell of a column: its rank among the values of the column.

    Categories, text, missing values and the cells of a constant column are grey, since they have no order.
    """
    numbers = _ordered(table, position)
    if numbers is None:
        return Shade(np.full(len(table), np.nan), "categories")
    known = np.isfinite(numbers)
    ranks = np.full(len(numbers), np.nan)
    ranks[known] = _ranks(numbers[known])
    if not known.all():
        return Shade(ranks, "missing values")
    return Shade(ranks, "" if np.isfinite(ranks).all() else "constants")


def _ordered(table: Table, position: int) -> Values | None:
    """The column as numbers that can be ordered; None for categories and text."""
    if table.is_sparse:
        return np.asarray(table.column(position), dtype=np.float64)
    series = table.data.iloc[:, position] if table.is_frame else pd.Series(table.data[:, position])
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        if not dtype.ordered:
            return None
        codes = series.cat.codes.to_numpy().astype(np.float64)
        return np.where(codes < 0, np.nan, codes)
    if pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        return np.where(series.isna(), np.nan, series.astype("int64").to_numpy(dtype=np.float64))
    if pd.api.types.is_object_dtype(dtype):
        series = _read_objects(series)
    if pd.api.types.is_complex_dtype(series.dtype) or not pd.api.types.is_numeric_dtype(series.dtype):
        return None
    return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))


def _read_objects(series: Any) -> Any:
    """A column of Python objects as numbers, if all values except missing ones are numbers."""
    kind = pd.api.types.infer_dtype(series, skipna=True)
    numeric = kind in {"integer", "floating", "mixed-integer-float", "boolean", "decimal"}
    return pd.to_numeric(series.astype("Float64") if kind == "boolean" else series) if numeric else series


def _ranks(numbers: Values) -> Values:
    """Ranks from 0 to 1, the mean rank for ties; NaN for a constant column."""
    _, inverse, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        return np.full(len(numbers), np.nan)
    middle = np.cumsum(counts) - (counts - 1) / 2.0
    scaled = (middle - middle[0]) / (middle[-1] - middle[0])
    return np.asarray(scaled[inverse])
