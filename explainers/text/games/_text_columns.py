"""Columns of texts in tables: the words of each cell, with the other columns of its row as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.methods._settings import Settings
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._names import find_column
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.model._structures import Matrix, Opaque
from automl_explain.explainers.text._explanation import TextExplanation
from automl_explain.explainers.text._reading import read_texts
from automl_explain.explainers.text._text_values import TextValues
from automl_explain.explainers.text.games._text_game import TextGames, TextOptions
from automl_explain.explainers.text.games._text_model import TextModel, as_column


def explain_text_columns(
    model: FittedModel, rows: Any, columns: str | Sequence[str], classes: tuple[Any, ...] | None, settings: Settings
) -> dict[str, TextExplanation]:
    """Return the values of the words in the cells of columns of texts.

    The words of a cell play a game of their own, in which the other columns of the row stay as they are: their values add up
    to the output of the row minus that of the row without these words.

    Parameters
    ----------
    model : FittedModel
    rows : DataFrame
    columns : str or sequence of str
    classes : tuple or None
        Class names.
    settings : Settings

    Raises
    ------
    InvalidInputError
        If the rows are no frame, a column is unknown, or a cell is no text.
    """
    names = [columns] if isinstance(columns, str) else list(columns)
    if not isinstance(rows, pd.DataFrame):
        raise InvalidInputError(
            f"The 'text_detail' parameter names columns of a DataFrame. Got a {type(rows).__name__}: pass X_test as a frame."
        )
    places = [find_column(name, tuple(map(str, rows.columns)), rows.shape[1], "text_detail") for name in names]
    found = {}
    with progress_bar(len(names) * len(rows), "explaining words", settings.progress) as advance:
        for place in places:
            name = str(rows.columns[place])
            documents = _cells(model, rows, place, replace(settings, progress=False), advance)
            found[name] = TextExplanation(
                documents, classes, model.output_space, "kernel",
                f"the words of {name!r}, with the other columns of each row as they are: values from masked texts",
                model_kind=model.kind,
            )  # fmt: skip
    return found


def _cells(
    model: FittedModel, rows: pd.DataFrame, place: int, settings: Settings, advance: Callable[[int], object]
) -> tuple[TextValues, ...]:
    options = TextOptions("word", None, "", False, "auto")
    missing = rows.iloc[:, place].isna().to_numpy()
    texts = read_texts(rows.iloc[:, place].where(~missing, ""), str(rows.columns[place]))
    outputs = predict_finite(model, model.transform(rows, "the rows"), "the rows")
    explained = []
    for number, text in enumerate(texts):
        of_row = _OfCell(model, rows.iloc[[number]], place)
        game = replace(
            model, outputs={model.output_space: of_row}, structure=Opaque("a row of a table"), preprocessing=None,
            feature_map=None, feature_names=None, n_features=None,
        )  # fmt: skip
        games = TextGames(TextModel(game, as_column), options, settings)
        (read,) = games.read([text], outputs[[number]])
        values = games.explain(read, outputs[number])
        explained.append(replace(values, notes=("the cell is missing",)) if missing[number] else values)
        advance(1)
    return tuple(explained)


class _OfCell:
    """The outputs of a row for other texts in one of its cells."""

    def __init__(self, model: FittedModel, row: pd.DataFrame, place: int) -> None:
        self._model, self._row, self._place = model, row, place

    def __call__(self, table: Any) -> Matrix:
        rows = self._row.iloc[np.zeros(len(table), np.intp)].reset_index(drop=True)
        name = rows.columns[self._place]
        rows[name] = pd.Series(table[:, 0], dtype=rows[name].dtype)
        return self._model.predict(self._model.transform(rows))
