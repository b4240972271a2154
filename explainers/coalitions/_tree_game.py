"""The games of a tree ensemble with one row and one background row each, for any coalitions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.coalitions._masked_rows import MixedRows, players_that_differ
from automl_explain.explainers.coalitions._masker import differences
from automl_explain.explainers.coalitions._tree_game_kernels import (
    Cubes,
    Leaves,
    find_cubes,
    split_masks,
    write_coalitions,
    write_lattices,
    write_walks,
)
from automl_explain.explainers.coalitions.sampling._walks import Walks
from automl_explain.explainers.compiled._arrays import LANES, Bools, Floats, Words
from automl_explain.explainers.compiled._jit import run_blocks
from automl_explain.explainers.tables._weights import as_weights
from automl_explain.explainers.trees._paths import read_paths, tree_of
from automl_explain.explainers.trees._routing import BlockedRows, as_matrix, read_rows
from automl_explain.explainers.trees._tree_ensemble import Trees

CUBES = 1 << 16
"""Most cubes held at a time; at least one per leaf."""
LATTICE_PLAYERS = 14
"""Most players for which the outputs of all coalitions may be computed although only some are needed."""


class CoalitionGame:
    """Outputs of a tree ensemble for rows whose absent players take the values of a background row.

    Parameters
    ----------
    trees : Trees
        The ensemble.
    background : array_like, shape (B, f)
        Background rows.
    player : array_like of int, shape (n_features,), optional
        Player of each column; columns of one player join and leave coalitions together. By default each column is its own player.
    """

    def __init__(self, trees: Trees, background: npt.ArrayLike, player: npt.ArrayLike | None = None) -> None:
        self._trees = trees = trees.for_kernels()
        self._paths = read_paths(trees, player)
        self._matrix = as_matrix(trees, background, "background")
        as_weights(None, len(self._matrix))  # raises if the background is empty
        self._background = read_rows(self._paths.router, self._matrix)
        nodes = np.arange(len(trees.left))
        column = trees.output_columns()[tree_of(self._paths, nodes)].astype(np.int32)
        self._leaves = Leaves(trees.values, column, trees.base)
        self._n_words = max(1, -(-self._paths.n_players // 64))
        self._tested = np.unique(trees.feature[trees.feature >= 0])
        self._player = np.arange(trees.n_features) if player is None else np.asarray(player)

    def matters(self, rows: npt.ArrayLike, n_players: int) -> Bools:
        """Return the players that may change the output of rows (n, f) with each background row, (n, B, P)."""
        mine, tested = as_matrix(self._trees, rows, "rows"), self._tested
        different = differences(mine[:, tested], self._matrix[:, tested])
        return players_that_differ(different, self._player[tested], n_players)

    def outputs(self, rows: npt.ArrayLike, asked: MixedRows, n_jobs: int | None = None) -> Floats:
        """Return the outputs of mixed rows, (K, mixed rows), in the output space in which the trees are additive.

        Parameters
        ----------
        rows : array_like, shape (n, f)
            The rows of `asked` as the trees read them.
        asked : MixedRows
            Without coalitions, its players must include all relevant ones.
        n_jobs : int, optional
            Number of threads; by default every core that this process may use.
        """
        out = np.empty(self._trees.n_outputs * len(asked))
        add = self._writer(asked, out)
        matrix = as_matrix(self._trees, rows, "rows")
        mine, others = read_rows(self._paths.router, matrix), asked.others

        def run(blocks: tuple[int, int]) -> int:
            place = np.empty(64 * max(self._n_words, -(-asked.players.shape[1] // 64)), np.int64)
            for row, other, cubes, n in self._cubes(mine, others, *blocks):
                add(cubes, n, row * len(others) + other - others.start, place)
            return LANES

        others_in_blocks = range(others.start // LANES, -(-others.stop // LANES))
        run_blocks(run, list(product(range(mine.n_blocks), others_in_blocks)), n_jobs)
        return out.reshape(self._trees.n_outputs, -1)

    def _writer(self, asked: MixedRows, out: Floats) -> Callable[..., None]:
        """Return the function that writes the outputs of the mixed rows of some pairs."""
        if asked.walks is not None:
            return self._walks(asked.walks, out)
        return self._lattices(asked, out) if asked.coalitions is None else self._coalitions(asked.coalitions, out)

    def _walks(self, walks: Walks, out: Floats) -> Callable[..., None]:
        """Return a function that writes the outputs of walks for some pairs."""
        below = np.searchsorted(walks.cuts, np.arange(walks.n_players + 2))

        def add(cubes: Cubes, n: int, pair: int, _: npt.NDArray[np.int64]) -> None:
            write_walks(cubes, n, self._leaves, pair, walks.place, below, out)

        return add

    def _lattices(self, asked: MixedRows, out: Floats) -> Callable[..., None]:
        """Return a function that writes the outputs of all coalitions of some pairs."""
        players, first = asked.players, asked.first

        def add(cubes: Cubes, n: int, pair: int, place: npt.NDArray[np.int64]) -> None:
            write_lattices(cubes, n, self._leaves, pair, players, first, place, out)

        return add

    def _coalitions(self, coalitions: Bools, out: Floats) -> Callable[..., None]:
        """Return a function that writes the outputs of the given coalitions for some pairs."""
        masks, n_asked = self._words(coalitions), len(coalitions)
        most = min(LATTICE_PLAYERS, self._paths.n_players)

        def add(cubes: Cubes, n: int, pair: int, place: npt.NDArray[np.int64]) -> None:
            number, sums = np.empty(masks.shape[1], np.int64), np.empty(masks.shape[1])
            lattice = np.empty(self._trees.n_outputs << most)
            write_coalitions(cubes, n, self._leaves, pair, masks, n_asked, place, number, lattice, sums, out)

        return add

    def _words(self, coalitions: Bools) -> Words:
        """Return coalitions as bits in words of 64 players, (words, m rounded up); player i is bit i % 64."""
        n = len(coalitions)
        known = coalitions[:, : self._paths.n_players]  # the other players have no column
        padded = np.zeros((-(-n // LANES) * LANES, 64 * self._n_words), np.bool_)
        padded[:n, : known.shape[1]] = known
        return np.ascontiguousarray(np.packbits(padded, axis=1, bitorder="little").view(np.uint64).T)

    def _cubes(
        self, mine: BlockedRows, others: range, row_block: int, block: int
    ) -> Iterator[tuple[int, int, Cubes, int]]:
        """Yield (row, first background row, cubes, number of background rows) for a block of each, some at a time."""
        row_masks, masks = np.empty((2, len(self._trees.left)), np.uint64)
        split_masks(self._paths, mine, row_block, row_masks)
        split_masks(self._paths, self._background, block, masks)
        most = max(CUBES, len(masks))
        shape = (most, self._n_words)
        cubes = Cubes(
            np.empty(LANES + 1, np.int64),
            np.empty(shape, np.uint64),
            np.empty(shape, np.uint64),
            np.empty(most, np.int32),
        )
        branches, path = np.empty((self._paths.n_players + 1, 3), np.int64), np.empty((2, self._n_words), np.uint64)
        first, start = row_block * LANES, block * LANES
        begin, end = max(others.start - start, 0), min(others.stop - start, LANES)
        for row in range(min(LANES, mine.n_rows - first)):
            at = begin
            while at < end:
                stop = find_cubes(self._paths, row_masks, np.uint64(row), masks, (at, end), cubes, branches, path)
                yield first + row, start + at, cubes, stop - at
                at = stop
