"""The coalition game of a model: absent features take their values from background rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._design import Coalitions
from automl_explain.explainers._evaluators import evaluator
from automl_explain.explainers._model import FittedModel, Matrix
from automl_explain.explainers._predictions import predict_finite
from automl_explain.explainers._table import Table

BYTE_BUDGET = 64 * 2**20
"""Upper bound on the memory of the outputs of one batch of coalitions."""


class Game:
    """Values of coalitions: the mean output over the background when only some players take the row's values.

    Parameters
    ----------
    model : FittedModel
    background : Table
        B rows in the model's engineered format.
    players : ndarray of int, shape (f,), or None
        Player of each column.
    share : ndarray of shape (B,), optional
        Weights of the background rows, adding up to 1; default: all alike.
    n_jobs : int, optional
        Threads; default: all cores.
    """

    def __init__(
        self,
        model: FittedModel,
        background: Table,
        players: npt.NDArray[np.intp] | None = None,
        share: Matrix | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self._model = model
        self._background = background
        self._players = np.arange(background.n_columns) if players is None else players
        self._evaluator = evaluator(model, background, self._players, n_jobs)
        self._share = share
        self.base_values = np.average(predict_finite(model, background.data), axis=0, weights=share)

    def values(self, rows: Table, coalitions: Coalitions) -> Matrix:
        """Return the values of coalitions for each row, minus that of the empty coalition.

        Parameters
        ----------
        rows : Table
            n rows in the model's engineered format.
        coalitions : ndarray of bool, shape (m, P)

        Returns
        -------
        ndarray, shape (n, m, K)
        """
        values = np.empty((len(rows), len(coalitions), len(self.base_values)))
        step = max(1, BYTE_BUDGET // (8 * len(rows) * len(self._background) * (len(self.base_values) + 2)))
        for start in range(0, len(coalitions), step):
            part = slice(start, start + step)
            values[:, part] = self._evaluator.means(rows, coalitions[part], self._share)
        return np.asarray(values - self.base_values)
