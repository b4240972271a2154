"""Renumber the nodes of an ensemble in the order that `Trees` requires.

Libraries number nodes in different ways: depth first, best first, leaves separately, or with unreachable nodes in between.
A reader keeps the library's order, and `in_preorder` renumbers all trees at once, level by level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.trees._tree_ensemble import Trees

Nodes = npt.NDArray[np.int64]
"""Node numbers of a table of nodes."""


def in_preorder(trees: Trees) -> Trees:
    """Return the same ensemble with contiguous trees in preorder, without unreachable nodes.

    Parameters
    ----------
    trees : Trees
        An ensemble with nodes in any order. Fields of inner nodes may have any value at leaves, and the reverse.

    Returns
    -------
    Trees
        Left child = node + 1; feature -1, threshold 0, no flags and no bit set at leaves; value 0 at inner nodes.
    """
    sweep = levels(trees.roots, trees.left, trees.right)
    place = _places(trees, sweep)
    reached = np.concatenate(sweep)
    order = np.empty(len(reached), dtype=np.int64)
    order[place[reached]] = reached
    leaf = trees.left[order] < 0

    def child(nodes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        return np.where(leaf, -1, place[nodes[order]]).astype(np.int32)

    def inner(values: npt.NDArray[Any], at_leaf: int) -> npt.NDArray[Any]:
        return np.where(leaf, values.dtype.type(at_leaf), values[order])

    return replace(
        trees,
        roots=place[trees.roots].astype(np.int32),
        left=child(trees.left),
        right=child(trees.right),
        feature=inner(trees.feature, -1),
        threshold=inner(trees.threshold, 0),
        flags=inner(trees.flags, 0),
        category_start=inner(trees.category_start, -1),
        category_size=inner(trees.category_size, 0),
        cover=trees.cover[order],
        values=np.where(leaf[:, None], trees.values[order], 0.0),
    )


def levels(roots: npt.NDArray[np.int32], left: npt.NDArray[np.int32], right: npt.NDArray[np.int32]) -> Sequence[Nodes]:
    """Return the nodes at depth 0, 1, 2, ... of all trees together."""
    sweep = [roots.astype(np.int64)]
    while True:
        inner = sweep[-1][left[sweep[-1]] >= 0]
        if not len(inner):
            return sweep
        sweep.append(np.concatenate([left[inner], right[inner]]).astype(np.int64))


def numeric_splits(n_nodes: int) -> dict[str, npt.NDArray[Any]]:
    """Return the categorical fields of `Trees` for an ensemble that has numeric splits only."""
    return {
        "category_start": np.full(n_nodes, -1, dtype=np.int32),
        "category_size": np.zeros(n_nodes, dtype=np.int32),
        "categories": np.zeros(0, dtype=np.uint32),
    }


def leaf_sums(trees: Trees) -> npt.NDArray[np.float64]:
    """Return the cover of every node as the sum over its leaves, for libraries that store it at the leaves only."""
    cover = trees.cover.copy()
    for level in reversed(levels(trees.roots, trees.left, trees.right)):
        inner = level[trees.left[level] >= 0]
        cover[inner] = cover[trees.left[inner]] + cover[trees.right[inner]]
    return cover


def _places(trees: Trees, sweep: Sequence[Nodes]) -> Nodes:
    """Return each node's position in preorder: subtree sizes from the leaves up, then positions from the roots down."""
    size = np.ones(len(trees.left), dtype=np.int64)
    inners = [level[trees.left[level] >= 0] for level in sweep]
    for inner in reversed(inners):
        size[inner] += size[trees.left[inner]] + size[trees.right[inner]]
    place = np.full(len(trees.left), -1, dtype=np.int64)
    place[trees.roots] = np.cumsum(size[trees.roots]) - size[trees.roots]
    for inner in inners:
        place[trees.left[inner]] = place[inner] + 1
        place[trees.right[inner]] = place[inner] + 1 + size[trees.left[inner]]
    return place
