"""Copies of a table with one permuted column, made at low cost for each table format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import check_random_state

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.tables._table import RowNumbers, Table

STACKED_ROWS = 16_384
"""Maximum number of rows of copies made at once; beyond it, the fixed cost of a prediction is negligible."""
STACKED_BYTES = 64 * 2**20
"""Maximum memory of copies made at once."""


@dataclass(frozen=True)
class Copy:
    """One permuted copy: the position of the column, and the repeat."""

    column: int
    repeat: int


def draw_orders(n_rows: int, n_repeats: int, random_state: Any) -> RowNumbers:
    """Return the row that each permuted cell is taken from, (n_repeats, n_rows), with the random stream of scikit-learn.

    `sklearn.inspection.permutation_importance` draws one seed and restarts from it for every column. In each repeat it
    permutes the already permuted column. The permutations are therefore chained, and the same for all columns.
    """
    try:
        seed = check_random_state(random_state).randint(np.iinfo(np.int32).max + 1)
    except ValueError as error:
        raise InvalidInputError(f"The 'random_state' parameter must be an int or a RandomState: {error}") from error
    stream = np.random.RandomState(seed)
    shuffled, order = np.arange(n_rows), np.arange(n_rows)
    orders = np.empty((n_repeats, n_rows), np.intp)
    for repeat in range(n_repeats):
        stream.shuffle(shuffled)
        order = order[shuffled]
        orders[repeat] = order
    return orders


def is_constant(table: Table, column: int) -> bool:
    """Return whether all cells of a column are equal, so that permuting it has no effect."""
    if table.is_sparse:
        values = table.data[:, [column]]
        return bool(values.nnz == 0 or (values.nnz == len(table) and (values.data == values.data[0]).all()))
    if not table.is_frame and table.data.dtype.kind in "biuf":
        numbers = table.data[:, column]
        return bool(
            (numbers == numbers[0]).all()
        )  # False for NaN, which is unequal to itself; permuting it has no effect
    cells = table.data.iloc[:, column] if table.is_frame else pd.Series(table.data[:, column])
    if cells.isna().any():
        return bool(cells.isna().all())
    return bool((cells == cells.iloc[0]).all())


class Copies(Protocol):
    """Permuted copies of one table."""

    def write(self, batch: Sequence[Copy]) -> Any:
        """Write the copies of a batch; return them stacked by rows, in the format of the table."""
        ...

    def part(self, position: int) -> Any:
        """Return one copy of the batch written last, (n, f)."""
        ...


def permuted_copies(table: Table, orders: RowNumbers, n_copies: int | None = None) -> tuple[Copies, int]:
    """Return the permuted copies of a table, and the maximum number of copies per batch.

    Parameters
    ----------
    table : Table
    orders : ndarray of int, shape (n_repeats, n)
        Result of `draw_orders`.
    n_copies : int, optional
        Copies per batch. Default: as many as `STACKED_ROWS` and `STACKED_BYTES` allow.
    """
    n = len(table)
    row_bytes = 8 * table.n_columns if not table.is_sparse else 12 * (table.data.nnz // n + 1)
    most = n_copies or max(1, min(STACKED_ROWS // n, STACKED_BYTES // (row_bytes * n)))
    kind: Callable[[Table, RowNumbers, int], Copies] = (
        _FrameCopies if table.is_frame else _SparseCopies if table.is_sparse else _ArrayCopies
    )
    return kind(table, orders, most), most


class _ArrayCopies:
    """A stack of copies, made once. A batch overwrites its columns, and the next batch restores them."""

    def __init__(self, table: Table, orders: RowNumbers, most: int) -> None:
        self._data, self._orders, self._n = table.data, orders, len(table)
        self._stack = np.tile(table.data, (most, 1))
        self._batch: Sequence[Copy] = ()

    def write(self, batch: Sequence[Copy]) -> Any:
        for position, copy in enumerate(self._batch):
            self.part(position)[:, copy.column] = self._data[:, copy.column]
        for position, copy in enumerate(batch):
            self.part(position)[:, copy.column] = self._data[self._orders[copy.repeat], copy.column]
        self._batch = batch
        return self._stack[: len(batch) * self._n]

    def part(self, position: int) -> Any:
        return self._stack[position * self._n : (position + 1) * self._n]


class _FrameCopies:
    """A stack of copies, made once. A batch replaces whole columns, taken by row number to keep their types."""

    def __init__(self, table: Table, orders: RowNumbers, most: int) -> None:
        self._frame, self._orders, self._n = table.data, orders, len(table)
        self._unmoved = np.tile(np.arange(self._n), most)
        self._stack = table.data.iloc[self._unmoved].reset_index(drop=True)
        self._changed: set[int] = set()

    def write(self, batch: Sequence[Copy]) -> Any:
        columns = {copy.column for copy in batch}
        for column in self._changed | columns:
            rows = self._unmoved
            if column in columns:
                rows = rows.copy()
                for position, copy in enumerate(batch):
                    if copy.column == column:
                        rows[position * self._n : (position + 1) * self._n] = self._orders[copy.repeat]
            self._stack.isetitem(column, self._frame.iloc[:, column].array.take(rows))
        self._changed = columns
        return self._stack.iloc[: len(batch) * self._n]

    def part(self, position: int) -> Any:
        part = self._stack.iloc[position * self._n : (position + 1) * self._n]
        return part.set_axis(self._frame.index, axis=0)


class _SparseCopies:
    """Copies made one by one in column format, in which a permuted column keeps its number of stored cells."""

    def __init__(self, table: Table, orders: RowNumbers, most: int) -> None:
        self._orders = orders
        self._matrix = table.data.tocsc()
        self._matrix.sort_indices()
        self._parts: list[Any] = []

    def write(self, batch: Sequence[Copy]) -> Any:
        self._parts = [self._permute(copy) for copy in batch]
        return self._parts[0] if len(self._parts) == 1 else sparse.vstack(self._parts, format="csr")

    def part(self, position: int) -> Any:
        return self._parts[position]

    def _permute(self, copy: Copy) -> Any:
        matrix, order = self._matrix, self._orders[copy.repeat]
        cells = slice(matrix.indptr[copy.column], matrix.indptr[copy.column + 1])
        goes_to = np.empty(len(order), matrix.indices.dtype)
        goes_to[order] = np.arange(len(order))
        rows = goes_to[matrix.indices[cells]]
        indices, data = matrix.indices.copy(), matrix.data.copy()
        sorting = np.argsort(rows)
        indices[cells], data[cells] = rows[sorting], matrix.data[cells][sorting]
        return type(matrix)((data, indices, matrix.indptr), shape=matrix.shape).tocsr()
