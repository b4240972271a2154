"""Steps of scikit-learn behind vectorizers as weights: selections, scalings, projections and norms of counts."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.feature_selection import SelectorMixin
from sklearn.preprocessing import MaxAbsScaler, Normalizer, RobustScaler, StandardScaler
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

Values = npt.NDArray[np.float64]

PROJECTIONS = (TruncatedSVD, GaussianRandomProjection, SparseRandomProjection)
SELECTIONS = "sklearn.feature_selection."
"""Where the selectors are that keep columns as they are."""


class RowWeights(NamedTuple):
    """How a step weighs the cells of a row: logarithms of counts, weights of columns, and a norm."""

    sublinear: bool
    idf: Values | None
    norm: str | None


def step_weights(step: Any, n_columns: int) -> Any:
    """Return the weights (k, c) of the c columns that a step reads in the k that it makes; None if it is no such step."""
    if isinstance(step, SelectorMixin) and type(step).__module__.startswith(SELECTIONS):
        kept = step.get_support(indices=True)
        ones = np.ones(len(kept))
        return sparse.csr_array((ones, kept, np.arange(len(kept) + 1)), shape=(len(kept), n_columns))
    if type(step) in PROJECTIONS:
        return step.components_
    factors = _factors(step)
    return None if factors is None else sparse.diags(np.broadcast_to(factors, n_columns).astype(float), format="csr")


def row_weights(step: Any) -> RowWeights | None:
    """Return how a step weighs and normalises rows; None if it is no such step."""
    if type(step) is Normalizer and step.norm in ("l1", "l2"):
        return RowWeights(False, None, step.norm)
    if type(step) is TfidfTransformer:
        idf = np.asarray(step.idf_, dtype=np.float64) if step.use_idf else None
        return RowWeights(bool(step.sublinear_tf), idf, step.norm)
    return None


def _factors(step: Any) -> Any:
    """Return the factor of each column, or 1.0, if a step only multiplies columns; otherwise None."""
    kind = type(step)
    if kind is MaxAbsScaler:
        return None if getattr(step, "clip", False) else 1.0 / step.scale_
    if kind is StandardScaler and not step.with_mean:
        return 1.0 / step.scale_ if step.with_std else 1.0
    if kind is RobustScaler and not step.with_centering:
        return 1.0 / step.scale_ if step.with_scaling else 1.0
    if kind is TfidfTransformer and step.norm is None and not step.sublinear_tf:
        return step.idf_ if step.use_idf else 1.0
    return None
