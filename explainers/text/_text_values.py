"""`TextValues`, the values of the words of one text, and `ExplainedTexts`, the fields of a `TextExplanation`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.deletion._faithfulness import Faithfulness
from automl_explain.explainers.explanation._fidelity import Fidelity
from automl_explain.explainers.explanation._kinds import Kind
from automl_explain.explainers.formatting._names import counted

Values = npt.NDArray[np.float64]
Span = tuple[int, int]
"""Where a part of a text starts, and where it ends, in characters."""


@dataclass(frozen=True, eq=False)
class TextValues:
    """Values of one text: P words or sentences, K outputs.

    Parameters
    ----------
    text : str
        The text that was explained.
    words : tuple of str
        The P players: distinct words, occurrences of words, or sentences.
    spans : tuple of tuple of (int, int)
        Where each player stands in the text, each place as start and end; a distinct word may stand in several places.
    sentences : tuple of (int, int)
        Where each sentence starts and ends.
    values : ndarray, shape (K, P)
        Value of each player for each class, or K = 1 for a regression.
    base_values : ndarray, shape (K,)
        Outputs of the text without any of its words.
    outputs : ndarray of shape (K,), or None
        Outputs of the text.
    standard_errors : ndarray of shape (K, P), or None
        Standard errors of sampled values; None for exact ones.
    notes : tuple of str
        What readers of these values should know, such as that the text was cut.
    also : mapping of str to ndarray of shape (K, P)
        Other measures of the same players, by name, such as the attention of a network.

    Raises
    ------
    InvalidInputError
        If the shapes do not match.

    Examples
    --------
    >>> import numpy as np
    >>> from automl_explain import TextValues
    >>> values, base, output = np.array([[-0.5, 0.2]]), np.array([0.6]), np.array([0.3])
    >>> one = TextValues("not good", ("not", "good"), (((0, 3),), ((4, 8),)), ((0, 8),), values, base, output)
    >>> one.additivity_gap < 1e-12, one.in_reading_order()
    (True, [(0, 3, 0), (4, 8, 1)])
    """

    text: str
    words: tuple[str, ...]
    spans: tuple[tuple[Span, ...], ...]
    sentences: tuple[Span, ...]
    values: Values
    base_values: Values
    outputs: Values | None = None
    standard_errors: Values | None = None
    notes: tuple[str, ...] = ()
    also: Mapping[str, Values] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (len(self.base_values), len(self.words))
        if self.values.shape != shape or len(self.spans) != len(self.words):
            raise InvalidInputError(
                f"The values of a text with {shape[1]} words and {shape[0]} outputs must have the shape {shape}, and each word "
                f"its places. Got values of shape {self.values.shape} and places of {len(self.spans)} words."
            )
        if self.standard_errors is not None and self.standard_errors.shape != shape:
            raise InvalidInputError(
                f"The standard errors must have the shape {shape} of the values. Got {self.standard_errors.shape}."
            )

    @property
    def additivity_gap(self) -> float | None:
        """Largest gap between base value plus values and an output; None if the outputs are not known."""
        if self.outputs is None:
            return None
        return float(np.abs(self.base_values + self.values.sum(axis=1) - self.outputs).max(initial=0.0))

    def in_reading_order(self) -> list[tuple[int, int, int]]:
        """Return the places of all players as (start, end, player), in the order of the text.

        Returns
        -------
        list of (int, int, int)
            Characters where a place starts and ends, and the number of the player.
        """
        return sorted((*span, player) for player, spans in enumerate(self.spans) for span in spans)


@dataclass(frozen=True, eq=False, repr=False)
class ExplainedTexts:
    """Values of the words of n texts; `TextExplanation` documents the fields.

    Storage, conversion and pages take this type; `TextExplanation` adds methods that need those.
    """

    documents: tuple[TextValues, ...]
    classes: tuple[Any, ...] | None
    output_space: str
    method: str
    reason: str
    level: str = "word"
    notes: tuple[str, ...] = ()
    kind: Kind = "shapley"
    fidelity: Fidelity | None = None
    model_kind: str | None = None
    faithfulness: Faithfulness | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "documents", tuple(self.documents))
        for number, document in enumerate(self.documents):
            if len(document.base_values) != self.num_outputs:
                raise InvalidInputError(
                    f"Text {number} must have values of {counted(self.num_outputs, 'output')}, one per class. Got "
                    f"{len(document.base_values)}."
                )

    @property
    def num_outputs(self) -> int:
        """Number of outputs K: classes, or 1 for a regression."""
        return 1 if self.classes is None else len(self.classes)

    def __repr__(self) -> str:
        n_words = sum(len(document.words) for document in self.documents)
        classes = f" x {len(self.classes)} classes" if self.classes else ""
        shape = f"{counted(len(self.documents), 'text')}, {counted(n_words, self.level)}{classes}"
        return f"TextExplanation({shape}, {self.output_space}, by {self.method})"
