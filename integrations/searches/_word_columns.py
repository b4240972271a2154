"""Columns of texts in tables that are searched: which they are, and columns that count their words in their place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from automl_explain.explainers._arguments import nearest
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.tables._table import Table, as_table
from automl_explain.explainers.text._reading import is_texts
from automl_explain.explainers.text._words import UNSPACED

WORDS = 3.0
"""Words that the cells of a column of texts have on average, at least."""
DISTINCT = 0.5
"""Share of the cells of a column of texts that are distinct, at least."""
LOOKED_AT = 2000
"""Rows that are looked at."""
MOST_WORDS = 1000
"""Maximum number of words of a column of texts, the most frequent ones; each is a column."""
CHARACTERS = 2
"""Characters that count as a word in scripts without spaces."""
WORD = rf"[{UNSPACED}]|[^\W{UNSPACED}]{{2,}}"
"""What is counted: two letters or digits and more, as scikit-learn does, and each character of scripts without spaces."""


def text_columns(X: Any) -> tuple[str, ...]:
    """Return the columns of a frame whose cells are texts of several words, most of which are distinct."""
    if not isinstance(X, pd.DataFrame):
        return ()
    return tuple(str(name) for place, name in enumerate(X.columns) if holds_texts(X.iloc[:, place]))


def holds_texts(series: pd.Series) -> bool:
    """Return whether a column holds texts."""
    if not (pd.api.types.is_object_dtype(series.dtype) or pd.api.types.is_string_dtype(series.dtype)):
        return False
    if isinstance(series.dtype, pd.CategoricalDtype):
        return False
    cells = series.dropna()[:LOOKED_AT]
    if not len(cells) or not all(isinstance(cell, str) for cell in cells):
        return False
    return bool(cells.nunique() >= DISTINCT * len(cells) and cells.map(_n_words).mean() >= WORDS)


def _n_words(text: str) -> int:
    unspaced = 0 if text.isascii() else len(re.findall(f"[{UNSPACED}]", text))
    return len(text.split()) + unspaced // CHARACTERS


def searched_table(X: Any, what: str = "X") -> Table:
    """Return the rows of a search as a table.

    Raises
    ------
    InvalidInputError
        If they are no table, but a list or column of texts.
    """
    if is_texts(X):
        raise InvalidInputError(
            f"The runs of a search are explained on a table. Got texts as {what!r}: search over a frame with "
            "ColumnTransformer([('words', TfidfVectorizer(), 'text')]), or explain the model that is found with "
            "explain_model(search, X_train, X_test)."
        )
    return as_table(X, what)


class Words(TfidfVectorizer):  # type: ignore[misc]
    """Count the words of a column of texts by TF-IDF; a missing text has no words.

    Parameters
    ----------
    column : str
        Name of the column, with which the names of the words begin.
    """

    def __init__(self, column: str = "text") -> None:
        super().__init__(max_features=MOST_WORDS, sublinear_tf=True, token_pattern=WORD)
        self.column = column

    def fit(self, raw_documents: Any, y: Any = None) -> Words:
        """Learn the most frequent words."""
        super().fit(_filled(raw_documents), y)
        return self

    def fit_transform(self, raw_documents: Any, y: Any = None) -> sparse.csr_matrix:
        """Learn the most frequent words, and return their weights."""
        return super().fit_transform(_filled(raw_documents), y)

    def transform(self, raw_documents: Any) -> sparse.csr_matrix:
        """Return the weights of the words of each text."""
        return super().transform(_filled(raw_documents))

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the words with the name of the column."""
        return np.array([f"{self.column}: {word}" for word in super().get_feature_names_out()], dtype=object)


def _filled(texts: Any) -> pd.Series:
    return pd.Series(texts, dtype=object).fillna("").map(str)


class WordColumns:
    """A frame with a column per word in the place of each column of texts, for searches that take numbers and categories.

    Parameters
    ----------
    X : DataFrame
        Training rows, whose words are counted.
    columns : "auto", or sequence of str
        Columns of texts; "auto" finds them by their cells.

    Raises
    ------
    InvalidInputError
        If `X` is no frame, or a column is unknown, or has no words.
    """

    def __init__(self, X: Any, columns: str | Sequence[str]) -> None:
        if not isinstance(X, pd.DataFrame):
            raise InvalidInputError(
                f"The 'text_columns' parameter names columns of X_train as a DataFrame. Got {type(X).__name__}."
            )
        names = [str(name) for name in X.columns]
        chosen = text_columns(X) if columns == "auto" else (columns,) if isinstance(columns, str) else tuple(columns)
        for name in chosen:
            if name not in names:
                guess = nearest(str(name), names)
                raise InvalidInputError(
                    f"The 'text_columns' parameter must name columns of X_train. Got {name!r}."
                    + (f" Did you mean {guess!r}?" if guess else "")
                )
        self._words = {name: Words(name) for name in chosen}
        weights = {}
        for name, words in self._words.items():
            try:
                weights[name] = words.fit_transform(X.iloc[:, names.index(name)])
            except ValueError as error:  # an empty vocabulary
                raise InvalidInputError(
                    f"The column {name!r} of 'text_columns' must hold texts with words. Got: {error}"
                ) from error
        self.training_rows = self._replaced(X, weights)
        """The training rows with the weights of words in the place of their texts."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of texts."""
        return tuple(self._words)

    @property
    def parents(self) -> dict[str, str]:
        """The column of texts that each column of a word comes from."""
        return {word: name for name, words in self._words.items() for word in words.get_feature_names_out()}

    def transform(self, X: Any) -> Any:
        """Return rows with the weights of words in the place of their texts.

        Raises
        ------
        InvalidInputError
            If a column of texts is missing.
        """
        missing = [name for name in self._words if not isinstance(X, pd.DataFrame) or name not in X.columns]
        if missing:
            raise InvalidInputError(
                f"The rows must be a DataFrame with the columns of texts {list(self._words)}. Missing: {missing}."
            )
        return self._replaced(X, {name: words.transform(X[name]) for name, words in self._words.items()})

    def _replaced(self, X: Any, weights: Mapping[str, sparse.csr_matrix]) -> Any:
        if not weights:
            return X
        parts = [X.drop(columns=list(weights))]
        for name, found in weights.items():
            names = self._words[name].get_feature_names_out()
            parts.append(pd.DataFrame(found.toarray(), index=X.index, columns=names))
        return pd.concat(parts, axis=1)
