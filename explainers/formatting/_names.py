"""Names and words: one line, a limited width, quotation marks, lists and counts."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any, NamedTuple

DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
"""Characters that change the direction of a text, or break its line."""
UNITS = {"probability": "probability", "log_odds": "log-odds", "response": "response"}
"""Output space -> the word for it in labels."""


class Nouns(NamedTuple):
    """What an explanation calls its parts, each a singular, and the words for what its values leave out of an output."""

    example: str
    feature: str
    left_out: str = "features that were left out"


OF_TABLES = Nouns("row", "feature")


def unit_text(unit: str) -> str:
    """Return the word for an output space; another unit, such as a metric, as it is."""
    return UNITS.get(unit, unit)


def printable(text: str) -> str:
    """Return a text whose control characters are shown by their codes, but for line breaks and tabs.

    These are the characters that move the cursor of a terminal, or change the direction of what follows.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"\\u{ord(each):04x}" if _controls(each) else each for each in text)


def _controls(letter: str) -> bool:
    if letter.isprintable() or letter in "\n\t":
        return False
    return letter in DIRECTIONS or unicodedata.category(letter) in ("Cc", "Cs")


def one_line(value: Any) -> str:
    """Return a value's text without line breaks, tabs and control characters."""
    return printable(" ".join(str(value).split())) or "(empty)"


def shortened(text: Any, width: int, *, keep_end: bool = True) -> str:
    """Return text of at most `width` characters; an ellipsis replaces the middle of longer text, or its end.

    Parameters
    ----------
    text : object
        Written on one line.
    width : int
        Most characters of the result.
    keep_end : bool, default True
        If True, the last third of the width shows the end of the text.
    """
    line = one_line(text)
    if len(line) <= width:
        return line
    tail = (width - 1) // 3 if keep_end else 0
    return f"{line[: width - 1 - tail].rstrip()}…{line[len(line) - tail :].lstrip()}"


def quoted(name: Any) -> str:
    """Return a name in quotation marks, on one line."""
    return f"“{one_line(name)}”"


def listed(names: Iterable[str]) -> str:
    """Return names as a list in a sentence: "a", "a and b", "a, b and c"."""
    names = list(names)
    return ", ".join(names) if len(names) < 2 else f"{', '.join(names[:-1])} and {names[-1]}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless the number is 1: "1 run", "1,200 runs"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
