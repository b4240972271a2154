"""More rows like those of a table: draws between neighbours."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from automl_explain.explainers.surrogate._encoding import Encoding, Standardized
from automl_explain.explainers.tables._table import RowNumbers, Table

NEIGHBOURS = 5
"""Nearest rows among which a draw chooses."""
POOL = 4096
"""Rows that are searched for neighbours; of a larger table, a sample."""


def draw_between_neighbours(table: Table, n_rows: int, random_state: int) -> Table:
    """Draw rows that lie between a row and one of its nearest neighbours.

    Fractions are interpolated. Whole numbers, dates, categories and other cells are taken from either of the two rows,
    all of a draw's from the same one. Neighbours are near in all columns together, so that draws keep the dependence
    between columns, which shuffling columns would destroy.

    Parameters
    ----------
    table : Table
        Rows to draw between, two or more.
    n_rows : int
        Number of draws.
    random_state : int

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
    return _between(table, first, second, rng.random(n_rows))


def _between(table: Table, first: RowNumbers, second: RowNumbers, share: np.ndarray) -> Table:
    """Rows that are a share of the way from the first to the second."""
    nearest = np.where(share < 0.5, first, second)
    if table.is_sparse:
        data = table.data.astype(np.float64)
        keep, move = sparse.diags_array(1.0 - share), sparse.diags_array(share)
        return Table(type(table.data)(keep @ data[first] + move @ data[second]))
    if not table.is_frame:
        if table.data.dtype.kind == "f" and not _whole(table.data).all():
            either = table.data[nearest]
            mixed = (1.0 - share[:, None]) * table.data[first] + share[:, None] * table.data[second]
            return Table(np.where(_whole(table.data), either, mixed).astype(table.data.dtype))
        return Table(table.data[nearest])
    drawn = table.data.iloc[nearest].reset_index(drop=True)
    for name, dtype in table.data.dtypes.items():
        if isinstance(dtype, np.dtype) and dtype.kind == "f":
            cells = table.data[name].to_numpy()
            if not _whole(cells[:, None])[0]:
                drawn[name] = ((1.0 - share) * cells[first] + share * cells[second]).astype(dtype)
    return Table(pd.DataFrame(drawn), table.names)


def _whole(columns: np.ndarray) -> np.ndarray:
    """Which columns of floats hold whole numbers alone: counts, codes and flags, between which there is nothing."""
    with np.errstate(invalid="ignore"):
        return np.asarray(((columns == np.round(columns)) | np.isnan(columns)).all(axis=0))
