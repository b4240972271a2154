"""Rows of a table in pieces, each of which a thread explains; a few rows are explained one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from automl_explain.explainers.compiled._arrays import LANES, Floats
from automl_explain.explainers.compiled._jit import count_threads

Progress = Callable[[int], object]
FEW_ROWS = 2
"""Rows that are explained one by one, since a block would be mostly empty."""
CHUNK_ROWS = 2048
"""Rows that a thread explains at a time: few enough for the cache, enough to read each tree once for many rows."""
CHUNK_NODES = 40_000
"""Least number of nodes, over all blocks of rows, that a thread is woken for: it takes 0.3 ms and more."""
CHUNK_BYTES = 16 << 20
"""Upper bound on the memory of their values."""


@dataclass(frozen=True, eq=False)
class RowValues:
    """The values of n rows, which pieces of work fill.

    Parameters
    ----------
    values : ndarray, shape (K, n, P)
    outputs : ndarray of shape (n, K), or None
        What the model predicts; None if that is not found on the way to the values.
    """

    values: Floats
    outputs: Floats | None

    @staticmethod
    def of(n_outputs: int, n_rows: int, n_players: int, *, with_outputs: bool) -> RowValues:
        """Return room for the values of rows."""
        outputs = np.empty((n_rows, n_outputs)) if with_outputs else None
        return RowValues(np.empty((n_outputs, n_rows, n_players)), outputs)

    def take(self, sums: Floats, rows: slice) -> None:
        """Write sums (rows, K, places), the first of which are values, and the next, if there is one, the output."""
        n_players = self.values.shape[2]
        self.values[:, rows] = sums[:, :, :n_players].transpose(1, 0, 2)
        if self.outputs is not None:
            self.outputs[rows] = sums[:, :, n_players]


def explain_one_by_one(
    explain_row: Callable[[Floats], Floats], matrix: Floats, made: RowValues, progress: Progress | None
) -> None:
    """Write the sums of a few rows, (K, places) for each row of a matrix, into `made`."""
    for number, row in enumerate(matrix):
        made.take(explain_row(row)[None], slice(number, number + 1))
        if progress is not None:
            progress(1)


def row_chunks(n: int, n_jobs: int | None, places: int, n_nodes: int) -> list[slice]:
    """Cut n rows of `places` values into pieces for threads: whole blocks, in bounded memory, each worth a thread."""
    most = max(1, min(CHUNK_ROWS, CHUNK_BYTES // (8 * max(1, places))))
    even = max(-(-n // count_threads(n_jobs)), LANES * CHUNK_NODES // max(1, n_nodes))
    rows = -(-min(most, even) // LANES) * LANES
    return [slice(start, min(start + rows, n)) for start in range(0, n, max(1, rows))]
