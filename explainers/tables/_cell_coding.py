"""Cells of object columns as JSON: each comes back with its value and its type, or is refused."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from automl_explain.explainers._errors import InvalidInputError

Coder = tuple[str, Callable[[Any], Any], Callable[[Any], Any]]
"""The tag of a type, and the functions to and from JSON."""

PLAIN = (str, bool, int, float, type(None))
"""Types that JSON has itself, NaN and infinities included."""


def encode_cell(cell: Any) -> Any:
    """Return a cell as JSON: what JSON has as it is, anything else as a pair of a tag and its value.

    Raises
    ------
    InvalidInputError
        If the type of the cell cannot be stored.
    """
    if type(cell) in PLAIN:
        return cell
    if cell is pd.NA or cell is pd.NaT:
        return ["missing", str(cell)]
    if isinstance(cell, np.generic) and cell.dtype.kind in "biufcMmSU":
        return ["numpy", [cell.dtype.str, cell.tobytes().hex()]]
    coder = CODERS.get(type(cell))
    if coder is None:
        raise InvalidInputError(
            f"Cells of the type {type(cell).__name__} cannot be stored in a file. Convert them to numbers, text or dates."
        )
    tag, encode, _ = coder
    return [tag, encode(cell)]


def decode_cell(stored: Any) -> Any:
    """Return the cell that `encode_cell` made JSON of."""
    if type(stored) in PLAIN:
        return stored
    tag, value = stored if isinstance(stored, list) else ("", None)  # no tag that there is
    return DECODERS[tag](value)


def zone_name(zone: Any) -> str | float | None:
    """Return a time zone as JSON: its name, or its distance from UTC in seconds; None without a zone.

    Raises
    ------
    InvalidInputError
        If the zone has neither.
    """
    if zone is None:
        return None
    fixed = (
        dt.datetime(2000, 1, 1, tzinfo=dt.UTC).astimezone(zone).utcoffset() if isinstance(zone, dt.timezone) else None
    )
    if fixed is not None:
        return fixed.total_seconds()
    for name in (getattr(zone, "key", None), getattr(zone, "zone", None)):
        if isinstance(name, str):
            return name
    raise InvalidInputError(
        f"The time zone {zone!r} cannot be stored in a file. Use a named zone, such as 'Europe/Paris', or UTC."
    )


def zone_of(name: str | float | None) -> dt.tzinfo | None:
    """Return the time zone that `zone_name` named."""
    if name is None or isinstance(name, str):
        return None if name is None else ZoneInfo(name)
    return dt.UTC if not name else dt.timezone(dt.timedelta(seconds=name))


def pandas_zone(name: str | float | None) -> dt.tzinfo | str | None:
    """Return the time zone that `zone_name` named as pandas takes it: by its name, for which pandas 2 has objects of its own."""
    return name if isinstance(name, str) else zone_of(name)


def period_name(dtype: pd.PeriodDtype) -> str:
    """Return the frequency of periods by the name that makes it again; offsets of the same frequency have another."""
    return str(dtype).removeprefix("period[").removesuffix("]")


def _encode_time(moment: pd.Timestamp) -> Any:
    return [int(moment.as_unit(moment.unit)._value), moment.unit, zone_name(moment.tzinfo)]


def _decode_time(stored: Any) -> pd.Timestamp:
    value, unit, zone = stored
    moment = pd.Timestamp(np.datetime64(value, unit))
    return moment if zone is None else moment.tz_localize("UTC").tz_convert(pandas_zone(zone))


def _encode_moment(moment: dt.datetime) -> Any:
    zone = zone_name(moment.tzinfo)
    return [moment.replace(tzinfo=None).isoformat(), zone, moment.fold]


def _decode_moment(stored: Any) -> dt.datetime:
    text, zone, fold = stored
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone_of(zone), fold=fold)


def _encode_clock(time: dt.time) -> Any:
    if time.tzinfo is not None:
        raise InvalidInputError("Times of day with a time zone cannot be stored in a file. Convert them to text.")
    return [time.isoformat(), time.fold]


def _encode_array(array: np.ndarray) -> Any:
    if array.dtype.kind == "O":
        return [list(array.shape), [encode_cell(cell) for cell in array.ravel()]]
    if array.dtype.kind not in "biufcMmSU":
        raise InvalidInputError(f"Cells that are arrays of the type {array.dtype} cannot be stored in a file.")
    return [list(array.shape), array.dtype.str, array.tobytes().hex()]


def _decode_array(stored: Any) -> np.ndarray:
    if len(stored) == 3:
        return np.frombuffer(bytes.fromhex(stored[2]), dtype=stored[1]).reshape(stored[0]).copy()
    cells = np.empty(len(stored[1]), dtype=object)
    cells[:] = [decode_cell(cell) for cell in stored[1]]
    return cells.reshape(stored[0])


def _decode_numpy(stored: Any) -> Any:
    return np.frombuffer(bytes.fromhex(stored[1]), dtype=stored[0])[0]


def _cells(values: Any) -> list[Any]:
    return [encode_cell(value) for value in values]


def _values(stored: Any) -> list[Any]:
    return [decode_cell(value) for value in stored]


CODERS: dict[type, Coder] = {
    bytes: ("bytes", bytes.hex, bytes.fromhex),
    complex: ("complex", lambda z: [z.real, z.imag], lambda stored: complex(*stored)),
    Decimal: ("decimal", str, Decimal),
    uuid.UUID: ("uuid", str, uuid.UUID),
    dt.date: ("date", dt.date.isoformat, dt.date.fromisoformat),
    dt.time: ("time", _encode_clock, lambda stored: dt.time.fromisoformat(stored[0]).replace(fold=stored[1])),
    dt.datetime: ("datetime", _encode_moment, _decode_moment),
    dt.timedelta: ("timedelta", lambda d: [d.days, d.seconds, d.microseconds], lambda stored: dt.timedelta(*stored)),
    pd.Timestamp: ("timestamp", _encode_time, _decode_time),
    pd.Timedelta: (
        "pandas timedelta", lambda d: [int(d._value), d.unit], lambda stored: pd.Timedelta(np.timedelta64(*stored)),
    ),
    pd.Period: (
        "period", lambda p: [p.ordinal, period_name(pd.PeriodDtype(p.freq))],
        lambda stored: pd.Period(ordinal=stored[0], freq=stored[1]),
    ),
    pd.Interval: (
        "interval", lambda i: [*_cells([i.left, i.right]), i.closed],
        lambda stored: pd.Interval(*_values(stored[:2]), closed=stored[2]),
    ),
    np.ndarray: ("array", _encode_array, _decode_array),
    list: ("list", _cells, _values),
    tuple: ("tuple", _cells, lambda stored: tuple(_values(stored))),
    set: ("set", lambda cells: _cells(sorted(cells, key=repr)), lambda stored: set(_values(stored))),
    frozenset: ("frozenset", lambda cells: _cells(sorted(cells, key=repr)), lambda stored: frozenset(_values(stored))),
    dict: (
        "dict", lambda d: [_cells(pair) for pair in d.items()], lambda stored: dict(map(_values, stored)),
    ),
}  # fmt: skip
"""Exact type of a cell -> its coder. A subclass is not its base class, and is refused."""
DECODERS: dict[str, Callable[[Any], Any]] = {tag: decode for tag, _, decode in CODERS.values()} | {
    "numpy": _decode_numpy,
    "missing": {"<NA>": pd.NA, "NaT": pd.NaT}.__getitem__,
}
"""Tag -> function from JSON."""
