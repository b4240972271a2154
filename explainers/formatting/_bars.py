"""Bars beside numbers: how long each is, for a terminal and for HTML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

BAR_LETTERS = 30
"""Characters of the longest bar in a terminal."""


@dataclass(frozen=True)
class Bar:
    """A name and its number with a bar.

    Parameters
    ----------
    name : str
    value : float
    length : float
        From 0 to 1, relative to the longest bar.
    """

    name: str
    value: float
    length: float

    @property
    def as_text(self) -> str:
        """The bar in a terminal."""
        return "#" * round(BAR_LETTERS * self.length)


def bars(names: Iterable[str], values: Iterable[float]) -> tuple[Bar, ...]:
    """Return a bar per name, as long as the absolute value is relative to the largest one."""
    pairs = [(name, float(value)) for name, value in zip(names, values, strict=True)]
    largest = max((abs(value) for _, value in pairs), default=0.0) or 1.0
    return tuple(Bar(name, value, abs(value) / largest) for name, value in pairs)
