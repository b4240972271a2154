"""Outputs of mixed rows for chains of dense layers: the first layer is a sum of one term per present player."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._agreement import DOUBLE_ROUNDING, agree
from automl_explain.explainers.coalitions._masked_rows import MixedRows, Players, players_that_differ
from automl_explain.explainers.coalitions._masker import differences
from automl_explain.explainers.coalitions._predicted import Evaluator, Outputs
from automl_explain.explainers.compiled._arrays import Bools
from automl_explain.explainers.compiled._jit import run_blocks
from automl_explain.explainers.compiled._thread_pools import one_thread_per_product
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._predict import predict_rows
from automl_explain.explainers.model._structures import Matrix
from automl_explain.explainers.neural._dense_chain import DenseChain, DenseNetwork, Numbers
from automl_explain.explainers.tables._table import RowNumbers, Table

UNITS_AT_ONCE = 1 << 18
"""Units of the widest layer that are computed at a time, so that they stay in the cache."""
SINGLE = 1e-6
"""Largest difference, relative to the spread of the outputs, that single precision may make."""
CHECKED = 256
"""Mixed rows of a call whose outputs are computed in double precision as well."""


@dataclass(frozen=True, eq=False)
class _Block:
    """Some coalitions of some pairs of rows that have the same number of players.

    Parameters
    ----------
    pairs : ndarray of int, shape (g,)
    players : ndarray of int, shape (g, d)
        The players of each pair.
    masks : ndarray of bool, shape (m, d)
        The coalitions of these players.
    start : int
        The first of them among all coalitions of a pair.
    """

    pairs: RowNumbers
    players: npt.NDArray[np.intp]
    masks: Bools
    start: int = 0


class DenseOutputs(Evaluator):
    """A chain of dense layers, in single precision if that is precise enough for the rows at hand.

    The first layer of a mixed row is that of the background row plus, for each present player, the difference of its columns
    times their weights. No mixed rows are made.
    """

    def __init__(self, model: FittedModel, background: Table, players: Players, n_jobs: int | None = None) -> None:
        super().__init__(model, background, players, n_jobs)
        assert isinstance(model.structure, DenseNetwork)
        self._chain = model.structure.chain
        self._theirs = model.encoded(background.data, "the background")
        self._base = self._known(background, self._theirs)
        self._single = self._single_if_precise()
        self._order = np.argsort(players, kind="stable")
        self._owners, self._starts = np.unique(players[self._order], return_index=True)

    def matters(self, rows: Table, n_players: int) -> Bools:
        used = (self._chain.weights[0] != 0.0).any(axis=1)
        different = differences(self._model.read(rows), self._theirs) & used
        return players_that_differ(different, self._players, n_players)

    def outputs(self, asked: MixedRows) -> Outputs:
        """Return the outputs of mixed rows. Those of unmixed rows are the model's own."""
        mine = self._model.read(asked.rows)
        own = self._known(asked.rows, mine)
        with one_thread_per_product():  # blocks are divided among the threads instead
            out = self._computed(self._single or self._chain, mine, asked)
            if self._single is not None and not self._is_precise(out, mine, asked):
                out = self._computed(self._chain, mine, asked)
        others = slice(asked.others.start, asked.others.stop)
        empty, whole = asked.ends()
        if len(empty):
            out[:, empty] = np.tile(self._base[:, others], (1, len(mine)))
        if len(whole):
            out[:, whole] = np.repeat(own, len(asked.others), axis=1)
        return out

    def _known(self, rows: Table, matrix: Matrix) -> Outputs:
        """Return the model's own outputs of rows, which must be those of the layers."""
        known = predict_rows(self._model, rows)
        made = self._chain.outputs(matrix)
        known = known[:, known.shape[1] - made.shape[1] :]
        if not agree(made, known, SINGLE):
            raise ArithmeticError(f"the layers of {self._model.name} do not give its predictions")
        return known.T

    def _computed(self, chain: DenseChain, mine: Matrix, asked: MixedRows) -> Outputs:
        out = np.empty((chain.n_outputs, len(asked)))

        def compute(block: _Block) -> int:
            row, other = np.divmod(block.pairs, len(asked.others))
            terms = self._terms(chain, mine[row], self._theirs[other + asked.others.start], block.players)
            n_pairs, n_terms, units = terms.shape
            masks = np.ones((len(block.masks), n_terms), dtype=terms.dtype)
            masks[:, 1:] = block.masks
            layer = masks @ np.ascontiguousarray(terms.transpose(1, 0, 2)).reshape(n_terms, -1)
            found = chain.after_first(layer.reshape(-1, units)).reshape(len(masks), n_pairs, -1)
            first = asked.first[block.pairs] + block.start
            for pair in range(n_pairs):
                out[:, first[pair] : first[pair] + len(masks)] = found[:, pair].T
            return 1

        run_blocks(compute, list(_blocks(asked, max(1, UNITS_AT_ONCE // chain.width))), self._n_jobs)
        return out

    def _terms(self, chain: DenseChain, mine: Matrix, theirs: Matrix, players: npt.NDArray[np.intp]) -> Numbers:
        """Return the terms of the first layer, (g, 1 + d, units): that of the background row, then those of the players."""
        weights, kind = self._chain.weights[0], chain.weights[0].dtype
        terms = np.empty((len(mine), 1 + players.shape[1], weights.shape[1]), dtype=kind)
        terms[:, 0] = theirs @ weights + self._chain.biases[0]
        steps = (mine - theirs)[:, :, None] * weights
        pooled = np.zeros((len(mine), int(self._players.max()) + 1, weights.shape[1]))
        pooled[:, self._owners] = np.add.reduceat(steps[:, self._order], self._starts, axis=1)
        terms[:, 1:] = np.take_along_axis(pooled, players[:, :, None], axis=1)
        return terms

    def _single_if_precise(self) -> DenseChain | None:
        """Return the layers in single precision, unless they are not precise enough for mixed rows of the background."""
        n_rows, n_columns = self._theirs.shape
        places = np.arange(CHECKED)
        present = (places[:, None] + np.arange(n_columns)) % 2 == 0
        mixed = np.where(present, self._theirs[places % n_rows], self._theirs[(places * 7 + places // n_rows) % n_rows])
        single = self._chain.as_single()
        made = single.outputs(mixed.astype(np.float32))
        return single if agree(made, self._chain.outputs(mixed), SINGLE, rounding=DOUBLE_ROUNDING) else None

    def _is_precise(self, out: Outputs, mine: Matrix, asked: MixedRows) -> bool:
        """Whether outputs agree with those of some of the mixed rows in double precision."""
        which = np.unique(np.linspace(0, len(asked) - 1, CHECKED).astype(np.intp))
        row, other, present = asked.present(which)
        mixed = np.where(present[:, self._players], mine[row], self._theirs[other])
        return agree(out[:, which].T, self._chain.outputs(mixed), SINGLE, rounding=DOUBLE_ROUNDING)


def _blocks(asked: MixedRows, rows_at_once: int) -> Iterator[_Block]:
    """Yield all mixed rows in blocks of a few pairs, or of a part of the coalitions of one pair."""
    if asked.coalitions is not None:
        by_other = asked.coalitions.reshape(-1, *asked.coalitions.shape[-2:])
        for other, own in enumerate(by_other):
            pairs = np.arange(other, len(asked.players), len(by_other))
            players = np.broadcast_to(np.arange(asked.players.shape[1]), (len(pairs), asked.players.shape[1]))
            yield from _cut(_Block(pairs, players, own), rows_at_once)
        return
    for n_players in np.unique(asked.n_players):
        pairs = np.flatnonzero(asked.n_players == n_players)
        players = np.nonzero(asked.players[pairs])[1].reshape(len(pairs), n_players)
        masks = (np.arange(1 << n_players)[:, None] >> np.arange(n_players)) & 1 == 1
        yield from _cut(_Block(pairs, players, masks), rows_at_once)


def _cut(block: _Block, rows_at_once: int) -> Iterator[_Block]:
    n_pairs, n_masks = max(1, rows_at_once // len(block.masks)), min(rows_at_once, len(block.masks))
    for first in range(0, len(block.pairs), n_pairs):
        some = slice(first, first + n_pairs)
        for start in range(0, len(block.masks), n_masks):
            masks = block.masks[start : start + n_masks]
            yield replace(block, pairs=block.pairs[some], players=block.players[some], masks=masks, start=start)
