"""Columns as float64: numbers stay, everything else becomes codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


def column_codes(series: pd.Series) -> npt.NDArray[np.float64]:
    """Return one column as float64: numbers stay, dates become nanoseconds, the rest codes; missing cells are NaN."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        codes = series.cat.codes.to_numpy().astype(np.float64)
    elif pd.api.types.is_datetime64_any_dtype(series.dtype) or pd.api.types.is_timedelta64_dtype(series.dtype):
        return np.where(series.isna().to_numpy(), np.nan, _nanoseconds(series))
    elif pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_complex_dtype(series.dtype):
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
    else:
        codes = pd.factorize(series, sort=False)[0].astype(np.float64)
    codes[codes < 0] = np.nan
    return np.asarray(codes)


def _nanoseconds(series: pd.Series) -> npt.NDArray[np.float64]:
    zoned = isinstance(series.dtype, pd.DatetimeTZDtype)
    times = (series.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else series).to_numpy()
    return np.asarray(times.astype(f"{times.dtype.kind}8[ns]").astype(np.int64), dtype=np.float64)


def category_codes(series: pd.Series, categories: Sequence[Any] | pd.Index) -> npt.NDArray[np.float64]:
    """Return the position of each value among `categories`; NaN for a missing value or one that is not among them."""
    known = pd.Index(categories)
    if isinstance(series.dtype, pd.CategoricalDtype):
        # A missing value has code -1, which selects the appended -1.
        codes = np.append(known.get_indexer(series.cat.categories), -1)[series.cat.codes]
    else:
        codes = known.get_indexer(pd.Index(series))
    return np.where(codes < 0, np.nan, codes)
