"""What Python answers to a page: predictions and explanations of edited rows, or a sentence on why there are none."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.dashboard.data._page_model import AnyPageModel
from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError

LOGGER = logging.getLogger("automl_explain.dashboard")
MOST_ROWS = 5000
"""Rows of a request: enough for every chart of the page."""
Numbers = npt.NDArray[np.float64]


class Answers:
    """Answers a page's questions about one model, one at a time, since not every model may be called from two threads.

    Parameters
    ----------
    model : AnyPageModel or None
    """

    def __init__(self, model: AnyPageModel | None) -> None:
        self._model, self._lock = model, threading.Lock()

    def answer(self, method: str, rows: Any) -> dict[str, Any]:
        """Return the answer as JSON.

        Parameters
        ----------
        method : {"predict", "explain"}
        rows : list of lists of numbers
            Rows of the page; None is a missing cell.

        Raises
        ------
        InvalidInputError
            If the rows cannot be answered. The message is shown on the page.
        """
        act = METHODS.get(method)
        if act is None or not isinstance(rows, list) or not 0 < len(rows) <= MOST_ROWS:
            raise InvalidInputError(f"A question is one of {list(METHODS)} of 1 to {MOST_ROWS} rows.")
        if self._model is None:
            raise InvalidInputError("This dashboard has no model, so that edited rows cannot be predicted.")
        try:
            with self._lock:
                return act(self._model, rows)
        except AutoMLExplainError as error:
            raise InvalidInputError(str(error)) from error
        except Exception as error:  # a model may raise anything; the page must stay usable
            LOGGER.warning("the model failed on rows of the dashboard", exc_info=error)
            raise InvalidInputError(f"The model failed on this row. {type(error).__name__}: {error}") from error


def _predict(model: AnyPageModel, rows: list[Any]) -> dict[str, Any]:
    answer = model.predict(model.table(rows))
    probability = None if answer.probability is None else _finite(answer.probability)
    return {"output": _finite(answer.output), "probability": probability}


def _explain(model: AnyPageModel, rows: list[Any]) -> dict[str, Any]:
    found = model.explain(model.table(rows))
    values, errors = found.local_importance_values, found.standard_errors
    assert values is not None  # these explainers give values of rows
    by_output = found.is_classification
    return {
        "values": _by_row(values if by_output else values[None]),
        "errors": None if errors is None else _by_row(errors if by_output else errors[None]),
        "expected": found.expected_values.tolist(),
        "note": " ".join(found.notes) or None,
    }


def _by_row(values: Numbers) -> list[Any]:
    return list(values.tolist())


def _finite(outputs: Numbers) -> list[Any]:
    if not np.isfinite(outputs).all():
        raise InvalidInputError("The model predicted NaN or infinity for this row.")
    return list(outputs.tolist())


METHODS: dict[str, Callable[[AnyPageModel, list[Any]], dict[str, Any]]] = {"predict": _predict, "explain": _explain}
"""Question of the page -> what answers it."""


def read_question(message: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the method and the rows of a message."""
    return str(message.get("method")), message.get("rows")
