"""Rows in the format of the caller beside the same rows as numbers, and rows that try out what a model does with cells."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._errors import AutoMLExplainError
from automl_explain.explainers.scoring.columns._column_map import ColumnMap, collect
from automl_explain.explainers.scoring.columns._schema import Column, Schema, is_missing
from automl_explain.explainers.tables._column_functions import STEPS, ColumnFunction, NotColumnwiseError
from automl_explain.explainers.tables._moments import dates_of, is_date
from automl_explain.explainers.tables._table import Table, stack_rows

Matrix = npt.NDArray[np.float64]
MOST_CATEGORIES = 1 << 16
"""Most categories of a column that are stored."""
TRIED = (0.0, -1.5, 3e5, 1e-40)
"""Numbers that are tried in every column of numbers."""
TRIED_DATES = tuple(
    np.array(
        ["1969-12-31T23:59:59", "2024-02-29T12:34:56", "2000-01-01T00:00:00", "1912-03-31T07:08:09"], "datetime64[us]"
    )
    .astype(np.float64)
    .tolist()
)
"""Dates, in microseconds, that are tried in every column of dates."""


@dataclass(frozen=True, eq=False)
class NativeRows:
    """Example rows in the format of the caller, and the schema of their columns.

    Parameters
    ----------
    table : Table
        The rows.
    schema : Schema
    """

    table: Table
    schema: Schema

    @cached_property
    def categories(self) -> dict[int, tuple[Any, ...]]:
        """Position of each column of categories -> its known values."""
        return {j: c.categories for j, c in enumerate(self.schema.columns) if c.categories is not None}

    def code(self, table: Table) -> Matrix:
        """Return rows in the caller's format as numbers."""
        return self.schema.read(table.data)

    def with_cells(self, columns: Mapping[int, Sequence[Any]], n_rows: int) -> Table:
        """Return copies of the first row with other cells in some columns."""
        table = self.table.alone().take(np.zeros(n_rows, np.intp))
        data = table.data.copy()
        if not isinstance(data, pd.DataFrame):
            data = data.toarray() if table.is_sparse else data
            if any(is_missing(cell) for cells in columns.values() for cell in cells) and data.dtype.kind in "iub":
                data = data.astype(np.float64)
            for column, cells in columns.items():
                data[:, column] = cells
            return Table(data, table.names)
        data.index = pd.RangeIndex(n_rows)
        for column, cells in columns.items():
            dtype = data.dtypes.iloc[column]
            values: Any = pd.Series(list(cells), dtype=object)
            if isinstance(dtype, pd.CategoricalDtype):
                new = pd.Index([c for c in dict.fromkeys(cells) if not is_missing(c)]).difference(
                    dtype.categories, sort=False
                )
                wanted = dtype.categories.append(new) if len(new) else dtype.categories
                values = values.astype(pd.CategoricalDtype(wanted, ordered=dtype.ordered))
            elif not pd.api.types.is_object_dtype(dtype):
                whole = isinstance(dtype, np.dtype) and dtype.kind in "iub"  # these have no missing cells
                values = values.astype(np.float64 if whole and any(map(is_missing, cells)) else dtype)
            data.isetitem(column, values)
        return Table(data, table.names)

    @cached_property
    def every_category(self) -> Table | None:
        """Rows in which every known category occurs; None without columns of categories."""
        if not self.categories:
            return None
        n_rows = max(map(len, self.categories.values()))
        cells = {j: [known[i % len(known)] for i in range(n_rows)] for j, known in self.categories.items() if known}
        return self.with_cells(cells, n_rows)

    @cached_property
    def may_be_missing(self) -> list[int]:
        """Columns whose cells may be missing."""
        return [j for j, column in enumerate(self.schema.columns) if column.missing]

    def examples(self) -> Table:
        """Return the rows, those with every category, and one with missing cells where they may be."""
        parts = [self.table.alone()]
        if self.every_category is not None:
            parts.append(self.every_category)
        if self.may_be_missing:
            parts.append(self.with_cells({j: [_missing(self.table, j)] for j in self.may_be_missing}, 1))
        if self.table.is_sparse:
            parts = [Table(part.data.toarray() if part.is_sparse else part.data) for part in parts]
        return stack_rows(parts) if len(parts) > 1 else parts[0]

    def map_columns(
        self, function: Callable[[Table], Matrix], columns: Sequence[ColumnFunction], what: str
    ) -> ColumnMap:
        """Return a function from tables to matrices as a map of coded columns.

        Columns of categories are looked up: the function is applied to rows with every category. Columns of numbers are
        those that `columns` say. The map is compared with the function, cell by cell.

        Parameters
        ----------
        function : callable
            From a table to a float64 matrix.
        columns : sequence of ColumnFunction
            The columns of the matrix.
        what : str
            Name of the function in messages.

        Raises
        ------
        NotColumnwiseError
            If the map and the function differ for a row.
        """
        looked_up: dict[int, Matrix] = {}
        coded = [to for to, column in enumerate(columns) if column.source in self.categories]
        if coded and self.every_category is not None:
            made = function(self.every_category)
            absent = self._of_missing(function, made.shape[1])
            for to in coded:
                source = columns[to].source
                looked_up[to] = np.append(made[: len(self.categories[source]), to], absent[columns[to].source][to])
        sizes = {j: len(known) for j, known in self.categories.items()}
        unknown = [
            name for to, c in enumerate(columns) if to not in looked_up for name, _ in c.steps if name not in STEPS
        ]
        if unknown:
            raise NotColumnwiseError(f"{what} looks up numbers by {unknown[0]}, which has no form as data")
        found = collect(len(self.schema.columns), columns, looked_up, sizes)
        rows = [self.table.alone(), *([self.every_category] if self.every_category is not None else []), self._tried]
        for table in rows:
            wanted = np.asarray(function(table), dtype=np.float64)
            if wanted.shape[1] != len(columns) or not np.array_equal(found(self.code(table)), wanted, equal_nan=True):
                raise NotColumnwiseError(f"{what} does more than its columns say")
        return found

    @cached_property
    def _tried(self) -> Table:
        """Rows with various numbers, and one with missing cells where they may be."""
        cells: dict[int, list[Any]] = {}
        for j, column in enumerate(self.schema.columns):
            if column.kind == "date":
                last = np.nan if column.missing else TRIED_DATES[0]
                cells[j] = dates_of(np.array([*TRIED_DATES, last]), column.dtype).tolist()
            if column.kind != "number":
                continue
            dtype = _dtype(self.table, j)
            wide = pd.api.types.is_float_dtype(dtype) or pd.api.types.is_object_dtype(dtype)
            cells[j] = [*(TRIED if wide else (0, 1, 1, 0)), np.nan if wide and column.missing else 0]
        return self.with_cells(cells, len(TRIED) + 1)

    def _of_missing(self, function: Callable[[Table], Matrix], width: int) -> dict[int, Matrix]:
        """Return what the function makes of a row in which a cell is missing, for each column of categories."""
        known = {j: np.full(width, np.nan) for j in self.categories}
        optional = [j for j in self.categories if j in self.may_be_missing]
        if optional:
            made = function(self.with_cells({j: [_missing(self.table, j)] for j in optional}, 1))[0]
            known |= dict.fromkeys(optional, made)
        return known


def _dtype(table: Table, column: int) -> Any:
    return table.data.dtypes.iloc[column] if table.is_frame else table.data.dtype


def _missing(table: Table, column: int) -> Any:
    """Return a missing cell of a column: one that it has, or that its type has."""
    dtype = _dtype(table, column)
    if is_date(str(dtype)):
        return pd.NaT
    if pd.api.types.is_object_dtype(dtype):
        return next((cell for cell in table.column(column).tolist() if is_missing(cell)), np.nan)
    return np.nan


def native_rows(
    table: Table,
    known: dict[int, tuple[Any, ...]],
    works: Callable[[Table], bool] | None,
    *,
    one_by_one: bool = True,
) -> NativeRows:
    """Return example rows with the schema of their columns.

    Parameters
    ----------
    table : Table
        Example rows.
    known : dict
        Position of a column -> categories that the model knows.
    works : callable or None
        Whether the model takes a table. None: missing cells may be anywhere.
    one_by_one : bool
        Whether columns are tried one by one if cells may not be missing in all of them, which takes a call for each.

    Raises
    ------
    NotColumnwiseError
        If a column has cells that cannot be stored, such as durations.
    """
    names = table.names or tuple(f"x{j}" for j in range(table.n_columns))
    columns = []
    for j, name in enumerate(names):
        dtype = _dtype(table, j)
        columns.append(Column(name, str(dtype), _known_values(table, j, dtype, known.get(j, ()), name)))
    if len(set(names)) < len(names):
        raise NotColumnwiseError("two columns have the same name")
    rows = NativeRows(table, Schema(tuple(columns), table.names is not None))
    if works is None:
        return rows
    everywhere = {j: [_missing(table, j)] for j in range(table.n_columns)}
    if works(rows.with_cells(everywhere, 1)):
        return rows
    allowed = [one_by_one and works(rows.with_cells({j: cells}, 1)) for j, cells in everywhere.items()]
    columns = [replace(column, missing=ok) for column, ok in zip(columns, allowed, strict=True)]
    return NativeRows(table, Schema(tuple(columns), table.names is not None))


def _known_values(table: Table, column: int, dtype: Any, known: Sequence[Any], name: str) -> tuple[Any, ...] | None:
    """Return the categories of a column: those of its type, those that the model knows, and those in the rows."""
    if table.is_sparse or (not table.is_frame and dtype.kind in "biufM") or is_date(str(dtype)):
        return None
    types = pd.api.types
    if isinstance(dtype, pd.CategoricalDtype):
        values = dtype.categories.tolist()
    else:
        series = pd.Series(table.column(column)).infer_objects()
        if types.is_numeric_dtype(series.dtype) and not types.is_complex_dtype(series.dtype):
            return None
        if types.is_datetime64_any_dtype(series.dtype) or _are_days(series):
            raise NotColumnwiseError(f"column {name!r} holds dates as Python objects; convert it by pandas.to_datetime")
        if types.is_timedelta64_dtype(series.dtype):
            raise NotColumnwiseError(f"column {name!r} holds durations; convert it to numbers, such as days")
        values = [cell.item() if isinstance(cell, np.generic) else cell for cell in series.dropna().unique().tolist()]
    plain = [cell.item() if isinstance(cell, np.generic) else cell for cell in known if not is_missing(cell)]
    found = tuple(dict.fromkeys([*values, *plain]))
    if len(found) > MOST_CATEGORIES:
        raise NotColumnwiseError(f"column {name!r} has {len(found)} categories, more than {MOST_CATEGORIES}")
    if any(not isinstance(cell, str | int | float | bool) for cell in found):
        raise NotColumnwiseError(f"column {name!r} holds cells that are neither numbers nor text")
    return found


def _are_days(series: pd.Series) -> bool:
    return bool(series.notna().any()) and all(isinstance(cell, dt.date) for cell in series.dropna())


def tries(function: Callable[[Table], Any]) -> Callable[[Table], bool]:
    """Return whether a function takes a table, as a function of the table; errors of the model say that it does not."""

    def works(table: Table) -> bool:
        try:
            function(table)
        except AutoMLExplainError:
            return False
        return True

    return works
