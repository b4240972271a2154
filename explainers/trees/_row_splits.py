"""The splits of trees as a single row meets them: compact arrays, from which kernels route one row without masks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.compiled._arrays import Floats, Ints, Longs, Words
from automl_explain.explainers.compiled._jit import inlined
from automl_explain.explainers.trees._paths import Paths
from automl_explain.explainers.trees._routing import Router, takes_left

ONE = np.uint64(1)


class RowSplits(NamedTuple):
    """The splits of some trees, from each root down.

    A node's *place* is where its numbers begin in an array with equally many numbers for each node of a tree. Indices are
    unsigned, since numba looks at the sign of others.

    Parameters
    ----------
    router : Router
        How rows are routed.
    first : ndarray of uint64, shape (trees + 1,)
        The splits of tree i are those from ``first[i]`` to ``first[i + 1]``.
    fields : ndarray of uint32, shape (splits, 5)
        The split's node and column; the places of the split, of its right child, and of the nearest edge above of the same
        player, or of the root. The left child is the next node.
    threshold : ndarray, shape (splits,)
        The splits' thresholds.
    """

    router: Router
    first: Words
    fields: npt.NDArray[np.uint32]
    threshold: Floats


def read_splits(paths: Paths, trees: Ints | Longs, width: npt.ArrayLike) -> tuple[RowSplits, Longs]:
    """Return the splits of trees, each of which has `width` numbers for a node; also each split's position in `trees`."""
    router = paths.router
    roots = router.roots[trees].astype(np.int64)
    nodes = [
        root + np.flatnonzero(router.left[root:end] >= 0) for root, end in zip(roots, router.ends[trees], strict=True)
    ]
    n_splits = np.array([len(part) for part in nodes])
    tree, node = np.repeat(np.arange(len(trees)), n_splits), np.concatenate(nodes)
    root, width = roots[tree], np.broadcast_to(width, len(trees))[tree]
    above = np.maximum(paths.ancestor[node + 1], root)
    places = [(numbered - root) * width for numbered in (node, router.right[node], above)]
    fields = np.stack([node, router.feature[node], *places], axis=1).astype(np.uint32)
    first = np.append(0, np.cumsum(n_splits)).astype(np.uint64)
    return RowSplits(router, first, fields, router.threshold[node]), tree


@inlined
def side(splits: RowSplits, split: int, row: Floats) -> np.uint64:
    """Return 1 if a split sends a row (f,) left, 0 otherwise."""
    x = row[splits.fields[split, 1]]
    return ONE if takes_left(splits.router, splits.fields[split, 0], splits.threshold[split], x) else ONE - ONE
