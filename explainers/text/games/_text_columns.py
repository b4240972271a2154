"""Columns of texts in tables: the words of each cell, with the other columns of its row as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.methods._settings import Settings
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._names import find_column
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.model._registry import words_reader
from automl_explain.explainers.text._explanation import TextExplanation
from automl_explain.explainers.text._reading import read_texts
from automl_explain.explainers.text._text_values import TextValues
from automl_explain.explainers.text.games._bag_of_words import BagOfWords
from automl_explain.explainers.text.games._count_steps import CountSteps
from automl_explain.explainers.text.games._text_game import TextGames, TextOptions, Way
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
            games = _Cells(model, rows, place, replace(settings, progress=False))
            documents = tuple(games.explain(number, advance) for number in range(len(rows)))
            found[name] = TextExplanation(
                documents, classes, model.output_space, games.way.method,
                f"the words of {name!r}, with the other columns of each row as they are; {games.way.reason}",
                notes=games.notes, model_kind=model.kind,
            )  # fmt: skip
    return found


class _Cells:
    """The games of the cells of a column; in each, the other columns of the row stay as they are."""

    def __init__(self, model: FittedModel, rows: pd.DataFrame, place: int, settings: Settings) -> None:
        self._model, self._rows, self._place = model, rows, place
        self._missing = rows.iloc[:, place].isna().to_numpy()
        self._texts = read_texts(rows.iloc[:, place].where(~self._missing, ""), str(rows.columns[place]))
        self._outputs = predict_finite(model, model.transform(rows, "the rows"), "the rows")
        last = replace(model, preprocessing=None, feature_map=None, feature_names=None, n_features=None)
        bag, counts = _counted(model, str(rows.columns[place])) or (None, None)
        self._without = None if bag is None else self._transformed(np.arange(len(rows)), [""] * len(rows))
        if not (isinstance(self._without, np.ndarray) or sparse.issparse(self._without)):
            bag = counts = None  # such as frames, whose names the last step checks
        why = "which columns they fill is not known"
        self._text_model = TextModel(last, as_column, bag, counts, why=why)
        self._games = TextGames(self._text_model, TextOptions("word", None, "", False, "auto"), settings)

    @property
    def way(self) -> Way:
        """How values are computed."""
        return self._games.way

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on all texts."""
        return self._games.notes

    def explain(self, number: int, advance: Callable[[int], object]) -> TextValues:
        """Return the values of the words of one cell."""
        self._games = self._games.of(self._of_row(number))
        (read,) = self._games.read([self._texts[number]], self._outputs[[number]])
        values = self._games.explain(read, self._outputs[number])
        advance(1)
        return replace(values, notes=("the cell is missing",)) if self._missing[number] else values

    def _of_row(self, number: int) -> TextModel:
        """Return the model of the texts in the cell of a row."""

        def front(texts: list[str]) -> Any:
            return self._transformed(np.full(len(texts), number), texts)

        if self._without is None or self._text_model.counts is None:
            return replace(self._text_model, front=front)
        counts = replace(self._text_model.counts, rest=self._without[[number]])
        return replace(self._text_model, front=front, counts=counts)

    def _transformed(self, numbers: npt.NDArray[np.intp], texts: list[str]) -> Any:
        """Return what the last step reads of rows with other texts in the column."""
        rows = self._rows.iloc[numbers].reset_index(drop=True)
        name = rows.columns[self._place]
        rows[name] = pd.Series(texts, dtype=rows[name].dtype)
        return self._model.transform(rows)


def _counted(model: FittedModel, column: str) -> tuple[BagOfWords, CountSteps] | None:
    """Return the words of a column that the preprocessing counts, and what the model reads of them, if that is known."""
    reader = words_reader(model.preprocessing)
    found: tuple[BagOfWords, CountSteps] | None = None if reader is None else reader(model.preprocessing, column)
    return found
