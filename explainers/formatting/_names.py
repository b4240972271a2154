"""Names and words: one line, a limited width, quotation marks, lists and counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

UNITS = {"probability": "probability", "log_odds": "log-odds", "response": "response"}
"""Output space -> the word for it in labels."""


def unit_text(unit: str) -> str:
    """Return the word for an output space; another unit, such as a metric, as it is."""
    return UNITS.get(unit, unit)


def one_line(value: Any) -> str:
    """Return a value's text without line breaks and tabs."""
    return " ".join(str(value).split()) or "(empty)"


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
