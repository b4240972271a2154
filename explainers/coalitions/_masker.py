"""Masked rows: present features come from an explained row, absent ones from a background row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from automl_explain.explainers.compiled._arrays import Bools, Floats
from automl_explain.explainers.tables._table import RowNumbers, Table, stack_rows


class Masker:
    """Rows with some columns from an explained row and the others from a background row.

    Both tables are stacked once. Mixed rows take each column by row number, so that categories, dates and nullable types
    reach the model unchanged.

    Parameters
    ----------
    rows, background : Table
        Tables of the same format and columns.
    """

    def __init__(self, rows: Table, background: Table) -> None:
        self._n_rows = len(rows)
        self._sparse = rows.is_sparse
        stacked = stack_rows([rows, background])
        self._stacked = Table(stacked.codes()) if stacked.is_sparse else stacked
        if rows.is_frame:
            self._columns = [self._stacked.data.iloc[:, j].array for j in range(rows.n_columns)]

    def differences(self) -> Bools:
        """Return which cells of each row differ from those of each background row, (n, B, f)."""
        codes = self._stacked.codes()
        return differences(codes[: self._n_rows], codes[self._n_rows :])

    def mix(self, row: RowNumbers, background: RowNumbers, present: Bools) -> Any:
        """Return mixed rows: the cells that are `present` come from `row`, the others from `background`.

        Parameters
        ----------
        row, background : ndarray of int, shape (m,)
        present : ndarray of bool, shape (m, f)

        Returns
        -------
        ndarray, DataFrame or csr_matrix with m rows, in the format of the tables
        """
        if not self._stacked.is_frame:
            cells = self._stacked.data
            mixed = np.where(present, cells[row], cells[background + self._n_rows])
            return sparse.csr_matrix(mixed) if self._sparse else mixed
        source = np.where(present, row[:, None], background[:, None] + self._n_rows)
        frame = pd.DataFrame({j: column.take(source[:, j]) for j, column in enumerate(self._columns)}, copy=False)
        frame.columns = self._stacked.data.columns
        return frame


def differences(mine: Floats, theirs: Floats) -> Bools:
    """Return which columns of rows (n, f) and background rows (B, f) differ, (n, B, f); missing values are equal."""
    mine, theirs = mine[:, None, :], theirs[None, :, :]
    return np.asarray((mine != theirs) & ~(np.isnan(mine) & np.isnan(theirs)))
