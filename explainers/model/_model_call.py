"""Errors of a model's own code, told as what they are: the table's values do not fit the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError


@contextmanager
def model_call(name: str, what: str) -> Iterator[None]:
    """Turn what a model's code raises into one typed error.

    Only calls of the model or of its preprocessing belong inside: an error in our own code is not the table's fault.

    Parameters
    ----------
    name : str
        What the model is called.
    what : str
        The table that it was given, such as ``"X"``.

    Raises
    ------
    InvalidInputError
        For a `ValueError` or `TypeError` of the model.
    """
    try:
        yield
    except AutoMLExplainError:
        raise
    except (ValueError, TypeError) as error:
        raise InvalidInputError(f"{name} cannot take the values of {what}: {error}") from error
