"""Arrays in a page: all are packed into one block of bytes, and JSON says where each one lies.

An array is ``{"column": type, "at": offset, "n": length, "scale": number?}``. Its bytes are little-endian and grouped by
significance: first the lowest byte of every number, then the next one, which compresses better. The types of integers keep
one code for a missing number: the largest of "u1" and "u2", the smallest of "i4". With a `scale`, a number is the integer
divided by it, which gives the same float64 as the decimal that was stored. "f4" and "f8" keep NaN. The block is compressed
once, as gzip. `static/data.js` reads it.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _IntegerType:
    """An integer type of a page: its NumPy type, the numbers that it holds, and its code for a missing number."""

    name: str
    dtype: str
    low: int
    high: int
    missing: int


INTEGERS = (
    _IntegerType("u1", "<u1", 0, 254, 255),
    _IntegerType("u2", "<u2", 0, 65534, 65535),
    _IntegerType("i4", "<i4", -(2**31) + 1, 2**31 - 1, -(2**31)),
)
SCALES = (1, 10, 100, 1000, 10_000)
"""Powers of ten by which decimals are stored as integers."""


class ArrayBlock:
    """The arrays of a page, collected one by one."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, numbers: npt.ArrayLike, *, single: bool = False) -> dict[str, Any]:
        """Store an array and return its place as JSON.

        Parameters
        ----------
        numbers : array-like of numbers
            Any shape; it is stored in C order. NaN is a missing number.
        single : bool, default False
            Round to float32. By default the page has the same float64 numbers.
        """
        values = np.ascontiguousarray(numbers, dtype=np.float64).ravel()
        name, stored, scale = ("f4", values.astype("<f4"), 1) if single else _smallest(values)
        place = {"column": name, "at": self._size, "n": len(values)} | ({"scale": scale} if scale != 1 else {})
        shuffled = stored.view(np.uint8).reshape(len(values), stored.itemsize).T.tobytes()
        self._parts.append(shuffled)
        self._size += len(shuffled)
        return place

    def copy(self) -> ArrayBlock:
        """Return a block with the same arrays, to which others can be added."""
        made = ArrayBlock()
        made._parts, made._size = list(self._parts), self._size
        return made

    def packed(self) -> bytes:
        """Return all arrays as one gzip stream; the same arrays give the same bytes."""
        return gzip.compress(b"".join(self._parts), compresslevel=6, mtime=0)


def bytes_of(numbers: Numbers) -> int:
    """Return the bytes of a number of an array as it is stored."""
    return _smallest(numbers)[1].itemsize


def _smallest(values: Numbers) -> tuple[str, npt.NDArray[Any], int]:
    """Return the smallest type that holds the numbers without loss, the stored array, and its scale."""
    missing = np.isnan(values)
    present = values[~missing]
    for found, scale in _integers(present):
        stored = np.full(len(values), found.missing, dtype=found.dtype)
        stored[~missing] = np.rint(present * scale)
        return found.name, stored, scale
    with np.errstate(over="ignore"):
        single = values.astype("<f4")
    if np.array_equal(single.astype(np.float64), values, equal_nan=True):
        return "f4", single, 1
    return "f8", values.astype("<f8"), 1


def _integers(present: Numbers) -> Iterator[tuple[_IntegerType, int]]:
    """Yield the integer type and scale that hold all numbers exactly, if there is one."""
    if not np.isfinite(present).all() or np.any((present == 0) & np.signbit(present)):
        return
    largest = float(np.max(np.abs(present), initial=0.0))
    for scale in SCALES:
        if largest * scale >= 2**31:
            return
        whole = np.rint(present * scale)
        if np.array_equal(whole / scale, present):
            low, high = float(np.min(whole, initial=0.0)), float(np.max(whole, initial=0.0))
            yield next(kind for kind in INTEGERS if kind.low <= low and high <= kind.high), scale
            return
