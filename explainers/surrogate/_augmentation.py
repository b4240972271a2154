"""Data augmentation: rows drawn between neighbouring rows of a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from automl_explain.explainers.surrogate._encoding import Encoding, Standardized
from automl_explain.explainers.tables._table import RowNumbers, Table

NEIGHBOURS = 5
"""Number of nearest rows from which the second row of a draw is chosen."""
POOL = 4096
"""Maximum number of rows searched for neighbours; a larger table is sampled."""


def draw_between_neighbours(table: Table, n_rows: int, random_state: int) -> Table:
    """Draw rows that lie between a row and one of its nearest neighbours.

    Columns of fractions are interpolated. All other cells, such as integers, dates and categories, are taken from the
    nearer of the two rows. Distances between neighbours use all columns, so that the drawn rows keep the dependence
    between columns, which independent draws per column would lose.

    Parameters
    ----------
    table : Table
        The rows, at least two.
    n_rows : int
        Number of rows to draw.
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
    """Return rows at a fraction `share` of the way from the first row to the second."""
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
    """Return which float columns hold only integers: counts, codes and flags, which are not interpolated."""
    with np.errstate(invalid="ignore"):
        return np.asarray(((columns == np.round(columns)) | np.isnan(columns)).all(axis=0))
