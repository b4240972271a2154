"""Exact Shapley values of models that are linear in their columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from automl_explain.explainers.compiled._arrays import Values
from automl_explain.explainers.methods._base import Attribution, Question
from automl_explain.explainers.model._feature_map import pool_players
from automl_explain.explainers.model._structures import Linear
from automl_explain.explainers.tables._table import Table

BLOCK_BYTES = 64 * 2**20
"""Maximum memory of the rows of a sparse background that are encoded at a time."""


class LinearEngine:
    """Interventional Shapley values ``coef_j * (x_j - mean of column j over the background)``.

    References
    ----------
    Strumbelj and Kononenko, "Explaining prediction models and individual predictions with feature contributions",
    2014, doi:10.1007/s10115-013-0679-x.
    """

    method = "linear"
    reason = "the output is linear in the columns, so the values are exact: coefficient times difference from the column mean"

    def __init__(self, question: Question) -> None:
        structure = question.model.structure
        assert isinstance(structure, Linear)
        assert question.background is not None
        self._question = question
        self._structure = structure
        self._mean = _column_means(question)
        self.base_values = structure.coef @ self._mean + structure.intercept
        self.notes: tuple[str, ...] = ()

    def attribute(self, rows: Table) -> Attribution:
        """Return exact values of engineered rows."""
        encoded: Any = self._question.model.read(rows)
        distance = (encoded.toarray() if sparse.issparse(encoded) else encoded) - self._mean
        values = self._structure.coef[:, None, :] * distance[None, :, :]
        return Attribution(pool_players(np.asarray(values), self._question.players, self._question.n_players))


def _column_means(question: Question) -> Values:
    """Return the weighted mean of each encoded column over the background; a sparse background is read in blocks."""
    background = question.background
    assert background is not None
    n_rows = max(1, BLOCK_BYTES // (8 * background.n_columns)) if background.is_sparse else len(background)
    blocks = (np.arange(start, min(start + n_rows, len(background))) for start in range(0, len(background), n_rows))
    weights = np.ones(len(background)) if question.weights is None else question.weights
    encoded = ((rows, question.model.encoded(background.take(rows).data, "the background")) for rows in blocks)
    sums = (np.asarray(matrix.T @ weights[rows]).ravel() for rows, matrix in encoded)
    return np.asarray(sum(sums) / weights.sum(), dtype=np.float64)
