"""Features and rows to select, and how arrays, names and tables are cut to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.model._names import find_column
from automl_explain.explainers.tables._table import Table

Values = npt.NDArray[np.float64]
"""A float64 array of any shape."""
Positions = npt.NDArray[np.intp]
"""Numbers of rows or features, from 0."""


def find_features(
    chosen: Sequence[Any] | npt.NDArray[Any] | None, names: Sequence[str] | None, n_features: int, parameter: str
) -> Positions | None:
    """Return the positions of features given by name or position, in the order given; None for all features.

    Raises
    ------
    InvalidInputError
        If a feature is unknown or named twice, or none is named.
    """
    if chosen is None:
        return None
    if isinstance(chosen, str) or not np.iterable(chosen) or not len(chosen):
        raise InvalidInputError(
            f"The '{parameter}' parameter must list one or more features, by name or position. Got {chosen!r}."
        )
    found = np.array([find_column(one, names, n_features, parameter) for one in chosen], np.intp)
    if len(np.unique(found)) < len(found):
        raise InvalidInputError(f"The '{parameter}' parameter must name each feature once. Got {list(chosen)}.")
    return found


def find_rows(chosen: Any, n_rows: int) -> Positions | None:
    """Return the positions of rows given by number, slice, list of numbers or mask; None for all rows.

    Raises
    ------
    InvalidInputError
        If there is no such row, a row is named twice, or a mask has another length.
    """
    if chosen is None:
        return None
    try:
        given = np.arange(n_rows)[chosen] if isinstance(chosen, slice) else np.asarray(chosen)
    except (TypeError, ValueError, MemoryError) as error:
        raise InvalidInputError(_rows_message(n_rows, chosen)) from error
    if given.dtype == bool and given.shape == (n_rows,):
        return np.flatnonzero(given)
    if isinstance(chosen, tuple) or given.ndim > 1 or (given.size and given.dtype.kind not in "iu"):
        raise InvalidInputError(_rows_message(n_rows, chosen))
    found = np.atleast_1d(given).astype(np.intp)
    outside = found[(found < -n_rows) | (found >= n_rows)]
    if outside.size:
        raise InvalidInputError(_rows_message(n_rows, int(outside[0])))
    found = np.where(found < 0, found + n_rows, found)
    if len(np.unique(found)) < len(found):
        raise InvalidInputError(f"The 'rows' parameter must name each row once. Got {chosen!r}.")
    return found


def _rows_message(n_rows: int, chosen: Any) -> str:
    return (
        f"The 'rows' parameter must be a row number from {-n_rows} to {n_rows - 1}, a list of such numbers, a slice, or a "
        f"mask of {n_rows} booleans ({n_rows} rows were explained). Got {chosen!r}."
    )


def take(values: Values | None, positions: Positions, axis: int) -> Values | None:
    """Return the values at some positions of an axis."""
    return None if values is None else values.take(positions, axis)


def sum_left_out(before: Values | None, values: Values | None, rest: Positions) -> Values | None:
    """Return the sum of the values that were left out before and of the features left out now."""
    if values is None or not len(rest):
        return before
    total: Values = values[..., rest].sum(axis=-1)
    return total if before is None else before + total


def take_names(names: tuple[str, ...] | None, columns: Positions) -> tuple[str, ...] | None:
    """Return the names of some features."""
    return None if names is None else tuple(names[j] for j in columns.tolist())


def take_columns(data: Table | None, columns: Positions, n_features: int) -> Table | None:
    """Return some columns of a table with a column per feature; None for any other table."""
    return None if data is None or data.n_columns != n_features else data.keep(columns)


def take_map(feature_map: FeatureMap | None, columns: Positions) -> FeatureMap | None:
    """Return the map if all features are kept; with fewer, a raw column could lack some of its engineered columns."""
    if feature_map is None or len(columns) < len(feature_map.parent):
        return None
    return FeatureMap(feature_map.raw_names, feature_map.parent[columns])
