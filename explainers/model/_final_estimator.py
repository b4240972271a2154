"""The model on top of a stack: which outputs of its members it reads, and which columns beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from automl_explain.explainers.model._fitted_model import FittedModel, Matrix, OutputSpace


@dataclass(frozen=True, eq=False)
class FinalModel:
    """A function of members' outputs that is itself a described model: what a stack's `Composite` combines with.

    Parameters
    ----------
    model : FittedModel
        The final estimator.
    space : str
        The output space in which the stack is seen.
    reads : ndarray of int, shape (c,)
        Which of the members' outputs, side by side, are its first columns.
    matrix : callable or None
        From the stack's rows to its further columns; None when they are not passed through.
    """

    model: FittedModel
    space: OutputSpace
    reads: npt.NDArray[np.intp]
    matrix: Callable[[Any], Matrix] | None

    def inputs(self, read: Matrix, rows: Any) -> Any:
        """Return the columns of the final estimator, (n, c + f), from the outputs that it reads, (n, c), and the rows.

        Sparse rows stay so, and the outputs beside them: to some libraries an entry that is not stored is missing.
        """
        if self.matrix is None:
            return read
        if sparse.issparse(rows):
            return sparse.hstack([read, rows], format="csr")
        return np.hstack([read, self.matrix(rows)])

    def predict(self, read: Matrix, rows: Any) -> Matrix:
        """Return the stack's outputs, (n, K), from the outputs that are read, (n, c), and the rows."""
        return self.model.outputs[self.space](self.inputs(read, rows))

    def __call__(self, outputs: Matrix, rows: Any) -> Matrix:
        """Return the stack's outputs, (n, K), from all outputs of its members, side by side, and the rows."""
        return self.predict(outputs[:, self.reads], rows)
