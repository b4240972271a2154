"""Exact Shapley values of models that are linear in their columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from automl_explain.explainers._engine import Attribution, Question, pool_players
from automl_explain.explainers._model import Linear
from automl_explain.explainers._table import Table


class LinearEngine:
    """Interventional Shapley values ``coef_j * (x_j - mean of column j over the background)``.

    References
    ----------
    Strumbelj and Kononenko, "Explaining prediction models and individual predictions with feature contributions",
    2014, doi:10.1007/s10115-013-0679-x.
    """

    method = "linear"
    reason = "the output is linear in the columns, so the values are exact: coefficient times distance from the mean"

    def __init__(self, question: Question) -> None:
        structure = question.model.structure
        assert isinstance(structure, Linear)
        assert question.background is not None
        self._question = question
        self._structure = structure
        self._mean = np.asarray(question.model.encode(question.background.data).mean(axis=0)).ravel()
        self.base_values = structure.coef @ self._mean + structure.intercept
        self.notes: tuple[str, ...] = ()

    def attribute(self, rows: Table) -> Attribution:
        """Return the exact values of engineered rows."""
        encoded: Any = self._question.model.encode(rows.data)
        distance = (encoded.toarray() if sparse.issparse(encoded) else encoded) - self._mean
        values = self._structure.coef[:, None, :] * distance[None, :, :]
        return Attribution(pool_players(np.asarray(values), self._question.players, self._question.n_players))
