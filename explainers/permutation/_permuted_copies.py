"""Copies of a table in which one column is permuted, made as cheaply as its format allows."""

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
"""Rows up to which copies are made at once: beyond them a prediction's fixed cost hardly counts."""
STACKED_BYTES = 64 * 2**20
"""Memory that the copies made at once may take."""


@dataclass(frozen=True)
class Copy:
    """One permuted copy: which column is permuted, for which repeat."""

    column: int
    repeat: int


def draw_orders(n_rows: int, n_repeats: int, random_state: Any) -> RowNumbers:
    """Return the row that each cell comes from, (n_repeats, n_rows), by the random stream of scikit-learn.

    `sklearn.inspection.permutation_importance` draws one seed, begins with it anew for every column, and permutes the
    column again at each repeat, so that permutations are chained and are the same for all columns.
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
    """Whether all cells of a column are equal, so that permuting it changes nothing."""
    if table.is_sparse:
        values = table.data[:, [column]]
        return bool(values.nnz == 0 or (values.nnz == len(table) and (values.data == values.data[0]).all()))
    if not table.is_frame and table.data.dtype.kind in "biuf":
        numbers = table.data[:, column]
        return bool((numbers == numbers[0]).all())  # NaN is unequal to itself: such a column is permuted, to no effect
    cells = table.data.iloc[:, column] if table.is_frame else pd.Series(table.data[:, column])
    if cells.isna().any():
        return bool(cells.isna().all())
    return bool((cells == cells.iloc[0]).all())


class Copies(Protocol):
    """Permuted copies of one table."""

    def write(self, batch: Sequence[Copy]) -> Any:
        """Return the copies of a batch below each other, in the table's own format."""
        ...

    def part(self, position: int) -> Any:
        """Return one copy of the batch last written, (n, f)."""
        ...


def permuted_copies(table: Table, orders: RowNumbers, n_copies: int | None = None) -> tuple[Copies, int]:
    """Return the copies of a table, and how many of them may be made at once.

    Parameters
    ----------
    table : Table
    orders : ndarray of int, shape (n_repeats, n)
    n_copies : int, optional
        Copies made at once; default: as many as memory allows and a prediction gains from.
    """
    n = len(table)
    row_bytes = 8 * table.n_columns if not table.is_sparse else 12 * (table.data.nnz // n + 1)
    most = n_copies or max(1, min(STACKED_ROWS // n, STACKED_BYTES // (row_bytes * n)))
    kind: Callable[[Table, RowNumbers, int], Copies] = (
        _FrameCopies if table.is_frame else _SparseCopies if table.is_sparse else _ArrayCopies
    )
    return kind(table, orders, most), most


class _ArrayCopies:
    """Stacked once; a batch changes its columns, and the next one puts them back."""

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
    """Stacked once; a batch replaces whole columns, taken by row number so that every type stays what it is."""

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
    """Made one by one from the columns: a permuted column keeps its number of cells."""

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
