"""Predictions of tree ensembles, and the leaves that rows reach."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.compiled._arrays import LANES, Floats, Ints
from automl_explain.explainers.compiled._jit import run_blocks
from automl_explain.explainers.trees._routing import add_outputs, as_matrix, find_leaves, read_router, read_rows
from automl_explain.explainers.trees._tree_ensemble import Trees

ROWS_AT_ONCE = 1024
"""Rows per piece of work for a thread: few enough for the cache."""


def predict_trees(trees: Trees, X: npt.ArrayLike, *, n_jobs: int | None = None) -> Floats:
    """Return the outputs of the rows of `X`, (n, K), summed in the order of the trees."""
    matrix = as_matrix(trees, X)
    outputs = np.empty((len(matrix), trees.n_outputs))
    trees = trees.for_kernels()
    router = read_router(trees)
    largest = int((router.ends - router.roots).max(initial=1))

    def add(part: slice) -> int:
        rows = read_rows(router, matrix[part])
        sums = np.repeat(np.tile(trees.base, rows.n_blocks), LANES)
        space = np.empty(largest, np.uint64), np.empty(len(trees.left), np.int32)
        add_outputs(router, rows, trees.values, trees.output, trees.n_outputs, *space, sums)
        by_row = sums.reshape(rows.n_blocks, -1, LANES).transpose(0, 2, 1).reshape(-1, trees.n_outputs)
        outputs[part] = by_row[: rows.n_rows]
        return rows.n_rows

    run_blocks(add, _row_blocks(len(matrix)), n_jobs)
    return outputs


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
