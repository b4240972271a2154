"""Smaller backgrounds for explainers whose cost grows with the number of background rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.tables._table import RowNumbers, Table

Share = npt.NDArray[np.float64]
"""Weights of background rows, adding up to 1."""
Summary: TypeAlias = tuple[Table, Share | None, str | None]
"""Background rows, their weights or None, and a note on how they were chosen or None."""
MOST_LABELS = 20
"""Labels of a non-numeric column that count in distances, the most frequent first; the distance between rarer ones is 0."""


def representative(model: FittedModel, background: Table, n_rows: int, share: Share | None = None) -> Summary:
    """Choose background rows spread evenly over the model's predictions.

    Rows are sorted by the model's output, or by the first principal component of several outputs. The sorted rows are
    divided into `n_rows` parts of equal weight, and the row at the middle of each part is chosen, so that the mean output
    over the chosen rows is close to the mean over all rows. The choice is deterministic. With weights, a row may be at the
    middle of several parts; its weight is then proportional to their number.

    Parameters
    ----------
    model : FittedModel
    background : Table
        All background rows, in the model's engineered format.
    n_rows : int
        Number of rows to choose.
    share : ndarray of shape (B,), optional
        Weights of the rows, adding up to 1. Default: equal weights.

    Returns
    -------
    Summary
    """
    total = len(background)
    if total <= n_rows:
        return background, share, None
    outputs = predict_finite(model, background.data)
    mean = outputs.mean(axis=0) if share is None else share @ outputs
    centred = outputs - mean
    order = np.argsort(centred @ _first_component(centred), kind="stable")
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
        f"differs by {gap:.2g} from the mean over all rows"
    )
    return background.take(chosen), kept, note


def _first_component(centred: Share) -> Share:
    """Return the first principal axis of centred outputs (B, C), up to its length, at the cubed cost of the smaller side."""
    n_rows, n_outputs = centred.shape
    if n_outputs == 1:
        return np.ones(1)
    if n_outputs <= n_rows:
        first: Share = np.linalg.svd(centred.T @ centred)[0][:, 0]
    else:
        first = centred.T @ np.linalg.svd(centred @ centred.T)[0][:, 0]
    return first


def means(model: FittedModel, background: Table, n_rows: int, share: Share | None = None) -> Summary:
    """Group similar background rows and return one row per group, weighted by the rows in it.

    Groups are found by k-means over standardised columns. A numeric cell is the value of the column nearest to the group
    mean; any other cell is the most frequent value of the group. A cell is missing only if at least half of the group's
    cells, by weight, are missing. Parameters as in `representative`.

    References
    ----------
    Lloyd, "Least squares quantization in PCM", doi:10.1109/TIT.1982.1056489.
    """
    if background.is_sparse:
        raise InvalidInputError(
            "background_summary='kmeans' needs a dense background. Got a sparse one: leave out background_summary."
        )
    if len(background) <= n_rows:
        return background, share, None
    codes, numeric = background.codes(), _numeric_columns(background)
    points = np.hstack([_coordinates(codes[:, j], numeric[j]) for j in range(background.n_columns)])
    n_groups = min(n_rows, len(np.unique(points, axis=0)))
    from sklearn.cluster import KMeans  # here, because models stored as data are explained without scikit-learn

    group = KMeans(n_groups, random_state=0, n_init=1).fit(points, sample_weight=share).labels_
    weights = np.ones(len(background)) if share is None else share
    present, group = np.unique(group, return_inverse=True)
    members = [np.flatnonzero(group == k) for k in range(len(present))]
    source = np.array(
        [[_cell(codes[:, j], rows, weights, numeric[j]) for j in range(len(numeric))] for rows in members]
    )
    kept = np.array([weights[rows].sum() for rows in members]) / weights.sum()
    centres = _gather(background, source)
    mean = np.average(predict_finite(model, background.data), axis=0, weights=share)
    gap = float(np.max(np.abs(kept @ predict_finite(model, centres.data) - mean)))
    note = (
        f"background: {len(kept)} weighted means of {len(background)} rows, by k-means, made of values that occur in "
        f"the columns; the mean output over them differs by {gap:.2g} from the mean over all rows"
    )
    return centres, kept, note


SUMMARIES: dict[str, Callable[[FittedModel, Table, int, Share | None], Summary]] = {
    "representative": representative,
    "kmeans": means,
}
"""Value of `background_summary` -> function that chooses the background rows."""


def _numeric_columns(table: Table) -> list[bool]:
    frame = table.data if table.is_frame else pd.DataFrame(table.data).infer_objects()
    return [
        pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_datetime64_any_dtype(dtype) for dtype in frame.dtypes
    ]


def _coordinates(codes: Share, numeric: bool) -> Share:
    """Return coordinates of the cells: standardised numbers, with the mean for missing cells; labels at equal distances."""
    missing = np.isnan(codes)
    if numeric:
        filled = np.where(missing, 0.0 if missing.all() else codes[~missing].mean(), codes)
        return np.asarray((filled - filled.mean()) / (filled.std() or 1.0))[:, None]
    labels, counts = np.unique(codes[~missing], return_counts=True)
    frequent = labels[np.argsort(-counts, kind="stable")[:MOST_LABELS]]
    return np.asarray((codes[:, None] == frequent) / np.sqrt(2.0))


def _cell(codes: Share, rows: RowNumbers, weights: Share, numeric: bool) -> int:
    """Return the row whose cell represents the cells of the given rows in a column."""
    own, share, missing = codes[rows], weights[rows], np.isnan(codes[rows])
    if share[missing].sum() >= share.sum() / 2 and missing.any():
        return int(rows[missing][0])
    if numeric and share[~missing].sum() > 0:
        return int(np.nanargmin(np.abs(codes - np.average(own[~missing], weights=share[~missing]))))
    labels, which = np.unique(own[~missing], return_inverse=True)
    label = labels[np.argmax(np.bincount(which, share[~missing]))]
    return int(rows[own == label][0])


def _gather(table: Table, source: RowNumbers) -> Table:
    """Return a table of the same format; `source` holds the row that each cell is taken from in its column."""
    if not table.is_frame:
        return Table(table.data[source, np.arange(table.n_columns)], table.names)
    frame = pd.DataFrame({j: table.data.iloc[:, j].array.take(source[:, j]) for j in range(table.n_columns)})
    frame.columns = table.data.columns
    return Table(frame, table.names)
