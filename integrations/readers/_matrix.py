"""Convert the tables that users pass to the float64 matrices that trees read, without changing any number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._structures import Matrix
from automl_explain.explainers.tables._column_codes import category_codes, column_codes

Categories = Mapping[int, Sequence[Any] | None]
"""Column number -> categories in the order of their codes; None: use the codes of the table itself."""


def to_matrix(table: Any, categories: Categories | None = None, *, absent: float = 0.0) -> Matrix:
    """Return a table as a float64 matrix.

    Parameters
    ----------
    table : DataFrame, ndarray, sparse matrix or list of lists, shape (n, f)
        Booleans become 0 and 1, missing values of any kind NaN.
    categories : mapping of int to sequence, optional
        Columns of a DataFrame that are replaced by codes. Unknown categories become NaN. Empty: there are no columns of
        category dtype.
    absent : float, default 0.0
        Value of the entries that a sparse matrix does not store.

    Returns
    -------
    ndarray of float64, shape (n, f)
        May share memory with `table`.
    """
    if isinstance(table, pd.DataFrame):
        return _from_frame(table, categories)
    if scipy.sparse.issparse(table):
        return _from_sparse(table, absent)
    matrix = np.asarray(table)
    if matrix.ndim != 2:
        raise InvalidInputError(
            f"Expected a table of two dimensions, one row per example. Got {matrix.ndim} dimension(s): "
            "pass X.reshape(1, -1) for a single row."
        )
    return np.ascontiguousarray(matrix, dtype=np.float64)


def as_array(table: Any) -> Any:
    """Return a table as scikit-learn's ensembles hand it to their members: numbers as float64, any other values as objects.

    Sparse matrices stay as they are.
    """
    if scipy.sparse.issparse(table):
        return table
    if isinstance(table, pd.DataFrame) and not all(map(pd.api.types.is_numeric_dtype, table.dtypes)):
        return table.to_numpy(dtype=object)
    if isinstance(table, pd.DataFrame):
        return to_matrix(table)
    array = np.asarray(table)
    return array if array.dtype.kind == "O" else to_matrix(array)


def category_columns(table: Any) -> list[int]:
    """Return the numbers of a DataFrame's columns of category dtype; empty for any other table."""
    if not isinstance(table, pd.DataFrame):
        return []
    return [number for number, dtype in enumerate(table.dtypes) if isinstance(dtype, pd.CategoricalDtype)]


def as_fitted(names: tuple[str, ...] | None, table: Any) -> Any:
    """Return the table with column names if the model was fitted with names, otherwise without.

    scikit-learn warns about any other combination, and explainers pass rows that they composed themselves.
    """
    is_frame = isinstance(table, pd.DataFrame)
    if names is None:
        return table.to_numpy() if is_frame and all(isinstance(name, str) for name in table.columns) else table
    if is_frame or scipy.sparse.issparse(table):
        return table
    return pd.DataFrame(np.asarray(table), columns=list(names))


def predict_as_fitted(predict: Callable[[Any], Any], names: tuple[str, ...] | None, table: Any) -> Any:
    """Return a model's predictions for a table, after `as_fitted`."""
    return predict(as_fitted(names, table))


def real_names(names: Sequence[str] | None, made: str) -> tuple[str, ...] | None:
    """Return the feature names as a tuple, or None if the library generated them as ``made.format(column)``."""
    if names is None or all(name == made.format(number) for number, name in enumerate(names)):
        return None
    return tuple(str(name) for name in names)


def _from_frame(table: pd.DataFrame, categories: Categories | None) -> Matrix:
    if not (category_columns(table) if categories is None else categories):
        return np.ascontiguousarray(table.to_numpy(dtype=np.float64, na_value=np.nan))
    matrix = np.empty(table.shape)
    for number in range(table.shape[1]):
        column = table.iloc[:, number]
        if categories and number in categories:
            matrix[:, number] = _codes(column, categories[number])
        else:
            matrix[:, number] = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return matrix


def _codes(column: pd.Series, known: Sequence[Any] | None) -> Matrix:
    """Return the position of each value among the known categories; NaN for a missing or unknown one."""
    if known is not None:
        return category_codes(column, known)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column_codes(column)
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))


def _from_sparse(table: Any, absent: float) -> Matrix:
    if absent == 0.0:
        return np.ascontiguousarray(table.toarray(), dtype=np.float64)
    stored = table.tocoo()
    stored.sum_duplicates()
    matrix = np.full(stored.shape, absent)
    matrix[stored.row, stored.col] = stored.data
    return matrix
