"""The errors and warnings of the library.

::

    AutoMLExplainError
    ├── InvalidInputError (ValueError)          a table, parameter or option that cannot be used
    │   ├── ColumnMismatchError                 columns that differ from those the model was trained on
    │   └── ExternalModelError                  the model that a bundle needs is not passed, or is another one
    ├── UnsupportedModelError (TypeError)       a kind of model that cannot be explained
    ├── UnsupportedTaskError (ValueError)       a task that cannot be explained, such as forecasting
    ├── NotFittedError (ValueError)             a model that is not fitted
    ├── AdditivityError (ArithmeticError)       values that do not add up to the prediction
    ├── ExplanationNotFoundError (LookupError)  a run without an explanation; gives its status and the reason
    ├── RunNotFoundError (LookupError)          an unknown run id; lists known ones
    ├── HistoryError (OSError)                  a history that cannot be opened or written
    ├── FormatVersionError (ValueError)         a file written by a newer version
    └── MissingExtraError (ImportError)         an optional package is missing; gives the pip command

    AutoMLExplainWarning (UserWarning)
    └── AdditivityWarning                       values that nearly, but not exactly, add up
"""

from __future__ import annotations

import re

NUMPY_SCALAR = re.compile(r"\bnp\.\w+\(('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^()'\"]*)\)")
"""The representation of a NumPy number, text or date."""
NUMPY_BOOL = re.compile(r"\bnp\.(True|False)_")


def plain(message: str) -> str:
    """Return a message in which NumPy's numbers, texts and booleans read as Python's.

    >>> plain("Got [np.float64(1.0), np.str_('a'), np.True_].")
    "Got [1.0, 'a', True]."
    """
    return NUMPY_BOOL.sub(r"\1", NUMPY_SCALAR.sub(r"\1", message))


class AutoMLExplainError(Exception):
    """Base class of the errors of automl-explain."""

    def __str__(self) -> str:
        return plain(super().__str__())


class InvalidInputError(AutoMLExplainError, ValueError):
    """A table, parameter or option that cannot be used."""


class ColumnMismatchError(InvalidInputError):
    """Columns that differ from those the model was trained on."""


class ExternalModelError(InvalidInputError):
    """A bundle without its model, to which no model or another one was passed. The message says what to pass."""


class UnsupportedModelError(AutoMLExplainError, TypeError):
    """A kind of model, or a variant of one, that cannot be explained."""


class UnsupportedTaskError(AutoMLExplainError, ValueError):
    """A task that cannot be explained, such as forecasting."""


class NotFittedError(AutoMLExplainError, ValueError):
    """A model that is not fitted."""


class AdditivityError(AutoMLExplainError, ArithmeticError):
    """Values that do not add up to the prediction they explain."""


class ExplanationNotFoundError(AutoMLExplainError, LookupError):
    """A run without an explanation. The message gives its status, the reason, and how to get an explanation."""


class RunNotFoundError(AutoMLExplainError, LookupError):
    """A run id that is not in the history."""


class HistoryError(AutoMLExplainError, OSError):
    """A run history that cannot be opened, read or written."""


class FormatVersionError(AutoMLExplainError, ValueError):
    """A file or history written by a newer version of automl-explain."""


class MissingExtraError(AutoMLExplainError, ImportError):
    """An optional package is missing. The message gives the pip command that installs it."""


class AutoMLExplainWarning(UserWarning):
    """Base class of the warnings of automl-explain."""

    def __str__(self) -> str:
        return plain(super().__str__())


class AdditivityWarning(AutoMLExplainWarning):
    """Values that nearly, but not exactly, add up to the prediction."""
