"""Steps between counted words and a model: columns are selected, scaled or projected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from automl_explain.explainers.model._structures import Linear
from automl_explain.explainers.text._text_values import Values

Ints = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class CountSteps:
    """What a model reads of the counts of words: each of its columns is a weighted sum of theirs.

    Parameters
    ----------
    weights : csr_array or ndarray, shape (k, c)
        Weights of the c counted columns in each of the k columns that the model reads.
    rest : csr_matrix or ndarray of shape (1, k), or None
        What is added to each row: the other columns of a row of a table.
    """

    weights: Any
    rest: Any = None

    @staticmethod
    def of(weights: Any) -> CountSteps:
        """Return steps with these weights; sparse ones are held by rows."""
        return CountSteps(sparse.csr_array(weights) if sparse.issparse(weights) else np.asarray(weights))

    def then(self, weights: Any) -> CountSteps:
        """Return these steps and another one, with the weights of the columns of these in those of the other."""
        return CountSteps.of(weights @ self.weights)

    def table(self, counts: sparse.csr_matrix) -> Any:
        """Return the rows that the model reads, sparse if the weights are."""
        made = counts @ self.weights.T
        if self.rest is not None and not sparse.issparse(self.rest):
            return (made.toarray() if sparse.issparse(made) else made) + self.rest
        if self.rest is not None:
            made = made + sparse.csr_matrix(np.ones((made.shape[0], 1))) @ self.rest
        return sparse.csr_matrix(made) if sparse.issparse(made) else np.asarray(made)

    def of_counts(self, linear: Linear) -> Linear:
        """Return a linear model of what the model reads as one of the counts."""
        intercept = linear.intercept
        if self.rest is not None:
            intercept = intercept + np.asarray(self.rest @ linear.coef.T, dtype=np.float64).ravel()
        return Linear(np.asarray(linear.coef @ self.weights, dtype=np.float64), intercept)

    @cached_property
    def columns(self) -> Ints | None:
        """The counted column that each column of the model is, but for a factor, -1 for one that is none.

        None if a column is a sum, or a counted one is read twice.
        """
        if not sparse.issparse(self.weights):
            return None
        counted, is_filled = self.weights.indices, np.diff(self.weights.indptr)
        if (is_filled > 1).any() or len(np.unique(counted)) < len(counted):
            return None
        columns = np.full(len(is_filled), -1, np.intp)
        columns[is_filled > 0] = counted
        return columns

    @property
    def factors(self) -> Values:
        """The factor of each column that is a counted one, if `columns` are known."""
        return np.asarray(self.weights.data, dtype=np.float64)

    @cached_property
    def is_read(self) -> npt.NDArray[np.bool_]:
        """Which of the counted columns the model reads, (c,)."""
        return np.asarray(abs(self.weights).sum(axis=0) > 0).ravel()
