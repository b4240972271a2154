"""Every error and warning that the library raises on purpose.

::

    AutoMLExplainError
    ├── InvalidInputError (ValueError)          a table, parameter or option that cannot be used
    │   └── ColumnMismatchError                 columns that differ from those the model was trained on
    ├── UnsupportedModelError (TypeError)       nothing is known of this kind of model
    ├── UnsupportedTaskError (ValueError)       a task that has no explanation, such as forecasting
    ├── NotFittedError (ValueError)             a model that was never fitted
    ├── AdditivityError (ArithmeticError)       values that do not add up to the prediction
    ├── ExplanationNotFoundError (LookupError)  a run without an explanation; says its status and why
    ├── RunNotFoundError (LookupError)          no run of that id; says which there are
    ├── HistoryError (OSError)                  a history that cannot be opened or written
    ├── FormatVersionError (ValueError)         a file written by a newer version
    └── MissingExtraError (ImportError)         an optional package is needed; says the pip command

    AutoMLExplainWarning (UserWarning)
    └── AdditivityWarning                       values that nearly, but not exactly, add up
"""

from __future__ import annotations


class AutoMLExplainError(Exception):
    """Base of every error that automl-explain raises on purpose."""


class InvalidInputError(AutoMLExplainError, ValueError):
    """A table, parameter or option that cannot be used."""


class ColumnMismatchError(InvalidInputError):
    """Columns that differ from those the model was trained on."""


class UnsupportedModelError(AutoMLExplainError, TypeError):
    """A kind of model, or a variant of one, that cannot be explained."""


class UnsupportedTaskError(AutoMLExplainError, ValueError):
    """A task, such as forecasting, that has no explanation here."""


class NotFittedError(AutoMLExplainError, ValueError):
    """A model that was never fitted."""


class AdditivityError(AutoMLExplainError, ArithmeticError):
    """Values that do not add up to the prediction they explain."""


class ExplanationNotFoundError(AutoMLExplainError, LookupError):
    """A run that has no explanation; the message says its status, why, and how to get one."""


class RunNotFoundError(AutoMLExplainError, LookupError):
    """No run of that id in the history."""


class HistoryError(AutoMLExplainError, OSError):
    """A run history that cannot be opened, read or written."""


class FormatVersionError(AutoMLExplainError, ValueError):
    """A file or history written by a newer version of automl-explain."""


class MissingExtraError(AutoMLExplainError, ImportError):
    """An optional package is needed; the message is the pip command that installs it."""


class AutoMLExplainWarning(UserWarning):
    """Base of every warning that automl-explain issues."""


class AdditivityWarning(AutoMLExplainWarning):
    """Values that nearly, but not exactly, add up to the prediction."""
