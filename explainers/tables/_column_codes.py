"""Columns as float64: numbers stay, everything else becomes codes."""

from __future__ import annotations

import pickle  # only written, to compare cells
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

EXACT = 2.0**53
"""Up to this magnitude, float64 holds every integer."""


def column_codes(series: pd.Series) -> npt.NDArray[np.float64]:
    """Return one column as float64: numbers stay, dates become nanoseconds, the rest codes; missing cells are NaN.

    Different cells get different numbers: long integers, such as keys, that float64 cannot tell apart become their ranks.
    """
    if isinstance(series.dtype, pd.CategoricalDtype):
        codes = series.cat.codes.to_numpy().astype(np.float64)
    elif pd.api.types.is_datetime64_any_dtype(series.dtype) or pd.api.types.is_timedelta64_dtype(series.dtype):
        return np.where(series.isna().to_numpy(), np.nan, distinct_floats(_nanoseconds(series)))
    elif pd.api.types.is_integer_dtype(series.dtype):
        missing = series.isna().to_numpy()
        found = distinct_floats(series.fillna(0).to_numpy() if missing.any() else series.to_numpy())
        return np.where(missing, np.nan, found)
    elif pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_complex_dtype(series.dtype):
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
    else:
        codes = _codes_of_objects(series).astype(np.float64)
    codes[codes < 0] = np.nan
    return np.asarray(codes)


def distinct_floats(numbers: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return numbers as float64; ranks in their place if float64 cannot tell all of them apart."""
    floats = np.asarray(numbers, dtype=np.float64)
    if numbers.dtype.itemsize < 8 or np.max(np.abs(floats), initial=0.0) <= EXACT:
        return floats
    distinct, ranks = np.unique(numbers, return_inverse=True)
    return floats if len(np.unique(floats)) == len(distinct) else ranks.reshape(numbers.shape).astype(np.float64)


def _codes_of_objects(series: pd.Series) -> npt.NDArray[np.intp]:
    """Return equal codes for equal cells, and -1 for missing ones; cells that cannot be hashed are compared as pickles."""
    try:
        return np.asarray(pd.factorize(series, sort=False)[0])
    except TypeError:  # lists, dicts, sets or arrays
        cells = [None if _is_missing(cell) else (type(cell), _content(cell)) for cell in series]
        return np.asarray(pd.factorize(pd.Series(cells, dtype=object), sort=False)[0])


def _content(cell: Any) -> bytes | int:
    """Return the cell as a pickle; a cell that cannot be pickled equals itself only."""
    try:
        return pickle.dumps(cell)
    except (pickle.PicklingError, AttributeError, TypeError):
        return id(cell)


def _is_missing(cell: Any) -> bool:
    return pd.api.types.is_scalar(cell) and bool(pd.isna(cell))


def _nanoseconds(series: pd.Series) -> npt.NDArray[np.int64]:
    zoned = isinstance(series.dtype, pd.DatetimeTZDtype)
    times = (series.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else series).to_numpy()
    return np.asarray(times.astype(f"{times.dtype.kind}8[ns]").astype(np.int64))


def category_codes(series: pd.Series, categories: Sequence[Any] | pd.Index) -> npt.NDArray[np.float64]:
    """Return the position of each value among `categories`; NaN for a missing value or one that is not among them."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        own, codes = series.dtype.categories, np.asarray(series.array.codes)
        if own.tolist() != list(categories):  # otherwise looking them up would take longer than all else
            # A missing value has code -1, which selects the appended -1.
            codes = np.append(pd.Index(categories).get_indexer(own), -1)[codes]
    else:
        codes = pd.Index(categories).get_indexer(pd.Index(series))
    return np.where(codes < 0, np.nan, codes)
