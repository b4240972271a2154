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
    column = _only_column(documents)
    is_list = isinstance(column, Iterable) and not isinstance(column, bytes | bytearray | dict)
    if not is_list or len(_shape(column)) > 1 or getattr(column, "ndim", 1) != 1:
        shape = f" of shape {tuple(documents.shape)}" if hasattr(documents, "shape") else ""
        raise InvalidInputError(
            f"The {what!r} parameter must be {WANTED}. Got {type(documents).__name__}{shape}: pass the column of texts, such "
            "as frame['text']."
        )
    return [_text(cell, place, what) for place, cell in enumerate(column)]


def is_texts(given: Any) -> bool:
    """Return whether an argument is a text or a one-dimensional collection whose first cell that is not missing is a text."""
    if isinstance(given, str):
        return True
    is_list = isinstance(given, list | tuple) or hasattr(given, "to_pylist")
    n_dimensions = len(_shape(given))
    if n_dimensions > 1 or not (is_list or n_dimensions == 1):
        return False
    cells = (cell.as_py() if hasattr(cell, "as_py") else cell for cell in given)  # of pyarrow
    return isinstance(next((cell for cell in cells if not _is_missing(cell)), None), str)


def is_one_column(given: Any) -> bool:
    """Return whether an argument may be a column of cells: anything but a table of several columns, or of more dimensions."""
    return _shape(given)[1:] in ((), (1,))


def _only_column(given: Any) -> Any:
    """Return the only column of a table of pandas, polars, pyarrow or NumPy; anything else as it is."""
    if _shape(given)[1:] == (1,):
        given = given.iloc[:, 0] if isinstance(given, pd.DataFrame) else _column_of(given)
    return given.to_pylist() if hasattr(given, "to_pylist") and len(_shape(given)) < 2 else given


def _column_of(table: Any) -> Any:
    return table.column(0) if hasattr(table, "column_names") else np.asarray(table)[:, 0]


def _shape(given: Any) -> tuple[Any, ...]:
    shape = getattr(given, "shape", ())
    return tuple(shape) if isinstance(shape, Iterable) else ()


def _is_missing(cell: Any) -> bool:
    return cell is None or (pd.api.types.is_scalar(cell) and bool(pd.isna(cell)))


def _text(cell: Any, place: int, what: str) -> str:
    if isinstance(cell, str):
        return str(cell)  # strings of NumPy and others become those of Python
    if isinstance(cell, bytes | bytearray):
        raise InvalidInputError(
            f"The {what!r} parameter must hold texts. Got bytes at position {place}: decode them, such as with "
            "text.decode('utf-8')."
        )
    if _is_missing(cell):
        raise InvalidInputError(
            f"The {what!r} parameter must hold texts. The cell at position {place} is missing ({cell!r}): fill missing texts "
            "with '', or leave them out."
        )
    raise InvalidInputError(
        f"The {what!r} parameter must hold texts. Got {type(cell).__name__} at position {place}: convert it with str()."
    )
