"""CatBoost's own SHAP values, for models whose splits use values that are not in the table."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers.model._structures import Opaque, OwnValues

COMBINED = "Columns that a split combines count as one player, whose value CatBoost divides evenly among them."
"""How CatBoost treats splits on combinations of columns, which differs from the definition of Shapley values."""

Values = npt.NDArray[np.float64]


def own_values(model: Any, why: str, *, combines: bool) -> Opaque:
    """Return the structure of a model whose trees cannot be read: CatBoost's own SHAP values, or `Opaque`.

    CatBoost's values of non-symmetric trees do not add up to the prediction if the trees split on target statistics or text.

    Parameters
    ----------
    model : fitted CatBoost model
    why : str
        Why its trees cannot be read.
    combines : bool
        Whether a split may combine several columns.
    """
    if model.get_embedding_feature_indices():
        return Opaque(why)
    if not model._object._is_oblivious():  # there is no public method
        return Opaque(f"{why}, and CatBoost's own values of non-symmetric trees do not add up to the prediction")
    return OwnValues(
        why,
        library="CatBoost",
        base_values=_with_base(model, _any_row(model))[0, :, -1],
        values=partial(_values, model),
        caution=COMBINED if combines else "",
    )


def _values(model: Any, table: Any, n_jobs: int | None) -> Values:
    return np.ascontiguousarray(_with_base(model, table, n_jobs)[:, :, :-1].transpose(1, 0, 2))


def _with_base(model: Any, table: Any, n_jobs: int | None = 1) -> Values:
    """Return the values, with the base value as the last column, of shape (n, K, f + 1)."""
    from catboost import Pool

    rows = Pool(
        table, cat_features=model.get_cat_feature_indices(), text_features=model.get_text_feature_indices() or None
    )
    values = np.asarray(model.get_feature_importance(rows, type="ShapValues", thread_count=n_jobs or -1))
    return values[:, None, :] if values.ndim == 2 else values


def _any_row(model: Any) -> pd.DataFrame:
    """Return a row that the model accepts; base values are the same for all rows."""
    texts = {*model.get_cat_feature_indices(), *model.get_text_feature_indices()}
    return pd.DataFrame({name: ["" if j in texts else 0.0] for j, name in enumerate(model.feature_names_)})
