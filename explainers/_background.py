"""Fewer background rows that stand for many, for explainers whose cost grows with the background."""

from __future__ import annotations

import numpy as np

from automl_explain.explainers._evaluators import predict_finite
from automl_explain.explainers._model import FittedModel
from automl_explain.explainers._table import Table


def representative(model: FittedModel, background: Table, n_rows: int) -> tuple[Table, str | None]:
    """Choose background rows spread evenly over the model's predictions.

    Rows are ordered by the model's output (several outputs: along their first principal axis) and taken at the middles
    of `n_rows` equal stretches, so that the mean output over the chosen rows is close to that over all. No random
    choice is made.

    Parameters
    ----------
    model : FittedModel
    background : Table
        All background rows, in the model's engineered format.
    n_rows : int
        Rows wanted.

    Returns
    -------
    tuple of Table and str or None
        The rows, and a note on what was left out, if any was.
    """
    total = len(background)
    if total <= n_rows:
        return background, None
    outputs = predict_finite(model, background.data)
    centred = outputs - outputs.mean(axis=0)
    axis = np.linalg.svd(centred.T @ centred)[0][:, 0] if outputs.shape[1] > 1 else np.ones(1)
    order = np.argsort(centred @ axis, kind="stable")
    middles = ((np.arange(n_rows) + 0.5) * total / n_rows).astype(np.intp)
    chosen = np.sort(order[middles])
    gap = float(np.max(np.abs(outputs[chosen].mean(axis=0) - outputs.mean(axis=0))))
    note = (
        f"background: {n_rows} of {total} rows, spread evenly over the model's predictions; the mean output over them "
        f"differs by {gap:.2g} from that over all"
    )
    return background.take(chosen), note
