"""The words in columns of texts: their importance, and single texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl_explain.report._facts import Model
from automl_explain.report._models import Importance, importance

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True, eq=False)
class WordsView:
    """The words in a column of texts.

    Parameters
    ----------
    place : str
        Id of its section.
    column : str
    remarks : tuple of str
        How the values were computed, and notes.
    importance : Importance
        The most important words of all texts.
    examples : Markup
        Single texts with their values, as HTML in which everything is escaped.
    """

    place: str
    column: str
    remarks: tuple[str, ...]
    importance: Importance
    examples: Markup


def view_words(model: Model, top_k: int) -> tuple[WordsView, ...]:
    """Return the words in each column of texts whose words were explained."""
    from markupsafe import Markup

    return tuple(
        WordsView(
            f"words-{number}", column, tuple(remark for remark in (words.reason, *words.notes) if remark),
            importance(words.overall(), top_k, words.nouns.feature), Markup(words.examples_html()),
        )
        for number, (column, words) in enumerate(model.words.items())
    )  # fmt: skip
