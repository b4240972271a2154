"""Explanations as pandas and shap objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers.explanation._values import ExplanationValues, local_values, ranking
from automl_explain.explainers.tables._table import Table

if TYPE_CHECKING:
    import shap


def importance_frame(explanation: ExplanationValues) -> pd.DataFrame:
    """Return what `Explanation.to_frame` documents."""
    overall = explanation.global_importance_values
    known = explanation.local_importance_values is not None or explanation.class_values is not None
    by_class = explanation.per_class_values if explanation.is_classification and known else np.zeros((0, len(overall)))
    names = ["overall", *(explanation.classes or ())[: len(by_class)]]
    index = pd.Index(list(explanation.feature_labels), name="feature")
    return pd.DataFrame(np.column_stack([overall, *by_class]), index, names).iloc[ranking(overall)]


def as_frame(explanation: ExplanationValues) -> pd.DataFrame:
    """Return what `Explanation.to_local_frame` documents."""
    values, data = local_values(explanation), explanation.data
    rows = data.data.index if data is not None and data.is_frame else pd.RangeIndex(explanation.num_examples)
    columns = list(explanation.feature_labels)
    if explanation.classes is None:
        return pd.DataFrame(values, index=rows, columns=columns)
    blocks = [pd.DataFrame(block, index=rows, columns=columns) for block in values]
    return pd.concat(blocks, keys=explanation.classes, names=["class"])


def as_shap(explanation: ExplanationValues) -> shap.Explanation:
    """Return what `Explanation.to_shap` documents.

    shap's plots are coloured by numbers: dates are nanoseconds there and categories codes. The cells themselves are shown.
    """
    import shap

    values, left_out, classes = local_values(explanation), explanation.left_out, explanation.classes
    base = np.tile(explanation.expected_values, (explanation.num_examples, 1))
    base = base if left_out is None else base + np.atleast_2d(left_out).T
    return shap.Explanation(
        values=values if classes is None else np.moveaxis(values, 0, -1),
        base_values=base[:, 0] if classes is None else base,
        data=None if explanation.data is None else explanation.data.codes(),
        display_data=None if explanation.data is None else _shown(explanation.data),
        feature_names=list(explanation.feature_labels),
        output_names=None if classes is None else [str(label) for label in classes],
    )


def _shown(table: Table) -> npt.NDArray[Any]:
    if table.is_sparse:
        return table.codes()
    return table.data.to_numpy() if table.is_frame else np.asarray(table.data)
