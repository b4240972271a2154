"""The coalition game of a model: absent features take their values from background rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._design import Coalitions
from automl_explain.explainers._evaluators import evaluator, predict_finite
from automl_explain.explainers._model import FittedModel, Matrix
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
    """

    def __init__(self, model: FittedModel, background: Table, players: npt.NDArray[np.intp] | None = None) -> None:
        self._model = model
        self._background = background
        self._players = np.arange(background.n_columns) if players is None else players
        self._evaluator = evaluator(model, background, self._players)
        self.base_values = predict_finite(model, background.data).mean(axis=0)

    def values(self, rows: Table, coalitions: Coalitions) -> tuple[Matrix, Matrix]:
        """Return the values of coalitions for each row, minus that of the empty coalition.

        Parameters
        ----------
        rows : Table
            n rows in the model's engineered format.
        coalitions : ndarray of bool, shape (m, P)

        Returns
        -------
        tuple of ndarray, ndarray
            Values of the coalitions, (n, m, K), and of the grand coalition, (n, K).
        """
        outputs = predict_finite(self._model, rows.data)
        values = np.empty((len(rows), len(coalitions), outputs.shape[1]))
        if len(coalitions):
            step = max(1, BYTE_BUDGET // (8 * len(rows) * len(self._background) * (outputs.shape[1] + 2)))
            for start in range(0, len(coalitions), step):
                part = slice(start, start + step)
                values[:, part] = self._evaluator.means(rows, coalitions[part])
        return values - self.base_values, outputs - self.base_values
