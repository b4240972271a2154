"""Kernels that compile a row and a background row into cubes, and evaluate coalitions by bit tests.

Where the two rows part at a split, its player must be present on the row's side (set P) and absent on the other (set N).
A coalition S reaches a leaf that both sides lead to when ``S & (P | N) == P``: the leaf is a *cube* of coalitions, and the
model's output for S is the sum of the outputs of its cubes. Coalitions are bits in words of 64 players.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from automl_explain.explainers._jit import inlined, kernel
from automl_explain.explainers._lanes import LANES, add_where_equal, count_bits
from automl_explain.explainers._tree_paths import Floats, Ints, Longs, Paths, Rows, Words, rows_left


class Cubes(NamedTuple):
    """Cubes of one row with each of B background rows, in order.

    Parameters
    ----------
    first : ndarray, shape (B + 1,)
        The cubes with background row b are those from ``first[b]`` to ``first[b + 1]``.
    present, tested : ndarray of uint64, shape (cubes, words)
        Players that must be present (P), and players that matter (P | N).
    leaf : ndarray of int32, shape (cubes,)
        Node of the leaf.
    """

    first: Longs
    present: Words
    tested: Words
    leaf: Ints


@kernel
def split_masks(paths: Paths, rows: Rows, block: int, masks: Words) -> None:
    """Write the mask of the rows of a block that each split sends left, (M,)."""
    for node in range(len(masks)):
        if paths.router.left[node] >= 0:
            masks[node] = rows_left(paths.router, rows, node, block)


@kernel
def find_cubes(
    paths: Paths, row_masks: Words, other_masks: Words, n_others: int, cubes: Cubes, branches: Longs, path: Words
) -> int:
    """Write the cubes of a row (bit 0 of `row_masks`) with the rows of a block; return how many rows were done.

    There are fewer than `n_others` when the next one's cubes might not fit. Working space: `branches` (P, 3), `path`
    (2, words).
    """
    n_cubes, n_leaves = 0, (len(row_masks) + len(paths.router.roots)) // 2
    cubes.first[0] = 0
    for other in range(n_others):
        if n_cubes + n_leaves > len(cubes.leaf):
            return other
        for tree in range(len(paths.router.roots)):
            n_cubes = _find_in_tree(
                paths, tree, row_masks, other_masks, np.uint64(other), cubes, n_cubes, branches, path
            )
        cubes.first[other + 1] = n_cubes
    return n_others


@inlined
def _find_in_tree(
    paths: Paths, tree: int, row_masks: Words, other_masks: Words, other: np.uint64, cubes: Cubes, n_cubes: int,
    branches: Longs, path: Words,
) -> int:  # fmt: skip
    """Add the cubes of one tree; `branches` holds the open ones: player, node on the other side, 1 while present."""
    left, right, one = paths.router.left, paths.router.right, np.uint64(1)
    node, n_open = paths.router.roots[tree], 0
    for word in range(path.shape[1]):
        path[0, word] = path[1, word] = 0
    while True:
        while left[node] >= 0:
            goes, other_goes = row_masks[node] & one, (other_masks[node] >> other) & one
            taken = left[node] if goes else right[node]
            if goes != other_goes:
                player = paths.player[taken]
                word, bit = player >> 6, one << np.uint64(player & 63)
                if path[1, word] & bit:
                    taken = left[node] if other_goes else right[node]
                elif not path[0, word] & bit:
                    path[0, word] |= bit
                    branches[n_open, 0], branches[n_open, 2] = player, 1
                    branches[n_open, 1] = left[node] if other_goes else right[node]
                    n_open += 1
            node = taken
        for word in range(path.shape[1]):
            cubes.present[n_cubes, word] = path[0, word]
            cubes.tested[n_cubes, word] = path[0, word] | path[1, word]
        cubes.leaf[n_cubes] = node
        n_cubes += 1
        while n_open > 0 and branches[n_open - 1, 2] == 0:
            n_open -= 1
            player = branches[n_open, 0]
            path[1, player >> 6] &= ~(one << np.uint64(player & 63))
        if n_open == 0:
            return n_cubes
        player, node = branches[n_open - 1, 0], branches[n_open - 1, 1]
        path[0, player >> 6] &= ~(one << np.uint64(player & 63))
        path[1, player >> 6] |= one << np.uint64(player & 63)
        branches[n_open - 1, 2] = 0


@kernel
def add_cubes(
    cubes: Cubes, n_others: int, values: Floats, column: Ints, masks: Words, n_outputs: int, out: Floats
) -> None:
    """Add the outputs of the n coalitions in `masks` (words, n) to `out`, flat (B, K, n); n is a multiple of LANES.

    `values` (M, V) are the leaves' outputs; a single one is added to output ``column[leaf]``.
    """
    (n_words, n), n_columns, flat = masks.shape, values.shape[1], masks.reshape(-1)
    step = 64 * LANES  # coalitions whose sums stay in the first cache
    for start in range(0, n, step):
        count = min(step, n - start)
        for other in range(n_others):
            for cube in range(cubes.first[other], cubes.first[other + 1]):
                leaf = cubes.leaf[cube]
                for c in range(n_columns):
                    v, to = values[leaf, c], (other * n_outputs + (c if n_columns > 1 else column[leaf])) * n + start
                    if n_words == 1:
                        present, tested = cubes.present[cube, 0], cubes.tested[cube, 0]
                        add_where_equal(flat, start, count, tested, present, v, out, to)
                    else:
                        for s in range(count):
                            fits = True
                            for word in range(n_words):
                                fits &= masks[word, start + s] & cubes.tested[cube, word] == cubes.present[cube, word]
                            out[to + s] += v if fits else 0.0


@kernel
def add_all_coalitions(cubes: Cubes, n_others: int, values: Floats, column: Ints, out: Floats) -> None:
    """Add the outputs of all 2^P coalitions to `out` (B, K, 2^P), coalition S at place S.

    A cube is the signed sum of the up-sets of P with each part of N (inclusion and exclusion); all up-sets are then
    filled by one fast zeta transform.
    """
    n_columns, size = values.shape[1], out.shape[2]
    for other in range(n_others):
        for cube in range(cubes.first[other], cubes.first[other + 1]):
            leaf, present = cubes.leaf[cube], cubes.present[cube, 0]
            absent = cubes.tested[cube, 0] ^ present
            for c in range(n_columns):
                k = c if n_columns > 1 else column[leaf]
                part = absent
                while True:
                    sign = 1.0 - 2.0 * (count_bits(part) & 1)
                    out[other, k, present | part] += values[leaf, c] * sign
                    if part == 0:
                        break
                    part = (part - np.uint64(1)) & absent
        for k in range(out.shape[1]):
            bit = 1
            while bit < size:
                for start in range(0, size, 2 * bit):
                    for s in range(start, start + bit):
                        out[other, k, s + bit] += out[other, k, s]
                bit *= 2


@kernel
def add_cube_shares(
    cubes: Cubes, n_others: int, values: Floats, column: Ints, weights: Floats, gain: Floats, loss: Floats, phi: Floats
) -> None:
    """Add the Shapley values to `phi` (K, P): a cube gives ``gain[p, q]`` of its output to P, takes ``loss`` from N."""
    n_columns, n_words = values.shape[1], cubes.present.shape[1]
    for other in range(n_others):
        for cube in range(cubes.first[other], cubes.first[other + 1]):
            leaf, p, q = cubes.leaf[cube], 0, 0
            for word in range(n_words):
                p += count_bits(cubes.present[cube, word])
                q += count_bits(cubes.tested[cube, word] ^ cubes.present[cube, word])
            for player in range(phi.shape[1]):
                word, bit = player >> 6, np.uint64(1) << np.uint64(player & 63)
                if cubes.tested[cube, word] & bit:
                    share = gain[p, q] if cubes.present[cube, word] & bit else -loss[p, q]
                    for c in range(n_columns):
                        phi[c if n_columns > 1 else column[leaf], player] += weights[other] * share * values[leaf, c]
