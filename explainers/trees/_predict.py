"""Predictions of tree ensembles, and the leaves that rows reach."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.compiled._arrays import LANES, Floats, Ints
from automl_explain.explainers.compiled._jit import run_blocks
from automl_explain.explainers.trees._routing import (
    Router,
    add_outputs,
    add_row_outputs,
    as_matrix,
    find_behind,
    find_leaves,
    read_router,
    read_rows,
)
from automl_explain.explainers.trees._tree_ensemble import Trees

ROWS_AT_ONCE = 1024
"""Rows per piece of work for a thread: few enough for the cache."""

FEW_ROWS = 4
"""Rows that descend the trees one by one, since a block would be mostly empty."""


class TreePredictor:
    """The outputs of an ensemble, with what is computed once for all tables of rows.

    Outputs are the base plus the leaves, added in float64 in the order of the trees. These are LightGBM's own numbers, bit
    by bit. Libraries that add in float32, such as XGBoost, differ by their rounding, which is below
    ``16 * eps(float32)`` times the largest output.

    Parameters
    ----------
    trees : Trees
    router : Router, optional
        How its rows are routed, if that was read before.
    """

    def __init__(self, trees: Trees, router: Router | None = None) -> None:
        self._trees = trees = trees.for_kernels()
        self._router = router = router or read_router(trees)
        self._behind = np.empty(len(trees.left), np.int32)
        find_behind(router, self._behind)
        self._largest = int((router.ends - router.roots).max(initial=1))

    def __call__(self, X: npt.ArrayLike, *, n_jobs: int | None = None) -> Floats:
        """Return the outputs of the rows of `X`, (n, K)."""
        trees, router = self._trees, self._router
        matrix = as_matrix(trees, X)
        outputs = np.empty((len(matrix), trees.n_outputs))
        if len(matrix) <= FEW_ROWS:
            outputs[:] = trees.base
            for row, sums in zip(matrix, outputs, strict=True):
                add_row_outputs(router, row, trees.values, trees.output, sums)
            return outputs

        def add(part: slice) -> int:
            rows = read_rows(router, matrix[part])
            sums = np.empty((rows.n_blocks, trees.n_outputs, LANES))
            sums[:] = trees.base[:, None]
            reached = np.empty(self._largest, np.uint64)
            add_outputs(
                router, rows, trees.values, trees.output, trees.n_outputs, reached, self._behind, sums.reshape(-1)
            )
            by_row = sums.transpose(0, 2, 1).reshape(-1, trees.n_outputs)
            outputs[part] = by_row[: rows.n_rows]
            return rows.n_rows

        run_blocks(add, _row_blocks(len(matrix)), n_jobs)
        return outputs


def predict_trees(trees: Trees, X: npt.ArrayLike, *, n_jobs: int | None = None) -> Floats:
    """Return the outputs of the rows of `X`, (n, K), as `TreePredictor` does."""
    return TreePredictor(trees)(X, n_jobs=n_jobs)


def predict_leaves(trees: Trees, X: npt.ArrayLike, *, n_jobs: int | None = None) -> Ints:
    """Return the node of the leaf that each row of `X` reaches in each tree, (n, T)."""
    matrix = as_matrix(trees, X)
    leaves = np.empty((len(matrix), trees.n_trees), np.int32)
    router = read_router(trees.for_kernels())

    def find(rows: slice) -> int:
        find_leaves(router, matrix[rows], leaves[rows])
        return len(range(*rows.indices(len(matrix))))

    run_blocks(find, _row_blocks(len(matrix)), n_jobs)
    return leaves


def _row_blocks(n: int) -> list[slice]:
    """Cut n rows into pieces for threads."""
    return [slice(i, min(i + ROWS_AT_ONCE, n)) for i in range(0, n, ROWS_AT_ONCE)]
