"""Calls of a model's own code: its errors become typed ones, and its answers have a row for each row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError, NotFittedError


@contextmanager
def model_call(name: str, what: str) -> Iterator[None]:
    """Convert errors raised by a model's code into typed errors that keep its own words.

    Use it only around calls of the model or its preprocessing, since errors of this library are not caused by the table.

    Parameters
    ----------
    name : str
        Name of the model.
    what : str
        Name of the table that was passed to it, such as ``"X"``.

    Raises
    ------
    NotFittedError
        If the model says that it is not fitted.
    InvalidInputError
        If the model raises any other error, except one about memory.
    """
    try:
        yield
    except (AutoMLExplainError, MemoryError):
        raise
    except Exception as error:
        problem = _problem(name, what, error)
        problem.quotes_model = True
        raise problem from error


def _problem(name: str, what: str, error: Exception) -> AutoMLExplainError:
    """Return the typed error that says what a model said."""
    if _says_not_fitted(error):
        return NotFittedError(
            f"{name} is not fitted yet. Call its 'fit' method with training data, then explain it. It says: {error}"
        )
    told = f"{name} cannot take the values of {what}: "
    said, *_ = str(error).split("\nStack trace:")  # of XGBoost's native code
    if isinstance(error, ValueError | TypeError | AttributeError) or type(error).__module__ != "builtins":
        return InvalidInputError(f"{told}{said}")
    given = "list of texts" if what.endswith("texts") else "table of the caller's types"
    return InvalidInputError(
        f"{told}{type(error).__name__}: {said}. It gets {what} as a {given}; pass a function that converts them and calls the "
        "model if it needs other types."
    )


def _says_not_fitted(error: Exception) -> bool:
    """Whether it is scikit-learn's error, which is looked up by name so that scikit-learn need not be there."""
    return any(
        (cls.__module__, cls.__name__) == ("sklearn.exceptions", "NotFittedError") for cls in type(error).__mro__
    )


@dataclass(frozen=True)
class RowWise:
    """A function of a model or its preprocessing, refused if it does not return one row for each row of the table.

    Code that reads a sequence of texts takes the column names of a frame for its texts. This goes unnoticed if a frame has
    as many rows as columns, so such a frame is passed with one more row.

    Parameters
    ----------
    function : callable
        From a table to an array, frame or sparse matrix.
    """

    function: Callable[[Any], Any]

    def __call__(self, table: Any) -> Any:
        """Return the rows that the function makes of the table.

        Raises
        ------
        InvalidInputError
            If there are more or fewer than the table has.
        """
        n_rows = table.shape[0]
        more = n_rows == table.shape[1] and _holds_text(table)
        given = table.iloc[np.append(np.arange(n_rows), n_rows - 1)] if more else table
        made = self.function(given)
        found = made.shape[0] if hasattr(made, "shape") else len(made)
        if found != given.shape[0]:
            raise InvalidInputError(
                f"A model must return one row for each row of the table. Got {found} for {given.shape[0]} rows. A step that "
                "reads texts needs a single column of them: ColumnTransformer([('words', TfidfVectorizer(), 'text')]) passes it "
                "the column 'text' of a frame."
            )
        return made if not more else made.iloc[:-1] if isinstance(made, pd.DataFrame) else made[:-1]


def _holds_text(table: Any) -> bool:
    return isinstance(table, pd.DataFrame) and any(
        pd.api.types.is_object_dtype(dtype) or pd.api.types.is_string_dtype(dtype) for dtype in table.dtypes
    )
