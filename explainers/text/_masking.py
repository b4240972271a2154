"""Texts in which the words of some players are absent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.text._text_values import Span

Masks = npt.NDArray[np.bool_]
"""(m, P): which players are present in each masked text."""


class MaskedTexts:
    """The texts that are left of a text when some of its players are absent.

    Parameters
    ----------
    text : str
    spans : sequence of sequences of (start, end)
        Places of each of the P players.
    absent : str
        Text that stands in the place of an absent word.
    """

    def __init__(self, text: str, spans: Sequence[Sequence[Span]], absent: str = "") -> None:
        places = sorted((*span, player) for player, own in enumerate(spans) for span in own)
        self._parts: list[str] = []
        owners: list[int] = []
        done = 0
        for start, end, player in places:
            self._parts += [text[done:start], text[start:end]]
            owners += [-1, player]
            done = end
        self._parts.append(text[done:])
        self._owners, self._absent = np.array([*owners, -1]), absent

    def __call__(self, masks: Masks) -> list[str]:
        """Return the masked texts, one for each row of the masks."""
        present = np.column_stack([masks, np.ones(len(masks), bool)])[:, self._owners].tolist()
        parts, absent = self._parts, self._absent
        return ["".join([part if here else absent for part, here in zip(parts, row, strict=True)]) for row in present]


def without(text: str, spans: Iterable[Span], absent: str = "") -> str:
    """Return a text with another text, by default none, in the given places."""
    kept, done = [], 0
    for start, end in sorted(spans):
        kept += [text[done:start], absent]
        done = end
    return "".join([*kept, text[done:]])
