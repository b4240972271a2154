"""The final estimator of a stack, and the outputs and columns that it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._structures import Matrix, OutputSpace


@dataclass(frozen=True, eq=False)
class FinalModel:
    """The `combine` function of a stack's `Composite`: a described model of the members' outputs.

    Parameters
    ----------
    model : FittedModel
        The final estimator.
    space : str
        Output space of the stack.
    reads : ndarray of int, shape (c,)
        Positions of its first columns among the concatenated outputs of the members.
    passed : callable or None
        From a whole table to the columns that are passed through, an array or sparse matrix. It is applied to the explained
        rows and to the background before they are mixed, because some final estimators code the values of a column by
        their rank within the table that they are given. None: the rows are not passed through.
    by_table : bool
        Whether `passed` gives a row with text another value if the table has other rows.
    """

    model: FittedModel
    space: OutputSpace
    reads: npt.NDArray[np.intp]
    passed: Callable[[Any], Any] | None
    by_table: bool = False

    def inputs(self, read: Matrix, passed: Any) -> Any:
        """Return the inputs of the final estimator, (n, c + f), from the outputs that it reads, (n, c), and passed columns.

        With sparse rows the result is sparse, because some libraries read entries that are not stored as missing.
        """
        if self.passed is None:
            return read
        if sparse.issparse(passed):
            return sparse.hstack([read, passed], format="csr")
        return np.hstack([read, passed])

    def predict(self, read: Matrix, passed: Any) -> Matrix:
        """Return the stack's outputs, (n, K), from the outputs that are read, (n, c), and the columns passed through."""
        return self.model.outputs[self.space](self.inputs(read, passed))

    def __call__(self, outputs: Matrix, passed: Any) -> Matrix:
        """Return the stack's outputs, (n, K), from the concatenated outputs of all members and the columns passed through."""
        return self.predict(outputs[:, self.reads], passed)
