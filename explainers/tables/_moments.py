"""Cells of date columns as numbers, and back: whole microseconds since 1970, in UTC if the column has a time zone.

A float64 holds every microsecond from 1684 to 2255, and every second for thousands of years more.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._errors import InvalidInputError

Numbers = npt.NDArray[np.float64]
TIME = r"(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)"
ZONE = r"(?:Z|[+-]\d\d:?\d\d(?::\d\d)?)"
MOMENT = re.compile(rf"(\d{{4}}-\d\d-\d\d{TIME}?)({ZONE})?")
"""An ISO date with or without a time and a time zone."""
EPOCH = dt.datetime(1970, 1, 1)
MICROSECOND = dt.timedelta(microseconds=1)
LARGEST = 2.0**62
"""Microseconds that no date reaches."""
EXAMPLES = {False: "'2024-01-31' or '2024-01-31T08:30:00'", True: "'2024-01-31T08:30:00Z'"}
"""Whether the column has a time zone -> what its cells look like as text."""


def is_date(dtype: str) -> bool:
    """Whether a type of columns, as text, is one of dates, such as "datetime64[us]" or "datetime64[us, UTC]"."""
    return dtype.startswith("datetime64[")


def is_zoned(dtype: str) -> bool:
    """Whether a type of dates has a time zone."""
    return "," in dtype


def date_numbers(cells: Any, dtype: str) -> Numbers:
    """Return the cells of a date column as microseconds, NaN for missing ones.

    Parameters
    ----------
    cells : Series, ndarray or sequence
        Dates of pandas, numpy or Python, or ISO text.
    dtype : str
        Type of the column.

    Raises
    ------
    InvalidInputError
        If a cell is no date, has a time zone where the column has none, or none where it has one, or is finer than a
        microsecond.
    """
    zoned = is_zoned(dtype)
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "M":
        cells = pd.Series(cells)
    if isinstance(cells, pd.Series):
        if pd.api.types.is_datetime64_any_dtype(cells.dtype):
            return _of_series(cells, zoned)
        if isinstance(cells.dtype, pd.CategoricalDtype):
            known = np.append(date_numbers(cells.cat.categories.tolist(), dtype), np.nan)
            return np.asarray(known[cells.cat.codes.to_numpy()])
        cells = cells.to_numpy(dtype=object)
    return np.array([_of_cell(cell, zoned) for cell in cells], dtype=np.float64)


def dates_of(numbers: Numbers, dtype: str) -> pd.Series:
    """Return the column of dates that `date_numbers` made numbers of.

    Raises
    ------
    InvalidInputError
        If a date is out of the range of the type.
    """
    missing = np.isnan(numbers)
    filled = np.where(missing, 0.0, numbers)
    try:
        if (np.abs(filled) >= LARGEST).any():
            raise OverflowError(f"a date is {np.abs(filled).max():g} microseconds from 1970")
        times = pd.Series(filled.astype(np.int64).astype("datetime64[us]")).mask(missing)
        return (times.dt.tz_localize("UTC") if is_zoned(dtype) else times).astype(dtype)
    except (ValueError, OverflowError) as error:  # pandas' errors of bounds are ValueErrors
        raise InvalidInputError(f"a date is out of the range of the type {dtype}") from error


def _of_series(series: pd.Series, zoned: bool) -> Numbers:
    has_zone = isinstance(series.dtype, pd.DatetimeTZDtype)
    if has_zone != zoned:
        raise _wrong_zone(series.dropna().iloc[0] if series.notna().any() else series.dtype, zoned)
    times = (series.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else series).to_numpy()
    whole = times.astype("datetime64[us]")
    missing = np.isnat(times)
    numbers = np.where(missing, np.nan, whole.astype(np.int64).astype(np.float64))
    same = missing | ((whole == times) & (np.where(missing, 0.0, numbers).astype(np.int64) == whole.astype(np.int64)))
    if not same.all():
        raise _too_fine(series[~same].iloc[0])
    return numbers


def _of_cell(cell: Any, zoned: bool) -> float:
    if isinstance(cell, str):
        return _of_text(cell, zoned)
    if cell is None or cell is pd.NaT or cell is pd.NA or (isinstance(cell, float) and cell != cell):
        return np.nan
    if isinstance(cell, np.datetime64):
        cell = pd.Timestamp(cell)
        if cell is pd.NaT:
            return np.nan
    if isinstance(cell, pd.Timestamp):
        return float(_of_series(pd.Series([cell]), zoned)[0])
    if isinstance(cell, dt.datetime):
        return _of_moment(cell, cell, zoned)
    if isinstance(cell, dt.date):
        return _of_moment(dt.datetime(cell.year, cell.month, cell.day), cell, zoned)
    raise InvalidInputError(
        f"a date such as {EXAMPLES[zoned]} was expected, got {str(cell)[:40]!r} ({type(cell).__name__}); pandas writes dates "
        "as text by to_json(date_format='iso')"
    )


def _of_text(text: str, zoned: bool) -> float:
    found = MOMENT.fullmatch(text.strip())
    if found is None:
        raise InvalidInputError(f"a date such as {EXAMPLES[zoned]} was expected, got {text[:40]!r}")
    whole, _, fraction = found[1].partition(".")
    if fraction[6:].strip("0"):
        raise _too_fine(text)
    try:
        moment = dt.datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}{found[2] or ''}" if fraction else found[0])
    except ValueError as error:  # such as 30 February
        raise InvalidInputError(f"a date was expected, got {text[:40]!r}, which is none: {error}") from error
    return _of_moment(moment, text, zoned)


def _of_moment(moment: dt.datetime, cell: Any, zoned: bool) -> float:
    if (moment.tzinfo is not None) != zoned:
        raise _wrong_zone(cell, zoned)
    try:
        plain = moment.astimezone(dt.UTC).replace(tzinfo=None) if zoned else moment
    except OverflowError as error:
        raise InvalidInputError(f"a date was expected, got {str(cell)[:40]!r}, which is out of range") from error
    count = (plain - EPOCH) // MICROSECOND
    if int(float(count)) != count:
        raise _too_fine(cell)
    return float(count)


def _wrong_zone(cell: Any, zoned: bool) -> InvalidInputError:
    wanted = "with a time zone" if zoned else "without a time zone"
    return InvalidInputError(f"a date {wanted}, such as {EXAMPLES[zoned]}, was expected, got {str(cell)[:40]!r}")


def _too_fine(cell: Any) -> InvalidInputError:
    return InvalidInputError(
        f"dates are read to the microsecond, got {str(cell)[:40]!r}; round them, as by Series.dt.round('us')"
    )


# ----------------------------------------------------------------- parts of dates


def _times(cells: Numbers) -> npt.NDArray[np.datetime64]:
    return np.where(np.isnan(cells), np.iinfo(np.int64).min, cells).astype(np.int64).astype("datetime64[us]")


def _count(cells: Numbers, unit: str, within: str | None = None) -> Numbers:
    """Return the number of whole units since 1970, or since the beginning of a larger unit."""
    whole = _times(cells).astype(f"datetime64[{unit}]")
    start = whole.astype(f"datetime64[{within}]") if within else np.zeros(1, f"datetime64[{unit}]")
    since = (whole - start).astype(f"timedelta64[{unit}]").astype(np.int64).astype(np.float64)
    return np.where(np.isnan(cells), np.nan, since)


def _month(cells: Numbers) -> Numbers:
    return _count(cells, "M", "Y") + 1.0


PARTS = {
    "year": lambda cells: _count(cells, "Y") + 1970.0,
    "month": _month,
    "day": lambda cells: _count(cells, "D", "M") + 1.0,
    "hour": lambda cells: _count(cells, "h", "D"),
    "minute": lambda cells: _count(cells, "m", "h"),
    "second": lambda cells: _count(cells, "s", "m"),
    "dayofweek": lambda cells: np.mod(_count(cells, "D") + 3.0, 7.0),
    "dayofyear": lambda cells: _count(cells, "D", "Y") + 1.0,
    "quarter": lambda cells: np.floor((_month(cells) - 1.0) / 3.0) + 1.0,
    "ordinal": lambda cells: _count(cells, "D") + dt.date(1970, 1, 1).toordinal(),
}
"""Part of a date -> function of microseconds; Monday is day 0 of a week, and "ordinal" is that of Python's dates."""
DAY = 86_400e9
"""Nanoseconds of a day."""
NANOSECONDS = (("times", 1000.0),)
"""Steps from microseconds to the nanoseconds that `column_codes` makes of dates."""
