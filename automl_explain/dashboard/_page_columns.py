"""Which columns a page has: those of the user's table where the values can be had for them, otherwise those of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from automl_explain.dashboard.data._columns import PageColumn, column_cells, read_column
from automl_explain.explainers._errors import ColumnMismatchError, InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.formatting._names import counted
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.scoring.columns._schema import Schema
from automl_explain.explainers.tables._table import Table, as_table, check_same_columns


@dataclass(frozen=True, eq=False)
class Shown:
    """An explanation over the columns of a page, and its rows in these columns.

    Parameters
    ----------
    explanation : Explanation
        Over the page's columns.
    table : Table or None
        Its rows.
    engineered : Explanation or None
        The explanation before it was summed over the engineered columns of each column of the page.
    is_inner : bool
        Whether the columns are those that the model's last step reads, after the preprocessing.
    """

    explanation: Explanation
    table: Table | None
    engineered: Explanation | None = None
    is_inner: bool = False

    def over_these(self, explanation: Explanation) -> Explanation | None:
        """Return the explanation of another model over the page's columns; None if it has other columns or classes."""
        known = self.explanation
        try:
            found = explanation if self.engineered is None else explanation.get_raw_explanation()
        except InvalidInputError:
            return None
        same = found.features == known.features and found.classes == known.classes
        return found if same else None


def choose_columns(explanation: Explanation, model: FittedModel | None, rows: Table | None) -> Shown:
    """Decide which columns a page has.

    Parameters
    ----------
    explanation : Explanation
    model : FittedModel or None
    rows : Table or None
        The rows explained, as the user has them. None: those that the explanation keeps.

    Raises
    ------
    InvalidInputError
        If there are more or fewer rows than were explained.
    ColumnMismatchError
        If the columns are neither those explained nor those that the model takes.
    """
    if rows is None:
        return Shown(explanation, explanation.data, is_inner=not explanation.is_raw)
    if explanation.num_examples not in (0, len(rows)):
        raise InvalidInputError(
            f"X_test must hold the {counted(explanation.num_examples, 'row')} that were explained, in their order. "
            f"Got {counted(len(rows), 'row')}."
        )
    for over in (_raw_columns, _own_columns, _transformed):
        found = over(explanation, model, rows)
        if found is not None:
            return found
    check_same_columns(rows, explanation.features, explanation.num_features, "X_test")
    raise ColumnMismatchError("X_test does not have the columns that were explained.")


def _raw_columns(explanation: Explanation, model: FittedModel | None, rows: Table) -> Shown | None:
    """The user's columns, with the sums of the values over the engineered columns of each."""
    feature_map = explanation.feature_map
    if explanation.is_raw or feature_map is None or explanation.local_importance_values is None:
        return None
    table = _arranged(rows, feature_map.raw_names)
    return None if table is None else Shown(explanation.get_raw_explanation(), table, explanation)


def _own_columns(explanation: Explanation, model: FittedModel | None, rows: Table) -> Shown | None:
    """The columns that were explained."""
    names = explanation.features
    table = (
        _arranged(rows, names) if names is not None else rows if rows.n_columns == explanation.num_features else None
    )
    inner = not explanation.is_raw and (model is None or model.preprocessing is not None)
    return None if table is None else Shown(explanation, table, is_inner=inner)


def _transformed(explanation: Explanation, model: FittedModel | None, rows: Table) -> Shown | None:
    """The columns that the preprocessing makes of the user's, such as components, which mix them."""
    if model is None or model.preprocessing is None or explanation.is_raw:
        return None
    made = as_table(model.transform(rows.data, "X_test"))
    return Shown(explanation, made, is_inner=True) if made.n_columns == explanation.num_features else None


def _arranged(rows: Table, names: tuple[str, ...]) -> Table | None:
    try:
        return check_same_columns(rows, names, len(names), "X_test")
    except ColumnMismatchError:
        return None


def describe_columns(shown: Shown, more: tuple[Table, ...]) -> tuple[PageColumn, ...]:
    """Return the description of the page's columns; the categories in `more`, tables of the same columns, are levels too."""
    table = shown.table
    assert table is not None
    names = shown.explanation.feature_labels
    return tuple(
        read_column(names[j], column_cells(table, j), *(column_cells(other, j) for other in more))
        for j in range(table.n_columns)
    )


def as_before_preprocessing(explanation: Explanation, schema: Schema) -> tuple[Explanation, Table] | None:
    """Return an explanation and its rows over raw columns, if each raw column became one engineered column; else None.

    Preprocessing such as imputing leaves its own output unchanged, so that the rows may serve as raw ones. A category that the
    raw column does not know stands for a missing cell, as FLAML writes one. Whoever uses the rows compares the predictions.
    """
    feature_map, table = explanation.feature_map, explanation.data
    if feature_map is None or table is None or explanation.local_importance_values is None:
        return None
    parent = feature_map.parent
    if len(parent) != len(feature_map.raw_names) or len(set(parent.tolist())) != len(parent):
        return None
    arranged: Any = table.keep(np.argsort(parent))
    if not arranged.is_frame:
        return explanation.get_raw_explanation(), Table(arranged.data, feature_map.raw_names)
    data = arranged.data.set_axis(list(feature_map.raw_names), axis=1)
    known = {column.name: column.categories for column in schema.columns if column.categories is not None}
    masked = {name: _masked(data[name], values) for name, values in known.items() if name in data}
    return explanation.get_raw_explanation(), Table(data.assign(**masked), feature_map.raw_names)


def _masked(cells: pd.Series, known: tuple[Any, ...]) -> pd.Series:
    """Return cells, of which those that are not known are missing."""
    kept = cells.where(cells.isin(list(known)))
    return kept.cat.remove_unused_categories() if isinstance(kept.dtype, pd.CategoricalDtype) else kept
