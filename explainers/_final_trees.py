"""The outputs of a stack's final trees for coalitions, without making the mixed rows.

A split of the final model on a column that is passed through depends on whether the column's player is present and on
the two rows; a split on a member's output, on that number alone. Each leaves some of a tree's leaves; a coalition reaches
the one that all of them leave.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._design import Coalitions
from automl_explain.explainers._final_model import FinalModel
from automl_explain.explainers._jit import kernel, run_blocks
from automl_explain.explainers._leaf_sets import (
    WORD,
    LeafSets,
    Thresholds,
    add_leaves,
    is_near,
    place_among,
    read_leaf_sets,
    read_thresholds,
    sets_of_rows,
)
from automl_explain.explainers._links import Link, LinkFunction, find_link
from automl_explain.explainers._outputs import every_output
from automl_explain.explainers._table import Mixer, Table
from automl_explain.explainers._tree_paths import (
    GENERAL,
    Bools,
    Floats,
    Ints,
    Longs,
    Words,
    as_matrix,
    read_router,
    read_rows,
)
from automl_explain.explainers._trees import Trees

JOINED = 6
"""Players whose splits are joined beforehand, for all ways of being present or absent."""
WORDS_AT_ONCE = 64
"""Words of leaves that are looked at together: their sets stay in the cache."""
PAIRS_AT_ONCE = 8
"""Background rows that a thread takes at a time."""
MOST_BYTES = 256 * 2**20
"""Upper bound on the memory of the background's sets; larger final models predict mixed rows."""
COMPARED = 64
"""Mixed rows on which the outputs are held against those of the final model's own library."""

ROUNDING = 1e-12
"""Share of an output's size by which it may differ from its library's because sums are rounded."""

Players = npt.NDArray[np.intp]
Doubts = npt.NDArray[np.bool_]
Which: TypeAlias = tuple[npt.NDArray[np.intp], ...]
"""Rows, background rows and coalitions of some mixed rows."""


class FinalTrees:
    """Outputs of a stack for coalitions of players.

    Parameters
    ----------
    final : FinalModel
        The model on top, one that `can_read` says yes to.
    background : Table
        B rows in the stack's engineered format.
    players : ndarray of int, shape (f,)
        The player of each column.
    member_outputs : callable
        From the stack's rows to the members' outputs as their libraries compute them, side by side.
    n_jobs : int, optional
        Threads; default: all cores.
    """

    def __init__(
        self,
        final: FinalModel,
        background: Table,
        players: Players,
        member_outputs: Callable[[Any], Floats],
        n_jobs: int | None = None,
    ) -> None:
        self._member_outputs, self._n_jobs = member_outputs, n_jobs
        assert isinstance(final.model.structure, Trees)
        self._final, self._background, self._players = final, background, players
        self._trees = trees = final.model.structure.for_kernels()
        self._leaves = leaves = read_leaf_sets(trees)
        n_read = len(final.reads)
        self._groups = [(part, read_thresholds(leaves, part, n_read)) for part in _groups(leaves.word)]
        of_column = np.append(np.full(n_read, -1), players).astype(np.int32)
        self._player = np.where(trees.feature >= 0, of_column[trees.feature], np.int32(-1))
        self._n_players = 0 if final.matrix is None else int(players.max()) + 1
        self._theirs = self._sets(background)
        self._output = trees.output_columns()
        self._link: Link | None = None
        self._near: Floats | None = None

    @staticmethod
    def can_read(final: FinalModel, background: Table, n_players: int) -> bool:
        """Say whether a final model is made of trees that compare members' outputs with thresholds, and of how many."""
        trees = final.model.structure
        if not isinstance(trees, Trees) or background.is_sparse:
            return False
        on_member = (trees.left >= 0) & (trees.feature < len(final.reads))
        n_words = trees.n_trees + len(trees.left) // (2 * WORD)
        return (
            not (read_router(trees).kind[on_member] == GENERAL).any()
            and 8 * len(background) * n_players * n_words <= MOST_BYTES
        )

    def __call__(self, read: Floats, rows: Table, coalitions: Coalitions) -> tuple[Floats, Doubts] | None:
        """Return outputs of the stack (n, B, m, S) from the members' outputs that are read, (n, B, c, m), and doubts.

        S is 1, for the second class, or the number of classes. Doubtful are mixed rows, (n, B, m), for which an output
        lies so near a threshold that the member's own library may put it on the other side. What was found first is
        held against the library on some of the mixed rows: None if it says otherwise.
        """
        n, n_background, _, m = read.shape
        some = _some(n, n_background, m)
        if self._near is None:
            self._near = self._nearness(some, read, rows, coalitions)
        sums, doubts = np.empty((n, n_background, m, self._trees.n_outputs)), np.zeros((n, n_background, m), np.bool_)
        sums[:] = self._trees.base
        ends, index = _joined(coalitions[:, : self._n_players])
        mine, near = self._sets(rows), self._near

        def add(pairs: tuple[int, int]) -> int:
            row, start = pairs
            those = slice(start, start + PAIRS_AT_ONCE)
            for trees, thresholds in self._groups:
                n_words = thresholds.sets.shape[1]
                space = np.empty(((len(ends) - 1) << JOINED, n_words), np.uint64), np.empty(n_words, np.uint64)
                _add_outputs(
                    self._leaves, (trees.start, trees.stop), thresholds, self._output, mine[row], self._theirs[those],
                    ends, index, read[row, those], self._trees.float32, near, *space, sums[row, those].reshape(-1),
                    doubts[row, those].reshape(-1),
                )  # fmt: skip
            return len(read[row, those])

        blocks = [(row, start) for row in range(n) for start in range(0, n_background, PAIRS_AT_ONCE)]
        run_blocks(add, blocks, self._n_jobs)
        if self._link is None:
            sure = tuple(part[~doubts[some]] for part in some)
            self._link = self._compared(sure, sums, read, rows, coalitions)
        if self._link is None:
            return None
        return self._link(sums) if LinkFunction(self._link).elementwise else self._link(
            every_output(sums, self._final.model)
        ), doubts

    def _sets(self, rows: Table) -> Words:
        """Return what the splits on columns passed through leave of each row, (n, P, W)."""
        read = np.zeros((len(rows), len(self._final.reads)))
        matrix = as_matrix(self._trees, self._final.model.encode(self._final.inputs(read, rows.data)))
        return sets_of_rows(self._leaves, read_rows(self._leaves.router, matrix), self._player, self._n_players)

    def mixed(self, which: Which, rows: Table, coalitions: Coalitions) -> Any:
        """Return some mixed rows in the stack's engineered format."""
        row, other, coalition = which
        return Mixer(rows, self._background).mix(row, other, coalitions[coalition][:, self._players])

    def _nearness(self, which: Which, read: Floats, rows: Table, coalitions: Coalitions) -> Floats:
        """Return how near to a threshold each output that is read is doubtful, (c,).

        That is by much more than the outputs were found to differ from those of the members' own libraries.
        """
        row, other, coalition = which
        library = self._member_outputs(self.mixed(which, rows, coalitions))[:, self._final.reads]
        gap = np.abs(read[row, other, :, coalition] - library).max(axis=0)
        return np.asarray(np.maximum(16.0 * gap, ROUNDING * np.abs(library).max(axis=0)))

    def _compared(self, which: Which, sums: Floats, read: Floats, rows: Table, coalitions: Coalitions) -> Link | None:
        """Return the link that makes the library's outputs of some mixed rows of these sums."""
        row, other, coalition = which
        if not len(row):
            return None
        final = self._final
        library = final.predict(read[row, other, :, coalition], self.mixed(which, rows, coalitions))
        return find_link(final.model.output_space, final.space, every_output(sums[which], final.model), library)


def _some(*shape: int) -> Which:
    """Return which row, background row and coalition some of the mixed rows are, spread evenly."""
    return np.unravel_index(np.unique(np.linspace(0, np.prod(shape) - 1, COMPARED).astype(np.intp)), shape)


def _groups(word: Longs) -> list[range]:
    """Cut trees into groups of at most WORDS_AT_ONCE words, or of one tree."""
    groups, start = [], 0
    for tree in range(1, len(word)):
        if tree == len(word) - 1 or word[tree + 1] - word[start] > WORDS_AT_ONCE:
            groups.append(range(start, tree))
            start = tree
    return groups


def _joined(coalitions: Coalitions) -> tuple[Longs, Longs]:
    """Return the ends of the groups of players that are joined, and the number of each group's players present, (g, m)."""
    m, n_players = coalitions.shape
    starts = np.arange(0, n_players, JOINED)
    ends = np.append(starts, n_players)
    parts = [coalitions[:, start : start + JOINED] for start in starts]
    index = [part @ (1 << np.arange(part.shape[1])) for part in parts]
    return ends, np.array(index, dtype=np.int64).reshape(len(starts), m)


@kernel
def _add_outputs(
    leaves: LeafSets, trees: tuple[int, int], thresholds: Thresholds, output: Ints, mine: Words, theirs: Words,
    ends: Longs, index: Longs, given: Floats, float32: bool, near: Floats,
    joined: Words, left: Words, out: Floats, doubts: Bools,
) -> None:  # fmt: skip
    """Add the outputs of some trees to `out`, flat (B, m, K), for one row.

    `mine` (P, W) and `theirs` (B, P, W) are what the splits of present and absent players leave; `given` (B, c, m) holds
    the members' outputs; in `doubts`, flat (B, m), those as `near` to a threshold are marked.
    Working space: `joined` (groups of players * 2^JOINED, words), `left` (words,).
    """
    first, n_words = leaves.word[trees[0]], thresholds.sets.shape[1]
    m, n_outputs, everything = given.shape[2], len(out) // (given.shape[0] * given.shape[2]), ~np.uint64(0)
    for other in range(len(given)):
        for group in range(len(ends) - 1):
            at, size = group << JOINED, 1
            for word in range(n_words):
                joined[at, word] = everything
            for player in range(ends[group], ends[group + 1]):
                for without in range(at, at + size):
                    for word in range(n_words):
                        joined[without + size, word] = joined[without, word] & mine[player, first + word]
                        joined[without, word] &= theirs[other, player, first + word]
                size *= 2
        for coalition in range(m):
            for word in range(n_words):
                left[word] = everything
            for group in range(len(ends) - 1):
                at = (group << JOINED) + index[group, coalition]
                for word in range(n_words):
                    left[word] &= joined[at, word]
            for column in range(given.shape[1]):
                x = given[other, column, coalition]
                at = place_among(thresholds, column, np.float64(np.float32(x)) if float32 else x)
                if is_near(thresholds, column, at, x, near[column]):
                    doubts[other * m + coalition] = True
                for word in range(n_words):
                    left[word] &= thresholds.sets[at, word]
            add_leaves(leaves, trees, left, output, n_outputs, out, (other * m + coalition) * n_outputs)
