"""The final estimator of a stack, and the outputs and columns that it reads."""

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
    """The `combine` function of a stack's `Composite`: a described model of the members' outputs.

    Parameters
    ----------
    model : FittedModel
        The final estimator.
    space : str
        Output space of the stack.
    reads : ndarray of int, shape (c,)
        Positions of its first columns among the concatenated outputs of the members.
    matrix : callable or None
        From the stack's rows to the remaining columns. None: the rows are not passed through.
    """

    model: FittedModel
    space: OutputSpace
    reads: npt.NDArray[np.intp]
    matrix: Callable[[Any], Matrix] | None

    def inputs(self, read: Matrix, rows: Any) -> Any:
        """Return the inputs of the final estimator, (n, c + f), from the outputs that it reads, (n, c), and the rows.

        With sparse rows the result is sparse, because some libraries read entries that are not stored as missing.
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
        """Return the stack's outputs, (n, K), from the concatenated outputs of all members and the rows."""
        return self.predict(outputs[:, self.reads], rows)
