"""A slow and plain reading of `Trees`: the meaning of each field, one rule after the other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.trees._split_flags import (
    MISSING_LEFT,
    NAN_IS_ZERO,
    UNSEEN_LEFT,
    ZERO_IS_MISSING,
    ZERO_THRESHOLD,
)
from automl_explain.explainers.trees._tree_ensemble import Trees

Rows = npt.NDArray[np.float64]


def leaves(trees: Trees, X: Rows) -> npt.NDArray[np.int64]:
    """Node number of the leaf that each row reaches in each tree, (n, T)."""
    if trees.float32:
        with np.errstate(over="ignore"):
            X = X.astype(np.float32).astype(np.float64)
    node = np.repeat(trees.roots[None].astype(np.int64), len(X), axis=0)
    rows = np.arange(len(X))[:, None]
    while True:
        inner = trees.left[node] >= 0
        if not inner.any():
            return node
        x = X[rows, np.maximum(trees.feature[node], 0)]
        node = np.where(inner, np.where(_goes_left(trees, node, x), trees.left[node], trees.right[node]), node)


def predict(trees: Trees, X: Rows) -> Rows:
    """Sum over the trees, (n, K)."""
    leaf = leaves(trees, X)
    out = np.repeat(trees.base[None], len(X), axis=0)
    for tree in range(trees.n_trees):
        column = slice(None) if trees.output[tree] < 0 else slice(trees.output[tree], trees.output[tree] + 1)
        out[:, column] += trees.values[leaf[:, tree]]
    return out


def _goes_left(trees: Trees, node: npt.NDArray[np.int64], x: Rows) -> npt.NDArray[np.bool_]:
    flags = trees.flags[node]
    numeric = trees.category_size[node] == 0
    x = np.where(np.isnan(x) & ((flags & NAN_IS_ZERO) > 0), 0.0, x)
    missing = np.isnan(x) | ((np.abs(x) <= ZERO_THRESHOLD) & ((flags & ZERO_IS_MISSING) > 0))
    left = np.where(numeric, x <= trees.threshold[node], _in_set(trees, node, x, (flags & UNSEEN_LEFT) > 0))
    return np.where(missing, (flags & MISSING_LEFT) > 0, left)


def _in_set(
    trees: Trees, node: npt.NDArray[np.int64], x: Rows, unseen_left: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    if not len(trees.categories):
        return np.zeros(x.shape, dtype=bool)
    size = trees.category_size[node]
    known = (x > -1) & (x < 32.0 * size)
    category = np.where(known, x, 0).astype(np.int64)
    word = trees.categories[np.where(known, trees.category_start[node] + category // 32, 0)]
    bit = (word >> (category % 32).astype(np.uint32)) & 1
    return np.where(known, bit == 1, unseen_left)
