"""Arrays in a page: all are packed into one block of bytes, and JSON says where each one lies.

An array is ``{"column": type, "at": offset, "n": length, "from": integer?, "scale": number?}``. Its bytes are little-endian
and grouped by significance: first the lowest byte of every number, then the next one, which compresses better. Unsigned
integers "u1", "u2" and "u4" count from `from`; their largest one is a missing number. With a `scale`, a number is the
integer divided by it, which gives the same float64 as the decimal that was stored. "f4" and "f8" keep NaN. The sign of zero
is lost. Equal arrays are stored once. The block is compressed once, as gzip. `static/data/data.js` reads it.
"""

from __future__ import annotations

import gzip
import hashlib
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


INTEGERS = (("u1", 2**8), ("u2", 2**16), ("u4", 2**32))
"""Type and number of its values, of which the last one stands for a missing number."""
SCALES = (1, 10, 100, 1000, 10_000)
"""Powers of ten by which decimals are stored as integers."""


class ArrayBlock:
    """The arrays of a page, collected one by one."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._places: dict[tuple[str, bytes], int] = {}

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
        made = _Stored("f4", values.astype("<f4")) if single else _smallest(values)
        shuffled = made.array.view(np.uint8).reshape(len(values), made.array.itemsize).T.tobytes()
        key = made.name, hashlib.sha256(shuffled).digest()
        if key not in self._places:
            self._places[key] = self._size
            self._parts.append(shuffled)
            self._size += len(shuffled)
        place: dict[str, Any] = {"column": made.name, "at": self._places[key], "n": len(values)}
        return place | ({"from": made.first} if made.first else {}) | ({"scale": made.scale} if made.scale != 1 else {})

    def copy(self) -> ArrayBlock:
        """Return a block with the same arrays, to which others can be added."""
        made = ArrayBlock()
        made._parts, made._size, made._places = list(self._parts), self._size, dict(self._places)
        return made

    def packed(self) -> bytes:
        """Return all arrays as one gzip stream; the same arrays give the same bytes."""
        return gzip.compress(b"".join(self._parts), compresslevel=6, mtime=0)


class _Stored(NamedTuple):
    """An array as it is stored."""

    name: str
    array: npt.NDArray[Any]
    first: int = 0
    scale: int = 1


def bytes_of(numbers: Numbers) -> int:
    """Return the bytes of a number of an array as it is stored."""
    return _smallest(numbers).array.itemsize


def _smallest(values: Numbers) -> _Stored:
    """Return the array in the smallest type that holds the numbers without loss."""
    whole = _as_integers(values)
    if whole is not None:
        return whole
    with np.errstate(over="ignore"):
        single = values.astype("<f4")
    if np.array_equal(single.astype(np.float64), values, equal_nan=True):
        return _Stored("f4", single)
    return _Stored("f8", values.astype("<f8"))


def _as_integers(values: Numbers) -> _Stored | None:
    """Return the numbers as integers that were divided by a power of ten; None if they are no such numbers."""
    missing = np.isnan(values)
    present = values[~missing]
    largest = float(np.max(np.abs(present), initial=0.0))
    for scale in SCALES:
        if not largest * scale < 2**31:  # nor infinite
            return None
        whole = np.rint(present * scale)
        if np.array_equal(whole / scale, present):
            first = int(np.min(whole)) if len(whole) else 0
            span = int(np.max(whole)) - first if len(whole) else 0
            name, n_values = next(kind for kind in INTEGERS if span < kind[1] - 1)
            stored = np.full(len(values), n_values - 1, dtype=f"<{name}")
            stored[~missing] = whole - first
            return _Stored(name, stored, first, scale)
    return None
