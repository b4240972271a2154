"""Arrays as the content of ``.npy`` files, and back."""

from __future__ import annotations

import io
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError

HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
"""Version of the format -> function that reads a header."""
NUMBERS = "biuf"
"""Kinds of dtype of numbers."""


def array_bytes(array: npt.NDArray[Any]) -> bytes:
    """Return an array, which holds no Python objects, as the content of a ``.npy`` file."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
    return stream.getvalue()


def array_of_bytes(content: bytes, name: str, kinds: str = NUMBERS) -> npt.NDArray[Any]:
    """Return the array of a ``.npy`` file, which can be written to.

    Parameters
    ----------
    content : bytes
    name : str
        Name of the file, for messages.
    kinds : str
        Kinds of dtype that are taken.

    Raises
    ------
    InvalidInputError
        If the content is no such array, or its header does not agree with its size.
    """
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        if version not in HEADERS:
            raise InvalidInputError(f"{name!r} has the version {version} of .npy, which bundles do not have.")
        shape, fortran, dtype = HEADERS[version](stream)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise InvalidInputError(f"{name!r} is no array: {error}.") from error
    rest = len(content) - stream.tell()
    whole = not fortran and min(shape, default=0) >= 0 and prod(shape) * dtype.itemsize == rest
    if dtype.hasobject or dtype.kind not in kinds or not whole:
        raise InvalidInputError(f"{name!r} is no array of the size of its file, or holds the wrong type, {dtype}.")
    if not rest:
        return np.zeros(shape, dtype)
    return np.frombuffer(content, dtype=dtype, offset=stream.tell()).reshape(shape).copy()
