"""Sets of leaves as bits: a fast way to the outputs of a tree ensemble for very many rows.

The leaves of a tree are numbered from the left, 64 per word. Each split removes the leaves on the side that a row does
not take; the leaf that remains after all splits is the one that the row reaches. The sets of splits that are decided
together, such as all splits on one column, are combined in advance.

Source: Lucchese et al., "QuickScorer: a fast algorithm to rank documents with additive ensembles of regression trees",
doi:10.1145/2766462.2767733.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from automl_explain.explainers.compiled._arrays import (
    LANES,
    Floats,
    Ints,
    Longs,
    Words,
)
from automl_explain.explainers.compiled._jit import inlined, kernel
from automl_explain.explainers.compiled._simd import first_bit
from automl_explain.explainers.trees._routing import (
    BlockedRows,
    Router,
    read_router,
    rows_left,
)
from automl_explain.explainers.trees._tree_ensemble import Trees

WORD = 64
"""Leaves per word."""
CELLS = 1024
"""Cells of the grid in which the position of a number among a column's thresholds is looked up."""


class LeafSets(NamedTuple):
    """The leaves of an ensemble's T trees in W words.

    Parameters
    ----------
    router : Router
        How rows are routed.
    word : ndarray of int64, shape (T + 1,)
        First word of each tree, and the end of the last one.
    tree : ndarray of int64, shape (M,)
        Tree of each node.
    before : ndarray of int64, shape (M + 1,)
        Number of leaves before each node, over all trees.
    behind : ndarray of int64, shape (M,)
        Node after each node's subtree.
    values : ndarray, shape (64 W, V)
        Outputs of the leaf that each bit stands for.
    """

    router: Router
    word: Longs
    tree: Longs
    before: Longs
    behind: Longs
    values: Floats


class Thresholds(NamedTuple):
    """The thresholds of columns, and the leaves that remain for each position of a number among them.

    Parameters
    ----------
    first : ndarray of int64, shape (columns + 1,)
        Where each column's thresholds begin in `sorted`.
    sorted : ndarray, shape (thresholds,)
        Distinct thresholds of each column, ascending.
    start, scale : ndarray, shape (columns,)
        A number x lies in cell ``(x - start) * scale`` of its column.
    place : ndarray of int32, shape (columns, CELLS)
        Number of a column's thresholds in earlier cells.
    sets : ndarray of uint64, shape (thresholds + columns, W)
        Row ``first[c] + c + i`` holds the leaves that remain if i thresholds of column c are smaller than the number.
    """

    first: Longs
    sorted: Floats
    start: Floats
    scale: Floats
    place: Ints
    sets: Words


def read_leaf_sets(trees: Trees) -> LeafSets:
    """Return the leaf sets of `trees`, which must come from `Trees.for_kernels`."""
    router = read_router(trees)
    leaf = trees.left < 0
    before = np.append(0, np.cumsum(leaf))
    behind = np.empty(len(leaf), np.int64)
    _find_behind(router, behind)
    tree = np.empty(len(leaf), np.int64)
    for number, (root, end) in enumerate(zip(router.roots, router.ends, strict=True)):
        tree[root:end] = number
    n_leaves = before[router.ends] - before[router.roots]
    word = np.append(0, np.cumsum(-(-n_leaves // WORD)))
    values = np.zeros((WORD * word[-1], trees.values.shape[1]))
    nodes = np.flatnonzero(leaf)
    values[WORD * word[tree[nodes]] + before[nodes] - before[router.roots[tree[nodes]]]] = trees.values[nodes]
    return LeafSets(router, word, tree, before, behind, values)


def sets_of_rows(leaves: LeafSets, rows: BlockedRows, player: Ints, n_players: int) -> Words:
    """Return the leaves that each player's splits leave to each row, (n, P, W); `player` is that of each node, or -1."""
    sets = _whole_sets(rows.n_rows, n_players, leaves.word[-1])
    _take_from_rows(leaves, rows, player, n_players, sets.reshape(-1))
    return sets


def read_thresholds(leaves: LeafSets, trees: range, n_columns: int) -> Thresholds:
    """Return the thresholds of some trees on the first columns, whose splits must all be numeric."""
    router = leaves.router
    here = (router.left >= 0) & (leaves.tree >= trees.start) & (leaves.tree < trees.stop)
    nodes = [np.flatnonzero(here & (router.feature == column)) for column in range(n_columns)]
    distinct = [np.unique(router.threshold[of_column]) for of_column in nodes]
    first = np.append(0, np.cumsum([len(part) for part in distinct])).astype(np.int64)
    start, scale, place = np.zeros(n_columns), np.zeros(n_columns), np.zeros((n_columns, CELLS), np.int32)
    sets = _whole_sets(first[-1] + n_columns, leaves.word[trees.stop] - leaves.word[trees.start])
    found = Thresholds(first, np.concatenate([*distinct, np.empty(0)]), start, scale, place, sets)
    for column, part in enumerate(distinct):
        finite = part[np.isfinite(part)]
        if len(finite) and np.ptp(finite) > 0.0:
            start[column], scale[column] = finite[0], (CELLS - 2) / np.ptp(finite)
        _find_places(found, column)
        _take_from_places(leaves, nodes[column], column, leaves.word[trees.start], found)
    return found


def _whole_sets(*shape: int) -> Words:
    return np.full(shape, np.iinfo(np.uint64).max, np.uint64)


@kernel
def _find_behind(router: Router, behind: Longs) -> None:
    for node in range(len(behind) - 1, -1, -1):
        behind[node] = node + 1 if router.left[node] < 0 else behind[router.right[node]]


@inlined
def _take(leaves: LeafSets, node: int, sets: Words, at: int) -> None:
    """Remove the leaves below a node from a set; the words of the node's tree begin at position `at` of flat `sets`."""
    root = leaves.before[leaves.router.roots[leaves.tree[node]]]
    for leaf in range(leaves.before[node] - root, leaves.before[leaves.behind[node]] - root):
        sets[at + leaf // WORD] &= ~(np.uint64(1) << np.uint64(leaf % WORD))


@kernel
def _take_from_rows(leaves: LeafSets, rows: BlockedRows, player: Ints, n_players: int, sets: Words) -> None:
    """Remove from `sets`, flat (n, P, W), the leaves that the splits of each player rule out for each row."""
    router, n_words = leaves.router, leaves.word[-1]
    for node in range(len(player)):
        if router.left[node] >= 0 and player[node] >= 0:
            for block in range(rows.n_blocks):
                goes = rows_left(router, rows, node, block)
                for row in range(block * LANES, min((block + 1) * LANES, rows.n_rows)):
                    goes_left = (goes >> np.uint64(row - block * LANES)) & np.uint64(1)
                    at = (row * n_players + player[node]) * n_words + leaves.word[leaves.tree[node]]
                    _take(leaves, router.right[node] if goes_left else router.left[node], sets, at)


@kernel
def _find_places(thresholds: Thresholds, column: int) -> None:
    """Fill `Thresholds.place` of a column."""
    first, n_smaller = thresholds.first[column], 0
    for cell in range(CELLS):
        while (
            first + n_smaller < thresholds.first[column + 1]
            and _cell(thresholds, column, thresholds.sorted[first + n_smaller]) < cell
        ):
            n_smaller += 1
        thresholds.place[column, cell] = n_smaller


@kernel
def _take_from_places(leaves: LeafSets, nodes: Longs, column: int, first_word: int, thresholds: Thresholds) -> None:
    """Remove from `Thresholds.sets` the leaves that splits on a column rule out; numbers up to the threshold go left."""
    router, sets = leaves.router, thresholds.sets.reshape(-1)
    first, stop, n_words = thresholds.first[column], thresholds.first[column + 1], thresholds.sets.shape[1]
    for node in nodes:
        word = leaves.word[leaves.tree[node]] - first_word
        for n_smaller in range(stop - first + 1):
            goes_left = n_smaller == 0 or thresholds.sorted[first + n_smaller - 1] < router.threshold[node]
            away = router.right[node] if goes_left else router.left[node]
            _take(leaves, away, sets, (first + column + n_smaller) * n_words + word)


@inlined
def _cell(thresholds: Thresholds, column: int, x: float) -> Any:
    """Return the cell of a number; a smaller number never lies in a later cell."""
    cell = (x - thresholds.start[column]) * thresholds.scale[column]
    if not cell > 0.0:  # also NaN, which arises if the only threshold is infinite
        return np.int64(0)
    return np.int64(cell) if cell < CELLS - 1 else np.int64(CELLS - 1)


@inlined
def place_among(thresholds: Thresholds, column: int, x: float) -> Any:
    """Return the row of `Thresholds.sets` for a number of a column."""
    first, stop = thresholds.first[column], thresholds.first[column + 1]
    at = first + thresholds.place[column, _cell(thresholds, column, x)]
    while at < stop and thresholds.sorted[at] < x:
        at += 1
    return at + column


@inlined
def is_near(thresholds: Thresholds, column: int, place: int, x: float, near: float) -> bool:
    """Return whether a threshold next to a number is at most `near` away from it."""
    at, first, stop = place - column, thresholds.first[column], thresholds.first[column + 1]
    return bool(
        (at < stop and thresholds.sorted[at] - x <= near) or (at > first and x - thresholds.sorted[at - 1] <= near)
    )


@inlined
def add_leaves(
    leaves: LeafSets, trees: tuple[int, int], left: Words, output: Ints, n_outputs: int, out: Floats, at: int
) -> None:
    """Add the remaining leaves of the trees ``trees[0]`` to ``trees[1]`` to the outputs (K,) at position `at` of flat `out`.

    `left` holds the words of these trees; `output` (T,) is the output that each tree adds to if a leaf holds one number.
    """
    first, stop, n_columns = leaves.word[trees[0]], leaves.word[trees[1]], leaves.values.shape[1]
    if n_outputs == 1 and stop - first == trees[1] - trees[0]:  # one word per tree: no lookup
        total = 0.0
        for word in range(stop - first):
            total += leaves.values[WORD * (first + word) + first_bit(left[word]), 0]
        out[at] += total
        return
    for tree in range(trees[0], trees[1]):
        word = leaves.word[tree]
        while left[word - first] == 0:
            word += 1
        leaf = WORD * word + first_bit(left[word - first])
        for c in range(n_columns):
            out[at + (c if n_columns > 1 else output[tree])] += leaves.values[leaf, c]
