"""Mixed rows: pairs of an explained row and a background row, mixed according to coalitions of players."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.coalitions._masker import Masker
from automl_explain.explainers.coalitions.sampling._walks import Walks
from automl_explain.explainers.compiled._arrays import Bools, Floats, Longs
from automl_explain.explainers.compiled._jit import kernel
from automl_explain.explainers.compiled._simd import count_bits
from automl_explain.explainers.tables._table import RowNumbers, Table

Players = npt.NDArray[np.intp]
"""(f,): the player of each column."""


@dataclass(frozen=True, eq=False)
class MixedRows:
    """Mixed rows of all pairs of n explained and b background rows, pair by pair; background rows vary fastest.

    Parameters
    ----------
    rows : Table
        The explained rows, in the model's engineered format.
    others : range
        The rows of the background that they are mixed with.
    players : ndarray of bool, shape (n * b, P)
        The players that the coalitions of a pair consist of; the other players are irrelevant to the pair.
    coalitions : ndarray of bool, shape (m, P) or (b, m, P), or None
        The coalitions of every pair, or of the pairs with each background row, in which case `players` has all players.
        None means all coalitions of each pair's players, in binary order: the i-th of these players is present in
        coalition s if bit i of s is set.
    walks : Walks or None
        The walks that the coalitions belong to, if they are those of walks.
    """

    rows: Table
    others: range
    players: Bools
    coalitions: Bools | None = None
    walks: Walks | None = None

    @staticmethod
    def of_coalitions(rows: Table, n_background: int, coalitions: Bools) -> MixedRows:
        """Return each row mixed with each background row according to each coalition."""
        n_pairs = len(rows) * n_background
        return MixedRows(rows, range(n_background), np.ones((n_pairs, coalitions.shape[1]), np.bool_), coalitions)

    @staticmethod
    def of_walks(rows: Table, others: range, walks: Walks) -> MixedRows:
        """Return each row mixed with background rows according to the coalitions of the walks with that background row."""
        players = np.ones((len(rows) * len(others), walks.n_players), np.bool_)
        return MixedRows(rows, others, players, walks.coalitions(), walks)

    @cached_property
    def n_players(self) -> Longs:
        """Number of players of each pair, (n * b,)."""
        return np.asarray(self.players.sum(axis=1))

    @cached_property
    def first(self) -> Longs:
        """First mixed row of each pair, and the end of the last pair, (n * b + 1,)."""
        if self.coalitions is not None:
            return np.asarray(np.arange(len(self.players) + 1) * self.coalitions.shape[-2])
        return np.append(0, np.cumsum(np.int64(1) << self.n_players))

    def __len__(self) -> int:
        return int(self.first[-1])

    def present(self, which: RowNumbers) -> tuple[RowNumbers, RowNumbers, Bools]:
        """Return the explained row, the background row and the present players, (len(which), P), of some mixed rows."""
        pair = np.searchsorted(self.first, which, side="right") - 1
        row, other = np.divmod(pair, len(self.others))
        coalition = which - self.first[pair]
        if self.coalitions is not None:
            present = self.coalitions[coalition] if self.coalitions.ndim == 2 else self.coalitions[other, coalition]
            return row, other + self.others.start, present
        bits = coalition[:, None] >> self._place[pair]
        return row, other + self.others.start, self.players[pair] & (bits & 1 == 1)

    def ends(self) -> tuple[RowNumbers, RowNumbers]:
        """Return the mixed rows of each pair's empty and grand coalition, as far as they are included."""
        if self.coalitions is None:
            return self.first[:-1], self.first[1:] - 1
        sizes = self.coalitions.reshape(-1, *self.coalitions.shape[-2:])[0].sum(axis=1)
        none, whole = (np.flatnonzero(sizes == size)[:1] for size in (0, self.coalitions.shape[-1]))
        return (self.first[:-1, None] + none).ravel(), (self.first[:-1, None] + whole).ravel()

    @cached_property
    def _place(self) -> Longs:
        """The bit of each player of a pair, (n * b, P)."""
        return np.asarray(np.maximum(np.cumsum(self.players, axis=1) - 1, 0))


def players_that_differ(different: Bools, players: Players, n_players: int) -> Bools:
    """Return which players have a column that differs, (..., P), given which columns differ, (..., f), and their players."""
    found = np.zeros((*different.shape[:-1], n_players), np.bool_)
    if np.array_equal(players, np.arange(len(players))):
        found[..., : len(players)] = different
        return found
    order = np.argsort(players, kind="stable")
    owners, start = np.unique(players[order], return_index=True)
    found[..., owners] = np.logical_or.reduceat(different[..., order], start, axis=-1)
    return found


def tables_differ(rows: Table, background: Table, players: Players, n_players: int) -> Bools:
    """Return the players whose cells differ between rows and background rows, (n, B, P)."""
    return players_that_differ(Masker(rows, background).differences(), players, n_players)


def distinct_rows(masks: Bools) -> tuple[RowNumbers, RowNumbers]:
    """Return the first of each group of equal rows, and for each row the position of its equal among them."""
    packed = np.packbits(masks, axis=1)
    width = packed.shape[1]
    if width <= 8:
        keys = np.zeros((len(packed), 8), dtype=np.uint8)
        keys[:, :width] = packed
        flat = keys.view(np.uint64).ravel()
    else:
        flat = np.ascontiguousarray(packed).view(f"V{width}").ravel()
    _, first, inverse = np.unique(flat, return_index=True, return_inverse=True)
    return first, inverse.ravel()


@kernel
def add_steps(base: Floats, steps: Floats, players: Bools, first: Longs, out: Floats) -> None:
    """Write the outputs (K, mixed rows) of all coalitions if each player adds a step (K, pairs, P) to a base (K, pairs)."""
    for k in range(len(base)):
        for pair in range(len(players)):
            at, size = first[pair], 1
            out[k, at] = base[k, pair]
            for player in range(players.shape[1]):
                if players[pair, player]:
                    for coalition in range(at, at + size):
                        out[k, coalition + size] = out[k, coalition] + steps[k, pair, player]
                    size *= 2


@kernel
def add_products(
    mine: Floats, theirs: Floats, weights: Floats, players: Bools, first: Longs, pair: int, space: Floats, out: Floats
) -> None:
    """Add to `out` (K, mixed rows) weighted sums of products, for all coalitions with one row and b background rows.

    `mine` (P, c) and `theirs` (b, P, c) are the factors of present and absent players in c products, and `weights`
    (c, K) the weights of the products. `pair` is the pair of the first background row. Working space: `space` (2^d,).
    """
    for other in range(len(theirs)):
        for c in range(mine.shape[1]):
            space[0], size = 1.0, 1
            for player in range(players.shape[1]):
                absent = theirs[other, player, c]
                if players[pair + other, player]:
                    for s in range(size):
                        space[size + s] = space[s] * mine[player, c]
                        space[s] *= absent
                    size *= 2
                else:
                    for s in range(size):
                        space[s] *= absent
            for k in range(len(out)):
                for s in range(size):
                    out[k, first[pair + other] + s] += weights[c, k] * space[s]


@kernel
def add_shapley_values(
    values: Floats, first: Longs, players: Bools, share: Floats, row: int, gain: Floats, loss: Floats, space: Floats,
    phi: Floats,
) -> None:  # fmt: skip
    """Add the Shapley values of one row to `phi` (K, P): those of the games with each background row, weighted by `share`.

    `values` (K, mixed rows) are the outputs of all coalitions of each pair's players. With d players, a
    coalition of size s adds ``gain[s, d - s]`` times its value to its members and subtracts ``loss[s, d - s]`` times its
    value from the others. Working space:
    `space` (2^d,).
    """
    n_others = len(share)
    for other in range(n_others):
        pair, d = row * n_others + other, 0
        for player in range(players.shape[1]):
            d += players[pair, player]
        at, size = first[pair], 1 << d
        for k in range(len(values)):
            outside = 0.0
            for coalition in range(size):
                s = count_bits(np.uint64(coalition))
                v = values[k, at + coalition]
                outside += v * loss[s, d - s]
                space[coalition] = v * (gain[s, d - s] + loss[s, d - s])
            half = size
            for player in range(players.shape[1] - 1, -1, -1):  # the last player has the highest bit
                if players[pair, player]:
                    half //= 2
                    inside = 0.0
                    for coalition in range(half):
                        inside += space[half + coalition]
                        space[coalition] += space[half + coalition]
                    phi[k, player] += share[other] * (inside - outside)
