"""Where the words of a text stand, in any script."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.text._text_values import Span

UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Scripts without spaces between words, such as Chinese, Japanese and Thai: each character with its marks is a word."""
PICTURES = "\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
"""Arrows, symbols and emoji."""
ADDRESS = r"[A-Za-z0-9_.+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
"""An e-mail address. Its first part is bounded by 64 characters, as in RFC 5321, so that long runs of letters are read once."""
EMOTICON = r"(?<!\w)(?:[<>]?[:;=]['’]?[-o^]?[()\[\]DPp/O3]|</?3)(?![\w/])"  # noqa: RUF001
"""Faces and hearts made of punctuation, such as ":-)" and "<3", that do not touch a word."""
JOINERS = "\u200c\u200d"
"""Characters within words of Persian and Indian scripts, and within emoji."""


def find_words(text: str) -> list[Span]:
    """Return where each word of a text starts and ends.

    A word consists of letters, digits and combining marks, with single ``' - . _`` or an apostrophe inside, such as "don't"
    and "3.14". An address that starts with http or www is one word, and so are an e-mail address, an emoji, and a face such as
    ":-)". In scripts without spaces, each character is a word; pass a tokenizer to have words there.
    """
    return [found.span() for found in _pattern().finditer(text)]


@cache
def _pattern() -> re.Pattern[str]:
    marks = _marks()
    letter = rf"(?:(?![{UNSPACED}])[^\W_]|[{marks}{JOINERS}])"
    return re.compile(
        rf"(?:https?://|www\.)[^\s<>\"]+"
        rf"|{ADDRESS}|{EMOTICON}"
        rf"|[{UNSPACED}][{marks}]*"
        rf"|{letter}+(?:['’._-]{letter}+)*"  # noqa: RUF001 - the apostrophe of typeset texts is meant
        r"|[\U0001f1e6-\U0001f1ff]{2}"
        rf"|[{PICTURES}](?:[\ufe0f\u20e3\U0001f3fb-\U0001f3ff]|\u200d[{PICTURES}])*"
    )


def _marks() -> str:
    """Return the combining marks as ranges of a character class: without them, words of many scripts would be cut."""
    ranges: list[list[int]] = []
    for code in range(min(0x1F000, sys.maxunicode)):
        if unicodedata.category(chr(code)).startswith("M"):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


def places_by(tokenizer: Callable[[str], Iterable[Any]]) -> Callable[[str], list[Span]]:
    """Return a function that finds the places of the words that a caller's tokenizer returns.

    Parameters
    ----------
    tokenizer : callable
        From a text to its words in order, or to their places as pairs of start and end.
    """

    def find(text: str) -> list[Span]:
        try:
            words = list(tokenizer(text))
        except Exception as error:
            raise InvalidInputError(f"The 'tokenizer' raised {type(error).__name__}: {error}") from error
        return place_words(words, text)

    return find


def place_words(words: list[Any], text: str) -> list[Span]:
    """Return the places of words, given as texts in the order of the text or as places.

    Raises
    ------
    InvalidInputError
        If a word does not stand in the text after the one before, or a place is outside of it or overlaps another.
    """
    found: list[Span] = []
    end = 0
    for word in words:
        if isinstance(word, str):
            start = text.find(word, end)
            if start < 0 or not word:
                raise InvalidInputError(
                    f"The 'tokenizer' must return words as they stand in the text, in order, or their places as (start, end). "
                    f"Got {word[:40]!r}, which is not in the text after the words before it."
                )
            place = (start, start + len(word))
        else:
            place = _as_place(word, end, len(text))
            if place[0] == place[1]:  # of tokens that are not in the text, such as those that start and end it
                continue
        found.append(place)
        end = place[1]
    return found


def _as_place(word: Any, end: int, size: int) -> Span:
    try:
        start, stop = (int(part) for part in word)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"The 'tokenizer' must return words, or their places as (start, end). Got {word!r}."
        ) from error
    if start == stop:
        return start, stop
    if not end <= start < stop <= size:
        raise InvalidInputError(
            f"The 'tokenizer' must return places in order, within the text and without overlap. Got {(start, stop)} after "
            f"{end} in a text of {size} characters."
        )
    return start, stop
