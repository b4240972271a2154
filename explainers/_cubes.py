"""The game of one row and one background row, for any coalitions: what non-linear links and meta-models are put upon."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._cube_kernels import (
    Cubes,
    add_all_coalitions,
    add_cube_shares,
    add_cubes,
    find_cubes,
    split_masks,
)
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._jit import run_blocks
from automl_explain.explainers._lanes import LANES
from automl_explain.explainers._pattern_tables import pair_weights
from automl_explain.explainers._tree_paths import Floats, Words, as_matrix, as_weights, read_paths, read_rows, tree_of
from automl_explain.explainers._trees import Trees

CUBES = 1 << 16
"""Cubes that are held at a time, or one for each leaf if there are more leaves."""
MOST_ENUMERATED = 20
"""Players up to which all coalitions can be asked for."""


def pack_coalitions(coalitions: npt.NDArray[np.bool_]) -> Words:
    """Return coalitions (n, P) as bits in words of 64 players, (n, words); player i is bit i % 64 of word i // 64."""
    n, n_players = coalitions.shape
    padded = np.zeros((n, -(-n_players // 64) * 64), np.bool_)
    padded[:, :n_players] = coalitions
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)


class CoalitionGame:
    """Outputs of a tree ensemble for rows of which a coalition of players is present, the others a background row's.

    Parameters
    ----------
    trees : Trees
        The ensemble.
    background : array_like, shape (B, f)
        Background rows.
    player : array_like of int, shape (n_features,), optional
        Player of each column; columns of one player join and leave coalitions together. Each its own by default.

    Examples
    --------
    Exact Shapley values of a probability are those of the mean over the background of the link of these outputs::

        game = CoalitionGame(trees, background)
        margins = game.values(row)                            # (2^P, B, K)
        probabilities = expit(margins).mean(axis=1)           # the game whose Shapley values are wanted
    """

    def __init__(self, trees: Trees, background: npt.ArrayLike, player: npt.ArrayLike | None = None) -> None:
        self._trees = trees = trees.for_kernels()
        self._paths = read_paths(trees, player)
        rows = as_matrix(trees, background, "background")
        as_weights(None, len(rows))  # refuses an empty background
        self._background = read_rows(self._paths.router, rows)
        nodes = np.arange(len(trees.left))
        self._column = trees.output_columns()[tree_of(self._paths, nodes)].astype(np.int32)
        self._n_words = max(1, -(-self._paths.n_players // 64))

    @property
    def n_players(self) -> int:
        """Number of players P."""
        return self._paths.n_players

    def values(
        self,
        row: npt.ArrayLike,
        coalitions: npt.NDArray[np.bool_] | npt.NDArray[np.uint64] | None = None,
        *,
        n_jobs: int | None = None,
    ) -> Floats:
        """Return the outputs of coalitions with each background row.

        Parameters
        ----------
        row : array_like, shape (f,)
            Row to explain.
        coalitions : ndarray of bool (n, P) or of uint64 (n, words), optional
            Coalitions, the latter as `pack_coalitions` returns them. By default all 2^P, in binary order: player i is
            present in coalition s when bit i of s is set.
        n_jobs : int, optional
            Number of threads; by default every core that this process may use.

        Returns
        -------
        ndarray, shape (n, B, K)
            Outputs, in the space in which the trees add up.
        """
        n_outputs, n_background = self._trees.n_outputs, self._background.n_rows
        words = None if coalitions is None else self._words(coalitions)
        size = self._size_of_all() if words is None else len(np.asarray(coalitions))
        out = np.empty((n_background, n_outputs, size if words is None else words.shape[1]))
        if words is None:
            out[:] = 0.0
            out[:, :, 0] = self._trees.base
        else:
            out[:] = self._trees.base[None, :, None]

        def add(start: int, cubes: Cubes, n: int) -> None:
            part = out[start : start + n]
            if words is None:
                add_all_coalitions(cubes, n, self._trees.values, self._column, part)
            else:
                add_cubes(cubes, n, self._trees.values, self._column, words, n_outputs, part.reshape(-1))

        self._for_all_cubes(row, add, n_jobs)
        return out[:, :, :size].transpose(2, 0, 1)

    def shap_values(self, row: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Floats:
        """Return the row's interventional Shapley values (K, P), cube by cube."""
        share = as_weights(weights, self._background.n_rows)
        gain, loss = pair_weights(int(self._paths.width.max(initial=0)))
        phi = np.zeros((self._trees.n_outputs, self.n_players))

        def add(start: int, cubes: Cubes, n: int) -> None:
            part = share[start : start + n]
            add_cube_shares(cubes, n, self._trees.values, self._column, part, gain, loss, phi)

        self._for_all_cubes(row, add, 1)
        return phi

    def _words(self, coalitions: npt.NDArray[np.bool_] | npt.NDArray[np.uint64]) -> Words:
        given = np.asarray(coalitions)
        if given.ndim == 2 and given.dtype == np.bool_ and given.shape[1] == self.n_players:
            given = pack_coalitions(given.astype(np.bool_))
        if given.ndim != 2 or given.dtype != np.uint64 or given.shape[1] != self._n_words:
            raise InvalidInputError(
                f"The 'coalitions' parameter must be a matrix of bool with {self.n_players} columns, or of uint64 with "
                f"{self._n_words}. Got {given.dtype} of shape {given.shape}."
            )
        padded = np.zeros((self._n_words, -(-len(given) // LANES) * LANES), np.uint64)
        padded[:, : len(given)] = given.T
        return padded

    def _size_of_all(self) -> int:
        if self.n_players > MOST_ENUMERATED:
            raise InvalidInputError(
                f"The 'coalitions' parameter is needed for more than {MOST_ENUMERATED} players: there are "
                f"2^{self.n_players} coalitions."
            )
        return 1 << self.n_players

    def _for_all_cubes(self, row: npt.ArrayLike, add: Callable[[int, Cubes, int], None], n_jobs: int | None) -> None:
        """Call ``add(first background row, cubes, number of background rows)`` for every background row once."""
        matrix = as_matrix(self._trees, np.asarray(row, dtype=np.float64)[None, :], "row")
        row_masks = np.zeros(len(self._trees.left), np.uint64)
        split_masks(self._paths, read_rows(self._paths.router, matrix), 0, row_masks)

        def run(block: int) -> int:
            for start, cubes, n in self._cubes(row_masks, block):
                add(start, cubes, n)
            return LANES

        run_blocks(run, range(self._background.n_blocks), n_jobs)

    def _cubes(self, row_masks: Words, block: int) -> Iterator[tuple[int, Cubes, int]]:
        """Yield the cubes with the background rows of a block, a few rows at a time."""
        masks, most = np.zeros_like(row_masks), max(CUBES, len(row_masks))
        split_masks(self._paths, self._background, block, masks)
        shape = (most, self._n_words)
        cubes = Cubes(
            np.empty(LANES + 1, np.int64),
            np.empty(shape, np.uint64),
            np.empty(shape, np.uint64),
            np.empty(most, np.int32),
        )
        branches, path = np.empty((self.n_players + 1, 3), np.int64), np.empty((2, self._n_words), np.uint64)
        start, stop = block * LANES, min((block + 1) * LANES, self._background.n_rows)
        while start < stop:
            n = find_cubes(self._paths, row_masks, masks, stop - start, cubes, branches, path)
            yield start, cubes, n
            masks >>= np.uint64(n)
            start += n


def coalition_values(
    trees: Trees,
    rows: npt.ArrayLike,
    background: npt.ArrayLike,
    coalitions: npt.NDArray[np.bool_] | npt.NDArray[np.uint64] | None = None,
    *,
    player: npt.ArrayLike | None = None,
    n_jobs: int | None = None,
) -> Floats:
    """Return `CoalitionGame.values` of a row (n, B, K), or of several rows (rows, n, B, K)."""
    game, given = CoalitionGame(trees, background, player), np.asarray(rows, dtype=np.float64)
    if given.ndim == 1:
        return game.values(given, coalitions, n_jobs=n_jobs)
    if not len(given):
        raise InvalidInputError("The 'rows' parameter must hold at least one row. Got 0.")
    return np.stack([game.values(row, coalitions, n_jobs=n_jobs) for row in given])
