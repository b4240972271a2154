"""A text as the network reads it: distinct words, which are the players, in sentences."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from automl_explain.explainers.model._structures import Matrix
from automl_explain.explainers.text._masking import MaskedTexts, Masks
from automl_explain.explainers.text._sentences import find_sentences
from automl_explain.explainers.text._text_values import Span
from automl_explain.explainers.text._words import find_words, places_by

Tokenizer: TypeAlias = Callable[[str], Iterable[Any]]
"""A caller's own split of a text: its words in order, or the start and end of each."""


@dataclass(frozen=True)
class SplitText:
    """A text and its players.

    Parameters
    ----------
    text : str
    words : tuple of str
        The P distinct words in lower case, in the order in which they first occur.
    spans : tuple of tuple of (int, int)
        Where each of them stands.
    sentences : tuple of (int, int)
        Where each sentence with words starts and ends.
    """

    text: str
    words: tuple[str, ...]
    spans: tuple[tuple[Span, ...], ...]
    sentences: tuple[Span, ...]

    @cached_property
    def masked(self) -> MaskedTexts:
        """The text without the words that are absent, as a function of masks (m, P)."""
        return MaskedTexts(self.text, self.spans)

    def outputs_by(self, outputs: Callable[[list[str]], Matrix], present: Masks) -> Matrix:
        """Return what a function of texts makes of the text without the words that are absent, (m, K)."""
        return outputs(self.masked(present))

    def in_sentences(self) -> list[list[int]]:
        """Return the players of the words of each sentence, in reading order."""
        starts = [start for start, _ in self.sentences]
        found: list[list[int]] = [[] for _ in starts]
        for start, player in sorted((span[0], player) for player, own in enumerate(self.spans) for span in own):
            found[max(0, bisect_right(starts, start) - 1)].append(player)
        return [players for players in found if players]


def split_text(text: str, tokenizer: Tokenizer | None = None) -> SplitText:
    """Split a text into its distinct words and its sentences.

    Raises
    ------
    MissingExtraError
        If sentencex is not installed.
    InvalidInputError
        If the tokenizer fails, or its words are not in the text.
    """
    found: dict[str, list[Span]] = {}
    for start, end in (find_words if tokenizer is None else places_by(tokenizer))(text):
        found.setdefault(text[start:end].lower(), []).append((start, end))
    sentences = tuple(find_sentences(text)) or ((0, len(text)),)
    return SplitText(text, tuple(found), tuple(map(tuple, found.values())), sentences if found else ())
