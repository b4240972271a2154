"""Documents of the caller as a list of texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from automl_explain.explainers._errors import InvalidInputError

WANTED = "a text, or a list, array or Series of texts"


def read_texts(documents: Any, what: str = "documents") -> list[str]:
    """Return documents as a list of texts.

    Parameters
    ----------
    documents : str, or list, array, Series or one-column DataFrame of str, of pandas, polars or pyarrow
        A single text is a list of one.
    what : str
        Name of the parameter in messages.

    Raises
    ------
    InvalidInputError
        If it is anything else, or a cell is missing, bytes or no text.
    """
    if isinstance(documents, str):
        return [str(documents)]
    if isinstance(documents, pd.DataFrame) and documents.shape[1] == 1:
        documents = documents.iloc[:, 0]
    if hasattr(documents, "to_pylist"):  # an array of pyarrow
        documents = documents.to_pylist()
    elif getattr(documents, "shape", ())[1:] == (1,):
        documents = np.asarray(documents)[:, 0]
    is_list = isinstance(documents, Iterable) and not isinstance(documents, bytes | dict)
    if not is_list or getattr(documents, "ndim", 1) != 1:
        shape = f" of shape {documents.shape}" if hasattr(documents, "shape") else ""
        raise InvalidInputError(
            f"The {what!r} parameter must be {WANTED}. Got {type(documents).__name__}{shape}: pass the column of texts, such "
            "as frame['text']."
        )
    return [_text(cell, place, what) for place, cell in enumerate(documents)]


def is_texts(given: Any) -> bool:
    """Return whether an argument is a text or a one-dimensional collection that starts with texts."""
    if isinstance(given, str):
        return True
    if isinstance(given, np.ndarray | pd.Series) or hasattr(given, "dtype"):
        values = np.asarray(given) if getattr(given, "ndim", 0) == 1 else np.empty(0)
        return bool(len(values)) and isinstance(values[0], str)
    return isinstance(given, list | tuple) and bool(given) and isinstance(given[0], str)


def _text(cell: Any, place: int, what: str) -> str:
    if isinstance(cell, str):
        return str(cell)  # strings of NumPy and others become those of Python
    if isinstance(cell, bytes | bytearray):
        raise InvalidInputError(
            f"The {what!r} parameter must hold texts. Got bytes at position {place}: decode them, such as with "
            "text.decode('utf-8')."
        )
    if cell is None or (pd.api.types.is_scalar(cell) and pd.isna(cell)):
        raise InvalidInputError(
            f"The {what!r} parameter must hold texts. The cell at position {place} is missing ({cell!r}): fill missing texts "
            "with '', or leave them out."
        )
    raise InvalidInputError(
        f"The {what!r} parameter must hold texts. Got {type(cell).__name__} at position {place}: convert it with str()."
    )
