"""The examples of an explanation as games: the model's outputs with some players absent, and the importance of each player."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.coalitions._game import Game
from automl_explain.explainers.deletion._curves import Bools, Matrix, Values
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.formatting._names import counted
from automl_explain.explainers.image._attribution import Masking
from automl_explain.explainers.image._explainer import ImageExplainer
from automl_explain.explainers.image._explanation import ImageExplanation
from automl_explain.explainers.model._class_outputs import expand_binary
from automl_explain.explainers.model._explained_model import ExplainedModel, explained_model
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.tables._table import Table, conform
from automl_explain.explainers.text._explanation import TextExplanation
from automl_explain.explainers.text._masking import MaskedTexts, Masks
from automl_explain.explainers.text._reading import read_texts
from automl_explain.explainers.text.games._text_model import TextModel, read_text_model

EXPLANATION = "explanation"
"""Name of the ranking of an explanation's own values."""
UNSIGNED = frozenset({"attention", "heat_map"})
"""Kinds of values, and names of measures, without a sign."""
IMAGES_AT_ONCE = 64
"""Masked images of a call of the model."""


class Example(NamedTuple):
    """An example: outputs by the players that are present, and the importance of P players by each ranking, (K, P)."""

    values: Values
    scores: dict[str, Matrix]


class Examples(NamedTuple):
    """The examples of an explanation, made one after the other, their number and their unit."""

    of: Callable[[int], Example]
    number: int
    unit: str


def text_examples(explanation: TextExplanation, model: Any, data: Any, absent: Any) -> Examples:
    """Return texts, whose absent words or sentences are replaced by a text, by default by none."""
    if data is not None and tuple(read_texts(data, "data")) != explanation.texts:
        raise InvalidInputError(
            f"The 'data' parameter must be the {counted(len(explanation), 'text')} of the explanation, which has them. Leave "
            "it out."
        )
    if absent is not None and not isinstance(absent, str):
        raise InvalidInputError(f"For texts the 'absent' parameter must be a text, such as ''. Got {absent!r}.")
    asked = read_text_model(model, explanation.output_space)
    _check_outputs(asked.model, explanation.num_outputs)

    def example(number: int) -> Example:
        document = explanation.documents[number]
        masked = MaskedTexts(document.text, document.spans, absent or "")
        return Example(partial(_text_outputs, asked, masked), {EXPLANATION: document.values, **document.also})

    return Examples(example, len(explanation), explanation.output_space)


def _text_outputs(model: TextModel, masked: MaskedTexts, present: Masks) -> Matrix:
    return model.outputs(masked(present))


def row_examples(explanation: Explanation, model: Any, data: Any, absent: Any) -> Examples:
    """Return rows of a table, whose absent features take the values of background rows."""
    local = explanation.local_importance_values
    if local is None:
        raise InvalidInputError(
            "Faithfulness is measured for the values of single rows. Got an explanation without them: use explain_local, or "
            "include_local=True."
        )
    if absent is None:
        raise InvalidInputError(
            "For tables the 'absent' parameter must be the background rows whose values absent features take, such as those "
            "that the explainer was given. Got none."
        )
    space = "raw" if explanation.is_raw else "engineered"
    explained = explained_model(model, absent, output=explanation.output_space, feature_space=space)
    values = local if local.ndim == 3 else local[None]
    _check_outputs(explained.model, len(values))
    same = explained.n_features == values.shape[2]
    if explanation.features is not None and explained.features is not None:
        same = tuple(explanation.features) == tuple(explained.features)
    if not same:
        raise InvalidInputError(
            f"The explanation must have a value for each of the {explained.n_features} features of the model. Got values of "
            f"{counted(values.shape[2], 'feature')}: explain all features."
        )
    rows = _engineered_rows(explanation, explained, data)
    if len(rows) != values.shape[1]:
        raise InvalidInputError(
            f"The 'data' parameter must be the {counted(values.shape[1], 'row')} of the explanation. Got {len(rows)}."
        )
    assert explained.engineered is not None
    game = Game(explained.model, explained.engineered, explained.players[0], explained.weights)

    def example(number: int) -> Example:
        row = rows.take(np.array([number]))
        return Example(partial(_row_outputs, game, explained.model, row), {EXPLANATION: values[:, number]})

    return Examples(example, len(rows), explanation.output_space)


def _engineered_rows(explanation: Explanation, explained: ExplainedModel, data: Any) -> Table:
    """Return the rows of an explanation in the columns of the model's last step; those of engineered features have them."""
    if data is not None:
        return explained.read(data, "data").engineered
    own = explanation.data
    if own is None:
        raise InvalidInputError("The explanation does not have its rows: pass them as 'data'.")
    if explanation.is_raw:
        return explained.read(own.data, "the rows of the explanation").engineered
    assert explained.engineered is not None
    return conform(own, explained.engineered, "the rows of the explanation")


def _row_outputs(game: Game, model: FittedModel, row: Table, present: Bools) -> Matrix:
    return expand_binary(game.values(row, present)[0] + game.base_values, model, axis=1)


def image_examples(explanation: ImageExplanation, model: Any, data: Any, absent: Any) -> Examples:
    """Return images, whose absent segments take the pixels of the absent image."""
    if data is not None:
        raise InvalidInputError("An explanation of images has its images: leave out the 'data' parameter.")
    if isinstance(model, ImageExplainer):
        if absent is not None:
            raise InvalidInputError("The explainer knows what is absent: leave out the 'absent' parameter.")
        explainer = model
    else:
        explainer = ImageExplainer(
            model, absent="blur" if absent is None else absent, output=explanation.output_space, progress=False
        )
    maskings = explainer.maskings(explanation)

    def example(number: int) -> Example:
        masking = maskings[number]
        values = explanation.local_importance_values[:, number, : masking.n_segments]
        explained = explanation.class_numbers[:, number]
        return Example(partial(_image_outputs, masking, explained), {EXPLANATION: values})

    return Examples(example, len(explanation), explanation.output_space)


def _image_outputs(masking: Masking, explained: npt.NDArray[np.intp], present: Bools) -> Matrix:
    """Return the mean outputs of the explained classes over the absent images, (m, K)."""
    parts = []
    for start in range(0, len(present), IMAGES_AT_ONCE):
        some = present[start : start + IMAGES_AT_ONCE]
        of_each = [masking.outputs(masking.masked(some, other)) for other in range(len(masking.absent))]
        parts.append(np.mean(of_each, axis=0)[:, explained])
    return np.concatenate(parts)


EXAMPLES: dict[type, Callable[[Any, Any, Any, Any], Examples]] = {
    TextExplanation: text_examples,
    ImageExplanation: image_examples,
    Explanation: row_examples,
}
"""Class of an explanation -> its examples."""


def examples_of(explanation: Any, model: Any, data: Any, absent: Any) -> Examples:
    """Return the examples of an explanation.

    Raises
    ------
    InvalidInputError
        If it is not an explanation of rows, texts or images, or does not match the model or the data.
    """
    make = next((make for kind, make in EXAMPLES.items() if isinstance(explanation, kind)), None)
    if make is None:
        raise InvalidInputError(
            "The 'explanation' parameter must be an Explanation, TextExplanation or ImageExplanation. Got "
            f"{type(explanation).__name__}."
        )
    return make(explanation, model, data, absent)


def unsigned_rankings(explanation: Any) -> frozenset[str]:
    """Return the rankings of an explanation whose values have no sign."""
    return UNSIGNED | {EXPLANATION} if explanation.kind in UNSIGNED else UNSIGNED


def _check_outputs(model: FittedModel, n_outputs: int) -> None:
    if model.n_outputs != n_outputs:
        raise InvalidInputError(
            f"The explanation must be one of {model.name}, which has {counted(model.n_outputs, 'output')}. Got values of "
            f"{n_outputs}."
        )
