"""Calls for one or two rows of a tree ensemble: what an ordinary call has found out is kept, and only the kernels run again.

An ordinary call reads any table, finds the form of its columns, and describes the explanation in words; for a single row this
takes several times as long as its values. A later call with a table of the same form needs none of it. Whatever is unusual,
such as an error or a comparison with the library that is due, is left to an ordinary call.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from automl_explain.explainers._agreement import ROUNDING
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.methods._tree import TreeEngine
from automl_explain.explainers.model._class_outputs import expand_binary
from automl_explain.explainers.model._explained_model import ExplainedModel, RowsRead
from automl_explain.explainers.predictions._predictions import Predictions
from automl_explain.explainers.tables._table import Table
from automl_explain.explainers.trees._row_pieces import FEW_ROWS

OF_THE_ROWS = ("local_importance_values", "expected_values", "predictions", "data")
"""Fields that differ between calls; an explanation of many rows must not be kept for those of a few."""
SAME = tuple(field.name for field in fields(Explanation) if field.name not in OF_THE_ROWS)


class SmallCalls:
    """Explains one or two rows of the form that an ordinary call has explained before.

    Parameters
    ----------
    explained : ExplainedModel
    engine : TreeEngine
    predictions : Predictions
    rows : RowsRead
        The rows of the ordinary call.
    explanation : Explanation
        What it returned.
    """

    def __init__(
        self,
        explained: ExplainedModel,
        engine: TreeEngine,
        predictions: Predictions,
        rows: RowsRead,
        explanation: Explanation,
    ) -> None:
        self._explained, self.engine, self._predictions = explained, engine, predictions
        given = rows.given
        self._columns = given.data.columns if given.is_frame else None
        self._names, self._n_columns = given.names, given.n_columns
        self._same = {name: getattr(explanation, name) for name in SAME}
        self._expected = explanation.expected_values.copy()

    def __call__(self, X: Any) -> Explanation | None:
        """Return the explanation of rows; None if an ordinary call must explain them."""
        data = self._data(X)
        if data is None:
            return None
        model = self._explained.model
        try:
            encoded = model.encode(data)
            outputs = self._predictions.of_few(encoded)
            values = None if outputs is None else self.engine.values_of_few(encoded)
        except Exception:
            return None  # an ordinary call meets the same error, and says whose fault it is
        if outputs is None or values is None:
            return None
        values, expected = expand_binary(values, model, centred=True), self._expected.copy()
        if not (np.abs(values.sum(axis=-1).T + expected - outputs) <= ROUNDING * np.abs(outputs)).all():
            return None
        made = object.__new__(Explanation)
        vars(made).update(
            self._same,
            local_importance_values=self._explained.by_class(values),
            expected_values=expected,
            predictions=outputs,
            data=Table(data, self._names),
        )
        return made

    def _data(self, X: Any) -> Any:
        """Return a table of the known form as an ordinary call reads it; None for others."""
        if type(X) is np.ndarray:
            if self._columns is not None or X.dtype != np.float64 or not 1 <= X.ndim <= 2:
                return None
            data = X if X.ndim == 2 else X[None]
        elif type(X) is pd.DataFrame:
            columns = X.columns
            if self._columns is None or not (columns is self._columns or columns.equals(self._columns)):
                return None
            data = X
        else:
            return None
        return data if 0 < data.shape[0] <= FEW_ROWS and data.shape[1] == self._n_columns else None


def learned(
    explained: ExplainedModel, engine: Any, predictions: Predictions, rows: RowsRead, explanation: Explanation
) -> SmallCalls | None:
    """Return what an ordinary call has found out for calls with a few rows; None if such calls need more than that."""
    given, background = rows.given, explained.background
    has_categories = background is not None and background.is_frame and not background.is_numeric
    if not isinstance(engine, TreeEngine) or predictions.asks_library or has_categories or given.is_sparse:
        return None
    is_as_given = rows.engineered is given and not explained.model.by_table and explained.model.preprocessing is None
    is_plain = explanation.standard_errors is None and explanation.fidelity is None and explanation.left_out is None
    return SmallCalls(explained, engine, predictions, rows, explanation) if is_as_given and is_plain else None
