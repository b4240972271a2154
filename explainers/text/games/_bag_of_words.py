"""Vectorizers that count words: which columns the words of a text fill, without making masked texts.

A vectorizer is described as a `WordBlock`. Its columns count terms: words, or n-grams of neighbouring words. An absent word
leaves a gap, so that no new n-grams arise; a term is then present if all of its words are, and the column of a masked text is
a sum of products over words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from automl_explain.explainers.text._masking import Masks
from automl_explain.explainers.text._text_values import Span, Values
from automl_explain.explainers.text.games._normalised import Group, grouped_values
from automl_explain.explainers.text.games._together import Sharing, group_of, sharing, sums_of_group

Ints = npt.NDArray[np.intp]
Token = tuple[str, Span]
"""A word as the vectorizer counts it, and its place in the text."""

CELLS_AT_ONCE = 1 << 23
"""Cells of masked counts that are held in memory at a time."""


@dataclass(frozen=True, eq=False)
class WordBlock:
    """A fitted vectorizer.

    Parameters
    ----------
    tokens : callable
        From a text to the words that it counts, with their places; None if the places cannot be found.
    columns : callable
        From terms to the column of each, -1 for unknown ones, and its sign.
    knows : callable
        Whether a word, as the vectorizer would count it, is part of a known term.
    n_columns : int
    ngrams : tuple of int
        Fewest and most words of a term.
    binary, sublinear : bool
        Whether counts are cut to 1, and whether their logarithm plus 1 is taken.
    idf : ndarray of shape (n_columns,), or None
        Weight of each column.
    norm : {"l1", "l2"} or None
        Norm to which the row is scaled.
    scale : float
        Weight of the block among others.
    """

    tokens: Callable[[str], list[Token] | None]
    columns: Callable[[Sequence[str]], tuple[Ints, Values]]
    knows: Callable[[str], bool]
    n_columns: int
    ngrams: tuple[int, int] = (1, 1)
    binary: bool = False
    sublinear: bool = False
    idf: Values | None = None
    norm: str | None = None
    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class BagOfWords:
    """The columns of one or several vectorizers side by side."""

    blocks: tuple[WordBlock, ...]

    @property
    def n_columns(self) -> int:
        """Number of all columns."""
        return sum(block.n_columns for block in self.blocks)

    @property
    def has_ngrams(self) -> bool:
        """Whether a term may have several words."""
        return any(block.ngrams[1] > 1 for block in self.blocks)

    def knows(self, word: str) -> bool:
        """Return whether a word is part of a term of any block."""
        return any(block.knows(word) for block in self.blocks)


@dataclass(frozen=True, eq=False)
class BlockTerms:
    """The terms of one text that one vectorizer knows.

    Parameters
    ----------
    block : WordBlock
    offset : int
        First column of the block among those of the bag.
    words : ndarray of int, shape (q, n)
        The players that each distinct term and set of players needs; P fills the rest.
    counts : ndarray, shape (q,)
        How often each term is in the text, with its sign.
    places : ndarray of int, shape (q,)
        Which of the text's c columns each term fills.
    columns : ndarray of int, shape (c,)
        The columns, ascending.
    """

    block: WordBlock
    offset: int
    words: Ints
    counts: Values
    places: Ints
    columns: Ints

    @cached_property
    def shares_columns(self) -> bool:
        """Whether several terms, or sets of players, fill one column."""
        return len(self.places) > len(self.columns)

    @property
    def is_sum(self) -> bool:
        """Whether the block's row is a sum over terms: no norm, and columns of one term each if counts are transformed."""
        linear = not (self.block.binary or self.block.sublinear)
        return self.block.norm is None and (linear or not self.shares_columns)

    @property
    def one_word_per_column(self) -> bool:
        """Whether each column is filled by one player alone."""
        return self.words.shape[1] == 1 and not self.shares_columns

    @property
    def owners(self) -> Ints:
        """The player of each column, if each column has one."""
        owner = np.empty(len(self.columns), np.intp)
        owner[self.places] = self.words[:, 0]
        return owner

    @cached_property
    def _sharing(self) -> Sharing | None:
        """How players share columns, if terms are single words and no group of players is too large."""
        if self.words.shape[1] > 1:
            return None
        return sharing(self.words[:, 0], self.places, self.counts, len(self.columns))

    @property
    def has_closed_form(self) -> bool:
        """Whether Shapley values of a linear model of the block are a formula."""
        return self.is_sum or self._sharing is not None

    def linear_values(self, coef: Values, n_players: int) -> Values:
        """Return the Shapley values (S, P) of a linear model whose coefficients (S, c) belong to the text's columns.

        A term contributes if all of its words are present, so that its contribution is divided equally among them. Columns
        that are normalised are a ratio; see `grouped_values`.
        """
        if not self.is_sum:
            return self._shared(coef, n_players)
        values = np.zeros((len(coef), n_players + 1))
        each = coef[:, self.places] * self.contributions() / np.maximum((self.words < n_players).sum(axis=1), 1)
        for place in range(self.words.shape[1]):
            np.add.at(values.T, self.words[:, place], each.T)
        return values[:, :n_players]

    def _shared(self, coef: Values, n_players: int) -> Values:
        """Return the values of terms of one word each, whose columns are normalised or filled by several players."""
        found = self._sharing
        assert found is not None
        plain = replace(self, block=replace(self.block, norm=None, scale=1.0))
        order = 1 if self.block.norm == "l1" else 2
        weights, sizes = np.zeros((len(coef), n_players)), np.zeros(n_players)
        columns, first = np.unique(self.places[found.alone], return_index=True)
        row = plain.weighed(self._counted(np.ones((1, len(self.counts)), bool)))[0, columns]
        owners = self.words[found.alone[first], 0]
        np.add.at(weights.T, owners, (coef[:, columns] * row).T)
        np.add.at(sizes, owners, np.abs(row) ** order)
        made = [plain._group(own, coef, order) for own in found.groups]
        groups = [(players, group) for players, group in made if group.sizes.max() > 0.0]
        values, used = np.zeros_like(weights), sizes > 0.0
        if self.block.norm is None:
            values, grouped = weights, [sums_of_group(group) for _, group in groups]
        elif used.any() or groups:
            own = weights[:, used], sizes[used], order
            values[:, used], grouped = grouped_values(*own, [group for _, group in groups])
        else:
            grouped = []
        for (players, _), part in zip(groups, grouped, strict=True):
            values[:, players] = part
        return values * self.block.scale

    def _group(self, terms: Ints, coef: Values, order: int) -> tuple[Ints, Group]:
        """Return the players of some terms, and their group."""
        players, of_player = np.unique(self.words[terms, 0], return_inverse=True)
        columns, of_column = np.unique(self.places[terms], return_inverse=True)
        weigh = replace(self, columns=self.columns[columns]).weighed
        return players, group_of(of_player, of_column, self.counts[terms], coef[:, columns], order, weigh)

    def matrix(self, masks: Masks) -> Values:
        """Return the block's columns for masked texts, (m, c)."""
        if self.words.shape[1] == 1:
            present = masks[:, self.words[:, 0]]
        else:
            present = np.asarray(np.column_stack([masks, np.ones(len(masks), bool)])[:, self.words].all(axis=2))
        return self.weighed(self._counted(present))

    def _counted(self, present: Masks) -> Values:
        """Return the counts of the columns, (m, c), if these terms (m, q) are present."""
        shape = len(present), len(self.columns)
        if not self.shares_columns:
            made = np.zeros(shape)
            made[:, self.places] = present * self.counts
            return made
        rows = np.arange(len(self.counts) + 1)
        table = sparse.csr_array((self.counts, self.places, rows), shape=(len(self.counts), shape[1]))
        return np.asarray(present.astype(np.float64) @ table)

    def weighed(self, counts: Values) -> Values:
        """Return counts (m, c) as the vectorizer weighs them."""
        block = self.block
        if block.binary:
            counts = (counts != 0.0).astype(float)
        if block.sublinear:
            counts = np.log(counts, out=np.zeros_like(counts), where=counts > 0.0) + (counts > 0.0)
        if block.idf is not None:
            counts = counts * block.idf[self.columns]
        if block.norm is not None:
            size = np.sqrt((counts**2).sum(axis=1)) if block.norm == "l2" else np.abs(counts).sum(axis=1)
            counts = counts / np.where(size == 0.0, 1.0, size)[:, None]
        return counts * block.scale

    def contributions(self) -> Values:
        """Return what each term adds to its column, (q,), if the row is a sum over terms."""
        if self.shares_columns:  # of plain counts
            idf = 1.0 if self.block.idf is None else self.block.idf[self.columns][self.places]
            return np.asarray(self.counts * idf * self.block.scale)
        every = np.empty(len(self.columns))
        every[self.places] = self.counts
        return np.asarray(self.weighed(every[None])[0, self.places])


def block_terms(
    block: WordBlock, offset: int, tokens: Sequence[Token], player_of: Sequence[int], n_players: int
) -> BlockTerms:
    """Return the known terms of a text.

    Parameters
    ----------
    block : WordBlock
    offset : int
    tokens : sequence of (str, place)
        The words that the block counts.
    player_of : sequence of int
        The player of each of them.
    n_players : int
    """
    fewest, most = block.ngrams
    words, found = [word for word, _ in tokens], Counter[tuple[str, tuple[int, ...]]]()
    for size in range(fewest, most + 1):
        if size == 1:
            found.update(zip(words, zip(player_of, strict=True), strict=True))
            continue
        terms_here = map(" ".join, zip(*(words[start:] for start in range(size)), strict=False))
        players_here = zip(*(player_of[start:] for start in range(size)), strict=False)
        found.update((term, tuple(sorted(set(own)))) for term, own in zip(terms_here, players_here, strict=True))
    terms = list(dict.fromkeys(term for term, _ in found))
    columns, signs = block.columns(terms)
    number = dict(zip(terms, range(len(terms)), strict=True))
    numbers = np.fromiter((number[term] for term, _ in found), np.intp, len(found))
    is_known = columns[numbers] >= 0
    known = [players for (_, players), kept in zip(found, is_known.tolist(), strict=True) if kept]
    needed = np.full((len(known), max(map(len, known), default=1)), n_players, np.intp)
    for row, players in enumerate(known):
        needed[row, : len(players)] = players
    own = numbers[is_known]
    distinct, places = np.unique(columns[own], return_inverse=True)
    counts = np.fromiter(found.values(), float, len(found))[is_known] * signs[own]
    return BlockTerms(block, offset, needed, counts, places, distinct)


@dataclass(frozen=True, eq=False)
class TextTerms:
    """The terms of one text in all blocks of a bag.

    Parameters
    ----------
    blocks : tuple of BlockTerms
    n_players : int
    n_columns : int
        Number of columns of the whole bag.
    """

    blocks: tuple[BlockTerms, ...]
    n_players: int
    n_columns: int

    @property
    def relevant(self) -> Ints:
        """The players that are part of a known term."""
        players = np.unique(np.concatenate([terms.words.ravel() for terms in self.blocks]))
        return players[players < self.n_players]

    @property
    def has_closed_form(self) -> bool:
        """Whether Shapley values of a linear model are a formula."""
        return all(terms.has_closed_form for terms in self.blocks)

    @property
    def one_word_per_column(self) -> bool:
        """Whether each column is filled by one player alone, and the same in every masked text."""
        return all(terms.is_sum and terms.one_word_per_column for terms in self.blocks)

    @property
    def columns(self) -> Ints:
        """The columns of the bag that the text fills, ascending."""
        return np.concatenate([terms.columns + terms.offset for terms in self.blocks])

    def rows(self, masks: Masks) -> sparse.csr_matrix:
        """Return the rows of masked texts in all columns of the bag."""
        made = sparse.csr_matrix(np.hstack([terms.matrix(masks) for terms in self.blocks]))
        return sparse.csr_matrix((made.data, self.columns[made.indices], made.indptr), (len(masks), self.n_columns))

    @property
    def masks_at_once(self) -> int:
        """Masked texts whose counts are held in memory at a time."""
        width = self.n_players + sum(terms.words.size + len(terms.columns) for terms in self.blocks)
        return max(1, CELLS_AT_ONCE // max(1, width))

    def linear_outputs(self, masks: Masks, coef: Values, intercept: Values) -> Values:
        """Return the outputs (m, S) of a linear model of the bag for masked texts."""
        out = np.tile(intercept, (len(masks), 1))
        for terms in self.blocks:
            out += terms.matrix(masks) @ coef[:, terms.columns + terms.offset].T
        return out

    def linear_values(self, coef: Values) -> Values:
        """Return the Shapley values (S, P) of a linear model of the bag that has a closed form."""
        parts = (terms.linear_values(coef[:, terms.columns + terms.offset], self.n_players) for terms in self.blocks)
        return np.asarray(sum(parts, np.zeros((len(coef), self.n_players))))

    def players_of_columns(self) -> tuple[Ints, Ints]:
        """Return the filled columns and the player of each, if each column has one."""
        return self.columns, np.concatenate([terms.owners for terms in self.blocks])


def text_terms(
    bag: BagOfWords, tokens: Sequence[Sequence[Token]], player_of: Sequence[Sequence[int]], n_players: int
) -> TextTerms:
    """Return the terms of a text, given its words in each block and their players."""
    offsets = np.cumsum([0, *(block.n_columns for block in bag.blocks)])
    parts: Any = zip(bag.blocks, offsets, tokens, player_of, strict=False)
    blocks = tuple(block_terms(block, int(start), own, players, n_players) for block, start, own, players in parts)
    return TextTerms(blocks, n_players, bag.n_columns)
