"""Where the sentences of a text stand."""

from __future__ import annotations

import re

from automl_explain.explainers._errors import MissingExtraError
from automl_explain.explainers.text._text_values import Span

SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, as undecodable bytes leave it, which sentencex does not take."""


def find_sentences(text: str, language: str = "en") -> list[Span]:
    """Return where each sentence of a text starts and ends, without the spaces around it.

    The rules of `language` apply to abbreviations; full stops of other scripts are known in every language.

    Raises
    ------
    MissingExtraError
        If sentencex is not installed.
    """
    try:
        import sentencex
    except ImportError as error:
        raise MissingExtraError(
            "Cutting texts into sentences needs sentencex. Install it with: pip install 'automl-explain[text]'"
        ) from error
    found = []
    for one in sentencex.get_sentence_boundaries(language, SURROGATE.sub("\ufffd", text)):
        start, end = one["start_index"], one["end_index"]
        part = text[start:end]
        if part.strip():
            start += len(part) - len(part.lstrip())
            found.append((start, start + len(part.strip())))
    return found
