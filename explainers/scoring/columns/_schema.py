"""The columns that a scoring explainer takes, and the reading of rows by them: each cell becomes a number.

Numbers stay as they are, a category becomes its position among the known ones, a date its microseconds since 1970, and a
missing cell NaN. Rows are read without pandas unless they are a pandas frame.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._arguments import nearest
from automl_explain.explainers._errors import ColumnMismatchError, InvalidInputError
from automl_explain.explainers.tables._cell_coding import decode_cell, encode_cell
from automl_explain.explainers.tables._formats import read_table
from automl_explain.explainers.tables._moments import date_numbers, is_date

Matrix = npt.NDArray[np.float64]
NUMBERS = (float, int, np.floating, np.integer, bool, np.bool_)
"""Types of cells that are numbers; booleans count as 0 and 1."""
PLAIN = frozenset({float, int, type(None)})
"""Types of cells that numpy reads as numbers, None as NaN."""
SHOWN = 5
"""Columns or values that a message lists."""


@dataclass(frozen=True)
class Column:
    """A column of the tables that a scoring explainer takes.

    Parameters
    ----------
    name : str
    dtype : str
        Type in the table that the explainer was made with, such as "float64", "category" or "datetime64[us]".
    categories : tuple or None
        The values that are known, for a column of categories; None for a column of numbers or dates.
    missing : bool
        Whether a cell may be missing.
    """

    name: str
    dtype: str
    categories: tuple[Any, ...] | None = None
    missing: bool = True

    @cached_property
    def kind(self) -> Literal["number", "category", "date"]:
        """What the cells are."""
        if self.categories is not None:
            return "category"
        return "date" if is_date(self.dtype) else "number"

    @cached_property
    def codes(self) -> dict[Any, int]:
        """Position of each known value."""
        return {value: code for code, value in enumerate(self.categories or ())}

    @cached_property
    def index(self) -> pd.Index:
        """The known values as pandas has the categories of a column."""
        return pd.Index(list(self.categories or ()))

    def as_json(self) -> dict[str, Any]:
        """Return the column as JSON."""
        known = None if self.categories is None else [encode_cell(value) for value in self.categories]
        return {"name": self.name, "dtype": self.dtype, "categories": known, "missing": self.missing}

    @staticmethod
    def of_json(stored: Mapping[str, Any]) -> Column:
        """Return the column that `as_json` stored."""
        known = None if stored["categories"] is None else tuple(decode_cell(value) for value in stored["categories"])
        return Column(str(stored["name"]), str(stored["dtype"]), known, bool(stored["missing"]))


class CellError(ColumnMismatchError):
    """Cells that a scoring explainer cannot take.

    Parameters
    ----------
    message : str
    problems : dict, optional
        Column -> what is wrong with its cells.
    """

    def __init__(self, message: str, problems: Mapping[str, str] | None = None) -> None:
        self.problems = dict(problems or {})
        super().__init__(message)

    @classmethod
    def of(cls, problems: Mapping[str, str], *, advice: str = "") -> CellError:
        """Return the error that names the columns and what is wrong with their cells, and gives advice to the bundle's maker."""
        said = "; ".join(f"column {name!r}: {why}" for name, why in list(problems.items())[:SHOWN])
        more = f"; and {len(problems) - SHOWN} more columns" if len(problems) > SHOWN else ""
        return cls(f"The rows hold cells that the model cannot take. {said}{more}.{advice}", problems)


class UnknownCategoryError(InvalidInputError):
    """A cell holds a category that a scoring explainer does not know."""

    advice = " A scoring explainer knows more categories if it is made with examples=rows that hold them."


@dataclass(frozen=True)
class Schema:
    """All columns, in the order of the model.

    Parameters
    ----------
    columns : tuple of Column
    named : bool
        Whether the columns have names; without names, those of `columns` are x0, x1, ...
    """

    columns: tuple[Column, ...]
    named: bool

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def all_numbers(self) -> bool:
        """Whether no column has categories or dates."""
        return all(column.kind == "number" for column in self.columns)

    @cached_property
    def _all_optional(self) -> bool:
        return all(column.missing for column in self.columns)

    def found_in(self, names: Sequence[str], where: str, others: Collection[str] = ()) -> tuple[str, ...]:
        """Return the columns of a table that the model reads; the table may have more.

        Parameters
        ----------
        names : sequence of str
            Columns of the table.
        where : str
            What the table is called in the message.
        others : collection of str
            Columns that are not the model's, if the model knows its columns by position only.

        Raises
        ------
        ColumnMismatchError
            If columns are missing; the message gives the nearest name.
        """
        if self.named:
            missing = [name for name in self.names if name not in set(names)]
            if missing:
                raise missing_columns(missing, names, where)
            return self.names
        found = tuple(names) if len(names) == len(self.columns) else tuple(n for n in names if n not in others)
        if len(found) != len(self.columns):
            raise ColumnMismatchError(f"{where} must have {len(self.columns)} columns. Got {len(found)}.")
        return found

    def read(self, rows: Any) -> Matrix:
        """Return rows as numbers, (n, f).

        Parameters
        ----------
        rows : ndarray, DataFrame, sparse matrix, mapping, or sequence of mappings
            A mapping of columns to cells is one row, and one of columns to lists is several. A 1-D array is one row.

        Raises
        ------
        ColumnMismatchError
            If columns are missing or unknown.
        InvalidInputError
            If a cell has another type, is missing where the model has no rule for it, or is an unknown category.
        """
        if isinstance(rows, np.ndarray) and rows.dtype == np.float64 and self.all_numbers:
            matrix = rows if rows.ndim == 2 else rows.reshape(1, -1)
            self._check_width(matrix.shape[1])
            return self._finished(np.ascontiguousarray(matrix))
        if are_mappings(rows):
            return self._of_mapping(rows) if isinstance(rows, Mapping) else self._of_records(rows)
        return self._of_table(rows)

    def _of_mapping(self, rows: Mapping[Any, Any]) -> Matrix:
        self.check_names(rows)
        cells = [rows[name] for name in self.names]
        several = [_is_list(cell) for cell in cells]
        if not all(several) and any(isinstance(cell, Mapping) for cell in cells):
            raise InvalidInputError("A cell of a row must be a number, text, a boolean or null. Got an object.")
        if not any(several):
            return self._of_cells([cells])
        lengths = {len(cell) for cell, is_list in zip(cells, several, strict=True) if is_list}
        if not all(several) or len(lengths) != 1:
            raise InvalidInputError("The columns of the rows must have the same length.")
        if not lengths or lengths == {0}:
            raise InvalidInputError("There must be at least one row. Got none.")
        return self._of_columns([list(cell) for cell in cells])

    def _of_records(self, rows: Sequence[Any]) -> Matrix:
        for row in rows:
            if not isinstance(row, Mapping):
                raise InvalidInputError(f"Each row must map columns to cells. Got {type(row).__name__}.")
            self.check_names(row)
        return self._of_cells([[row[name] for name in self.names] for row in rows])

    def _of_table(self, rows: Any) -> Matrix:
        data, names = read_table(rows, "X")
        if len(data.shape) != 2 or not data.shape[0]:
            raise InvalidInputError(f"X must have rows and columns. Got shape {tuple(data.shape)}.")
        if isinstance(data, pd.DataFrame):
            if self.named and names is not None:
                self.check_names(names)
                position = {name: j for j, name in enumerate(names)}
                order = [position[name] for name in self.names]
            else:
                self._check_width(data.shape[1])
                order = list(range(data.shape[1]))
            return self._of_columns([data.iloc[:, j] for j in order])
        self._check_width(data.shape[1])
        dense = data.toarray() if hasattr(data, "toarray") else np.asarray(data)
        if dense.dtype.kind in "biuf" and self.all_numbers:
            return self._finished(np.ascontiguousarray(dense, dtype=np.float64))
        return self._of_columns([dense[:, j] for j in range(dense.shape[1])])

    def _of_cells(self, rows: list[list[Any]]) -> Matrix:
        """Return rows of Python objects as numbers."""
        if self.all_numbers and all(type(cell) is float or type(cell) is int for row in rows for cell in row):
            try:
                return self._finished(np.array(rows, dtype=np.float64))
            except OverflowError as error:
                raise InvalidInputError(f"A cell holds a number that is too large: {error}.") from error
        return self._of_columns(list(zip(*rows, strict=True)))

    def _of_columns(self, columns: Iterable[Any]) -> Matrix:
        made, problems, advice = [], {}, ""
        for column, cells in zip(self.columns, columns, strict=True):
            try:
                made.append(READERS[column.kind](column, cells))
            except (InvalidInputError, OverflowError) as error:
                problems[column.name] = str(error)
                advice = error.advice if isinstance(error, UnknownCategoryError) else advice
        if problems:
            raise CellError.of(problems, advice=advice)
        return self._finished(np.column_stack(made))

    def _finished(self, matrix: Matrix) -> Matrix:
        if not self._all_optional:
            missing = np.atleast_1d(np.isnan(matrix).any(axis=0))
            wrong = [c.name for c, empty in zip(self.columns, list(missing), strict=True) if empty and not c.missing]
            if wrong:
                raise CellError.of(dict.fromkeys(wrong, "a cell is missing, and the model has no rule for it"))
        return matrix

    def _check_width(self, n_columns: int) -> None:
        if n_columns != len(self.columns):
            raise ColumnMismatchError(f"The rows must have {len(self.columns)} columns. Got {n_columns}.")

    def as_json(self) -> dict[str, Any]:
        """Return the columns as JSON."""
        return {"named": self.named, "columns": [column.as_json() for column in self.columns]}

    @staticmethod
    def of_json(stored: Mapping[str, Any]) -> Schema:
        """Return the columns that `as_json` stored."""
        return Schema(tuple(map(Column.of_json, stored["columns"])), bool(stored["named"]))

    def check_names(self, present: Iterable[Any]) -> None:
        """Refuse rows without a column, or with an unknown one.

        Raises
        ------
        ColumnMismatchError
            The message lists the columns, and the nearest name of a column that may have been renamed.
        """
        found = set(present)
        if found == self._name_set:
            return
        missing = [name for name in self.names if name not in found]
        unknown = sorted(map(str, found - self._name_set))
        said = [f"columns that are missing: {missing[:SHOWN]}"] if missing else []
        said += [f"unknown columns: {unknown[:SHOWN]}"] if unknown else []
        guesses = [(name, close) for name in unknown[:SHOWN] if (close := nearest(name, missing))]
        hint = "".join(f" Did you mean {close!r} by {name!r}?" for name, close in guesses[:1])
        raise ColumnMismatchError(
            f"The rows must have the {len(self.names)} columns of the model, in any order. Got {'; '.join(said)}.{hint}"
        )

    @cached_property
    def _name_set(self) -> set[str]:
        return set(self.names)


def are_mappings(rows: Any) -> bool:
    """Whether rows are a mapping of columns, or a sequence of such mappings."""
    return isinstance(rows, Mapping) or (isinstance(rows, list | tuple) and bool(rows) and isinstance(rows[0], Mapping))


def missing_columns(missing: Sequence[str], present: Sequence[str], where: str) -> ColumnMismatchError:
    """Return the error of a table that lacks columns."""
    close = nearest(missing[0], present)
    hint = f" Did {close!r} mean {missing[0]!r}?" if close else ""
    return ColumnMismatchError(f"{where} lacks columns that are needed: {list(missing[:SHOWN])}.{hint}")


def unknown_columns(missing: Sequence[str], present: Sequence[str], where: str) -> ColumnMismatchError:
    """Return the error of a table without columns that the user named, such as to copy them."""
    close = nearest(missing[0], present)
    hint = f" Did you mean {close!r}?" if close else f" It has {list(present[:SHOWN])}."
    return ColumnMismatchError(f"{where} has no column {missing[0]!r}.{hint}")


def _is_list(cell: Any) -> bool:
    return isinstance(cell, list | tuple | np.ndarray | pd.Series)


def _numbers(_: Column, cells: Any) -> Matrix:
    """Return a column of numbers as float64, with NaN for missing cells."""
    if isinstance(cells, pd.Series):
        types = pd.api.types
        if types.is_numeric_dtype(cells.dtype) and not types.is_complex_dtype(cells.dtype):
            return np.asarray(cells.to_numpy(dtype=np.float64, na_value=np.nan))
        cells = cells.to_numpy(dtype=object)
    elif isinstance(cells, np.ndarray) and cells.dtype.kind in "biuf":
        return np.asarray(cells, dtype=np.float64)
    if PLAIN.issuperset(map(type, cells)):
        return np.array(cells, dtype=np.float64)
    for cell in cells:
        if not isinstance(cell, NUMBERS) and not is_missing(cell):
            raise InvalidInputError(f"a number was expected, got {str(cell)[:40]!r} ({type(cell).__name__})")
    return np.array([np.nan if is_missing(cell) else cell for cell in cells], dtype=np.float64)


def _codes(column: Column, cells: Any) -> Matrix:
    """Return the position of each cell among the known values, with NaN for missing cells."""
    if isinstance(cells, pd.Series) and isinstance(cells.dtype, pd.CategoricalDtype):
        values: Any = cells.array
        used = values.codes
        if values.categories.equals(column.index):
            return np.where(used < 0, np.nan, used)
        labels = values.categories.tolist()
        codes = [column.codes.get(_plain(label), -1) for label in labels]
        made: Matrix = np.array([*codes, np.nan])[used]
        unknown = [labels[code] for code in np.unique(used[made < 0]).tolist()]
    else:
        if isinstance(cells, pd.Series):
            cells = cells.to_numpy(dtype=object)
        made, unknown = np.empty(len(cells)), []
        for row, cell in enumerate(cells):
            if is_missing(cell):
                made[row] = np.nan
                continue
            try:
                made[row] = column.codes[_plain(cell)]
            except (KeyError, TypeError):
                unknown.append(cell)
    if unknown:
        known = list(column.categories or ())[:SHOWN]
        raise UnknownCategoryError(
            f"one of the {len(column.codes)} known categories was expected, such as {known}; got {str(unknown[0])[:40]!r}"
        )
    return np.asarray(made)


def _dates(column: Column, cells: Any) -> Matrix:
    return date_numbers(cells, column.dtype)


READERS = {"number": _numbers, "category": _codes, "date": _dates}
"""Kind of a column -> how its cells become numbers."""


def _plain(cell: Any) -> Any:
    return cell.item() if isinstance(cell, np.generic) else cell


def is_missing(cell: Any) -> bool:
    """Whether a cell is None, NaN, NaT or NA."""
    return cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, float | np.floating) and cell != cell)
