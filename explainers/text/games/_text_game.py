"""How each text is explained: players, the way chosen by the model's structure, and the check of that way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl_explain.explainers._agreement import agree
from automl_explain.explainers.methods._settings import Settings
from automl_explain.explainers.model._structures import Matrix
from automl_explain.explainers.text._masking import Masks
from automl_explain.explainers.text._sentences import find_sentences
from automl_explain.explainers.text._text_values import Span, TextValues, Values
from automl_explain.explainers.text._words import find_words, places_by
from automl_explain.explainers.text.games._bag_of_words import TextTerms, Token, WordBlock, text_terms
from automl_explain.explainers.text.games._lime import SAMPLES, lime_values
from automl_explain.explainers.text.games._players import Players, players_at, sentence_players, word_players
from automl_explain.explainers.text.games._text_model import TextModel
from automl_explain.explainers.text.games._word_game import GameValues, coalition_values, linear_values, tree_values
from automl_explain.explainers.trees._tree_ensemble import Trees

MOST_COUNTED = 2000
"""Most players of a text whose masked counts are evaluated; further words are one player."""
MOST_PREDICTED = 300
"""Most players of a text whose masked texts are predicted; further words are one player."""
PLACES_PREDICTED = 5_000_000
"""Places of words in all masked texts of a text that are predicted by default: long texts get fewer, and fewer players."""
FEWEST_PREDICTED = 100
"""Masked texts that are predicted at least, however long the text is."""
CHECKED = 16
"""Masked texts that are predicted to check what is computed from counts."""
SAME = 1e-6
"""Difference, as a share of the spread of the outputs, up to which both agree."""
GAP = "zzgap"
"""Start of a word that no vectorizer knows, in the place of absent words of n-grams."""


@dataclass(frozen=True)
class TextOptions:
    """What the caller of a `TextExplainer` chooses about players and masked texts; it documents the fields."""

    level: str
    tokenizer: Callable[[str], Iterable[Any]] | None
    absent: str
    occurrences: bool
    method: str


@dataclass(frozen=True)
class Way:
    """How values are computed.

    Parameters
    ----------
    method, reason : str
    is_additive : bool
    """

    method: str
    reason: str
    is_additive: bool = True


@dataclass(frozen=True, eq=False)
class ReadText:
    """The players of a text, and its terms if its counts tell the outputs."""

    players: Players
    terms: TextTerms | None = None


class TextGames:
    """The games of the texts that a model explains.

    Parameters
    ----------
    model : TextModel
    options : TextOptions
    settings : Settings
    """

    def __init__(self, model: TextModel, options: TextOptions, settings: Settings) -> None:
        self.model, self.options, self._settings = model, options, settings
        place_holder = self._place_holder()
        self.absent = options.absent if place_holder is None else place_holder
        """Text in the place of an absent word."""
        self._counts = model.bag is not None and place_holder is not None
        self._failed, self._n_checked = "", 0
        self._without_words: Values | None = None

    def of(self, model: TextModel) -> TextGames:
        """Return the games of another model that counts the same words; what was checked need not be checked again."""
        made = copy(self)
        made.model, made._without_words = model, None
        return made

    @property
    def way(self) -> Way:
        """How values are computed, as far as the model tells; single texts may need another way, which a note says."""
        if self.options.method == "lime":
            return Way(
                "lime", "LIME was asked for: weights of a linear model of texts with random words left out", False
            )
        if not self._counts:
            why = self._failed or self.model.why or f"the vectorizer knows the words of absent={self.options.absent!r}"
            return Way("kernel", f"{why}: values from the outputs of masked texts")
        assert self.model.bag is not None
        is_sum = all(block.norm is None for block in self.model.bag.blocks)
        if self.model.linear is not None and all(self._has_formula(block) for block in self.model.bag.blocks):
            norm = "" if is_sum else " and the norms of the texts"
            return Way("linear", f"a linear model of counted words, explained exactly from its coefficients{norm}")
        if self._has_trees and is_sum and not self.model.bag.has_ngrams:
            return Way("tree", "trees of counted words, explained exactly against a text without words")
        what = "a linear model" if self.model.linear is not None else self.model.model.name
        norm = "" if is_sum else ", which are normalised"
        return Way(
            "kernel",
            f"{what} of counted words{norm}: values from the outputs of coalitions of words, computed from counts",
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on how absent words are represented, and on a way that did not agree with the model."""
        notes = [self._failed] if self._failed else []
        if self._counts and self.model.bag is not None and self.model.bag.has_ngrams:
            notes.append("an absent word leaves a gap, so that its neighbours form no new n-gram")
        return tuple(notes)

    def _has_formula(self, block: WordBlock) -> bool:
        changes = self.options.occurrences and (block.binary or block.sublinear)
        return block.ngrams == (1, 1) or (block.norm is None and not changes)

    @property
    def _has_trees(self) -> bool:
        return isinstance(self.model.model.structure, Trees) and self.model.reads_single_columns

    # -------------------------------------------------------------------- one text

    def explain(self, read: ReadText, outputs: Values, *, show_progress: bool = False) -> TextValues:
        """Return the values of one text, whose outputs are known."""
        text, terms = read.players.text, read.terms
        settings = self._settings if show_progress else replace(self._settings, progress=False)
        found, players = self._values(read.players, terms, settings)
        base = self._base(players, terms) if len(players) else outputs
        notes = [*players.notes, *found.notes]
        if not len(players):
            notes.append("the text has no words")
        elif terms is not None and not self.model.reads(terms):
            notes.append("the model knows none of the words of this text")
        elif terms is None and not found.values.any():
            notes.append("the output stays the same whichever words of this text are absent")
        sentences = players.spans if self.options.level == "sentence" else ()
        return TextValues(
            text, players.names, players.spans, tuple(one for (one,) in sentences), found.values, base, outputs,
            found.errors, tuple(notes),
        )  # fmt: skip

    def _values(self, players: Players, terms: TextTerms | None, settings: Settings) -> tuple[GameValues, Players]:
        if self.options.method == "lime":
            n_samples = settings.sampling.nsamples or SAMPLES
            return lime_values(self._outputs(players, terms), len(players), n_samples, settings.random_state), players
        if terms is None:
            most = max(FEWEST_PREDICTED, PLACES_PREDICTED // max(1, sum(map(len, players.spans))))
            players = players.at_most(min(MOST_PREDICTED, most // 2))
            outputs = self._outputs(players, None)
            return coalition_values(outputs, len(players), self.model.model, settings, most=most), players
        if self.model.linear is not None and terms.has_closed_form:
            return linear_values(self.model, terms), players
        if self._has_trees and terms.one_word_per_column:
            return tree_values(self.model, terms, settings), players
        found = self._counted_values(players, terms, settings)
        if self.way.method != "kernel":
            note = "several players of this text fill one column: its values are from the outputs of coalitions"
            found = replace(found, notes=(note, *found.notes))
        return found, players

    def _counted_values(self, players: Players, terms: TextTerms, settings: Settings) -> GameValues:
        """Return values from the outputs of coalitions of the words that the model knows; others have the value 0."""
        relevant = terms.relevant
        joined = np.minimum(np.arange(len(relevant)), MOST_COUNTED - 1)
        n_players = min(len(relevant), MOST_COUNTED)

        def outputs(masks: Masks) -> Matrix:
            parts, step = [], terms.masks_at_once
            for start in range(0, len(masks), step):
                some = masks[start : start + step]
                every = np.ones((len(some), len(players)), bool)
                every[:, relevant] = some[:, joined]
                parts.append(self.model.outputs_of_masks(terms, every))
            return np.concatenate(parts)

        most = np.inf if self.model.linear is not None else PLACES_PREDICTED
        found = coalition_values(outputs, n_players, self.model.model, settings, most=most)
        sizes = np.bincount(joined, minlength=max(n_players, 1))[joined]
        values = np.zeros((len(found.values), len(players)))
        values[:, relevant] = found.values[:, joined] / sizes
        errors = None
        if found.errors is not None:
            errors = np.zeros_like(values)
            errors[:, relevant] = found.errors[:, joined] / sizes
        notes = found.notes
        if len(relevant) > MOST_COUNTED:
            rest = len(relevant) - MOST_COUNTED + 1
            notes += (
                f"the last {rest:,} of {len(relevant):,} words were removed together, and share their value equally",
            )
        return GameValues(values, errors, notes)

    def _base(self, players: Players, terms: TextTerms | None) -> Values:
        """Return the outputs of a text without its players; all texts whose counts tell the outputs have the same."""
        none = np.zeros((1, len(players)), bool)
        if terms is None:
            return np.asarray(self._outputs(players, None)(none)[0])
        if self._without_words is None:
            self._without_words = self._outputs(players, terms)(none)[0]
        return self._without_words

    def _outputs(self, players: Players, terms: TextTerms | None) -> Callable[[Masks], Matrix]:
        if terms is not None:
            return lambda masks: self.model.outputs_of_masks(terms, masks)
        return lambda masks: self.model.outputs(players.masked(masks, self.absent), "masked texts")

    # --------------------------------------------------------------------- players

    def _read(self, text: str) -> ReadText:
        tokens = self._tokens(text) if self._counts else None
        by_sentence = self.options.level == "sentence"
        players = sentence_players(text, find_sentences(text)) if by_sentence else self._words(text, tokens)
        if tokens is None:
            return ReadText(players)
        owners = [players_at(players, [span for _, span in own]) for own in tokens]
        if any(-1 in own for own in owners):
            return ReadText(players)
        assert self.model.bag is not None
        return ReadText(players, text_terms(self.model.bag, tokens, owners, len(players)))

    def _words(self, text: str, tokens: list[list[Token]] | None) -> Players:
        options = self.options
        if options.tokenizer is None and tokens is not None:
            spelled = {place: word for own in tokens for word, place in own}
            places = _merged(spelled)
        else:
            spelled, places = {}, (places_by(options.tokenizer) if options.tokenizer else find_words)(text)
        names = [spelled.get((start, end), text[start:end]) for start, end in places]
        return word_players(text, places, names, options.occurrences)

    def _tokens(self, text: str) -> list[list[Token]] | None:
        assert self.model.bag is not None
        found = [block.tokens(text) for block in self.model.bag.blocks]
        return None if any(own is None for own in found) else [own for own in found if own is not None]

    def _place_holder(self) -> str | None:
        """Return the text for absent words of masked texts that counts agree with; None if there is none."""
        bag = self.model.bag
        if bag is None:
            return self.options.absent
        if self.options.absent:
            tokens = self._tokens(self.options.absent) or []
            known = any(bag.knows(word) for own in tokens for word, _ in own)
            return None if known or (bag.has_ngrams and not any(tokens)) else self.options.absent
        if not bag.has_ngrams:
            return ""
        return next((f"{GAP}{letter}" for letter in "qxjvkw" if not bag.knows(f"{GAP}{letter}")), None)

    def read(self, texts: Sequence[str], outputs: Matrix) -> list[ReadText]:
        """Return the players of texts.

        If the model counts words, what the counts say of whole texts, and of masked ones until `CHECKED` have been predicted,
        is compared with the model's outputs. If they differ, masked texts are predicted from then on.
        """
        found = [self._read(text) for text in texts]
        if self._counts and not self._agrees(found, outputs):
            self._counts, self.absent = False, self.options.absent
            self._failed = "the counts of its vectorizer do not tell the outputs of masked texts"
            found = [self._read(text) for text in texts]
        return found

    def _agrees(self, texts: Sequence[ReadText], outputs: Matrix) -> bool:
        rng = np.random.default_rng(self._settings.random_state)
        each = -(-(CHECKED - self._n_checked) // max(1, len(texts)))
        made, known = [outputs[:0]], [outputs[:0]]
        masked: list[str] = []
        for number, (read, output) in enumerate(zip(texts, outputs, strict=True)):
            if read.terms is None or not len(read.players):
                continue
            made.append(self.model.outputs_of_masks(read.terms, np.ones((1, len(read.players)), bool)))
            known.append(output[None])
            if each and number < CHECKED:
                masks = rng.random((each, len(read.players))) < 0.5
                made.insert(0, self.model.outputs_of_masks(read.terms, masks))
                masked[:0] = self._masked(read.players, read.terms, masks)
        self._n_checked = min(CHECKED, self._n_checked + len(masked))
        return agree(np.concatenate(made), np.concatenate([self.model.outputs(masked), *known]), SAME)

    def _masked(self, players: Players, terms: TextTerms, masks: Masks) -> list[str]:
        """Return masked texts in which words that the vectorizer does not count stay."""
        shown = np.ones_like(masks)
        shown[:, terms.relevant] = masks[:, terms.relevant]
        return players.masked(shown, self.absent)


def _merged(places: Iterable[Span]) -> list[Span]:
    """Return places without overlaps: those that overlap are joined."""
    merged: list[Span] = []
    for start, end in sorted(places):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
