"""A reader of Universal Binary JSON, the format in which XGBoost saves a model fastest.

Numbers are big-endian. Arrays of one type are read into NumPy arrays in one step, so that large trees are read quickly.
Format: https://ubjson.org (draft 12).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from automl_explain.explainers._errors import InvalidInputError

NUMBERS = {b"i": ">i1", b"U": ">u1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8"}
"""NumPy type of each numeric marker."""
CONSTANTS = {b"Z": None, b"T": True, b"F": False}
"""Value of each marker without data."""


def loads(data: bytes | bytearray) -> Any:
    """Return the value of a UBJSON document: objects as dict, typed arrays as ndarray, other arrays as list."""
    return _Reader(bytes(data)).value()


class _Reader:
    """A position in a document."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def value(self) -> Any:
        """Read the value that begins here."""
        return self._value(self._take())

    def _take(self, size: int = 1) -> bytes:
        start, self._at = self._at, self._at + size
        return self._data[start : self._at]

    def _peek(self) -> bytes:
        return self._data[self._at : self._at + 1]

    def _value(self, marker: bytes) -> Any:
        if marker in NUMBERS:
            return self._numbers(marker, 1)[0].item()
        if marker in CONSTANTS:
            return CONSTANTS[marker]
        if marker in b"SC":
            return self._take(1 if marker == b"C" else self.value()).decode()
        if marker == b"[":
            return self._array()
        if marker == b"{":
            return self._object()
        raise InvalidInputError(f"Expected a UBJSON value at byte {self._at - 1}. Got the marker {marker!r}.")

    def _numbers(self, marker: bytes, count: int) -> np.ndarray[Any, Any]:
        dtype = np.dtype(NUMBERS[marker])
        array = np.frombuffer(self._data, dtype, count, self._at)
        self._at += dtype.itemsize * count
        return array

    def _shape(self) -> tuple[bytes | None, int | None]:
        """Read the element type and the count, which may precede the elements."""
        marker = count = None
        if self._peek() == b"$":
            self._at += 1
            marker = self._take()
        if self._peek() == b"#":
            self._at += 1
            count = self.value()
        return marker, count

    def _array(self) -> Any:
        marker, count = self._shape()
        if marker in NUMBERS and count is not None:
            return self._numbers(marker, count).astype(NUMBERS[marker][1:])
        if count is not None:
            return [self._value(marker or self._take()) for _ in range(count)]
        values = []
        while self._peek() != b"]":
            values.append(self.value())
        self._at += 1
        return values

    def _object(self) -> dict[str, Any]:
        marker, count = self._shape()
        entries: dict[str, Any] = {}
        while len(entries) != count and self._peek() != b"}":
            key = self._take(self.value()).decode()
            entries[key] = self._value(marker or self._take())
        if count is None:
            self._at += 1
        return entries
