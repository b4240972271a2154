"""In which direction a feature moves the output: by the rank of its values, or by category."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from automl_explain.display._class_view import (
    ClassView,
    Values,
    check_top_k,
    class_position,
    data_of,
    default_class,
    explanation_of,
    view_class,
)
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._values import ranking
from automl_explain.explainers.formatting._names import shortened
from automl_explain.explainers.formatting._numbers import cell_text, number_text
from automl_explain.explainers.formatting._text_table import wrapped
from automl_explain.explainers.tables._column_codes import column_codes
from automl_explain.explainers.tables._table import Table

CLEAR = 0.7
"""Absolute rank correlation from which on a feature has one direction."""
PARTS = 4
"""Parts of about as many rows each into which the values of a feature without one direction are divided."""
SHOWN = 2
"""Categories named at either end."""
NAME_WIDTH = 28
"""Characters of a feature's name in a terminal."""
CELL_WIDTH = 18
"""Characters of a category."""
FEW_CATEGORIES = 12
"""Different cells up to which a column of text is one of categories."""
ROUNDING = 1e-12
"""Share of a row's contributions below which one of them is what rounding left of zero."""


def directions(explanation: Any, class_: Any = None, top_k: int | None = None) -> pd.DataFrame:
    """Return in which direction each feature moves the output.

    Parameters
    ----------
    explanation : ModelExplanation, Explanation or Run
        With local values and data.
    class_ : object, optional
        Class whose output is meant. Default: the second of two, or the one that the features move most.
    top_k : int, optional
        Number of features. Default: all.

    Returns
    -------
    DataFrame
        A row per feature, most important for this class first: its ``importance``, the Spearman rank ``correlation`` between
        its values and contributions (NaN for categories), and the ``direction`` in words.

    Raises
    ------
    InvalidInputError
        If there are no local values or no data, or no such class.
    """
    view, data = shown_values(explanation, class_)
    values = without_rounding(view.values)
    sizes = np.abs(values).mean(axis=0)
    chosen = ranking(sizes)[: None if top_k is None else check_top_k(top_k)]
    columns = [(series_of(data, int(j)), values[:, j]) for j in chosen]
    correlations = [correlation(*column) for column in columns]
    words = [in_words(*column, found) for column, found in zip(columns, correlations, strict=True)]
    names = [view.explanation.feature_labels[j] for j in chosen]
    table = {"importance": sizes[chosen], "correlation": correlations, "direction": words}
    return pd.DataFrame(table, pd.Index(names, name="feature"))


def directions_text(explanation: Any, top: int) -> str:
    """Return the directions of the most important features, a line each, for a terminal; empty without rows or data."""
    found = explanation_of(explanation)
    if found.local_importance_values is None or not found.num_examples or data_of(found) is None:
        return ""
    table = directions(found, top_k=top)
    unit = view_class(found, default_class(found)).unit
    lines = [f"- {shortened(name, NAME_WIDTH)}: {words}" for name, words in table["direction"].items()]
    return "\n".join(map(wrapped, [f"in which direction the features move the {unit}", *lines]))


def without_rounding(values: Values) -> Values:
    """Return the contributions of rows with zeros where rounding has left less than a share of `ROUNDING` of the largest row."""
    least = ROUNDING * np.abs(values).sum(axis=1).max(initial=0.0)
    return np.where(np.abs(values) > least, values, 0.0)


def correlation(series: pd.Series, values: Values) -> float:
    """Return the rank correlation of the cells of a column and their contributions; NaN for categories and constants."""
    if is_category(series):
        return float("nan")
    cells = column_codes(series)
    known = np.isfinite(cells)
    cells, values = cells[known], values[known]
    if len(cells) < 2 or np.ptp(cells) == 0 or np.ptp(values) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(cells), rankdata(values))[0, 1])


def in_words(series: pd.Series, values: Values, correlated: float) -> str:
    """Return the direction of a feature in words."""
    if not np.abs(values).max(initial=0.0):
        return "none"
    if abs(correlated) >= CLEAR:
        later = pd.api.types.is_datetime64_any_dtype(series.dtype)
        return f"{'later dates' if later else 'higher values'} {'raise' if correlated > 0 else 'lower'} it"
    labels = category_labels(series)
    means = pd.Series(values).groupby(labels).mean().sort_values(ascending=False, kind="stable")
    if len(means) == 1:
        return f"{number_text(float(means.iloc[0]), signed=True)} in all rows"
    ends = list(means.items())
    few = ends if len(ends) <= 2 * SHOWN else [*ends[:SHOWN], *ends[-SHOWN:]]
    texts = [f"{label} {number_text(float(mean), signed=True)}" for label, mean in few]
    if len(few) < len(ends):
        texts.insert(SHOWN, "...")
    return ", ".join(texts)


def category_labels(series: pd.Series) -> Any:
    """Return the category of each cell as text; numbers and dates are divided into four parts with about as many rows."""
    if is_category(series) or series.nunique(dropna=False) <= PARTS:
        return series.astype(object).map(lambda cell: cell_text(cell, CELL_WIDTH)).to_numpy()
    numbers = pd.Series(column_codes(series))
    parts = pd.qcut(numbers, PARTS, labels=False, duplicates="drop")
    ordered = series.reset_index(drop=True)
    names = {part: _span(ordered[parts == part]) for part in parts.dropna().unique()}
    return parts.map(names).astype(object).where(parts.notna(), "missing").to_numpy()


def _span(cells: pd.Series) -> str:
    low, high = cell_text(cells.min(), CELL_WIDTH), cell_text(cells.max(), CELL_WIDTH)
    return low if low == high else f"{low} to {high}"


def shown_values(explanation: Any, class_: Any) -> tuple[ClassView, Table]:
    """Return the values of a class, by default the one that is shown, and the rows explained.

    Raises
    ------
    InvalidInputError
        If there are no data.
    """
    found = explanation_of(explanation)
    place = default_class(found) if class_ is None else class_position(found, class_)
    view, data = view_class(found, place), data_of(found)
    if data is None:
        raise InvalidInputError(
            "This explanation has no data: the values of the features are needed. Explain a table of rows."
        )
    return view, data


def series_of(data: Table, position: int) -> pd.Series:
    """Return a column of a table as a Series."""
    if data.is_frame:
        return data.data.iloc[:, position]
    return pd.Series(data.column(position)).infer_objects()


def is_category(series: pd.Series) -> bool:
    """Whether a column has neither numbers nor dates, or only true and false."""
    types = pd.api.types
    if types.is_bool_dtype(series.dtype) or isinstance(series.dtype, pd.CategoricalDtype):
        return True
    return not (
        types.is_numeric_dtype(series.dtype)
        or types.is_datetime64_any_dtype(series.dtype)
        or types.is_timedelta64_dtype(series.dtype)
    )


def is_column_of_texts(series: pd.Series) -> bool:
    """Whether a column is no number, and its cells are so different that a single one says nothing of the others."""
    known = series.dropna() if is_category(series) else series.iloc[:0]
    n_different = int(known.astype(str).nunique())
    return n_different > FEW_CATEGORIES and 2 * n_different > len(known)
