"""Class names of a model that knows its classes only as codes, read from the labels of its training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import linear_sum_assignment

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.tables._table import Table, draw_rows

MOST_ROWS = 2000
"""Rows that are predicted to see whether the labels belong to the codes."""
DOUBT = 0.1
"""Share of rows by which another match of labels and codes must fit better, so that the sorted one is doubted."""


def names_of_labels(y: Any, model: FittedModel, X: Table) -> tuple[Any, ...] | None:
    """Return the names of a model's classes 0, 1, ... from the labels of its training rows; None if it has its own.

    Label encoders give codes in the sorted order of the labels. Labels whose codes may also have another order are refused.

    Parameters
    ----------
    y : array-like
        The labels of `X`, or of other rows.
    model : FittedModel
    X : Table
        Rows as the model takes them. If there are as many as labels, their predictions must not contradict the names.

    Raises
    ------
    InvalidInputError
        If it is not certain which label a code stands for.
    """
    known = model.classes
    if y is None or known is None or tuple(known) != tuple(range(len(known))):
        return None
    labels = _as_series(y)
    found = list(pd.unique(labels.dropna().astype(object)))
    if len(found) != len(known) or set(found) == set(known):
        return None
    names = _sorted(found)
    if isinstance(labels.dtype, pd.CategoricalDtype):
        by_code = [label for label in labels.cat.categories if label in set(found)]
        if by_code != names:
            raise _doubtful(names, by_code, "their order as categories")
    if all(isinstance(name, str) for name in names):
        by_number = pd.to_numeric(pd.Series(names), errors="coerce")
        if by_number.notna().all() and not by_number.is_monotonic_increasing:
            raise _doubtful(names, [names[i] for i in np.argsort(by_number, kind="stable")], "their order as numbers")
    if len(labels) == len(X):
        _check_predictions(labels, names, model, X)
    return tuple(name if isinstance(name, str | int | float | bool) else str(name) for name in names)


def _as_series(y: Any) -> pd.Series:
    if isinstance(y, pd.DataFrame) and y.shape[1] == 1:
        return y.iloc[:, 0]
    if isinstance(y, pd.Series | pd.Categorical | pd.Index):
        return pd.Series(y)
    return pd.Series(np.ravel(np.asarray(y)))


def _sorted(labels: list[Any]) -> list[Any]:
    """Return labels in the order in which a label encoder numbers them."""
    plain = [label.item() if isinstance(label, np.generic) else label for label in labels]
    try:
        return sorted(plain)
    except TypeError:
        kinds = sorted({type(label).__name__ for label in plain})
        raise InvalidInputError(
            f"The 'y_train' parameter must hold labels of one type, which have an order. Got {', '.join(kinds)}. Pass "
            "classes={code: name} to name the classes."
        ) from None


def _check_predictions(labels: pd.Series, names: list[Any], model: FittedModel, X: Table) -> None:
    """Refuse names if the predictions of the rows fit another match of labels and codes clearly better."""
    chosen = draw_rows(len(X), MOST_ROWS, random_state=0)
    codes = pd.Index(names, dtype=object).get_indexer(pd.Index(labels.astype(object)))[chosen]
    rows = X.take(chosen)
    outputs = predict_finite(model, model.transform(rows.data, "X_train"), "X_train")
    counts: npt.NDArray[np.float64] = np.zeros((len(names), len(names)))
    np.add.at(counts, (outputs.argmax(axis=1)[codes >= 0], codes[codes >= 0]), 1.0)
    best, total = linear_sum_assignment(-counts)[1], counts.sum()
    gain = counts[np.arange(len(names)), best].sum() - np.trace(counts)
    if gain > max(DOUBT * total, 3.0 * np.sqrt(total)):
        raise _doubtful(names, [names[i] for i in best], "the predictions of X_train")


def _doubtful(names: list[Any], others: list[Any], why: str) -> InvalidInputError:
    example = ", ".join(f"{code}: {name!r}" for code, name in enumerate(others[:4])) + (
        ", ..." if len(others) > 4 else ""
    )
    return InvalidInputError(
        f"The labels of 'y_train' cannot be matched with the model's classes 0 to {len(names) - 1}: sorted they are "
        f"{names[:4]}, by {why} {others[:4]}. Name the classes with classes={{code: name}}, such as {{{example}}}."
    )
