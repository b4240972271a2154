"""Explanations of texts as pandas and shap objects."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers.text._text_values import TextValues

if TYPE_CHECKING:
    import shap

ERROR = "standard error"
"""First part of the name of a column of standard errors."""


def as_frame(documents: Sequence[TextValues], classes: tuple[Any, ...] | None) -> pd.DataFrame:
    """Return what `TextExplanation.to_frame` documents."""
    labels = ["value"] if classes is None else list(classes)
    parts = [np.empty((0, len(labels))), *(document.values.T for document in documents)]
    frame = pd.DataFrame(np.concatenate(parts), columns=labels)
    if any(document.standard_errors is not None for document in documents):
        errors = [
            np.zeros_like(document.values.T) if document.standard_errors is None else document.standard_errors.T
            for document in documents
        ]
        names = [ERROR] if classes is None else [f"{ERROR} {label}" for label in labels]
        frame[names] = np.concatenate(errors)
    numbers = np.repeat(np.arange(len(documents)), [len(document.words) for document in documents])
    words = [word for document in documents for word in document.words]
    frame.index = pd.MultiIndex.from_arrays([numbers, pd.Index(words, dtype=object)], names=["text", "word"])
    return frame


def as_shap(documents: Sequence[TextValues], classes: tuple[Any, ...] | None) -> shap.Explanation:
    """Return what `TextExplanation.to_shap` documents."""
    import shap

    pieces = [_pieces(document) for document in documents]
    values = [piece[1] if classes is not None else piece[1][:, 0] for piece in pieces]
    base = np.array([document.base_values for document in documents])
    return shap.Explanation(
        values=_ragged(values),
        base_values=base if classes is not None else base[:, 0],
        data=_ragged([np.array(piece[0], dtype=object) for piece in pieces]),
        output_names=None if classes is None else [str(label) for label in classes],
    )


def _pieces(document: TextValues) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Return the text cut before each place of a player, and the values of the pieces, (pieces, K)."""
    places = document.in_reading_order()
    starts = [0, *(start for start, _, _ in places[1:]), len(document.text)] if places else [0, len(document.text)]
    pieces = [document.text[start:end] for start, end in itertools.pairwise(starts)]
    values = np.zeros((len(pieces), len(document.base_values)))
    for row, (_, _, player) in enumerate(places):
        values[row] = document.values[:, player] / len(document.spans[player])
    return pieces, values


def _ragged(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return an array of arrays, even if all have the same shape."""
    made = np.empty(len(parts), dtype=object)
    made[:] = parts
    return made
