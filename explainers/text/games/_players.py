"""The players of a text: its distinct words, the occurrences of its words, or its sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from automl_explain.explainers.formatting._names import counted
from automl_explain.explainers.text._masking import MaskedTexts, Masks
from automl_explain.explainers.text._text_values import Span

SHOWN_SENTENCE = 80
"""Characters of a sentence in its name."""


@dataclass(frozen=True)
class Players:
    """Names and places of the P players of a text.

    Parameters
    ----------
    text : str
    names : tuple of str
    spans : tuple of tuple of (int, int)
    notes : tuple of str
    """

    text: str
    names: tuple[str, ...]
    spans: tuple[tuple[Span, ...], ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def masked(self, masks: Masks, absent: str) -> list[str]:
        """Return the masked texts, one for each row of the masks."""
        return MaskedTexts(self.text, self.spans, absent)(masks)

    def at_most(self, most: int) -> Players:
        """Return players of which all after the first `most` - 1 are joined into one, with a note."""
        if len(self) <= most:
            return self
        kept, rest = most - 1, len(self) - most + 1
        joined = tuple(sorted(span for own in self.spans[kept:] for span in own))
        name = f"({counted(rest, 'further word')})"
        note = (
            f"the text has {len(self):,} distinct words: the first {kept:,} have values of their own, and the other {rest:,} "
            "have one value together"
        )
        return Players(self.text, (*self.names[:kept], name), (*self.spans[:kept], joined), (*self.notes, note))


def word_players(text: str, places: Sequence[Span], names: Sequence[str], occurrences: bool) -> Players:
    """Return the words of a text as players, in the order of the text.

    Parameters
    ----------
    text : str
    places : sequence of (int, int)
    names : sequence of str
        The word at each place; places of the same name are one player.
    occurrences : bool
        Whether each place is a player.
    """
    if occurrences:
        return Players(text, tuple(names), tuple((place,) for place in places))
    found: dict[str, list[Span]] = {}
    for place, name in zip(places, names, strict=True):
        found.setdefault(name, []).append(place)
    return Players(text, tuple(found), tuple(map(tuple, found.values())))


def sentence_players(text: str, sentences: Sequence[Span]) -> Players:
    """Return the sentences of a text as players; their names are their first characters."""
    names = tuple(" ".join(text[start:end].split()) for start, end in sentences)
    shown = tuple(name if len(name) <= SHOWN_SENTENCE else f"{name[: SHOWN_SENTENCE - 1]}…" for name in names)
    return Players(text, shown, tuple(((start, end),) for start, end in sentences))


def players_at(players: Players, places: Sequence[Span]) -> list[int]:
    """Return the player in which each place lies; -1 for a place that is not within one player's place.

    Parameters
    ----------
    players : Players
    places : sequence of (int, int)
        In the order of the text.
    """
    same = {span: player for player, spans in enumerate(players.spans) for span in spans}
    if all(place in same for place in places):
        return [same[place] for place in places]
    own = sorted((*span, player) for span, player in same.items())
    starts = np.array([start for start, _, _ in own])
    at = np.searchsorted(starts, [start for start, _ in places], side="right") - 1
    ends = (end for _, end in places)
    return [own[j][2] if j >= 0 and end <= own[j][1] else -1 for j, end in zip(at.tolist(), ends, strict=True)]
