"""Conversion of errors raised by a model's own code into `InvalidInputError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError


@contextmanager
def model_call(name: str, what: str) -> Iterator[None]:
    """Convert errors raised by a model's code into one typed error.

    Use it only around calls of the model or its preprocessing, since errors of this library are not caused by the table.

    Parameters
    ----------
    name : str
        Name of the model.
    what : str
        Name of the table that was passed to it, such as ``"X"``.

    Raises
    ------
    InvalidInputError
        If the model raises a `ValueError`, a `TypeError`, or an error class of a library, such as that of CatBoost.
    """
    try:
        yield
    except AutoMLExplainError:
        raise
    except Exception as error:
        if not isinstance(error, ValueError | TypeError) and type(error).__module__ == "builtins":
            raise
        raise InvalidInputError(f"{name} cannot take the values of {what}: {error}") from error
