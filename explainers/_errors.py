"""The errors and warnings of the library.

::

    AutoMLExplainError
    ├── InvalidInputError (ValueError)          a table, parameter or option that cannot be used
    │   ├── ColumnMismatchError                 columns that differ from those the model was trained on
    │   ├── ExternalModelError                  the model that a bundle needs is not passed, or is another one
    │   └── UntrustedModelError                 a model file that would run code, or has types that nobody trusted
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
PAGE = "docs/how_to/errors.md"
"""The page that says of each error what it means and what to do."""
NUMPY_BOOL = re.compile(r"\bnp\.(True|False)_")


def plain(message: str) -> str:
    """Return a message in which NumPy's numbers, texts and booleans read as Python's.

    >>> plain("Got [np.float64(1.0), np.str_('a'), np.True_].")
    "Got [1.0, 'a', True]."
    """
    return NUMPY_BOOL.sub(r"\1", NUMPY_SCALAR.sub(r"\1", message))


class AutoMLExplainError(Exception):
    """Base class of the errors of automl-explain.

    A traceback ends with a note (PEP 678) that names the page of the documentation on the error.

    Examples
    --------
    >>> from automl_explain import AutoMLExplainError, InvalidInputError, RunHistory
    >>> try:
    ...     RunHistory("/dev/null/history")
    ... except AutoMLExplainError as error:
    ...     print(type(error).__name__, error.__notes__)
    HistoryError ['Documentation: docs/how_to/errors.md#historyerror']
    """

    quotes_model = False  # whether it has words of a model's own code, which services do not pass on

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.add_note(f"Documentation: {PAGE}#{type(self).__name__.lower()}")

    def __str__(self) -> str:
        return plain(super().__str__())


class InvalidInputError(AutoMLExplainError, ValueError):
    """A table, parameter or option that cannot be used.

    Examples
    --------
    >>> from automl_explain import InvalidInputError, SamplingOptions
    >>> try:
    ...     SamplingOptions(nsamples=-1)
    ... except InvalidInputError as error:
    ...     print(error)
    The 'nsamples' parameter must be a whole number, 1 or more. Got -1.
    """


class ColumnMismatchError(InvalidInputError):
    """Columns that differ from those the model was trained on.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import ColumnMismatchError, explain_model
    >>> X = pd.DataFrame({"age": [1.0, 2.0, 4.0], "income": [3.0, 1.0, 2.0]})
    >>> try:
    ...     explain_model(Ridge().fit(X, [0, 1, 2]), X, X.rename(columns={"age": "ago"}))
    ... except ColumnMismatchError as error:
    ...     print(error)
    X lacks 1 of the training data's columns: ['age']. Column 'ago' is not in the training data. Did you mean 'age'?
    """


class ExternalModelError(InvalidInputError):
    """A bundle without its model, to which no model or another one was passed. The message says what to pass.

    Examples
    --------
    >>> from automl_explain import ExternalModelError, load
    >>> try:
    ...     load("my_directory")  # doctest: +SKIP
    ... except ExternalModelError as error:
    ...     scorer = load("my_directory", model=fitted_model)
    """


class UntrustedModelError(InvalidInputError):
    """A model file that would run code, or has types that the caller did not trust. The message says how to allow it.

    Examples
    --------
    >>> import pickle, tempfile
    >>> from pathlib import Path
    >>> from automl_explain import UntrustedModelError, load_model
    >>> path = Path(tempfile.mkdtemp()) / "model.pkl"
    >>> _ = path.write_bytes(pickle.dumps({}))
    >>> try:
    ...     load_model(path)
    ... except UntrustedModelError as error:
    ...     print("is a pickle" in str(error))
    True
    """


class UnsupportedModelError(AutoMLExplainError, TypeError):
    """A kind of model, or a variant of one, that cannot be explained.

    Examples
    --------
    >>> from automl_explain import UnsupportedModelError, describe
    >>> try:
    ...     describe("a model")
    ... except UnsupportedModelError as error:
    ...     print(error)
    Cannot explain str: it has no predict or predict_proba method. Pass a fitted model, or a function that returns predictions.
    """


class UnsupportedTaskError(AutoMLExplainError, ValueError):
    """A task that cannot be explained, such as forecasting.

    Examples
    --------
    >>> from automl_explain import UnsupportedTaskError
    >>> from automl_explain.integrations.flaml import AutoML
    >>> try:
    ...     AutoML(model_explainability=True).fit([[1]], [1], task="ts_forecast")
    ... except UnsupportedTaskError as error:
    ...     print(error)
    The FLAML task 'ts_forecast' cannot be explained. Supported tasks: classification, binary, multiclass, regression, rank. ...
    """


class NotFittedError(AutoMLExplainError, ValueError):
    """A model that is not fitted.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import NotFittedError, describe
    >>> try:
    ...     describe(Ridge())
    ... except NotFittedError as error:
    ...     print(error)
    This Ridge is not fitted yet. Call its 'fit' method with training data, then explain it.
    """


class AdditivityError(AutoMLExplainError, ArithmeticError):
    """Values that do not add up to the prediction they explain.

    Examples
    --------
    >>> import numpy as np
    >>> from automl_explain import AdditivityError, FittedModel, Linear, explain_model
    >>> X, wrong = np.eye(3), Linear(np.array([[1.0, 1.0, 1.0]]), np.zeros(1))
    >>> model = FittedModel({"response": lambda table: table[:, :1] * 5}, "response", "regression", wrong, n_features=3)
    >>> try:
    ...     explain_model(model, X, X)
    ... except AdditivityError as error:
    ...     print(error)
    The outputs computed from the structure of model miss the predictions of its library by up to 4 in response, ...
    """


class ExplanationNotFoundError(AutoMLExplainError, LookupError):
    """A run without an explanation. The message gives its status, the reason, and how to get an explanation.

    Examples
    --------
    >>> import tempfile
    >>> from automl_explain import ExplanationNotFoundError, RunHistory
    >>> history = RunHistory(tempfile.mkdtemp())
    >>> run = {"number": 0, "learner": "rf", "config": {}, "loss": 0.1, "metric": "log_loss", "kind": "trial"}
    >>> late = {"status": "skipped", "why": "the time budget was used up", "sample_size": None}
    >>> (run_id,) = history.add_runs(history.start_search("own", "binary", {}), [run | late])
    >>> try:
    ...     history.explanation(run_id)
    ... except ExplanationNotFoundError as error:
    ...     print(error)
    Run ... has no explanation: its status is skipped (the time budget was used up). Explain a model with ...
    """


class RunNotFoundError(AutoMLExplainError, LookupError):
    """A run id that is not in the history.

    Examples
    --------
    >>> import tempfile
    >>> from automl_explain import RunHistory, RunNotFoundError
    >>> try:
    ...     RunHistory(tempfile.mkdtemp()).run("20260101-abc")
    ... except RunNotFoundError as error:
    ...     print(error)
    There is no run '20260101-abc': the history ... has no runs yet.
    """


class HistoryError(AutoMLExplainError, OSError):
    """A run history that cannot be opened, read or written.

    Examples
    --------
    >>> from automl_explain import HistoryError, RunHistory
    >>> try:
    ...     RunHistory("/dev/null/history")
    ... except HistoryError as error:
    ...     print(error)
    The run history /dev/null/history cannot be opened for writing: ...
    """


class FormatVersionError(AutoMLExplainError, ValueError):
    """A file or history written by a newer version of automl-explain.

    Examples
    --------
    >>> from automl_explain import Explanation, FormatVersionError
    >>> try:
    ...     Explanation.load("newer.explanation")  # doctest: +SKIP
    ... except FormatVersionError as error:
    ...     print(error)
    """


class MissingExtraError(AutoMLExplainError, ImportError):
    """An optional package is missing. The message gives the pip command that installs it.

    Examples
    --------
    >>> from automl_explain import ExplanationDashboard, MissingExtraError
    >>> try:
    ...     ExplanationDashboard(explained).show()  # doctest: +SKIP
    ... except MissingExtraError as error:
    ...     print(error)
    """


class AutoMLExplainWarning(UserWarning):
    """Base class of the warnings of automl-explain.

    Examples
    --------
    >>> import warnings
    >>> from automl_explain import AutoMLExplainWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", AutoMLExplainWarning)  # each warning of the library raises
    """

    def __str__(self) -> str:
        return plain(super().__str__())


class AdditivityWarning(AutoMLExplainWarning):
    """Values that nearly, but not exactly, add up to the prediction.

    Examples
    --------
    >>> import warnings
    >>> from automl_explain import AdditivityWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", AdditivityWarning)  # values that only nearly add up raise
    """
