"""Scores of many rows, block by block."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from automl_explain.service.models._served_model import Cells, Matrix, Scored, ServedModel


def score_blocks(model: ServedModel, cells: Cells, explain: bool, block_rows: int, check: Callable[[], None]) -> Scored:
    """Return the scores of rows; `check` is called before each block, and may raise.

    Parameters
    ----------
    model : ServedModel
    cells : mapping
        Columns of rows.
    explain : bool
        Whether local importance values are wanted.
    block_rows : int
        Rows that are scored at once.
    check : callable
    """
    n_rows = len(next(iter(cells.values())))
    parts = []
    for start in range(0, n_rows, block_rows):
        check()
        block = cells
        if n_rows > block_rows:
            block = {name: column[start : start + block_rows] for name, column in cells.items()}
        parts.append(model.score(block, explain))
    check()
    return parts[0] if len(parts) == 1 else _joined(parts)


def _joined(parts: Sequence[Scored]) -> Scored:
    first = parts[0]

    def join(arrays: list[Matrix | None], axis: int) -> Matrix | None:
        return None if arrays[0] is None else np.concatenate([array for array in arrays if array is not None], axis)

    return Scored(
        tuple(prediction for part in parts for prediction in part.predictions),
        np.concatenate([part.outputs for part in parts]),
        join([part.probabilities for part in parts], 0),
        join([part.values for part in parts], -2),
        first.base_values,
    )
