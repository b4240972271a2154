"""Outputs of stacks whose final estimator consists of trees, for coalitions, without mixed rows.

In the final model, a split on a column that is passed through depends on the two rows and on whether the column's player
is present; a split on a member's output depends on that output only. Each split rules out some leaves of its tree, and a
coalition reaches the leaf that remains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from automl_explain.explainers.coalitions._masked_rows import MixedRows, Players, players_that_differ
from automl_explain.explainers.coalitions._masker import Masker, differences
from automl_explain.explainers.coalitions._stacked_tree_kernels import JOINED, FinalPart, add_coalitions, add_walks
from automl_explain.explainers.compiled._arrays import (
    Bools,
    Floats,
    Longs,
    Words,
)
from automl_explain.explainers.compiled._jit import run_blocks
from automl_explain.explainers.model._class_outputs import expand_binary
from automl_explain.explainers.model._final_estimator import FinalModel
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._links import Link, LinkFunction, find_link
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.tables._table import RowNumbers, Table
from automl_explain.explainers.trees._predict import predict_trees
from automl_explain.explainers.trees._quickscorer import (
    WORD,
    read_leaf_sets,
    read_thresholds,
    sets_of_rows,
)
from automl_explain.explainers.trees._routing import (
    GENERAL,
    as_matrix,
    read_router,
    read_rows,
)
from automl_explain.explainers.trees._tree_ensemble import Trees

WORDS_AT_ONCE = 64
"""Most words of leaves that are evaluated together, so that their sets stay in the cache."""
PAIRS_AT_ONCE = 8
"""Pairs of rows that a thread takes at a time."""
MOST_BYTES = 256 * 2**20
"""Upper bound on the memory of the background's leaf sets; with larger final models, mixed rows are predicted."""
COMPARED = 64
"""Mixed rows on which the outputs are compared with those of the final model's own library."""

ROUNDING = 1e-12
"""Largest relative difference from the library's output that is due to rounded sums."""


class FinalTrees:
    """Outputs of a stack for coalitions of players.

    Parameters
    ----------
    final : FinalModel
        The final model, for which `can_read` is true.
    background : Table
        B rows in the stack's engineered format.
    players : ndarray of int, shape (f,)
        The player of each column.
    members : sequence of FittedModel
        The members of the stack, each in the output space in which it enters.
    n_jobs : int, optional
        Number of threads; all cores by default.
    """

    def __init__(
        self,
        final: FinalModel,
        background: Table,
        players: Players,
        members: Sequence[FittedModel],
        n_jobs: int | None = None,
    ) -> None:
        assert isinstance(final.model.structure, Trees)
        self._final, self._background, self._players, self._n_jobs = final, background, players, n_jobs
        self._members, self._sources = members, _sources(final, members)
        self._trees = trees = final.model.structure.for_kernels()
        self._leaves = leaves = read_leaf_sets(trees)
        n_read = len(final.reads)
        self._groups = [(part, read_thresholds(leaves, part, n_read)) for part in _groups(leaves.word)]
        of_column = np.append(np.full(n_read, -1), players).astype(np.int32)
        self._player = np.where(trees.feature >= 0, of_column[trees.feature], np.int32(-1))
        self._n_players = 0 if final.passed is None else int(players.max()) + 1
        self._matrix = self._encoded(background)
        self._theirs = self._sets(self._matrix)
        self._output = trees.output_columns()
        self._link: Link | None = None
        self._near: Floats | None = None

    @staticmethod
    def can_read(final: FinalModel, background: Table, n_players: int) -> bool:
        """Return whether a final model consists of trees with numeric splits on the members' outputs, and few enough of them."""
        trees = final.model.structure
        if not isinstance(trees, Trees) or background.is_sparse:
            return False
        on_member = (trees.left >= 0) & (trees.feature < len(final.reads))
        n_words = trees.n_trees + len(trees.left) // (2 * WORD)
        return (
            not (read_router(trees).kind[on_member] == GENERAL).any()
            and 8 * len(background) * n_players * n_words <= MOST_BYTES
        )

    def matters(self, rows: Table, n_players: int) -> Bools:
        """Return the players whose values differ in columns that the final trees read themselves, (n, B, P)."""
        tested = np.unique(self._trees.feature[self._player >= 0])
        different = differences(self._encoded(rows)[:, tested], self._matrix[:, tested])
        return players_that_differ(different, self._players[tested - len(self._final.reads)], n_players)

    def __call__(self, parts: Sequence[Floats], asked: MixedRows) -> Floats | None:
        """Return the stack's outputs, (S, mixed rows), from those of its members, each (K_member, mixed rows).

        S is 1, for the second class, or the number of classes. If a member's output is so close to a threshold that its own
        library may see it on the other side, the library is asked. The first results are compared with the library on
        some mixed rows; None is returned if they differ.
        """
        read = np.stack([self._member_output(parts[member], member, output) for member, output in self._sources])
        some = np.unique(np.linspace(0, len(asked) - 1, COMPARED).astype(np.intp))
        if self._near is None:
            self._near = self._nearness(some, read, asked)
        sums, doubts = self._sums(read, asked)
        if self._link is None:
            self._link = self._compared(some[~doubts[:, some].any(axis=0)], sums, read, asked)
        if self._link is None:
            return None
        which = np.flatnonzero(doubts.any(axis=0))
        if len(which):
            sums[which] = self._settled(which, read[:, which], doubts[:, which], asked)
        one_by_one = LinkFunction(self._link).elementwise
        return self._link(sums if one_by_one else expand_binary(sums, self._final.model, axis=-1)).T

    def _member_output(self, part: Floats, member: int, output: int) -> Floats:
        """Return one output of a member, counted from its last; a binary member may have given that of the second class only."""
        known = part if -output <= len(part) else expand_binary(part, self._members[member])
        return np.asarray(known[output])

    def _sums(self, read: Floats, asked: MixedRows) -> tuple[Floats, Bools]:
        """Return the sums of the reached leaves, (mixed rows, K), and which member outputs are ambiguous."""
        sums, doubts = np.empty((len(asked), self._trees.n_outputs)), np.zeros(read.shape, np.bool_)
        sums[:] = self._trees.base
        mine, players, walks = self._sets(self._encoded(asked.rows)), asked.players[:, : self._n_players], asked.walks
        index = np.argsort(walks.place, axis=-1) if walks is not None else _joined(asked, self._n_players)
        others, near, flat = asked.others, self._near, sums.reshape(-1)
        assert near is not None

        def add(start: int) -> int:
            pairs = start, min(start + PAIRS_AT_ONCE, len(players))
            for trees, thresholds in self._groups:
                n_words = thresholds.sets.shape[1]
                final = FinalPart(
                    self._leaves, (trees.start, trees.stop), thresholds, self._output, read, self._trees.float32, near
                )
                asking = mine, self._theirs, (others.start, len(others)), pairs
                left = np.empty(n_words, np.uint64)
                if walks is not None:
                    space = np.empty((2, walks.n_players + 1, n_words), np.uint64), np.empty((2, n_words), np.uint64)
                    add_walks(final, *asking, index, walks.cuts, *space, left, flat, doubts)
                else:
                    joined = np.empty((index.shape[1] << JOINED, n_words), np.uint64)
                    add_coalitions(final, *asking, players, asked.first, index, joined, left, flat, doubts)
            return pairs[1] - start

        run_blocks(add, range(0, len(players), PAIRS_AT_ONCE), self._n_jobs)
        return sums, doubts

    def _encoded(self, rows: Table) -> Floats:
        """Return rows as the trees read them, with zeros for the members' outputs."""
        read = np.zeros((len(rows), len(self._final.reads)))
        return as_matrix(self._trees, self._final.model.encoded(self._final.inputs(read, self._passed(rows).data)))

    def _passed(self, rows: Table) -> Table:
        """Return the columns of a whole table that are passed through; the table itself if none are."""
        final = self._final
        return rows if final.passed is None else Table(rows.through(final.passed, by_table=final.by_table))

    def _sets(self, matrix: Floats) -> Words:
        """Return the leaves that the splits on passed-through columns leave to each row, (n, P, W)."""
        return sets_of_rows(self._leaves, read_rows(self._leaves.router, matrix), self._player, self._n_players)

    def _mixed(self, which: RowNumbers, asked: MixedRows, *, passed: bool = False) -> Any:
        """Return some mixed rows in the stack's engineered format, or as they are passed through to the final estimator."""
        row, other, present = asked.present(which)
        tables = [self._passed(table) if passed else table for table in (asked.rows, self._background)]
        return Masker(*tables).mix(row, other, present[:, self._players])

    def _settled(self, which: RowNumbers, read: Floats, doubts: Bools, asked: MixedRows) -> Floats:
        """Return the sums (len(which), K) for some mixed rows, with ambiguous outputs taken from the members' libraries."""
        read, mixed = read.copy(), Table(self._mixed(which, asked))
        for number, member in enumerate(self._members):
            columns = [column for column, (owner, _) in enumerate(self._sources) if owner == number]
            unsure = np.flatnonzero(doubts[columns].any(axis=0))
            if len(unsure):
                said = predict_finite(member, mixed.take(unsure).data)
                for column in columns:
                    read[column, unsure] = said[:, self._sources[column][1]]
        inputs = self._final.inputs(read.T, self._mixed(which, asked, passed=True))
        return predict_trees(self._trees, self._final.model.encoded(inputs), n_jobs=self._n_jobs)

    def _nearness(self, which: RowNumbers, read: Floats, asked: MixedRows) -> Floats:
        """Return for each member output the distance from a threshold below which it is ambiguous, (c,).

        It is much larger than the observed differences from the members' own libraries.
        """
        mixed = self._mixed(which, asked)
        said = [predict_finite(member, mixed) for member in self._members]
        library = np.stack([said[member][:, output] for member, output in self._sources])
        gap = np.abs(read[:, which] - library).max(axis=1)
        return np.asarray(np.maximum(16.0 * gap, ROUNDING * np.abs(library).max(axis=1)))

    def _compared(self, which: RowNumbers, sums: Floats, read: Floats, asked: MixedRows) -> Link | None:
        """Return the link from these sums to the library's outputs for some mixed rows; None if there is none."""
        if not len(which):
            return None
        final = self._final
        library = final.predict(read[:, which].T, self._mixed(which, asked, passed=True))
        return find_link(
            final.model.output_space, final.space, expand_binary(sums[which], final.model, axis=-1), library
        )


def _sources(final: FinalModel, members: Sequence[FittedModel]) -> list[tuple[int, int]]:
    """Return the member of each output that is read, and the output's position, counted from the member's last."""
    ends = np.cumsum([member.n_outputs for member in members])
    owners = np.searchsorted(ends, final.reads, side="right").tolist()
    return [(owner, int(read - ends[owner])) for owner, read in zip(owners, final.reads, strict=True)]


def _groups(word: Longs) -> list[range]:
    """Cut trees into groups of at most WORDS_AT_ONCE words, or of one tree."""
    groups, start = [], 0
    for tree in range(1, len(word)):
        if tree == len(word) - 1 or word[tree + 1] - word[start] > WORDS_AT_ONCE:
            groups.append(range(start, tree))
            start = tree
    return groups


def _joined(asked: MixedRows, n_players: int) -> Longs:
    """Return the present players of each coalition as bits, for groups of JOINED players, (b or 1, groups, m).

    The first axis has one entry per background row if each has its own coalitions.
    """
    if not n_players:
        return np.zeros((1, 0, 0), np.int64)
    if asked.coalitions is None:
        most = int(asked.n_players.max())
        coalition = np.arange(1 << most)
        starts = range(0, max(most, 1), JOINED)
        return np.stack([(coalition >> start) & ((1 << JOINED) - 1) for start in starts])[None]
    known = asked.coalitions.reshape(-1, *asked.coalitions.shape[-2:])[..., :n_players]  # the others have no column
    groups = np.zeros((*known.shape[:2], -(-n_players // JOINED), JOINED), np.bool_)
    groups.reshape(*known.shape[:2], -1)[..., :n_players] = known
    return np.packbits(groups, axis=-1, bitorder="little")[..., 0].transpose(0, 2, 1).astype(np.int64)
