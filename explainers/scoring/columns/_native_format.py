"""Tables in the caller's format as numbers, and back: what a model that is no data has to be called with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.scoring.columns._cells import cells_of
from automl_explain.explainers.scoring.columns._schema import Column, Schema
from automl_explain.explainers.tables._cell_coding import decode_cell, encode_cell
from automl_explain.explainers.tables._column_functions import NotColumnwiseError
from automl_explain.explainers.tables._table import Table

Matrix = npt.NDArray[np.float64]
CONTAINERS = ("array", "frame", "sparse")
DTYPES = re.compile(
    r"u?int\d+|U?Int\d+|float\d+|Float\d+|bool|boolean|object|category|str|string|<U\d+|datetime64\[(s|ms|us|ns)(, [\w+:/-]+)?\]"
)
"""Types of columns that are made from a stored name."""


@dataclass(frozen=True, eq=False)
class NativeFormat:
    """The format of a table: container, names and types of its columns.

    Parameters
    ----------
    schema : Schema
        The columns, with their types and known categories.
    container : {"array", "frame", "sparse"}
    labels : tuple
        Labels of a frame's columns, which need not be text.
    empty : tuple
        The missing cell of each column of categories: None, or NaN.
    ordered : tuple of bool
        Whether the categories of each column have an order.
    """

    schema: Schema
    container: str
    labels: tuple[Any, ...]
    empty: tuple[Any, ...]
    ordered: tuple[bool, ...]

    @staticmethod
    def of(table: Table, schema: Schema) -> NativeFormat:
        """Return the format of a table.

        Raises
        ------
        NotColumnwiseError
            If a type or label of a column cannot be stored.
        """
        unknown = [f"{column.name!r} of the type {column.dtype}" for column in schema.columns if not _known(column)]
        if unknown:
            raise NotColumnwiseError(f"it reads the column {unknown[0]}, which cannot be stored")
        if not table.is_frame:
            n = table.n_columns
            empty = tuple(_empty(pd.Series(table.column(j))) if _has_objects(table) else np.nan for j in range(n))
            return NativeFormat(schema, "sparse" if table.is_sparse else "array", (), empty, (False,) * n)
        if isinstance(table.data.columns, pd.MultiIndex):
            raise NotColumnwiseError("its columns have labels of several levels")
        series = [table.data.iloc[:, j] for j in range(table.n_columns)]
        return NativeFormat(
            schema,
            "frame",
            tuple(label.item() if isinstance(label, np.generic) else label for label in table.data.columns),
            tuple(map(_empty, series)),
            tuple(bool(getattr(one.dtype, "ordered", False)) for one in series),
        )

    def code(self, table: Table) -> Matrix:
        """Return a table in this format as numbers."""
        return self.schema.read(table.data)

    def table(self, matrix: Matrix) -> Table:
        """Return the table that was coded as numbers."""
        columns = self.schema.columns
        names = self.schema.names if self.schema.named else None
        if self.container == "sparse":
            return Table(sparse.csr_matrix(matrix.astype(columns[0].dtype)), names)
        cells = [self._cells(j, matrix[:, j]) for j in range(len(columns))]
        if self.container == "frame":
            frame = pd.DataFrame(dict(enumerate(cells)))
            return Table(frame.set_axis(pd.Index(list(self.labels)), axis=1), names)
        if all(column.kind != "category" for column in columns) and columns[0].dtype != "object":
            return Table(np.column_stack(cells), names)
        made = np.empty(matrix.shape, dtype=object)
        for j, column in enumerate(cells):
            made[:, j] = column
        return Table(made.astype(columns[0].dtype), names)

    def _cells(self, j: int, numbers: Matrix) -> Any:
        as_array = self.container == "array"
        return cells_of(
            self.schema.columns[j], numbers, empty=self.empty[j], ordered=self.ordered[j], as_array=as_array
        )

    def as_json(self) -> dict[str, Any]:
        """Return the format as JSON."""
        return {
            "columns": [column.as_json() for column in self.schema.columns],
            "named": self.schema.named,
            "container": self.container,
            "labels": [encode_cell(label) for label in self.labels],
            "empty": [cell is None for cell in self.empty],
            "ordered": list(self.ordered),
        }

    @staticmethod
    def of_json(stored: Mapping[str, Any]) -> NativeFormat:
        """Return the format that `as_json` stored.

        Raises
        ------
        InvalidInputError
            If it is none.
        """
        columns = tuple(map(Column.of_json, stored["columns"]))
        container, labels = stored["container"], tuple(decode_cell(label) for label in stored["labels"])
        n, n_labels = len(columns), len(labels) if container == "frame" else len(columns)
        sound = container in CONTAINERS and n == n_labels == len(stored["empty"]) == len(stored["ordered"]) > 0
        if not (sound and all(map(_known, columns))):
            raise InvalidInputError("The bundle is damaged: it does not describe the tables of its model.")
        return NativeFormat(
            Schema(columns, bool(stored["named"])),
            container,
            labels,
            tuple(None if empty else np.nan for empty in stored["empty"]),
            tuple(map(bool, stored["ordered"])),
        )


def _known(column: Column) -> bool:
    return DTYPES.fullmatch(column.dtype) is not None


def _has_objects(table: Table) -> bool:
    return not table.is_sparse and table.data.dtype == object


def _empty(cells: pd.Series) -> Any:
    """Return the missing cell of a column: the first that it has, otherwise NaN."""
    if cells.dtype != object:
        return np.nan
    absent = cells[cells.isna()]
    return None if len(absent) and absent.iloc[0] is None else np.nan
