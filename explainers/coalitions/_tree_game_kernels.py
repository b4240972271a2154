"""Kernels that turn a row and a background row into cubes, and evaluate coalitions by bit tests.

If the two rows take different sides of a split, its player must be present for the side of the row (set P) and absent for
the other side (set N). A coalition S reaches a leaf if ``S & (P | N) == P``: the leaf is a *cube* of coalitions, and the
output for S is the sum of the outputs of its cubes. Coalitions are bits in words of 64 players.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from automl_explain.explainers.compiled._arrays import (
    LANES,
    Bools,
    Floats,
    Ints,
    Longs,
    Words,
)
from automl_explain.explainers.compiled._jit import inlined, kernel
from automl_explain.explainers.compiled._simd import add_where_equal, count_bits, first_bit
from automl_explain.explainers.trees._paths import Paths
from automl_explain.explainers.trees._routing import BlockedRows, rows_left

LATTICE_TESTS = 16
"""Coalitions of a lattice that cost as much as testing one coalition against all cubes of a pair."""


class Cubes(NamedTuple):
    """Cubes of one row with each of B background rows, in order.

    Parameters
    ----------
    first : ndarray, shape (B + 1,)
        The cubes with background row b are those from ``first[b]`` to ``first[b + 1]``.
    present, tested : ndarray of uint64, shape (cubes, words)
        Players that must be present (P), and players that are tested (P | N).
    leaf : ndarray of int32, shape (cubes,)
        Node of the leaf.
    """

    first: Longs
    present: Words
    tested: Words
    leaf: Ints


class Leaves(NamedTuple):
    """The outputs of the leaves of an ensemble with K outputs.

    Parameters
    ----------
    values : ndarray, shape (M, V)
        Outputs of the leaves; if V = 1, a leaf adds to output ``column[leaf]``.
    column : ndarray of int32, shape (M,)
    base : ndarray, shape (K,)
        Outputs before any leaf is added.
    """

    values: Floats
    column: Ints
    base: Floats


@kernel
def split_masks(paths: Paths, rows: BlockedRows, block: int, masks: Words) -> None:
    """Write the mask of the rows of a block that each split sends left, (M,)."""
    for node in range(len(masks)):
        if paths.router.left[node] >= 0:
            masks[node] = rows_left(paths.router, rows, node, block)


@kernel
def find_cubes(
    paths: Paths, row_masks: Words, row: np.uint64, other_masks: Words, others: tuple[int, int], cubes: Cubes,
    branches: Longs, path: Words,
) -> int:  # fmt: skip
    """Write the cubes of a row with background rows, both counted within their blocks; return the end of the rows done.

    It is before the end of `others` if the cubes of the next row might not fit. Working space: `branches` (P, 3), `path`
    (2, words).
    """
    n_cubes, n_leaves = 0, (len(row_masks) + len(paths.router.roots)) // 2
    cubes.first[0] = 0
    for other in range(others[0], others[1]):
        if n_cubes + n_leaves > len(cubes.leaf):
            return other
        for tree in range(len(paths.router.roots)):
            n_cubes = _find_in_tree(
                paths, tree, row_masks, row, other_masks, np.uint64(other), cubes, n_cubes, branches, path
            )
        cubes.first[other - others[0] + 1] = n_cubes
    return others[1]


@inlined
def _find_in_tree(
    paths: Paths, tree: int, row_masks: Words, row: np.uint64, other_masks: Words, other: np.uint64, cubes: Cubes,
    n_cubes: int, branches: Longs, path: Words,
) -> int:  # fmt: skip
    """Add the cubes of one tree; `branches` holds the open branches: player, node on the other side, 1 while present."""
    left, right, one = paths.router.left, paths.router.right, np.uint64(1)
    node, n_open = paths.router.roots[tree], 0
    for word in range(path.shape[1]):
        path[0, word] = path[1, word] = 0
    while True:
        while left[node] >= 0:
            goes, other_goes = (row_masks[node] >> row) & one, (other_masks[node] >> other) & one
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
def write_lattices(
    cubes: Cubes, n_others: int, leaves: Leaves, pair: int, players: Bools, first: Longs, place: Longs, out: Floats
) -> None:
    """Write the outputs of all coalitions of each pair's players; `pair` is the pair of the first background row.

    `players` (pairs, P) are the players of each pair. Its outputs begin at ``first[pair]`` of `out`, flat (K, mixed rows).
    Working space: `place` (64 words,).
    """
    for other in range(n_others):
        d = 0
        for player in range(players.shape[1]):
            if players[pair + other, player]:
                place[player] = d
                d += 1
        _write_lattice(cubes, other, leaves, place, 1 << d, out, first[pair + other], len(out) // len(leaves.base))


@kernel
def write_coalitions(
    cubes: Cubes, n_others: int, leaves: Leaves, pair: int, masks: Words, n: int, place: Longs, number: Longs,
    lattice: Floats, sums: Floats, out: Floats,
) -> None:  # fmt: skip
    """Write the outputs of the same n coalitions for each pair; `pair` is the pair of the first background row.

    `masks` (words, n rounded up to a multiple of LANES) are the coalitions; the outputs of a pair begin at ``n * pair`` of
    `out`, flat (K, mixed rows). If few players are relevant to a pair, computing all coalitions is cheaper than testing
    each of the n. Working space: `place` (64 words,), `lattice` (K * largest lattice,), `number` and `sums` (columns of
    `masks`,).
    """
    n_outputs, n_words = len(leaves.base), len(masks)
    stride = len(out) // n_outputs
    for other in range(n_others):
        d = _place_players(cubes, other, place)
        at = (pair + other) * n
        if d < 60 and (1 << d) <= min(LATTICE_TESTS * n, len(lattice) // n_outputs):
            _write_lattice(cubes, other, leaves, place, 1 << d, lattice, 0, 1 << d)
            number[:] = 0
            for player in range(64 * n_words):
                if place[player] >= 0:
                    word, bit, to = player >> 6, np.uint64(player & 63), place[player]
                    for s in range(n):
                        number[s] |= np.int64((masks[word, s] >> bit) & np.uint64(1)) << to
            for k in range(n_outputs):
                for s in range(n):
                    out[k * stride + at + s] = lattice[(k << d) + number[s]]
        else:
            for k in range(n_outputs):
                sums[:] = leaves.base[k]
                _add_cubes(cubes, other, leaves, k, masks, sums)
                for s in range(n):
                    out[k * stride + at + s] = sums[s]


@kernel
def write_walks(
    cubes: Cubes, n_others: int, leaves: Leaves, pair: int, place: Longs, below: Longs, out: Floats
) -> None:
    """Write the outputs of walks for each pair; `pair` is the pair of the first background row.

    `place` (b, k, P) is that of the walks, `below` (P + 2,) the number of cuts below each number of players. The coalitions of
    a pair are in the order of `Walks.coalitions`, and their outputs begin at ``m * pair`` of `out`, flat (K, mixed rows).

    Players join in order, so that a cube holds the coalitions of one stretch of each half of a walk. A leaf is added where the
    stretch begins and subtracted where it ends; sums over the cuts give the outputs.
    """
    n_outputs, n_columns, n_players = len(leaves.base), leaves.values.shape[1], place.shape[2]
    stride, n_cuts = len(out) // n_outputs, int(below[n_players])
    m = 2 + 2 * place.shape[1] * n_cuts
    for other in range(n_others):
        at, own = (pair + other) * m, place[(pair + other) % len(place)]
        for k in range(n_outputs):
            out[k * stride + at : k * stride + at + m] = 0.0
        for cube in range(cubes.first[other], cubes.first[other + 1]):
            leaf = cubes.leaf[cube]
            for walk in range(place.shape[1]):
                # Places of the first and the last player that must be present, and of those that must be absent.
                first_in, last_in, first_out, last_out = n_players, -1, n_players, -1
                for word in range(cubes.tested.shape[1]):
                    tested, inside = cubes.tested[cube, word], cubes.present[cube, word]
                    while tested:
                        bit = first_bit(tested)
                        where = int(own[walk, 64 * word + bit])
                        if (inside >> np.uint64(bit)) & np.uint64(1):
                            first_in, last_in = min(first_in, where), max(last_in, where)
                        else:
                            first_out, last_out = min(first_out, where), max(last_out, where)
                        tested &= tested - np.uint64(1)
                forward, backward = at + 2 + 2 * walk * n_cuts, at + 2 + (2 * walk + 1) * n_cuts
                for c in range(n_columns):
                    to = (c if n_columns > 1 else leaves.column[leaf]) * stride
                    v = leaves.values[leaf, c]
                    if walk == 0 and last_out < 0:
                        out[to + at] += v
                    if walk == 0 and last_in < 0:
                        out[to + at + 1] += v
                    _add_stretch(out, to + forward, n_cuts, below, last_in + 1, first_out + 1, v)
                    _add_stretch(out, to + backward, n_cuts, below, last_out + 1, first_in + 1, v)
        for k in range(n_outputs):
            out[k * stride + at] += leaves.base[k]
            out[k * stride + at + 1] += leaves.base[k]
            for half in range(2 * place.shape[1]):
                total, start = leaves.base[k], k * stride + at + 2 + half * n_cuts
                for cut in range(start, start + n_cuts):
                    total += out[cut]
                    out[cut] = total


@inlined
def _add_stretch(out: Floats, at: int, n_cuts: int, below: Longs, least: int, most: int, v: float) -> None:
    """Add a value from the first cut of at least `least` players on, and subtract it from the first of at least `most`."""
    first, end = below[least], below[most]
    if first < end:
        out[at + first] += v
        if end < n_cuts:
            out[at + end] -= v


@inlined
def _place_players(cubes: Cubes, other: int, place: Longs) -> int:
    """Count the relevant players of a pair, and write the position of each among them; -1 for the others."""
    d = 0
    for word in range(cubes.tested.shape[1]):
        tested = np.uint64(0)
        for cube in range(cubes.first[other], cubes.first[other + 1]):
            tested |= cubes.tested[cube, word]
        for bit in range(64):
            matters = (tested >> np.uint64(bit)) & np.uint64(1)
            place[64 * word + bit] = d if matters else -1
            d += int(matters)
    return d


@inlined
def _write_lattice(
    cubes: Cubes, other: int, leaves: Leaves, place: Longs, size: int, out: Floats, at: int, stride: int
) -> None:
    """Write the outputs of all coalitions of the placed players to flat `out`, output k from ``k * stride + at`` on.

    A cube is the signed sum of the up-sets of P with each subset of N (inclusion-exclusion). One fast zeta transform
    then adds up all up-sets.
    """
    n_outputs, n_columns = len(leaves.base), leaves.values.shape[1]
    for k in range(n_outputs):
        out[k * stride + at : k * stride + at + size] = 0.0
        out[k * stride + at] = leaves.base[k]
    for cube in range(cubes.first[other], cubes.first[other + 1]):
        present, absent = np.uint64(0), np.uint64(0)
        for word in range(cubes.tested.shape[1]):
            tested, inside = cubes.tested[cube, word], cubes.present[cube, word]
            while tested:
                bit = first_bit(tested)
                placed = np.uint64(1) << np.uint64(place[64 * word + bit])
                if (inside >> np.uint64(bit)) & np.uint64(1):
                    present |= placed
                else:
                    absent |= placed
                tested &= tested - np.uint64(1)
        leaf = cubes.leaf[cube]
        for c in range(n_columns):
            to, part = (c if n_columns > 1 else leaves.column[leaf]) * stride + at, absent
            while True:
                sign = 1.0 - 2.0 * (count_bits(part) & 1)
                out[to + np.int64(present | part)] += leaves.values[leaf, c] * sign
                if part == 0:
                    break
                part = (part - np.uint64(1)) & absent
    for k in range(n_outputs):
        _sum_subsets(out, k * stride + at, size)


@inlined
def _sum_subsets(out: Floats, at: int, size: int) -> None:
    """Replace the value of each of `size` coalitions, in binary order, by the sum over its subsets."""
    bit = 1
    if size >= 4:
        for s in range(at, at + size, 4):
            none, one, two = out[s], out[s + 1], out[s + 2]
            out[s + 1], out[s + 2], out[s + 3] = none + one, none + two, none + one + two + out[s + 3]
        bit = 4
    while bit < size:
        for start in range(at, at + size, 2 * bit):
            for s in range(start, start + bit):
                out[s + bit] += out[s]
        bit *= 2


@inlined
def _add_cubes(cubes: Cubes, other: int, leaves: Leaves, k: int, masks: Words, sums: Floats) -> None:
    """Add output k of the coalitions in `masks` to `sums`, testing each coalition against each cube."""
    (n_words, n), n_columns, flat = masks.shape, leaves.values.shape[1], masks.reshape(-1)
    step = 64 * LANES  # coalitions whose sums stay in the first-level cache
    for start in range(0, n, step):
        count = min(step, n - start)
        for cube in range(cubes.first[other], cubes.first[other + 1]):
            leaf = cubes.leaf[cube]
            if n_columns == 1 and leaves.column[leaf] != k:
                continue
            v = leaves.values[leaf, k if n_columns > 1 else 0]
            if n_words == 1:
                present, tested = cubes.present[cube, 0], cubes.tested[cube, 0]
                add_where_equal(flat, start, count, tested, present, v, sums, start)
            else:
                for s in range(start, start + count):
                    fits = True
                    for word in range(n_words):
                        fits &= masks[word, s] & cubes.tested[cube, word] == cubes.present[cube, word]
                    sums[s] += v if fits else 0.0
