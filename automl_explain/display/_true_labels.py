"""True labels of the rows explained: in the order of the rows, and as positions among the classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.display._row_view import row_labels
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.formatting._numbers import python_value

MOST_NAMED = 10
"""Classes that a message names."""


def labels_in_order(explanation: Explanation, y: Any) -> npt.NDArray[Any]:
    """Return true labels in the order of the rows explained; a Series is matched with them by its index.

    Raises
    ------
    InvalidInputError
        If there is not one label per row, or one is missing.
    """
    found = matched_labels(explanation, y)
    if pd.isna(found).any():
        raise InvalidInputError(
            f"'y' has {int(pd.isna(found).sum())} missing values. Select the rows with a known label."
        )
    return found


def matched_labels(
    explanation: Explanation, y: Any, parameter: str = "y", n_rows: int | None = None
) -> npt.NDArray[Any]:
    """Return what is known of the true labels, one per row explained; a Series is matched with the rows by its index.

    Parameters
    ----------
    explanation : Explanation
    y : array-like
    parameter : str, default "y"
        Name of the parameter, for messages.
    n_rows : int, optional
        Number of rows, for an explanation without local values.

    Raises
    ------
    InvalidInputError
        If there is not one label per row.
    """
    n_rows, index = explanation.num_examples or n_rows, row_labels(explanation)
    if not n_rows:
        raise InvalidInputError(
            f"This explanation has no rows: local values are needed to compare them with '{parameter}'."
        )
    if isinstance(y, pd.Series) and index is not None and y.index.is_unique and index.isin(y.index).all():
        y = y.loc[index]
    found = np.ravel(y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y))
    if len(found) != n_rows:
        raise InvalidInputError(
            f"'{parameter}' must have a label for each of the {n_rows} rows explained. Got {len(found)}. A pandas Series is "
            "matched with them by its index."
        )
    return found


def class_codes(
    labels: npt.NDArray[Any], names: Sequence[Any], own: Sequence[Any] | None = None, parameter: str = "y"
) -> npt.NDArray[np.float64]:
    """Return the position of each label among the classes, NaN for a missing one.

    Labels may be the names of the classes that are shown, or all of them the model's own labels; numbers may be given as
    text, and the other way round.

    Parameters
    ----------
    labels : ndarray of shape (n,)
    names : sequence
        The classes that are shown.
    own : sequence, optional
        The model's own labels of the same classes.
    parameter : str, default "y"
        Name of the parameter, for messages.

    Raises
    ------
    InvalidInputError
        If a label is no class, or the labels stand for other classes in the one naming than in the other.
    """
    given = np.asarray(labels, dtype=object).tolist()
    namings = [list(map(python_value, names)), *([] if own is None else [list(map(python_value, own))])]
    found = [_positions(given, naming) for naming in namings]
    unknown = [[label for label, code in zip(given, codes, strict=True) if code < 0.0] for codes in found]
    fitting = [codes for codes, left in zip(found, unknown, strict=True) if not left]
    if not fitting:
        also = f", or the model's own labels {namings[1][:MOST_NAMED]}" if namings[1:] != namings[:1] and own else ""
        in_neither = set.intersection(*({str(label) for label in left} for left in unknown))
        wrong = sorted(in_neither or {str(label) for label in unknown[0]})[:5]
        raise InvalidInputError(f"'{parameter}' must hold the classes {namings[0][:MOST_NAMED]}{also}. Got {wrong}.")
    if not np.array_equal(fitting[0], fitting[-1], equal_nan=True):
        raise InvalidInputError(
            f"'{parameter}' holds labels of the model, {namings[1][:MOST_NAMED]}, that are also the names of other classes, "
            f"{namings[0][:MOST_NAMED]}. Give the classes names that are no labels of other classes."
        )
    return fitting[0]


def _positions(labels: list[Any], classes: list[Any]) -> npt.NDArray[np.float64]:
    """Positions of labels among classes; NaN for a missing one, -1 for an unknown one."""
    position = {key: code for code, label in enumerate(classes) for key in (str(label), _text(label))}
    return np.array(
        [np.nan if pd.isna(label) else position.get(_text(label), position.get(str(label), -1.0)) for label in labels],
        dtype=np.float64,
    )


def _text(label: Any) -> str:
    """Return a label as text by which it is found, whatever its number type: 1, 1.0, True and numpy's 1 are one label."""
    if not isinstance(label, bool | np.bool_ | int | float | np.number):
        return str(label)
    number = float(label)
    return str(int(number)) if number.is_integer() else str(number)
