"""Explanations of some columns: which ones `explain_subset` names, and what is kept of the values of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._member_explanation import MemberExplanation
from automl_explain.explainers.model._names import find_column

Columns = npt.NDArray[np.intp]


def find_subset(chosen: Sequence[Any] | None, names: Sequence[str] | None, n_features: int) -> Columns | None:
    """Return the positions of features given by name or position, in the order given; None for all of them.

    Raises
    ------
    InvalidInputError
        If there is no such feature, one is named twice, or none is named.
    """
    if chosen is None:
        return None
    if isinstance(chosen, str) or not np.iterable(chosen) or not len(chosen):
        raise InvalidInputError(
            f"The 'explain_subset' parameter must list one or more features, by name or position. Got {chosen!r}."
        )
    found = np.array([find_column(one, names, n_features, "explain_subset") for one in chosen], np.intp)
    if len(np.unique(found)) < len(found):
        raise InvalidInputError(f"The 'explain_subset' parameter must name each feature once. Got {list(chosen)}.")
    return found


def keep_features(explanation: Explanation, columns: Columns | None) -> Explanation:
    """Return the explanation of some features: the same values as before, and the sum of the others in `left_out`."""
    if columns is None:
        return explanation
    f, values = explanation.num_features, explanation.local_importance_values
    rest = np.setdiff1d(np.arange(f), columns)
    adds_up = values is not None and explanation.local_fidelity is None
    note = f"features: {len(columns)} of {f}, chosen by explain_subset"
    if adds_up:
        note += "; the sum of the other features' values is in left_out"
    return replace(
        explanation,
        local_importance_values=_last(values, columns),
        left_out=values[..., rest].sum(axis=-1) if adds_up and values is not None else None,
        standard_errors=_last(explanation.standard_errors, columns),
        global_values=_last(explanation.global_values, columns),
        class_values=_last(explanation.class_values, columns),
        importances=None if explanation.importances is None else explanation.importances[columns],
        features=_names(explanation.features, columns),
        data=None if explanation.data is None else explanation.data.keep(columns),
        feature_map=None,  # a raw column's value would lack those of its engineered columns that are left out
        notes=(*explanation.notes, note),
    )


def keep_shares(explanation: MemberExplanation, columns: Columns | None) -> MemberExplanation:
    """Return the members' shares of some features."""
    if columns is None:
        return explanation
    data = None if explanation.data is None else explanation.data.keep(columns)
    return explanation.keep_features(columns, _names(explanation.features, columns), data)


def _names(features: tuple[str, ...] | None, columns: Columns) -> tuple[str, ...] | None:
    return None if features is None else tuple(features[j] for j in columns.tolist())


def _last(values: npt.NDArray[np.float64] | None, columns: Columns) -> npt.NDArray[np.float64] | None:
    return None if values is None else values[..., columns]
