"""Conversion of tables to the matrices that surrogate models read.

`Encoding` converts each cell to a number; categories become codes. `Standardized` converts the result to columns for linear
models: centred and scaled numbers, one column per category, and indicators of missing cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.tables._column_codes import category_codes, column_codes
from automl_explain.explainers.tables._column_functions import ColumnFunction
from automl_explain.explainers.tables._moments import NANOSECONDS, is_date
from automl_explain.explainers.tables._table import Table

Matrix: TypeAlias = Any
"""(n, f) float64: an ndarray in which NaN is a missing cell, or a csr matrix."""
Categories: TypeAlias = Mapping[int, int]
"""Number of categories of each column that holds codes 0, 1, ... of categories."""

MOST_CATEGORIES = 255
"""Maximum number of categories of a column that get a column of their own, the most frequent first."""


class Encoding:
    """Cells as float64: numbers unchanged, dates as nanoseconds, categories and text as codes, missing cells as NaN.

    Parameters
    ----------
    table : Table
        Rows that define the categories of each column. Other values are encoded as missing.
    """

    def __init__(self, table: Table) -> None:
        self._labels = table.names or tuple(map(str, range(table.n_columns)))
        self._known: dict[int, pd.Index] = {}
        self._dates: set[int] = set()
        for j, series in _columns(table):
            if isinstance(series.dtype, pd.CategoricalDtype):
                self._known[j] = series.cat.categories
            elif not _is_number(series):
                self._known[j] = pd.Index(series.dropna().unique())
            elif is_date(str(series.dtype)):
                self._dates.add(j)

    @property
    def categories(self) -> Categories:
        """Number of categories of each categorical column."""
        return {j: len(known) for j, known in self._known.items()}

    def of_columns(self, inputs: Sequence[ColumnFunction]) -> tuple[ColumnFunction, ...]:
        """Return the encoded columns as functions of the columns of a table."""
        return tuple(column.then(*NANOSECONDS) if j in self._dates else column for j, column in enumerate(inputs))

    def matrix(self, table: Table) -> Matrix:
        """Return the encoded cells, (n, f) float64; a csr matrix if the table is sparse.

        Raises
        ------
        InvalidInputError
            If a numeric column holds other values.
        """
        if table.is_sparse:
            return sparse.csr_matrix(table.data, dtype=np.float64)  # LightGBM does not accept csr arrays
        if isinstance(table.data, np.ndarray) and table.data.dtype.kind in "biuf" and not self._known:
            return np.asarray(table.data, dtype=np.float64)
        matrix = np.empty((len(table), table.n_columns))
        for j, series in _columns(table):
            matrix[:, j] = category_codes(series, self._known[j]) if j in self._known else self._numbers(j, series)
        return matrix

    def _numbers(self, j: int, series: pd.Series) -> npt.NDArray[np.float64]:
        if _is_number(series):
            return column_codes(series)
        if series.isna().all():
            return np.full(len(series), np.nan)
        raise InvalidInputError(
            f"Column {self._labels[j]!r} must hold numbers, as in the initialization examples. "
            f"Got {series.dropna().iloc[0]!r}."
        )


def _columns(table: Table) -> Any:
    """Yield each column with its position; nothing for sparse tables."""
    if table.is_frame:
        yield from ((j, table.data.iloc[:, j]) for j in range(table.n_columns))
    elif not table.is_sparse:
        yield from ((j, pd.Series(table.data[:, j]).infer_objects()) for j in range(table.n_columns))


def _is_number(series: pd.Series) -> bool:
    types = pd.api.types
    return not isinstance(series.dtype, pd.CategoricalDtype) and (
        types.is_numeric_dtype(series.dtype)
        or types.is_datetime64_any_dtype(series.dtype)
        or types.is_timedelta64_dtype(series.dtype)
    )


class Standardized:
    """Columns of mean 0 and standard deviation 1, one column per category, and one per numeric column with missing cells.

    A missing number is replaced by the mean, and an indicator column marks it. A missing or rare category is 0 in all
    columns of its categories. A csr matrix stays sparse: its columns are not centred, and are divided by the root mean
    square of their stored cells, because division by the standard deviation would give very large values in columns with
    few entries. The scale of the median column counts as one more cell of each column, for columns of one or two cells.

    Parameters
    ----------
    X : ndarray or csr_matrix of shape (n, f)
        Rows as `Encoding.matrix` gives them.
    categories : mapping of int to int
        Columns that hold codes, and their numbers of codes.

    Attributes
    ----------
    parents : ndarray of int
        The column of `X` that each new column is made from.
    """

    def __init__(self, X: Matrix, categories: Categories) -> None:
        if sparse.issparse(X):
            if not np.isfinite(X.data).all():
                raise InvalidInputError("A linear surrogate needs a sparse table without NaN or infinite numbers.")
            self._scale = _sparse_scale(X)
            self.parents = np.arange(X.shape[1])
            return
        coded = set(categories)
        self._numeric = np.array([j for j in range(X.shape[1]) if j not in coded], dtype=np.intp)
        numbers = X[:, self._numeric]
        missing = np.isnan(numbers)
        count = np.maximum((~missing).sum(axis=0), 1)
        self._mean = np.where(missing, 0.0, numbers).sum(axis=0) / count
        spread = np.where(missing, 0.0, numbers - self._mean)
        self._scale = _positive(np.sqrt((spread**2).sum(axis=0) / count))
        self._marked = np.flatnonzero(missing.any(axis=0))
        self._codes = [(j, _frequent(X[:, j], n)) for j, n in sorted(categories.items())]
        parts = [self._numeric, self._numeric[self._marked]]
        self.parents = np.concatenate([*parts, *(np.full(len(codes), j) for j, codes in self._codes)]).astype(np.intp)

    def transform(self, X: Matrix) -> Matrix:
        """Return the new columns, (n, len(parents))."""
        if sparse.issparse(X):
            return sparse.csr_matrix(X @ sparse.diags_array(1.0 / self._scale))
        numbers = X[:, self._numeric]
        missing = np.isnan(numbers)
        scaled = np.where(missing, 0.0, (numbers - self._mean) / self._scale)
        one_hot = (X[:, [j]] == codes for j, codes in self._codes)
        return np.hstack([scaled, missing[:, self._marked], *one_hot]).astype(np.float64, copy=False)

    def of_columns(self, inputs: Sequence[ColumnFunction]) -> tuple[ColumnFunction, ...]:
        """Return the new columns as functions of the columns of `X`."""
        if not hasattr(self, "_numeric"):
            return tuple(
                column.then(("times", 1.0 / s)) for column, s in zip(inputs, self._scale.tolist(), strict=True)
            )
        numbers = zip(self._numeric.tolist(), self._mean.tolist(), self._scale.tolist(), strict=True)
        return (
            *(inputs[j].then(("minus", mean), ("over", scale), ("fill", 0.0)) for j, mean, scale in numbers),
            *(inputs[j].then(("is_missing", 0.0)) for j in self._numeric[self._marked].tolist()),
            *(inputs[j].then(("equals", float(code))) for j, codes in self._codes for code in codes.tolist()),
        )


def _sparse_scale(X: Matrix) -> npt.NDArray[np.float64]:
    """Return the root mean square of the cells of each column that are not zero, and of one cell of the median column."""
    squares = np.asarray(X.multiply(X).sum(axis=0)).ravel()
    counts = np.asarray((X != 0).sum(axis=0)).ravel()
    typical = np.median(squares[counts > 0] / counts[counts > 0]) if counts.any() else 1.0
    return _positive(np.sqrt((squares + typical) / (counts + 1)))


def _positive(scale: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(scale > 0, scale, 1.0)


def _frequent(codes: npt.NDArray[np.float64], n_codes: int) -> npt.NDArray[np.intp]:
    counts = np.bincount(codes[~np.isnan(codes)].astype(np.intp), minlength=n_codes)
    order = np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]
    return np.sort(order[counts[order] > 0])
