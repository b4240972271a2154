"""Fewer background rows that stand for many, for explainers whose cost grows with the background."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._evaluators import predict_finite
from automl_explain.explainers._model import FittedModel
from automl_explain.explainers._table import Table, as_table
from automl_explain.explainers._table_formats import row_weights
from automl_explain.explainers._tree_paths import as_weights

Share = npt.NDArray[np.float64]
"""Weights of background rows, adding up to 1."""


def read_weighted(examples: Any) -> tuple[Any, Share | None]:
    """Return a background and, where it brings weights of its own as a result of `shap.kmeans` does, their shares."""
    weights = row_weights(examples)
    if weights is None:
        return examples, None
    plain = SimpleNamespace(data=examples.data, group_names=examples.group_names)
    table = as_table(plain, "initialization_examples")
    return table, as_weights(weights, len(table))


def representative(
    model: FittedModel, background: Table, n_rows: int, share: Share | None = None
) -> tuple[Table, Share | None, str | None]:
    """Choose background rows spread evenly over the model's predictions.

    Rows are ordered by the model's output (several outputs: along their first principal axis) and taken at the middles
    of `n_rows` equal stretches, so that the mean output over the chosen rows is close to that over all. No random
    choice is made. Rows with weights are as long as these; one that several middles fall into gets more weight.

    Parameters
    ----------
    model : FittedModel
    background : Table
        All background rows, in the model's engineered format.
    n_rows : int
        Rows wanted.
    share : ndarray of shape (B,), optional
        Weights of the rows, adding up to 1; default: all alike.

    Returns
    -------
    tuple of Table, ndarray or None, and str or None
        The rows, their weights if there are any, and a note on what was left out, if any was.
    """
    total = len(background)
    if total <= n_rows:
        return background, share, None
    outputs = predict_finite(model, background.data)
    mean = outputs.mean(axis=0) if share is None else share @ outputs
    centred = outputs - mean
    axis = np.linalg.svd(centred.T @ centred)[0][:, 0] if outputs.shape[1] > 1 else np.ones(1)
    order = np.argsort(centred @ axis, kind="stable")
    stretches = (np.arange(n_rows) + 0.5) / n_rows
    if share is None:
        middles = (stretches * total).astype(np.intp)
    else:
        middles = np.minimum(np.searchsorted(np.cumsum(share[order]), stretches), total - 1)
    chosen, times = np.unique(order[middles], return_counts=True)
    kept = None if share is None else times / n_rows
    gap = float(np.max(np.abs(np.average(outputs[chosen], axis=0, weights=kept) - mean)))
    note = (
        f"background: {len(chosen)} of {total} rows, spread evenly over the model's predictions; the mean output over them "
        f"differs by {gap:.2g} from that over all"
    )
    return background.take(chosen), kept, note
