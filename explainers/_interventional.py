"""Kernels that explain rows by interventional Shapley values.

Most leaves are looked up in tables (see `_table_kernels`): one pass over a tree's splits gives the index of each
group's entry. Leaves with too many players for a table are found by walking the tree with the row and a background row
at once: where the two part, the player of the split joins those taken from the row (p of them) on the row's side and
those taken from the background (q) on the other side; a leaf of output v gives each of the former ``v (p-1)! q! /
(p+q)!`` and takes ``v p! (q-1)! / (p+q)!`` from each of the latter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._jit import inlined, kernel
from automl_explain.explainers._lanes import ENTRY, LANES, add_entry, gather_patterns
from automl_explain.explainers._tree_paths import Bools, Floats, Ints, Longs, Paths, Rows, Words, pass_masks, rows_left


class Tables(NamedTuple):
    """Tables of groups of leaves.

    Parameters
    ----------
    trees, first_cluster : ndarray
        The clusters of ``trees[i]`` are those from ``first_cluster[i]`` to ``first_cluster[i + 1]``.
    outputs, first_output : ndarray
        A cluster's places in a row of values (K * P), for each leaf column in turn.
    stride : ndarray
        Numbers in an entry of each cluster, a multiple of ENTRY for each leaf column.
    first_group : ndarray
        The groups of cluster i are those from ``first_group[i]`` to ``first_group[i + 1]``.
    sources, first_source : ndarray
        Index bits of each group, as in `Subtrees`.
    first_entry, entries : ndarray
        Where each group's entries begin, and the entries.
    n_columns, most_nodes, most_stride : int
        Leaf columns, and the largest tree and entry.
    """

    trees: Longs
    first_cluster: Longs
    outputs: Longs
    first_output: Longs
    stride: Longs
    first_group: Longs
    sources: Ints
    first_source: Longs
    first_entry: Longs
    entries: Floats
    n_columns: int
    most_nodes: int
    most_stride: int


@kernel
def add_from_tables(paths: Paths, tables: Tables, rows: Rows, phi: Floats) -> None:
    """Add the values of all groups to `phi` (rows, K * P)."""
    pattern = np.empty(LANES, np.uint32)
    masks = np.empty(2 * tables.most_nodes, np.uint64)
    sums = np.zeros(LANES * tables.most_stride)
    for i in range(len(tables.trees)):
        tree = tables.trees[i]
        for block in range(rows.n_blocks):
            pass_masks(paths, rows, tree, block, masks)
            n_rows = min(LANES, rows.n_rows - block * LANES)
            for cluster in range(tables.first_cluster[i], tables.first_cluster[i + 1]):
                stride = tables.stride[cluster]
                for group in range(tables.first_group[cluster], tables.first_group[cluster + 1]):
                    first = tables.first_source[group]
                    gather_patterns(masks, tables.sources, first, tables.first_source[group + 1] - first, pattern, 0)
                    for row in range(n_rows):
                        at = tables.first_entry[group] + np.int64(pattern[row]) * stride
                        add_entry(tables.entries, at, sums, row * stride, stride // ENTRY)
                first = tables.first_output[cluster]
                per_column = (tables.first_output[cluster + 1] - first) // tables.n_columns
                apart = stride // tables.n_columns
                for row in range(n_rows):
                    for column in range(tables.n_columns):
                        for j in range(per_column):
                            place = tables.outputs[first + column * per_column + j]
                            phi[block * LANES + row, place] += sums[row * stride + column * apart + j]
                for i_sum in range(n_rows * stride):
                    sums[i_sum] = 0.0


class Pairs(NamedTuple):
    """What the walks of pairs of rows need.

    Parameters
    ----------
    trees : ndarray
        The trees with leaves to be found.
    wanted : ndarray of bool, shape (M,)
        Subtrees with such leaves; a leaf that has a table is not wanted.
    background, weights : Rows, ndarray
        Background rows and their weights.
    gain, loss : ndarray
        The two weights of a leaf, by p and q.
    values, column : ndarray
        Leaf outputs (M, V), and each tree's place in a row of values.
    most_nodes : int
        Size of the largest tree.
    """

    trees: Longs
    wanted: Bools
    background: Rows
    weights: Floats
    gain: Floats
    loss: Floats
    values: Floats
    column: Longs
    most_nodes: int


@inlined
def _split_masks(paths: Paths, rows: Rows, tree: int, block: int, masks: Words) -> None:
    root = paths.router.roots[tree]
    for node in range(root, paths.router.ends[tree]):
        if paths.router.left[node] >= 0:
            masks[node - root] = rows_left(paths.router, rows, node, block)


@kernel
def add_from_pairs(paths: Paths, pairs: Pairs, rows: Rows, phi: Floats) -> None:
    """Add the values of the wanted leaves to `phi` (rows, K * P)."""
    others = pairs.background
    row_masks, other_masks = np.empty(pairs.most_nodes, np.uint64), np.empty(pairs.most_nodes, np.uint64)
    side = np.zeros(paths.n_players, np.uint8)
    branches = np.empty((paths.n_players + 1, 3), np.int64)
    sums = np.zeros((paths.n_players + 2, 2, pairs.values.shape[1]))
    for tree in pairs.trees:
        for block in range(rows.n_blocks):
            _split_masks(paths, rows, tree, block, row_masks)
            for other_block in range(others.n_blocks):
                _split_masks(paths, others, tree, other_block, other_masks)
                for row in range(min(LANES, rows.n_rows - block * LANES)):
                    out = phi[block * LANES + row, pairs.column[tree] :]
                    for other in range(min(LANES, others.n_rows - other_block * LANES)):
                        weight = pairs.weights[other_block * LANES + other]
                        if weight > 0.0:
                            masks = row_masks, row, other_masks, other
                            _walk_pair(paths, pairs, tree, masks, weight, side, branches, sums, out)


@inlined
def _walk_pair(
    paths: Paths, pairs: Pairs, tree: int, masks: tuple[Words, int, Words, int], weight: float,
    side: npt.NDArray[np.uint8], branches: Longs, sums: Floats, out: Floats,
) -> None:  # fmt: skip
    """Add the values of the wanted leaves of one tree that a row and a background row reach together to `out`.

    Working space: `side` says where a player is taken from (1 row, 2 background, 0 open); `branches` holds the open
    branches (player, node on the background's side, 1 while on the row's side); ``sums[level]`` what the leaves below
    give each player taken from the row, and from the background.
    """
    row_masks, row, other_masks, other = masks
    router, root = paths.router, paths.router.roots[tree]
    row_bit, other_bit = np.uint64(1) << np.uint64(row), np.uint64(1) << np.uint64(other)
    node, n_open, p, q, n_columns = root, 0, 0, 0, pairs.values.shape[1]
    done = sums[len(sums) - 1]
    while True:
        while pairs.wanted[node] and router.left[node] >= 0:
            goes = (row_masks[node - root] & row_bit) != 0
            other_goes = (other_masks[node - root] & other_bit) != 0
            taken = router.left[node] if goes else router.right[node]
            if goes != other_goes:
                player, instead = paths.player[taken], router.left[node] if other_goes else router.right[node]
                if side[player] == 0:
                    branches[n_open, 0], branches[n_open, 1], branches[n_open, 2] = player, instead, 1
                    side[player] = 1
                    n_open += 1
                    p += 1
                elif side[player] == 2:
                    taken = instead
            node = taken
        wanted = pairs.wanted[node]
        for column in range(n_columns):
            v = weight * pairs.values[node, column] if wanted else 0.0
            done[0, column], done[1, column] = v * pairs.gain[p, q], -v * pairs.loss[p, q]
        while n_open:
            branch, kept = branches[n_open - 1], sums[n_open - 1]
            player, share = branch[0], 1 - branch[2]
            for column in range(n_columns):
                out[column * paths.n_players + player] += done[share, column]
            if branch[2]:
                kept[:] = done
                branch[2], side[player], node = 0, 2, branch[1]
                p -= 1
                q += 1
                break
            done += kept
            side[player] = 0
            q -= 1
            n_open -= 1
        if n_open == 0:
            return
