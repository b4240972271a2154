"""Data augmentation: rows drawn between neighbouring rows of a table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from automl_explain.explainers.surrogate._encoding import Encoding, Standardized
from automl_explain.explainers.tables._table import RowNumbers, Table

Shares = npt.NDArray[np.float64]

NEIGHBOURS = 5
"""Number of nearest rows from which the second row of a draw is chosen."""
POOL = 4096
"""Maximum number of rows searched for neighbours; a larger table is sampled."""


def draw_between_neighbours(table: Table, n_rows: int, random_state: int, *, by_cell: bool = False) -> Table:
    """Draw rows that lie between a row and one of its nearest neighbours.

    Columns of fractions are interpolated. All other cells, such as integers, dates and categories, are taken from the
    nearer of the two rows. Distances between neighbours use all columns, so that the drawn rows keep the dependence
    between columns, which independent draws per column would lose. The cells of a sparse table are not interpolated: each
    is taken from one of the two rows, so that counts stay whole and rows stay sparse.

    Parameters
    ----------
    table : Table
        The rows, at least two.
    n_rows : int
        Number of rows to draw.
    random_state : int
    by_cell : bool, default False
        Whether each cell has a place of its own between the two rows, as in sparse tables. If not, all cells of a row have
        the same, and the row is a weighted mean of the two.

    Returns
    -------
    Table
        In the format of `table`.

    References
    ----------
    Chawla et al., "SMOTE: synthetic minority over-sampling technique", 2002, doi:10.1613/jair.953.
    """
    rng = np.random.default_rng(random_state)
    table = table.sample(POOL, random_state)
    encoding = Encoding(table)
    columns = Standardized(encoding.matrix(table), encoding.categories).transform(encoding.matrix(table))
    n_neighbours = min(NEIGHBOURS, len(table) - 1)
    near = NearestNeighbors(n_neighbors=n_neighbours).fit(columns).kneighbors(return_distance=False)
    first = rng.integers(len(table), size=n_rows)
    second = near[first, rng.integers(n_neighbours, size=n_rows)]
    if table.is_sparse:
        return _of_cells(table, first, second, rng)
    return _between(table, first, second, rng.random((n_rows, table.n_columns if by_cell else 1)))


def _of_cells(table: Table, first: RowNumbers, second: RowNumbers, rng: np.random.Generator) -> Table:
    """Return sparse rows whose cells are each taken from one of two rows at random."""
    start = sparse.csr_matrix(table.data[first], dtype=np.float64)
    change = sparse.csr_matrix(table.data[second], dtype=np.float64) - start
    change.data *= rng.integers(2, size=change.nnz)
    drawn = sparse.csr_matrix(start + change)
    drawn.eliminate_zeros()
    return Table(type(table.data)(drawn))


def _between(table: Table, first: RowNumbers, second: RowNumbers, share: Shares) -> Table:
    """Return rows at fractions `share`, (n, 1) or (n, f), of the way from the first row to the second."""
    share = np.broadcast_to(share, (len(first), table.n_columns))
    if not table.is_frame:
        cells = table.data
        either = np.where(share < 0.5, cells[first], cells[second])
        if cells.dtype.kind != "f" or (whole := _whole(cells)).all():
            return Table(either)
        mixed = (1.0 - share) * cells[first] + share * cells[second]
        return Table(np.where(whole, either, mixed).astype(cells.dtype))
    nearest = np.where(share < 0.5, first[:, None], second[:, None])
    drawn = {}
    for j in range(table.n_columns):
        column = table.data.iloc[:, j]
        drawn[j] = column.iloc[nearest[:, j]].reset_index(drop=True)
        if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
            cells = column.to_numpy()
            if not _whole(cells[:, None])[0]:
                mixed = (1.0 - share[:, j]) * cells[first] + share[:, j] * cells[second]
                drawn[j] = pd.Series(mixed.astype(column.dtype))
    return Table(pd.DataFrame(drawn).set_axis(table.data.columns, axis=1), table.names)


def _whole(columns: np.ndarray) -> np.ndarray:
    """Return which float columns hold only integers: counts, codes and flags, which are not interpolated."""
    with np.errstate(invalid="ignore"):
        return np.asarray(((columns == np.round(columns)) | np.isnan(columns)).all(axis=0))
