"""Which columns of a table hold texts, whose words are counted, rather than categories."""

from __future__ import annotations

from typing import Any

import pandas as pd

WORDS = 3.0
"""Words that the cells of a column of texts have on average, at least."""
DISTINCT = 0.5
"""Share of the cells of a column of texts that are distinct, at least."""
LOOKED_AT = 2000
"""Rows that are looked at."""


def text_columns(X: Any) -> tuple[str, ...]:
    """Return the columns of a frame whose cells are texts of several words, most of which are distinct."""
    if not isinstance(X, pd.DataFrame):
        return ()
    return tuple(str(name) for place, name in enumerate(X.columns) if holds_texts(X.iloc[:, place]))


def said_of_texts(columns: tuple[str, ...], engine: str) -> tuple[str, ...]:
    """Return a message about how an engine reads columns of texts; none without such columns."""
    if not columns:
        return ()
    names = ", ".join(columns)
    if engine == "flaml":
        return (f"texts: flaml reads {names} as categories; --engine optuna counts words",)
    return (f"texts: the words of {names} are counted, each is a feature",) if engine == "optuna" else ()


def holds_texts(series: pd.Series) -> bool:
    """Return whether a column holds texts."""
    if not (pd.api.types.is_object_dtype(series.dtype) or pd.api.types.is_string_dtype(series.dtype)):
        return False
    if isinstance(series.dtype, pd.CategoricalDtype):
        return False
    cells = series.dropna()[:LOOKED_AT]
    if not len(cells) or not all(isinstance(cell, str) for cell in cells):
        return False
    return bool(cells.nunique() >= DISTINCT * len(cells) and cells.map(lambda cell: len(cell.split())).mean() >= WORDS)
