"""Interventional Shapley interaction values, from the sums of `_pattern_sums` and the walks of `_kernels`.

A mix of a row and a background row reaches a leaf of output v with p players that must come from the row and q that must
come from the background row. Each pair of the p players gets ``v W(p - 2, q)``, each pair of the q players
``v W(p, q - 2)`` and each pair of one and the other ``-v W(p - 1, q - 1)``, with ``W(a, b) = a! b! / (a + b + 1)!``.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import factorial
from typing import Any, NamedTuple

import numpy as np

from automl_explain.explainers.compiled._arrays import (
    LANES,
    Floats,
    Ints,
    Longs,
    Patterns,
    Words,
)
from automl_explain.explainers.compiled._jit import inlined, kernel
from automl_explain.explainers.compiled._simd import first_bit, gather_patterns
from automl_explain.explainers.trees._paths import Paths, pass_masks
from automl_explain.explainers.trees._routing import BlockedRows
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.explainers.trees.interventional._companions import pattern_batches
from automl_explain.explainers.trees.interventional._kernels import Companions
from automl_explain.explainers.trees.patterns._pattern_tables import node_masks
from automl_explain.explainers.trees.patterns._table_kernels import Subtrees


class PairSums(NamedTuple):
    """Pattern sums of leaves with d players each.

    Parameters
    ----------
    trees, first_leaf : ndarray
        The leaves of ``trees[i]`` are those from ``first_leaf[i]`` to ``first_leaf[i + 1]``.
    sources, players : ndarray
        Each leaf's pattern bits and players, flat (leaves * d,).
    values : ndarray, shape (leaves, V)
        The leaves' outputs.
    plane : ndarray, shape (leaves,)
        Position in a row of interactions of the output that a leaf's first column adds to.
    first, second, third : ndarray, shape (leaves, 2^d)
        U_0, U_1 and U_2.
    """

    trees: Longs
    first_leaf: Longs
    sources: Ints
    players: Longs
    values: Floats
    plane: Longs
    first: Floats
    second: Floats
    third: Floats


def build_pair_sums(
    model: Trees, paths: Paths, leaves: Subtrees, background: BlockedRows, weights: Floats
) -> Iterator[PairSums]:
    """Yield the pattern sums of leaves with few players, in portions of bounded memory."""
    for chosen, (first, second, third) in pattern_batches(paths, leaves, background, weights, order=2):
        d = int(paths.width[leaves.nodes[chosen[0]]])
        sources = leaves.sources[leaves.first_source[chosen, None] + np.arange(d)]
        trees, first_leaf = np.unique(leaves.trees[chosen], return_index=True)
        players = paths.player[paths.router.roots[leaves.trees[chosen], None] + sources // 2].astype(np.int64)
        plane = model.output_columns()[leaves.trees[chosen]].astype(np.int64) * paths.n_players**2
        yield PairSums(
            trees, np.append(first_leaf, len(chosen)), sources.ravel(), players.ravel(),
            model.values[leaves.nodes[chosen]], plane, first, second, third,
        )  # fmt: skip


def add_pair_sums(paths: Paths, part: PairSums, rows: BlockedRows, phi: Floats) -> None:
    """Add the interactions of players i < j to `phi` (n, K * P * P), at position i P + j of an output."""
    patterns, work = np.empty(LANES, np.uint32), np.empty(64)
    _add_pair_sums(paths, part, rows, phi.shape[1], phi.reshape(-1), node_masks(paths), patterns, work)


@kernel
def _add_pair_sums(
    paths: Paths,
    part: PairSums,
    rows: BlockedRows,
    n_places: int,
    phi: Floats,
    masks: Words,
    patterns: Patterns,
    work: Floats,
) -> None:
    n_players, d = paths.n_players, len(part.players) // len(part.plane)
    full = (1 << d) - 1
    for i in range(len(part.trees)):
        for block in range(rows.n_blocks):
            pass_masks(paths, rows, part.trees[i], block, masks)
            for leaf in range(part.first_leaf[i], part.first_leaf[i + 1]):
                gather_patterns(masks, part.sources, leaf * d, d, patterns, 0)
                for row in range(min(LANES, rows.n_rows - block * LANES)):
                    failed, at = full & ~np.int64(patterns[row]), (block * LANES + row) * n_places + part.plane[leaf]
                    for j in range(d):
                        work[j] = part.second[leaf, failed | (1 << j)]
                    for j in range(1, d):
                        for other in range(j):
                            a, b = part.players[leaf * d + j], part.players[leaf * d + other]
                            both = part.third[leaf, failed | (1 << j) | (1 << other)]
                            value = part.first[leaf, failed] - work[j] - work[other] + both
                            place = at + min(a, b) * n_players + max(a, b)
                            for column in range(part.values.shape[1]):
                                phi[place + column * n_players * n_players] += value * part.values[leaf, column]


def add_companion_pairs(paths: Paths, part: Companions, rows: BlockedRows, phi: Floats) -> None:
    """Add the interactions of leaves with many players to `phi` (n, K * P * P); i < j are at position i P + j of an output."""
    most, together = len(part.gain), np.empty(int(paths.depth.max()) + 1, np.uint64)
    _add_companion_pairs(
        paths, part, rows, phi.shape[1], phi.reshape(-1), _mixed_weights(most), node_masks(paths), together,
        np.empty(most, np.int64),
    )  # fmt: skip


def _mixed_weights(most: int) -> Floats:
    """Return the weights (3, p, q) of pairs with two, one and no players from the row; 0 where undefined."""
    mixed = np.zeros((3, most, most))
    for p in range(most):
        for q in range(max(0, 2 - p), most - p):
            for kind, (a, b) in enumerate(((p - 2, q), (p - 1, q - 1), (p, q - 2))):
                if a >= 0 and b >= 0:
                    mixed[kind, p, q] = (1 - 2 * (kind % 2)) * factorial(a) * factorial(b) / factorial(a + b + 1)
    return mixed


@kernel
def _add_companion_pairs(
    paths: Paths, part: Companions, rows: BlockedRows, n_places: int, phi: Floats, mixed: Floats, masks: Words,
    together: Words, kinds: Longs,
) -> None:  # fmt: skip
    """Walk as `add_from_companions` does."""
    left, depth = paths.router.left, paths.depth
    for i in range(len(part.trees)):
        tree = part.trees[i]
        root, end = paths.router.roots[tree], paths.router.ends[tree]
        plane = part.column[tree] // part.apart * paths.n_players * paths.n_players
        for block in range(rows.n_blocks):
            pass_masks(paths, rows, tree, block, masks)
            for row in range(min(LANES, rows.n_rows - block * LANES)):
                at = (block * LANES + row) * n_places + plane
                for word in range(part.n_words):
                    first = part.first_node[i] * part.n_words + word * (end - root)
                    together[0], node = part.everyone[word], root + 1
                    while node < end:
                        fails = ((masks[2 * (node - root)] >> np.uint64(row)) & np.uint64(1)) - np.uint64(1)
                        others = together[depth[node] - 1] & (part.passing[first + node - root] | ~fails)
                        if others == 0 or not part.wanted[node]:
                            node = part.behind[node]
                            continue
                        together[depth[node]] = others
                        if left[node] < 0:
                            _add_leaf_pairs(
                                part, node, first, masks, row, others, 64 * word, mixed, kinds, paths.n_players, phi, at
                            )
                        node += 1


@inlined
def _add_leaf_pairs(
    part: Companions, leaf: int, first: int, masks: Words, row: int, others: Any, first_other: int, mixed: Floats,
    kinds: Longs, n_players: int, phi: Floats, at: int,
) -> None:  # fmt: skip
    """Add a leaf's interactions; `kinds` is working space: 0 from the row only, 1 from the background row only, 2 either."""
    start = part.first_edge[part.rank[leaf]]
    d = part.first_edge[part.rank[leaf] + 1] - start
    while others:
        other, p, q = np.uint64(first_bit(others)), 0, 0
        others &= others - np.uint64(1)
        for j in range(d):
            edge = part.edges[start + j]
            kinds[j] = 2
            if not (masks[edge] >> np.uint64(row)) & np.uint64(1):
                kinds[j] = 1
                q += 1
            elif not (part.passing[first + edge // 2] >> other) & np.uint64(1):
                kinds[j] = 0
                p += 1
        weight = part.weights[first_other + np.int64(other)]
        for j in range(1, d):
            for i in range(j):
                if kinds[i] < 2 and kinds[j] < 2:
                    a, b = part.players[start + i], part.players[start + j]
                    place = at + min(a, b) * n_players + max(a, b)
                    share = weight * mixed[kinds[i] + kinds[j], p, q]
                    for column in range(part.values.shape[1]):
                        phi[place + column * n_players * n_players] += share * part.values[leaf, column]
