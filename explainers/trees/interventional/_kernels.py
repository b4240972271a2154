"""Kernels that explain rows by interventional Shapley values without tables.

The leaves that have no table are found by walking the tree together with all background rows. A mix of the row and a
background row reaches a leaf of output v with p players that must come from the row and q that must come from the
background row: each of the p players gains ``v (p-1)! q! / (p+q)!`` and each of the q players loses
``v p! (q-1)! / (p+q)!``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from automl_explain.explainers.compiled._arrays import (
    ENTRY,
    LANES,
    Bools,
    Floats,
    Ints,
    Longs,
    Words,
)
from automl_explain.explainers.compiled._jit import inlined, kernel
from automl_explain.explainers.compiled._simd import (
    add_without,
    count_without,
    first_bit,
)
from automl_explain.explainers.trees._paths import Paths, pass_masks
from automl_explain.explainers.trees._routing import BlockedRows


class Companions(NamedTuple):
    """Leaves without a table, and the background rows that pass the players on their paths.

    Parameters
    ----------
    trees, first_node : ndarray
        The trees with such leaves, and the number of nodes of the earlier ones.
    wanted, behind : ndarray, shape (M,)
        Whether there are such leaves below a node, and the node after its subtree.
    passing, n_words : ndarray, int
        Bits of the background rows that pass the player of an edge so far, in words of 64 rows; (n_words, nodes) for each
        tree.
    everyone : ndarray
        Bits of all background rows.
    weights : ndarray, shape (B,)
        Weights of the background rows.
    gain, loss : ndarray
        The two weights of a leaf, by p and q.
    rank, edges, players, first_edge : ndarray
        From ``first_edge[rank[n]]`` to ``first_edge[rank[n] + 1]``: the players on the path to leaf n, and twice the
        numbers of their deepest edges, counted from the root.
    values, column, apart : ndarray, ndarray, int
        Leaf outputs (M, V), each tree's position in a row of values, and the distance between two outputs there.
    """

    trees: Longs
    first_node: Longs
    wanted: Bools
    behind: Ints
    passing: Words
    n_words: int
    everyone: Words
    weights: Floats
    gain: Floats
    loss: Floats
    rank: Longs
    edges: Ints
    players: Ints
    first_edge: Longs
    values: Floats
    column: Longs
    apart: int


@kernel
def find_passing(paths: Paths, rows: BlockedRows, tree: int, passing: Words, masks: Words) -> None:
    """Write the `passing` bits of one tree's edges, (n_words * nodes,), which must be 0; `masks` is working space."""
    n_nodes = paths.router.ends[tree] - paths.router.roots[tree]
    per_word = 64 // LANES
    for block in range(rows.n_blocks):
        pass_masks(paths, rows, tree, block, masks)
        for node in range(n_nodes):
            word, shift = block // per_word, np.uint64(block % per_word * LANES)
            passing[word * n_nodes + node] |= masks[2 * node] << shift


@kernel
def add_from_companions(
    paths: Paths,
    part: Companions,
    rows: BlockedRows,
    n_places: int,
    phi: Floats,
    masks: Words,
    together: Words,
    words: Words,
    sums: Floats,
) -> None:
    """Add the values of the leaves without a table to `phi`, flat rows of `n_places`.

    Each row walks a tree in preorder and keeps, by depth, which of 64 background rows pass every player that the row
    fails. A subtree is skipped if there is none.

    Working space: `masks` (2 * nodes of a tree,), `together` (depth + 1,), `words` and `sums` (players of a leaf,).
    """
    left, depth, wanted, behind = paths.router.left, paths.depth, part.wanted, part.behind
    for i in range(len(part.trees)):
        tree = part.trees[i]
        root, end = paths.router.roots[tree], paths.router.ends[tree]
        for block in range(rows.n_blocks):
            pass_masks(paths, rows, tree, block, masks)
            for row in range(min(LANES, rows.n_rows - block * LANES)):
                at = (block * LANES + row) * n_places + part.column[tree]
                for word in range(part.n_words):
                    first = part.first_node[i] * part.n_words + word * (end - root)
                    together[0] = part.everyone[word]
                    node = root + 1
                    while node < end:
                        fails = ((masks[2 * (node - root)] >> np.uint64(row)) & np.uint64(1)) - np.uint64(1)
                        others = together[depth[node] - 1] & (part.passing[first + node - root] | ~fails)
                        if others == 0 or not wanted[node]:
                            node = behind[node]
                            continue
                        together[depth[node]] = others
                        if left[node] < 0:
                            _add_leaf(part, node, first, masks, row, others, 64 * word, words, sums, phi, at)
                        node += 1


@inlined
def _add_leaf(
    part: Companions, leaf: int, first: int, masks: Words, row: int, others: Any, first_other: int, words: Words,
    sums: Floats, phi: Floats, at: int,
) -> None:  # fmt: skip
    """Add the values of a leaf for a row that reaches it together with the background rows in the mask `others`.

    `words` and `sums` are working space with one place for each player of the path, rounded up to a multiple of ENTRY.
    """
    start, d = part.first_edge[part.rank[leaf]], part.first_edge[part.rank[leaf] + 1] - part.first_edge[part.rank[leaf]]
    size, lost, q = (d + ENTRY - 1) // ENTRY, 0.0, d
    for j in range(size * ENTRY):
        words[j], sums[j] = ~np.uint64(0), 0.0
    for j in range(d):
        edge = part.edges[start + j]
        words[j] = part.passing[first + edge // 2]
        q -= np.int64((masks[edge] >> np.uint64(row)) & np.uint64(1))
    while others:
        other = first_bit(others)
        others &= others - np.uint64(1)
        p, weight = count_without(words, size, other), part.weights[first_other + other]
        lost += weight * part.loss[p, q]
        add_without(words, size, other, weight * part.gain[p, q], sums)
    for j in range(d):
        passes = np.int64((masks[part.edges[start + j]] >> np.uint64(row)) & np.uint64(1))
        total = sums[j] - lost * (1 - passes)  # sums of players that fail are 0
        for column in range(part.values.shape[1]):
            phi[at + part.players[start + j] + column * part.apart] += total * part.values[leaf, column]
