"""The base class of evaluators, and the evaluators of models that predict mixed rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._agreement import DOUBLE_ROUNDING, agree
from automl_explain.explainers.coalitions._masked_rows import (
    MixedRows,
    Players,
    distinct_rows,
    players_that_differ,
    tables_differ,
)
from automl_explain.explainers.coalitions._masker import Masker, differences
from automl_explain.explainers.coalitions.sampling._coalition_sampling import Coalitions
from automl_explain.explainers.compiled._arrays import Bools
from automl_explain.explainers.model._class_outputs import expand_binary
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._model_call import model_call
from automl_explain.explainers.model._predict import check_finite, predict_finite, predict_rows
from automl_explain.explainers.model._structures import Matrix
from automl_explain.explainers.neural._mixing import mixed_in_numpy
from automl_explain.explainers.neural._network import Network
from automl_explain.explainers.tables._table import RowNumbers, Table

Outputs = npt.NDArray[np.float64]
"""(S, mixed rows): all outputs of the model, or only that of the second of two classes."""
Means = npt.NDArray[np.float64]
"""(n, m, K): rows, coalitions, outputs; means over the background."""

BYTE_BUDGET = 8 * 2**20
"""Upper bound on the memory of one batch of mixed rows, so that it fits the cache."""
STEADY, SAME = 1e-6, 1e-9
"""Differences, relative to the spread of the outputs, up to which predictions in tables of different and of equal size agree."""


class Evaluator:
    """Outputs of mixed rows.

    Parameters
    ----------
    model : FittedModel
    background : Table
        B rows in the model's engineered format.
    players : ndarray of int, shape (f,)
        The player of each column.
    n_jobs : int, optional
        Number of threads; all cores by default.
    """

    def __init__(self, model: FittedModel, background: Table, players: Players, n_jobs: int | None = None) -> None:
        self._model, self._background, self._players, self._n_jobs = model, background, players, n_jobs
        self.members: Sequence[Evaluator] = ()

    @property
    def unsteady(self) -> float:
        """Largest observed change of an output for a row that depends on the other rows predicted with it."""
        return max((member.unsteady for member in self.members), default=0.0)

    def of_background(self) -> Matrix:
        """Return the model's outputs for the background rows, (B, K)."""
        return predict_rows(self._model, self._background)

    def matters(self, rows: Table, n_players: int) -> Bools:
        """Return the players that may change the output of n rows with each background row, (n, B, P)."""
        return tables_differ(rows, self._background, self._players, n_players)

    def outputs(self, asked: MixedRows) -> Outputs:
        """Return the outputs of mixed rows; the players of pairs must include all relevant ones."""
        raise NotImplementedError

    def means(self, rows: Table, coalitions: Coalitions, share: Matrix | None = None) -> Means:
        """Return the mean outputs of coalitions over the background, weighted by the share (B,) of each row."""
        asked = MixedRows.of_coalitions(rows, len(self._background), coalitions)
        outputs = self.outputs(asked).reshape(-1, len(rows), len(self._background), len(coalitions))
        return np.moveaxis(self.every_output(np.average(outputs, axis=2, weights=share)), 0, -1)

    def every_output(self, outputs: Outputs) -> Outputs:
        """Return outputs, first axis S, with one entry per output of the model."""
        return expand_binary(outputs, self._model)


class Predicted(Evaluator):
    """Any model: each distinct mixed row of a pair is predicted once."""

    def __init__(self, model: FittedModel, background: Table, players: Players, n_jobs: int | None = None) -> None:
        super().__init__(model, background, players, n_jobs)
        self._theirs: Outputs | None = None
        self._unsteady = 0.0

    @property
    def unsteady(self) -> float:
        """Largest change observed so far; see `Evaluator.unsteady`."""
        return self._unsteady

    def matters(self, rows: Table, n_players: int) -> Bools:
        found = super().matters(rows, n_players)
        if self._model.by_table and rows.is_frame:  # equal text may be read as different codes
            text = [not pd.api.types.is_numeric_dtype(dtype) for dtype in rows.data.dtypes]
            found[..., self._players[np.array(text)]] = True
        return found

    def outputs(self, asked: MixedRows) -> Outputs:
        mixer, columns = Masker(asked.rows, self._background), self._players
        if asked.coalitions is None:
            which, inverse = np.arange(len(asked)), None
        else:
            others = slice(asked.others.start, asked.others.stop)
            differs = players_that_differ(mixer.differences()[:, others], columns, asked.players.shape[1])
            which, inverse = distinct_of_pairs(differs.reshape(len(asked.players), -1), asked.coalitions)
        per_batch = max(1, BYTE_BUDGET // (16 * max(1, len(columns))))
        parts = []
        for start in range(0, len(which), per_batch):
            row, other, present = asked.present(which[start : start + per_batch])
            parts.append(predict_finite(self._model, mixer.mix(row, other, present[:, columns])))
        found = np.concatenate(parts)
        out = np.ascontiguousarray((found if inverse is None else found[inverse]).T)
        self._keep_known(out, mixer, asked)
        return out

    def _keep_known(self, out: Outputs, mixer: Masker, asked: MixedRows) -> None:
        """Replace the outputs of unmixed rows by those predicted without mixed rows.

        They differ if a model's output for a row depends on the other rows of the table, as with ties between nearest
        neighbours. Whether that is the cause is checked by predicting the same number of rows again.
        """
        if self._theirs is None:
            self._theirs = predict_rows(self._model, self._background).T
        theirs, n_others = self._theirs[:, asked.others.start : asked.others.stop], len(asked.others)
        mine = predict_rows(self._model, asked.rows).T
        empty, whole = asked.ends()
        for places, known, step in (
            (empty, np.tile(theirs, len(asked.rows)), slice(n_others)),
            (whole, np.repeat(mine, n_others, axis=1), slice(None, None, n_others)),
        ):
            if not len(places) or agree(out[:, places].T, known.T, STEADY, rounding=DOUBLE_ROUNDING):
                continue
            row, other, present = asked.present(places[step])
            again = predict_finite(self._model, mixer.mix(row, other, present[:, self._players])).T
            if self._model.by_table or agree(again.T, known[:, step].T, SAME, rounding=DOUBLE_ROUNDING):
                self._unsteady = max(self._unsteady, float(np.abs(out[:, places] - known).max()))
                out[:, places] = known


class NetworkOutputs(Evaluator):
    """A neural network: rows are mixed as arrays, on the device if its framework can, and go forward in large batches."""

    def __init__(self, model: FittedModel, background: Table, players: Players, n_jobs: int | None = None) -> None:
        super().__init__(model, background, players, n_jobs)
        assert isinstance(model.structure, Network)
        self._network = model.structure
        self._theirs = model.encoded(background.data, "the background")
        self._base = self._forward(partial(self._network.outputs, self._theirs)).T

    def of_background(self) -> Matrix:
        return self.every_output(self._base).T

    def matters(self, rows: Table, n_players: int) -> Bools:
        mine = self._model.encoded(rows.data)
        found = np.empty((len(mine), len(self._theirs), n_players), np.bool_)
        for row in range(len(mine)):  # one at a time, since images have many cells
            different = differences(mine[row : row + 1], self._theirs)
            found[row] = players_that_differ(different, self._players, n_players)[0]
        return found

    def outputs(self, asked: MixedRows) -> Outputs:
        """Return the outputs of mixed rows. Those of unmixed rows are computed once and do not depend on the batch."""
        mine = self._model.encoded(asked.rows.data)
        others = slice(asked.others.start, asked.others.stop)
        mixer = self._network.mixer or partial(mixed_in_numpy, self._network)
        forward = mixer(mine, self._theirs, self._players)
        if asked.coalitions is None:
            which, inverse = np.arange(len(asked)), None
        else:
            differs = self.matters(asked.rows, asked.players.shape[1])[:, others]
            which, inverse = distinct_of_pairs(differs.reshape(len(asked.players), -1), asked.coalitions)
        step = self._network.rows_at_once
        batches = (asked.present(which[start : start + step]) for start in range(0, len(which), step))
        found = np.concatenate([self._forward(partial(forward, *batch)) for batch in batches])
        out = np.ascontiguousarray((found if inverse is None else found[inverse]).T)
        empty, whole = asked.ends()
        out[:, empty] = np.tile(self._base[:, others], (1, len(mine)))[:, : len(empty)]
        if len(whole):
            own = self._forward(partial(self._network.outputs, mine)).T
            out[:, whole] = np.repeat(own, len(asked.others), axis=1)
        return out

    def _forward(self, outputs: Callable[[], Matrix]) -> Matrix:
        with model_call(self._model.name, "the rows"):
            found = outputs()
        return check_finite(found, self._model)


def distinct_of_pairs(differs: Bools, coalitions: Coalitions) -> tuple[RowNumbers, RowNumbers]:
    """Return the distinct mixed rows of each pair, and for each mixed row the position of its equal among them.

    Parameters
    ----------
    differs : ndarray of bool, shape (pairs, P)
        Players whose cells differ between the two rows of a pair.
    coalitions : ndarray of bool, shape (m, P) or (b, m, P)
        The coalitions of every pair, or of each background row, which vary fastest among the pairs.
    """
    n_coalitions = coalitions.shape[-2]
    by_other = coalitions.reshape(-1, *coalitions.shape[-2:])
    firsts, inverses, n_distinct, everything = [], [], 0, np.arange(n_coalitions)
    for pair, different in enumerate(differs):
        own = by_other[pair % len(by_other)]
        first, inverse = (everything, everything) if different.all() else distinct_rows(own & different)
        firsts.append(first + pair * n_coalitions)
        inverses.append(inverse + n_distinct)
        n_distinct += len(first)
    return np.concatenate(firsts), np.concatenate(inverses)
