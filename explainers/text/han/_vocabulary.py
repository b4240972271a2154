"""Words as numbers: the vocabulary of the training texts, and texts as the network takes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.text.han._split import SplitText

Numbers = npt.NDArray[np.int64]

ABSENT, UNKNOWN = 0, 1
"""Numbers of a word that was removed, and of one that is not in the vocabulary."""
FIRST = 2
"""Number of the first word."""
MOST_SENTENCES, MOST_WORDS = 30, 60
"""Sentences of a text, and words of a sentence, that the network reads."""
MOST_VOCABULARY = 20_000
"""Most words of a vocabulary; the most frequent ones are kept."""


@dataclass(frozen=True)
class Vocabulary:
    """The words that the network knows; their numbers start at `FIRST`."""

    words: tuple[str, ...]

    @staticmethod
    def of(texts: Sequence[SplitText]) -> Vocabulary:
        """Return the words of at least two texts, or all words if there are none such."""
        counts = Counter(word for text in texts for word in text.words)
        kept = sorted((-count, word) for word, count in counts.items() if count > 1)[:MOST_VOCABULARY]
        words = [word for _, word in kept] or sorted(counts)[:MOST_VOCABULARY]
        return Vocabulary(tuple(sorted(words)))

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Number of each word."""
        return {word: number for number, word in enumerate(self.words, FIRST)}

    @property
    def size(self) -> int:
        """Number of rows of the table of embeddings."""
        return FIRST + len(self.words)


@dataclass(frozen=True, eq=False)
class NumberedText:
    """A text as the network takes it: T words in reading order.

    Parameters
    ----------
    numbers : ndarray of int, shape (T,)
        The words by their numbers in the vocabulary. A text without words has one that is absent.
    players : ndarray of int, shape (T,)
        Which of the P distinct words each one is; -1 for the one of a text without words.
    lengths : ndarray of int, shape (S,)
        Number of words of each sentence.
    n_cut : int
        Words that were cut.
    n_unknown : int
        Distinct words that are not in the vocabulary.
    """

    numbers: Numbers
    players: Numbers
    lengths: Numbers
    n_cut: int = 0
    n_unknown: int = 0

    def without(self, present: npt.NDArray[np.bool_]) -> NumberedText:
        """Return the text in which the words that are not present are absent; it keeps its length."""
        shown = np.append(present, True)[self.players]
        return NumberedText(np.where(shown, self.numbers, ABSENT), self.players, self.lengths)


def numbered(text: SplitText, vocabulary: Vocabulary) -> NumberedText:
    """Return a text as the network takes it; long texts and sentences are cut."""
    known = vocabulary.numbers
    numbers = np.array([known.get(word, UNKNOWN) for word in text.words], np.int64)
    sentences = text.in_sentences()
    kept = [sentence[:MOST_WORDS] for sentence in sentences[:MOST_SENTENCES]]
    if not kept:
        nothing, nobody, one = (np.array([each], np.int64) for each in (ABSENT, -1, 1))
        return NumberedText(nothing, nobody, one)
    players = np.array([player for sentence in kept for player in sentence], np.int64)
    n_cut = sum(map(len, sentences)) - len(players)
    lengths = np.array([len(sentence) for sentence in kept], np.int64)
    return NumberedText(numbers[players], players, lengths, n_cut, int((numbers == UNKNOWN).sum()))
