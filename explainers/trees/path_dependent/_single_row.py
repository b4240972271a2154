"""Path-dependent Shapley values of single rows: the quadrature of `_kernels`, with its nodes side by side.

A block with one row costs as much as a full one. Here, a row takes the splits of a tree from the root down, which multiplies the
products of each leaf; the sums over leaves are formed on the way back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.compiled._arrays import NODES, Bools, Floats, Longs, Words
from automl_explain.explainers.compiled._jit import kernel
from automl_explain.explainers.compiled._quadrature_steps import go_down, go_up
from automl_explain.explainers.trees._paths import Paths
from automl_explain.explainers.trees._row_splits import ONE, RowSplits, read_splits, side
from automl_explain.explainers.trees.path_dependent._walks import all_edges


class RowWalk(NamedTuple):
    """The walk of a single row over some trees. A node has a number for each of its quadrature nodes, in whole vectors.

    Parameters
    ----------
    splits : RowSplits
        The trees' splits.
    size : ndarray of uint64, shape (trees,)
        Numbers of quadrature nodes.
    edges : ndarray of uint32, shape (splits, 3)
        The first coefficient of the edge to a split's left child, and to its right child; its player, times NODES.
    coef, ones : ndarray, int
        Coefficients, as in `EdgeFactors`; from position `ones` on, as many ones and then zeros as any tree has quadrature nodes,
        in whole vectors.
    weights, first_weight : ndarray
        Quadrature weights; those of a tree begin at ``first_weight[i]`` and are followed by zeros, to whole vectors.
    """

    splits: RowSplits
    size: Words
    edges: npt.NDArray[np.uint32]
    coef: Floats
    ones: int
    weights: Floats
    first_weight: Words


class RowPlan(NamedTuple):
    """A walk, and what is added up on it.

    Parameters
    ----------
    walk : RowWalk
    outputs : list of ndarray of shape (splits, 2)
        For each leaf column, the outputs of each split's children times their cover shares; 0 if they are no leaves.
    columns : list of ndarray of uint64, shape (trees,)
        For each leaf column, the position of each tree's output among the values of a row, times NODES.
    work : int
        Numbers for all nodes of a tree.
    """

    walk: RowWalk
    outputs: list[Floats]
    columns: list[Words]
    work: int


def plan_rows(paths: Paths, shares: Floats, planes: list[Longs], walked: Bools) -> Iterator[RowPlan]:
    """Yield the walks over trees with a split, slab by slab.

    Parameters
    ----------
    paths : Paths
    shares : ndarray, shape (M, V)
        Leaf outputs times cover shares.
    planes : list of V ndarrays of shape (T,)
        Position of each tree's output among the values of a row.
    walked : ndarray of bool, shape (T,)
        The trees that are walked.
    """
    for edges in all_edges(paths, walked=walked):
        level = -(-edges.n_quadrature // NODES) * NODES
        splits, tree = read_splits(paths, edges.trees, level)
        node = splits.fields[:, 0].astype(np.int64)
        left, right = node + 1, paths.router.right[node].astype(np.int64)
        root, size, first = paths.router.roots[edges.trees[tree]], edges.n_quadrature[tree], edges.first[tree]
        of_edges = [4 * (first + (child - root) * size) for child in (left, right)]
        of_edges.append(paths.player[left].astype(np.int64) * NODES)
        most = int(level.max())
        walk = RowWalk(
            splits, edges.n_quadrature.astype(np.uint64), np.stack(of_edges, axis=1).astype(np.uint32),
            np.concatenate([edges.coef, np.ones(most), np.zeros(most)]), len(edges.coef), edges.weights,
            edges.first_rule.astype(np.uint64),
        )  # fmt: skip
        children = np.stack([left, right], axis=1)
        yield RowPlan(
            walk,
            [np.ascontiguousarray(column[children]) for column in shares.T],
            [(plane[edges.trees] * NODES).astype(np.uint64) for plane in planes],
            most * int((2 * np.bincount(tree) + 1).max()),
        )


def add_row_values(plan: RowPlan, row: Floats, phi: Floats) -> None:
    """Add the values of a row (f,) to `phi` (K * P, NODES), whose last axis holds parts of each value."""
    work, places = np.empty((2, plan.work)), np.empty((2, plan.work), np.uint64)
    for outputs, columns in zip(plan.outputs, plan.columns, strict=True):
        _add_row_values(plan.walk, row, outputs, columns, phi.reshape(-1), work[0], work[1], places[0], places[1])


_TWO, _NODES = np.uint64(2), np.uint64(NODES)


@kernel
def _add_row_values(
    walk: RowWalk, row: Floats, outputs: Floats, columns: Words, phi: Floats, stack: Floats, sums: Floats, passed: Words,
    slopes: Words,
) -> None:  # fmt: skip
    """Walk down and up each tree; the last four arrays are working space."""
    splits, edges, coef, fields = walk.splits, walk.edges, walk.coef, walk.splits.fields
    ones = np.uint64(walk.ones)
    zeros = (ones + np.uint64(len(coef))) // _TWO
    passed[0] = ONE
    for i in range(len(columns)):
        size, first, n_splits = walk.size[i], splits.first[i], splits.first[i + 1] - splits.first[i]
        level = (size + _NODES - ONE) // _NODES * _NODES
        for k in range(level):
            stack[k] = walk.weights[walk.first_weight[i] + k]
        for number in range(n_splits):
            split = first + number
            way, fresh = side(splits, split, row), passed[fields[split, 4]]
            here, right = np.uint64(fields[split, 2]), fields[split, 3]
            left = here + level
            passed[left], passed[right] = fresh & way, fresh & (ONE - way)
            at_left, at_right = edges[split, 0] + (ONE - way) * size, edges[split, 1] + way * size
            go_down(stack, here, sums, left, coef, at_left if fresh else ones, size, outputs[split, 0])
            go_down(stack, here, sums, right, coef, at_right if fresh else ones, size, outputs[split, 1])
            slopes[_TWO * number] = at_left + _TWO * size if fresh else zeros
            slopes[_TWO * number + ONE] = at_right + _TWO * size if fresh else zeros
        for back in range(n_splits):
            number = n_splits - ONE - back
            split = first + number
            here, at = np.uint64(fields[split, 2]), columns[i] + edges[split, 2]
            at_left, at_right = slopes[_TWO * number], slopes[_TWO * number + ONE]
            go_up(sums, here + level, fields[split, 3], here, coef, at_left, at_right, size, phi, at)
