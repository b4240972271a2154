"""Texts as HTML, each word on a background in the colour of its value. Jinja2 escapes everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from automl_explain.explainers.formatting._colors import BAR_COLOR, LOWERING_COLOR
from automl_explain.explainers.formatting._html import render
from automl_explain.explainers.formatting._names import counted, shortened, unit_text
from automl_explain.explainers.formatting._numbers import typeset_number
from automl_explain.explainers.text._text_values import ExplainedTexts, TextValues

PACKAGE = "automl_explain.explainers.text"
MOST_TEXTS = 20
"""Texts that a notebook shows."""
MOST_PIECES = 1500
"""Places of words shown of one text."""
STRONGEST = 0.65
"""Opacity of the background of the largest value, which leaves text legible on light and dark pages."""


@dataclass(frozen=True)
class Piece:
    """A part of a text; with a value, its background and what is said when the pointer is on it."""

    text: str
    color: str = ""
    says: str = ""


@dataclass(frozen=True)
class ShownText:
    """A text as a page shows it.

    Parameters
    ----------
    number : int
    heading : str
        The class shown, the output and the base value.
    pieces : tuple of Piece
    more : str
        What is not shown; empty if everything is.
    notes : tuple of str
    """

    number: int
    heading: str
    pieces: tuple[Piece, ...]
    more: str
    notes: tuple[str, ...]


def notebook_html(explanation: ExplainedTexts) -> str:
    """Return the notebook form: what was computed, and the texts."""
    return render(
        "explanation.html",
        PACKAGE,
        facts=[fact for fact in (repr(explanation), explanation.reason, *explanation.notes) if fact],
        texts=shown_texts(explanation, MOST_TEXTS),
        more=_more(explanation, MOST_TEXTS),
        legend=_legend(explanation),
    )


def examples_html(explanation: ExplainedTexts, most: int) -> str:
    """Return the texts alone, as a part of a page."""
    more, legend = _more(explanation, most), _legend(explanation)
    return render("texts.html", PACKAGE, texts=shown_texts(explanation, most), more=more, legend=legend)


def shown_texts(explanation: ExplainedTexts, most: int) -> list[ShownText]:
    """Return the first texts, each with the class that it is shown for; all share one scale of colours."""
    documents = explanation.documents[:most]
    outputs = [class_shown(document, explanation.classes) for document in documents]
    peak = max(
        (float(np.abs(one.values[k]).max(initial=0.0)) for one, k in zip(documents, outputs, strict=True)), default=0.0
    )
    return [_shown(explanation, number, output, peak or 1.0) for number, output in enumerate(outputs)]


def class_shown(document: TextValues, classes: tuple[Any, ...] | None) -> int:
    """Return the class for which a text is shown: the second of two, otherwise the one that the model predicts."""
    if classes is None or len(classes) < 2:
        return 0
    if len(classes) == 2:
        return 1
    outputs = document.base_values + document.values.sum(axis=1) if document.outputs is None else document.outputs
    return int(np.argmax(outputs))


def _shown(explanation: ExplainedTexts, number: int, output: int, peak: float) -> ShownText:
    document, classes = explanation.documents[number], explanation.classes
    unit = unit_text(explanation.output_space)
    unit = unit if classes is None else f"{unit} of class {shortened(classes[output], 60)}"
    total = None if document.outputs is None else document.outputs[output]
    heading = f"{unit}: {typeset_number(total)}, without words {typeset_number(document.base_values[output])}"
    places = document.in_reading_order()
    pieces, done = [], 0
    for start, end, player in places[:MOST_PIECES]:
        if start > done:
            pieces.append(Piece(document.text[done:start]))
        if end > max(start, done):
            pieces.append(_piece(document, max(start, done), end, player, output, peak))
        done = max(done, end)
    hidden = len(places) - MOST_PIECES
    if hidden <= 0 and done < len(document.text):
        pieces.append(Piece(document.text[done:]))
    more = f"{counted(hidden, 'further place')} of words not shown" if hidden > 0 else ""
    return ShownText(number, heading, tuple(pieces), more, document.notes)


def _piece(document: TextValues, start: int, end: int, player: int, output: int, peak: float) -> Piece:
    value = float(document.values[output, player])
    says = f"{shortened(document.words[player], 60)}: {typeset_number(value, signed=True)}"
    if document.standard_errors is not None:
        says += f" ± {typeset_number(document.standard_errors[output, player])}"
    n_places = len(document.spans[player])
    if n_places > 1:
        says += f", in {n_places:,} places together"
    return Piece(document.text[start:end], _color(value, peak), says)


def _color(value: float, peak: float) -> str:
    """Return a transparent colour, so that it is legible on a light and on a dark page."""
    base = BAR_COLOR if value >= 0 else LOWERING_COLOR
    red, green, blue = (int(base[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {STRONGEST * min(1.0, abs(value) / peak):.3f})"


def _legend(explanation: ExplainedTexts) -> tuple[tuple[str, str], ...]:
    """Return the colours and their meaning; attention has no sign."""
    if explanation.kind == "attention":
        return ((BAR_COLOR, "attention"),)
    return ((BAR_COLOR, "raises the output"), (LOWERING_COLOR, "lowers it"))


def _more(explanation: ExplainedTexts, most: int) -> str:
    left = len(explanation.documents) - most
    return f"{counted(left, 'further text')} not shown" if left > 0 else ""
