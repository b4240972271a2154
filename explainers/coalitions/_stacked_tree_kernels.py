"""Kernels of stacks whose final estimator consists of trees: the leaves that coalitions reach."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from automl_explain.explainers.compiled._arrays import Bools, Floats, Ints, Longs, Words
from automl_explain.explainers.compiled._jit import inlined, kernel
from automl_explain.explainers.trees._quickscorer import LeafSets, Thresholds, add_leaves, is_near, place_among

JOINED = 6
"""Players in a group for which the leaf sets of all coalitions are computed in advance."""


class FinalPart(NamedTuple):
    """Some trees of a final model, and what they read of the members.

    Parameters
    ----------
    leaves : LeafSets
    trees : tuple of int
        The first tree, and the one after the last.
    thresholds : Thresholds
    output : ndarray of int, shape (T,)
    given : ndarray, shape (c, mixed rows)
        The members' outputs.
    float32 : bool
    near : ndarray, shape (c,)
        Distance from a threshold below which an output is ambiguous.
    """

    leaves: LeafSets
    trees: tuple[int, int]
    thresholds: Thresholds
    output: Ints
    given: Floats
    float32: bool
    near: Floats


@inlined
def _add_reached(final: FinalPart, left: Words, mixed: int, n_outputs: int, out: Floats, doubts: Bools) -> None:
    """Add the leaves that a mixed row reaches, given those that its passed-through columns leave."""
    thresholds = final.thresholds
    for column in range(len(final.given)):
        x = final.given[column, mixed]
        at = place_among(thresholds, column, np.float64(np.float32(x)) if final.float32 else x)
        if is_near(thresholds, column, at, x, final.near[column]):
            doubts[column, mixed] = True
        for word in range(len(left)):
            left[word] &= thresholds.sets[at, word]
    add_leaves(final.leaves, final.trees, left, final.output, n_outputs, out, mixed * n_outputs)


@kernel
def add_walks(
    final: FinalPart, mine: Words, theirs: Words, others: tuple[int, int], pairs: tuple[int, int], order: Longs, cuts: Longs,
    later: Words, earlier: Words, left: Words, out: Floats, doubts: Bools,
) -> None:  # fmt: skip
    """Add the outputs of some trees on the walks of some pairs to `out`, as `add_coalitions` does.

    `order` (b, k, P) has the players of each walk in their order. A step changes the sets of one player, so that a coalition
    costs two intersections: of the earlier players' sets, and of the later ones'.
    Working space: `later` (2, P + 1, words), `earlier` (2, words), `left` (words,).
    """
    word_0, n_words, everything = final.leaves.word[final.trees[0]], len(left), ~np.uint64(0)
    n_outputs, n_known, n_players = len(out) // final.given.shape[1], mine.shape[1], order.shape[2]
    n_coalitions = 2 + 2 * order.shape[1] * len(cuts)
    for pair in range(pairs[0], pairs[1]):
        row, other, mixed = pair // others[1], others[0] + pair % others[1], pair * n_coalitions
        for walk in range(order.shape[1]):
            players = order[pair % others[1], walk]
            for word in range(n_words):
                later[0, n_players, word] = later[1, n_players, word] = everything
                earlier[0, word] = earlier[1, word] = everything
            for place in range(n_players - 1, -1, -1):
                player = players[place]
                for word in range(n_words):
                    known = player < n_known  # the others have no column
                    later[0, place, word] = later[0, place + 1, word]
                    later[1, place, word] = later[1, place + 1, word]
                    if known:
                        later[0, place, word] &= theirs[other, player, word_0 + word]
                        later[1, place, word] &= mine[row, player, word_0 + word]
            if walk == 0:  # the grand coalition, and the empty one
                for end in range(2):
                    for word in range(n_words):
                        left[word] = later[1 - end, 0, word]
                    _add_reached(final, left, mixed + end, n_outputs, out, doubts)
            place = 0
            for cut in range(len(cuts)):
                while place < cuts[cut]:
                    player = players[place]
                    if player < n_known:
                        for word in range(n_words):
                            earlier[0, word] &= mine[row, player, word_0 + word]
                            earlier[1, word] &= theirs[other, player, word_0 + word]
                    place += 1
                for half in range(2):
                    for word in range(n_words):
                        left[word] = earlier[half, word] & later[half, place, word]
                    at = mixed + 2 + (2 * walk + half) * len(cuts) + cut
                    _add_reached(final, left, at, n_outputs, out, doubts)


@kernel
def add_coalitions(
    final: FinalPart, mine: Words, theirs: Words, others: tuple[int, int], pairs: tuple[int, int], players: Bools,
    first: Longs, index: Longs, joined: Words, left: Words, out: Floats, doubts: Bools,
) -> None:  # fmt: skip
    """Add the outputs of some trees for some pairs to `out`, flat (mixed rows, K).

    `mine` (n, P, W) and `theirs` (B, P, W) are the leaves that the splits of present and absent players leave; `others` holds
    the first background row and their number; `players` (pairs, P) and `first` are those of the mixed rows; `index` is
    that of `_joined`. Members' outputs that are ambiguous are marked in `doubts`, (c, mixed rows).
    Working space: `joined` (groups of players * 2^JOINED, words), `left` (words,).
    """
    word_0, n_words, everything = final.leaves.word[final.trees[0]], len(left), ~np.uint64(0)
    n_outputs = len(out) // final.given.shape[1]
    for pair in range(pairs[0], pairs[1]):
        row, other = pair // others[1], others[0] + pair % others[1]
        subsets = index[pair % others[1] % len(index)]
        for group in range(len(subsets)):
            for word in range(n_words):
                joined[group << JOINED, word] = everything
        d = 0
        for player in range(players.shape[1]):
            if not players[pair, player]:  # the same whether absent or present
                for word in range(n_words):
                    joined[0, word] &= theirs[other, player, word_0 + word]
        for player in range(players.shape[1]):
            if players[pair, player]:
                at, size = (d // JOINED) << JOINED, 1 << (d % JOINED)
                for without in range(at, at + size):
                    for word in range(n_words):
                        joined[without + size, word] = joined[without, word] & mine[row, player, word_0 + word]
                        joined[without, word] &= theirs[other, player, word_0 + word]
                d += 1
        n_groups = max(min(len(subsets), 1), -(-d // JOINED))
        # Coalitions may have other players, whose columns are not read.
        last = (1 << (d - (n_groups - 1) * JOINED)) - 1
        for coalition in range(first[pair + 1] - first[pair]):
            mixed = first[pair] + coalition
            for word in range(n_words):
                left[word] = everything
            for group in range(n_groups):
                at = (group << JOINED) + (subsets[group, coalition] & (last if group == n_groups - 1 else ~0))
                for word in range(n_words):
                    left[word] &= joined[at, word]
            _add_reached(final, left, mixed, n_outputs, out, doubts)
