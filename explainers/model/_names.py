"""Names of features and classes: those of the caller, the table or the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from automl_explain.explainers._arguments import nearest
from automl_explain.explainers._constraints import LABEL
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.tables._table import Table

ClassNames: TypeAlias = Sequence[Any] | Mapping[Any, Any]
"""Class names in the model's order, or a mapping from the model's labels to names."""


def feature_names(
    features: Sequence[str] | None, model: FittedModel, background: Table | None, n_inputs: int | None, *, raw: bool
) -> tuple[str, ...] | None:
    """Return the names of the explained features, in the order of the columns; None if they have no names.

    Parameters
    ----------
    features : sequence of str or None
        The caller's names.
    model : FittedModel
    background : Table or None
        Background rows in the model's engineered format.
    n_inputs : int or None
        Number of columns of the table that the caller passes.
    raw : bool
        Whether raw columns are explained.

    Raises
    ------
    InvalidInputError
        If the caller's names are not a list, not distinct, or their number differs from that of the features.
    """
    names = given_names(features)
    feature_map = model.feature_map
    if raw and feature_map is not None:
        known: tuple[str, ...] | None = feature_map.raw_names
        n_features = len(feature_map.raw_names)
    else:
        n_features = background.n_columns if background is not None else model.n_features or 0
        known = (None if background is None else background.names) or model.feature_names
    if names is None:
        return known
    if known is not None and set(names) == set(known):
        return known  # in the order of the columns, which the preprocessing may have changed
    if len(names) == n_inputs and model.preprocessing is not None and not raw:  # names of raw columns
        one_to_one = feature_map is not None and model.raw_names is None and len(set(feature_map.parent)) == n_features
        return tuple(names[j] for j in feature_map.parent) if feature_map is not None and one_to_one else known
    if len(names) == n_features:
        return names
    raise InvalidInputError(
        f"The 'features' parameter must name {n_features} features. Got {len(names)}: {list(names[:5])}."
    )


def class_names(classes: ClassNames | None, model: FittedModel) -> tuple[Any, ...] | None:
    """Return the caller's class names, or the model's.

    Parameters
    ----------
    classes : sequence, mapping or None
        Names in the order of the model's labels, or a mapping from each label to its name.
    model : FittedModel

    Raises
    ------
    InvalidInputError
        If the model is a regression, the names are not those of its classes one to one, or they are the model's own labels
        in another order.
    """
    if classes is None:
        return model.classes
    own = model.classes
    if own is None:
        raise InvalidInputError(f"The 'classes' parameter must not be given: {model.name} is a regression.")
    if isinstance(classes, str) or not np.iterable(classes):
        raise InvalidInputError(f"The 'classes' parameter must be a list of names. Got {classes!r}.")
    if len(classes) != len(own):
        raise InvalidInputError(
            f"The 'classes' parameter must name {len(own)} classes (the model predicts {len(own)}). "
            f"Got {len(classes)}: {list(classes)}."
        )
    given = classes.values() if isinstance(classes, Mapping) else classes
    if wrong := [name for name in given if not LABEL.takes(name)]:
        raise InvalidInputError(f"The 'classes' parameter must give each class a single label. Got {wrong[0]!r}.")
    if isinstance(classes, Mapping):
        unknown = [label for label in classes if label not in own]
        if unknown:
            raise InvalidInputError(
                f"The 'classes' parameter must map the model's labels, {list(own)}, to names. Got the label {unknown[0]!r}."
            )
        return tuple(classes[label] for label in own)
    if _reorders(list(classes), list(own)) or _reorders(list(map(str, classes)), list(map(str, own))):
        raise InvalidInputError(
            f"The 'classes' parameter must name the classes in the model's order, {list(own)}. Got the model's own labels in "
            f"another order: {list(classes)}. To give a class the label of another as its name, pass a mapping {{label: name}}."
        )
    return tuple(classes)


def _reorders(names: list[Any], labels: list[Any]) -> bool:
    return names != labels and all(name in labels for name in names) and all(label in names for label in labels)


def input_names(features: Sequence[str] | None, table: Table, model: FittedModel) -> tuple[str, ...] | None:
    """Return the column names of the caller's table: those of the table, of the caller, or of the model."""
    names = given_names(features)
    if table.names is not None or names is None:
        return table.names or model.input_names
    if len(names) != table.n_columns:
        raise InvalidInputError(
            f"The 'features' parameter must name {table.n_columns} features. Got {len(names)}: {list(names[:5])}."
        )
    return names


def given_names(features: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the feature names that the caller passed, as strings.

    Raises
    ------
    InvalidInputError
        If the names are not a list, or not distinct.
    """
    if features is None:
        return None
    if isinstance(features, str) or not np.iterable(features):
        raise InvalidInputError(f"The 'features' parameter must be a list of names. Got {features!r}.")
    names = tuple(map(str, features))
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise InvalidInputError(
            f"The 'features' parameter must name each feature once. Got {twice[0]!r} several times."
        )
    return names


def find_column(column: Any, names: Sequence[str] | None, n_columns: int, parameter: str) -> int:
    """Return the position of a column given by name or position. A number that is also a column name is read as a name.

    Raises
    ------
    InvalidInputError
        If the column does not exist.
    """
    known = list(names or ())
    if str(column) in known:
        return known.index(str(column))
    if isinstance(column, int | np.integer) and not isinstance(column, bool) and 0 <= column < n_columns:
        return int(column)
    guess = nearest(str(column), known)
    raise InvalidInputError(
        f"The '{parameter}' parameter must name features, or their positions from 0 to {n_columns - 1}. Got {column!r}."
        + (f" Did you mean {guess!r}?" if guess else "")
    )
