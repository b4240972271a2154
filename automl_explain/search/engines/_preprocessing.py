"""Preprocessing for the learners of the optuna engine: from a user's table to the columns that a learner takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.tables._column_codes import column_codes
from automl_explain.explainers.tables._moments import DAY, is_date
from automl_explain.explainers.tables._table import as_table, check_same_columns
from automl_explain.integrations.searches._word_columns import Words, text_columns
from automl_explain.search._dataset import Features

MOST_CATEGORIES = 50
"""Maximum number of columns for one text column of a linear model; rarer values share the last column."""


class Cells(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Convert the cells of a table to the types that scikit-learn's encoders take.

    Numbers and booleans become float64, dates become days as float64, and everything else becomes text. Missing cells become
    NaN.
    """

    def fit(self, X: Any, y: Any = None) -> Cells:
        """Learn which columns hold numbers."""
        table = as_table(X)
        self.n_features_in_ = table.n_columns
        if table.names is not None:
            self.feature_names_in_ = np.array(table.names, dtype=object)
        frame = pd.DataFrame(table.data)
        self.is_text_: npt.NDArray[np.bool_] = np.array([not _is_number(series) for _, series in frame.items()])
        self.is_date_: npt.NDArray[np.bool_] = np.array([is_date(str(dtype)) for dtype in frame.dtypes])
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """Return the converted cells of a table with the same columns; column names become text."""
        known = getattr(self, "feature_names_in_", None)
        names = None if known is None else tuple(known)
        frame = pd.DataFrame(check_same_columns(as_table(X), names, self.n_features_in_, "X").data)
        columns = [
            _text(series) if is_text else _number(name, series)
            for (name, series), is_text in zip(frame.items(), self.is_text_, strict=True)
        ]
        return pd.DataFrame(dict(enumerate(columns)), index=frame.index).set_axis(self.get_feature_names_out(), axis=1)


def _is_number(series: pd.Series) -> bool:
    kinds = (pd.api.types.is_datetime64_any_dtype, pd.api.types.is_timedelta64_dtype, pd.api.types.is_numeric_dtype)
    return not isinstance(series.dtype, pd.CategoricalDtype) and any(is_kind(series.dtype) for is_kind in kinds)


def _number(name: Any, series: pd.Series) -> npt.NDArray[np.float64]:
    series = series.infer_objects()
    if series.isna().all():
        return np.full(len(series), np.nan)
    if not _is_number(series):
        raise InvalidInputError(f"Column {name!r} had numbers in the training data. Got {series.dtype} values.")
    return column_codes(series) / (1.0 if pd.api.types.is_numeric_dtype(series.dtype) else DAY)


def _text(series: pd.Series) -> npt.NDArray[np.object_]:
    cells = series.astype(object)
    return np.where(cells.isna(), np.nan, cells.map(str))


def for_trees(X: Features, model: Any) -> Any:
    """Return an unfitted pipeline for a model that splits on numbers and on codes of categories; missing cells are NaN.

    For sparse rows, the model is returned without a pipeline.
    """
    if sparse.issparse(X):
        return model
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=np.nan)
    return _pipeline(X, encoder, "passthrough", model)


def for_linear(X: Features, model: Any) -> Pipeline:
    """Return an unfitted pipeline for a model that reads scaled numbers and one column per frequent category.

    Missing numbers are replaced by the median and marked in a column of their own; missing categories are a category. Sparse
    rows are scaled but not centred, so that they stay sparse.
    """
    if sparse.issparse(X):
        return Pipeline([("scale", MaxAbsScaler()), ("model", model)])
    encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES, sparse_output=False)
    scaled = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()
    )
    return _pipeline(X, encoder, scaled, model)


def _pipeline(X: pd.DataFrame, categories: Any, numbers: Any, model: Any) -> Pipeline:
    cells = Cells().fit(X)
    names = cells.get_feature_names_out()
    texts = text_columns(X)
    is_category = cells.is_text_ & ~np.isin(names, texts)
    parts: list[tuple[str, Any, Any]] = [
        ("categories", categories, names[is_category].tolist()),
        ("numbers", numbers, names[~cells.is_text_].tolist()),
        *((f"words of {name}", Words(name), name) for name in texts),
    ]
    columns = ColumnTransformer(
        [part for part in parts if part[2]], sparse_threshold=0.0, verbose_feature_names_out=False
    )
    return Pipeline([("cells", Cells()), ("columns", columns), ("model", model)])
