"""What is said of columns of texts, whose words are counted."""

from __future__ import annotations

COUNTING = ("flaml", "optuna")
"""Engines that count the words of columns of texts."""


def said_of_texts(columns: tuple[str, ...], engine: str) -> tuple[str, ...]:
    """Return a message about how an engine reads columns of texts; none without such columns."""
    if not columns or engine not in COUNTING:
        return ()
    return (f"texts: the words of {', '.join(columns)} are counted, each is a feature",)
