"""Which columns of a file hold dates: a text file has no types, and Parquet's days are read as objects."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pandas as pd

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.tables._moments import TIME, ZONE

DATE = r"(?:(?:1[89]|2[01])\d\d-[01]\d-[0-3]\d|9999-12-31)"
"""An ISO date of the years 1800 to 2199, so that part numbers such as 4711-01-02 are none, or the one for "never"."""
MOMENTS = (rf"{DATE}{TIME}?", rf"{DATE}{TIME}{ZONE}")
"""What all cells of a column are: moments without a zone, or with one. They do not mix, since they cannot be compared."""


def date_columns(frame: pd.DataFrame) -> tuple[Any, ...]:
    """Return the columns that are no dates yet, and of which every cell is an ISO date or a day, or is missing."""
    return tuple(name for name in frame.columns if _dates(frame[name]) is not None)


def with_dates(frame: pd.DataFrame, columns: Sequence[Any], source: object) -> pd.DataFrame:
    """Return a table with some columns read as dates; with time zones, as moments in UTC.

    Parameters
    ----------
    frame : DataFrame
    columns : sequence
        The columns to read; those that hold dates already stay as they are.
    source : object
        What the table was read from, for the message.

    Raises
    ------
    InvalidInputError
        If a cell of such a column is no date.
    """
    return frame.assign(**{name: _read(frame[name], source) for name in columns})


def _read(series: pd.Series, source: object) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return series
    dates = _dates(series)
    if dates is None:
        other = [cell for cell in series.dropna() if _dates(pd.Series([cell], dtype=object)) is None]
        raise InvalidInputError(
            f"Column {series.name!r} of {source} must hold dates such as 2024-01-31, as the training rows do. Got "
            + (f"{other[0]!r}." if other else "some with a time zone and some without.")
        )
    return dates


def _dates(series: pd.Series) -> pd.Series | None:
    """Return a column as dates; None if a cell is neither a date nor missing, or all are missing."""
    cells = series.dropna()
    if not len(cells) or not (series.dtype == object or pd.api.types.is_string_dtype(series.dtype)):
        return None
    if all(isinstance(cell, dt.date) for cell in cells):
        return pd.to_datetime(series)
    if not all(isinstance(cell, str) for cell in cells):
        return None
    texts = cells.astype(str).str.strip()
    zoned = [bool(texts.str.fullmatch(moment).all()) for moment in MOMENTS]
    if not any(zoned):
        return None
    try:
        return pd.to_datetime(texts, format="ISO8601", utc=zoned[1]).reindex(series.index)
    except ValueError:  # such as 30 February
        return None
