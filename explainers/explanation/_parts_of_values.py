"""Parts of an explanation's values: some rows, some features, or the sums over raw columns."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._selection import (
    Positions,
    Values,
    sum_left_out,
    take,
    take_columns,
    take_map,
    take_names,
)
from automl_explain.explainers.explanation._values import ExplanationValues
from automl_explain.explainers.model._feature_map import FeatureMap

Kept = TypeVar("Kept", bound=ExplanationValues)
"""The class of the values, which stays the same."""


def take_rows(values: Kept, rows: Positions | None) -> Kept:
    """Return the values of some rows."""
    if rows is None:
        return values
    return replace(
        values,
        local_importance_values=take(values.local_importance_values, rows, -2),
        data=None if values.data is None else values.data.take(rows),
        predictions=take(values.predictions, rows, 0),
        fold_importances=None,  # means over all rows
        standard_errors=take(values.standard_errors, rows, -2),
        local_fidelity=take(values.local_fidelity, rows, -1),
        intercepts=take(values.intercepts, rows, -1),
        left_out=take(values.left_out, rows, -1),
    )


def take_features(values: Kept, columns: Positions | None, why: str) -> Kept:
    """Return the values of some features; if values are additive, those of the others are added to `left_out`."""
    if columns is None:
        return values
    n_features, local = values.num_features, values.local_importance_values
    rest = np.setdiff1d(np.arange(n_features), columns)
    note = f"features: {len(columns)} of {n_features}{f', {why}' if why else ''}"
    if values.is_additive and local is not None:
        note += "; local values of the other features are summed in left_out"
    return replace(
        values,
        local_importance_values=take(local, columns, -1),
        left_out=sum_left_out(values.left_out, local, rest) if values.is_additive else None,
        fold_importances=take(values.fold_importances, columns, -1),
        standard_errors=take(values.standard_errors, columns, -1),
        global_values=take(values.global_values, columns, -1),
        class_values=take(values.class_values, columns, -1),
        importances=take(values.importances, columns, 0),
        group_sums=take(values.group_sums, columns, -1),
        features=take_names(values.features, columns),
        data=take_columns(values.data, columns, n_features),
        feature_map=take_map(values.feature_map, columns),
        input_shapes=None,
        notes=(*values.notes, note) if len(rest) else values.notes,
    )


def sum_to_raw(values: Kept, feature_map: FeatureMap) -> Kept:
    """Return the values of raw columns: sums over the engineered columns of each.

    Raises
    ------
    InvalidInputError
        If the map has a different number of columns, or mean absolute values would have to be added.
    """
    parent = feature_map.parent
    if len(parent) != values.num_features:
        raise InvalidInputError(
            f"The feature map must have {values.num_features} engineered columns. Got {len(parent)}."
        )
    if values.local_importance_values is None and len(set(parent.tolist())) < len(parent):
        raise InvalidInputError(
            "Mean absolute values cannot be summed over the columns of one raw column; explain with include_local=True, "
            "or with feature_space='raw'."
        )

    def pooled(array: Values | None) -> Values | None:
        return None if array is None else feature_map.pool(array)

    importances = values.importances
    return replace(
        values,
        local_importance_values=pooled(values.local_importance_values),
        global_values=pooled(values.global_values),
        class_values=pooled(values.class_values),
        fold_importances=None,
        group_sums=pooled(values.group_sums),
        importances=None if importances is None else feature_map.pool(importances.T).T,
        features=feature_map.raw_names,
        data=None,
        input_shapes=None,
        is_raw=True,
        feature_map=None,
        standard_errors=None,
    )
