"""Trees that come from a file, and backgrounds that hold only what trees can tell apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.trees._routing import as_matrix
from automl_explain.explainers.trees._split_flags import ZERO_IS_MISSING
from automl_explain.explainers.trees._tree_ensemble import Trees

Matrix = npt.NDArray[np.float64]


def check_trees(given: Trees, name: str) -> Trees:
    """Return trees that compiled code may walk.

    Raises
    ------
    InvalidInputError
        If a node, column, output or set of categories that does not exist is referred to, nodes are not in preorder, or a
        number is not finite.
    """
    trees = given.for_kernels()
    n_nodes, n_outputs, n_trees = len(trees.left), len(trees.base), len(trees.roots)
    by_node = (
        trees.right,
        trees.feature,
        trees.threshold,
        trees.flags,
        trees.category_start,
        trees.category_size,
        trees.cover,
    )
    sound = all(array.shape == (n_nodes,) for array in by_node) and trees.left.ndim == 1
    sound = (
        sound and trees.values.ndim == 2 and len(trees.values) == n_nodes and trees.values.shape[1] in (1, n_outputs)
    )
    sound = sound and trees.output.shape == (n_trees,) and trees.base.ndim == 1 and n_outputs > 0 and n_trees > 0
    sound = sound and trees.categories.ndim == 1 and _are_whole(trees) and n_nodes > 0
    if not (sound and _is_preorder(trees) and _are_bounded(trees)):
        raise InvalidInputError(
            f"The bundle is damaged: the trees of {name} refer to nodes or columns that do not exist."
        )
    return trees


def _are_whole(trees: Trees) -> bool:
    numbers = (trees.values, trees.base, trees.cover)
    return all(bool(np.isfinite(array).all()) for array in numbers) and not bool(np.isnan(trees.threshold).any())


def _is_preorder(trees: Trees) -> bool:
    """Whether the trees are one after the other, each with its left child next to its node and its right child behind."""
    n_nodes = len(trees.left)
    starts = np.sort(trees.roots)
    if starts[0] != 0 or (np.diff(starts) <= 0).any() or starts[-1] >= n_nodes:
        return False
    inner = np.flatnonzero(trees.left >= 0)
    if (trees.left[trees.left < 0] != -1).any() or (trees.left[inner] != inner + 1).any():
        return False
    # With the number of leaves still open, a tree in preorder is complete where that number is 0 for the first time.
    step = np.where(trees.left >= 0, 1, -1)
    still_open = np.cumsum(step)
    ends = np.append(starts[1:], n_nodes)
    before = np.append(0, still_open)[starts]
    if (still_open[ends - 1] != before - 1).any():
        return False
    tree = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, n_nodes)))
    level = still_open - before[tree]
    inside = np.ones(n_nodes, np.bool_)
    inside[ends - 1] = False
    if (level[inside] < 0).any():
        return False
    # The right child of a node is the first one behind it at which the number of open leaves is back.
    size = _subtree_sizes(trees.left, step)
    return bool((trees.right[inner] == inner + 1 + size[np.minimum(inner + 1, n_nodes - 1)]).all())


def _subtree_sizes(left: npt.NDArray[np.int32], step: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the number of nodes of each subtree of trees in preorder."""
    size = np.ones(len(left), np.int64)
    stack: list[int] = []
    for node in range(len(left) - 1, -1, -1):
        if left[node] >= 0:
            size[node] += size[stack.pop()] + size[stack.pop()]
        stack.append(node)
    return size


def _are_bounded(trees: Trees) -> bool:
    """Whether every column, output and set of categories exists."""
    inner, n_outputs = trees.left >= 0, len(trees.base)
    feature, size, start = (
        trees.feature[inner],
        trees.category_size[inner],
        trees.category_start[inner].astype(np.int64),
    )
    if len(feature) and (feature.min() < 0 or feature.max() >= trees.n_features):
        return False
    if (trees.category_size < 0).any() or (start[size > 0] < 0).any():
        return False
    if (start[size > 0] + size[size > 0] > len(trees.categories)).any():
        return False
    if trees.values.shape[1] == 1 and n_outputs > 1:
        return bool((trees.output >= 0).all() and (trees.output < n_outputs).all())
    return bool((trees.output >= -1).all() and (trees.output < n_outputs).all())


def distinguishable(trees: Trees, background: Matrix, weights: Matrix) -> tuple[Matrix, Matrix]:
    """Return background rows that the trees route as they route the given ones, equal rows joined, and their weights.

    A number is replaced by the smallest threshold of its column that is not below it, so that the file holds no cell of a
    training row in a column that is compared with thresholds only.
    """
    rows = as_matrix(trees, background, "background").copy()
    inner = trees.left >= 0
    largest = float(np.finfo(np.float32 if trees.float32 else np.float64).max)
    special = (trees.category_size > 0) | ((trees.flags & ZERO_IS_MISSING) > 0)
    for column in range(trees.n_features):
        of_column = inner & (trees.feature == column)
        if not of_column.any():
            rows[:, column] = 0.0
        elif not (special & of_column).any():
            # A split of missing cells from all others may have an infinite threshold.
            borders = np.unique(
                np.append(_reached(trees.threshold[of_column], trees.float32).clip(max=largest), largest)
            )
            missing = np.isnan(rows[:, column])
            rows[:, column] = borders[
                np.searchsorted(borders, np.where(missing, largest, np.minimum(rows[:, column], largest)))
            ]
            rows[missing, column] = np.nan
    keys = np.where(np.isnan(rows), -np.inf, rows)
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return rows[first], np.asarray(np.bincount(inverse.ravel(), weights, minlength=len(first)), dtype=np.float64)


def _reached(thresholds: Matrix, float32: bool) -> Matrix:
    """Return the largest number below or at each threshold that a cell can have."""
    if not float32:
        return thresholds
    with np.errstate(over="ignore"):
        rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded).astype(np.float64)
