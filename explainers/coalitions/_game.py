"""The coalition game of a model: absent features take their values from background rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.coalitions._linked_members import linked
from automl_explain.explainers.coalitions._masked_rows import MixedRows, add_shapley_values
from automl_explain.explainers.coalitions._value_functions import evaluator
from automl_explain.explainers.coalitions.sampling._coalition_sampling import Coalitions
from automl_explain.explainers.coalitions.sampling._walks import Walks, WalkSums
from automl_explain.explainers.compiled._arrays import LANES, Bools
from automl_explain.explainers.compiled._jit import run_blocks
from automl_explain.explainers.compiled._shapley_weights import pair_weights
from automl_explain.explainers.model._class_outputs import expand_binary
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._structures import Matrix
from automl_explain.explainers.tables._table import Table
from automl_explain.explainers.tables._weights import as_weights

BYTE_BUDGET = 64 * 2**20
"""Upper bound on the memory of the outputs of one batch of coalitions."""
OUTPUTS_AT_ONCE = 1 << 20
"""Most outputs of mixed rows, over all classes, held at a time."""
MOST_ENUMERATED = 20
"""Most relevant players of a pair of rows for which all coalitions can be evaluated."""


class Game:
    """Values of coalitions: the mean output over the background if only the present players take the values of the row.

    Parameters
    ----------
    model : FittedModel
    background : Table
        B rows in the model's engineered format.
    players : ndarray of int, shape (f,), or None
        Player of each column.
    share : ndarray of shape (B,), optional
        Weights of the background rows, summing to 1; equal by default.
    n_jobs : int, optional
        Number of threads; all cores by default.
    """

    def __init__(
        self,
        model: FittedModel,
        background: Table,
        players: npt.NDArray[np.intp] | None = None,
        share: Matrix | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self._model, self._background = linked(model, background), background
        self._players = np.arange(background.n_columns) if players is None else players
        self._n_players = int(self._players.max()) + 1
        self._evaluator = evaluator(self._model, background, self._players, n_jobs)
        self._share, self._n_jobs = as_weights(share, len(background)), n_jobs
        self.base_values = np.average(self._evaluator.of_background(), axis=0, weights=share)

    @property
    def unsteady(self) -> float:
        """Largest observed change of an output for a row that depends on the other rows predicted with it."""
        return self._evaluator.unsteady

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

    def walk(self, rows: Table, others: range, walks: Walks) -> WalkSums:
        """Return what walks with some background rows say about the Shapley values of each row."""
        asked = MixedRows.of_walks(rows, others, walks)
        outputs = self._evaluator.every_output(self._evaluator.outputs(asked))
        by_pair = outputs.reshape(len(outputs), len(rows), len(others), -1)
        return WalkSums.of(walks, by_pair, self._share[others.start : others.stop])

    @property
    def is_probability(self) -> bool:
        """Whether the outputs are probabilities."""
        return self._model.output_space == "probability"

    @property
    def n_background(self) -> int:
        """Number of background rows."""
        return len(self._background)

    def n_coalitions(self, rows: Table) -> Matrix:
        """Return the number of coalitions of the relevant players of each row, averaged over the background, (n,).

        It is infinite if there are too many relevant players with a background row to enumerate their coalitions.
        """
        step = max(1, BYTE_BUDGET // (len(self._background) * self._n_players))
        parts = []
        for start in range(0, len(rows), step):
            some = rows.take(np.arange(start, min(start + step, len(rows))))
            n_players = self._evaluator.matters(some, self._n_players).sum(axis=2)
            mean = np.exp2(np.minimum(n_players, MOST_ENUMERATED)).mean(axis=1)
            parts.append(np.where(n_players.max(axis=1) <= MOST_ENUMERATED, mean, np.inf))
        return np.concatenate(parts)

    def shapley_values(self, rows: Table, n_players: int) -> Matrix:
        """Return the Shapley values of rows, (K, n, P), from all coalitions of the relevant players.

        The game is a mean over background rows, and so are its Shapley values. With each background row, only players
        whose values differ and that the model reads are relevant, which may leave few coalitions.
        """
        matters = self._evaluator.matters(rows, self._n_players)
        parts = []
        for others in self._parts(matters):
            players = np.ascontiguousarray(matters[:, others.start : others.stop]).reshape(-1, self._n_players)
            parts.append(self._part_of_values(MixedRows(rows, others, players), n_players))
        return expand_binary(np.sum(parts, axis=0), self._model, centred=True)

    def _parts(self, matters: Bools) -> list[range]:
        """Cut the background into parts whose outputs with all rows take little memory."""
        n_outputs = len(self.base_values) * np.exp2(matters.sum(axis=2)).sum(axis=0)
        parts, start, size = [], 0, 0.0
        for other in range(0, len(n_outputs), LANES):
            more = float(n_outputs[other : other + LANES].sum())
            if size and size + more > OUTPUTS_AT_ONCE:
                parts.append(range(start, other))
                start, size = other, 0.0
            size += more
        return [*parts, range(start, len(n_outputs))]

    def _part_of_values(self, asked: MixedRows, n_players: int) -> Matrix:
        """Return the contribution of some background rows to the values, (S, n, P)."""
        outputs = np.ascontiguousarray(self._evaluator.outputs(asked))
        phi = np.zeros((len(asked.rows), len(outputs), n_players))
        share = self._share[asked.others.start : asked.others.stop]
        most = int(asked.n_players.max())
        gain, loss = pair_weights(most)

        def add(row: int) -> int:
            space = np.empty(1 << most)
            add_shapley_values(outputs, asked.first, asked.players, share, row, gain, loss, space, phi[row])
            return 1

        run_blocks(add, range(len(phi)), self._n_jobs)
        return phi.transpose(1, 0, 2)
