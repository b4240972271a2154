"""The one place where an error in a fast path is caught: the slower way is taken, and the error is logged and told.

A fast path reads more of a model than its predictions: the reader of its class, or an engine for its structure. If it
raises, the model is explained from its predictions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from automl_explain.explainers._errors import AutoMLExplainError, UnsupportedModelError

logger = logging.getLogger("automl_explain")

Found = TypeVar("Found")

FELL_BACK = "%s; explained from predictions instead"
"""The message that is logged if a fast path fails."""


def blamed_on_us(what: str, compute: Callable[[], Found]) -> Found:
    """Return what is computed from a structure for which predictions are no substitute.

    Raises
    ------
    UnsupportedModelError
        If it fails, which it should not. Errors of this library and lack of memory are raised as they are.
    """
    try:
        return compute()
    except Exception as error:
        if isinstance(error, AutoMLExplainError | MemoryError):
            raise
        raise UnsupportedModelError(
            f"{what} failed ({type(error).__name__}: {' '.join(str(error).split())}). This is a fault of automl-explain, not of "
            "your data; please report this model."
        ) from error


def fall_back(
    what: str, fast: Callable[[], Found], slow: Callable[[str], Found], *, raised: tuple[type[Exception], ...] = ()
) -> Found:
    """Return what the fast way gives, or what the slow way gives if the fast one raises.

    An error of both ways is not one of the fast path: it is raised, the first one if it is an error of this library.

    Parameters
    ----------
    what : str
        The fast way, as the start of a sentence.
    fast : callable
    slow : callable
        Takes a sentence that says what failed and why.
    raised : tuple of exception classes
        Errors of the fast way that are raised, such as refusals. Lack of memory is always raised.

    Returns
    -------
    The result of either
    """
    try:
        return fast()
    except Exception as error:
        if isinstance(error, (MemoryError, *raised)):
            raise
        why = f"{what} failed ({type(error).__name__}: {' '.join(str(error).split())})"
        try:
            found = slow(why)
        except AutoMLExplainError:
            if isinstance(error, AutoMLExplainError):
                raise error from None
            raise
        logger.warning(FELL_BACK, why, exc_info=error)
        return found
