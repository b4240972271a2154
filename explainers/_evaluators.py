"""How the outputs of mixed rows are computed: one way per structure, all of the same shape.

An evaluator is made for a background; for rows and coalitions of players it returns the outputs of every row, every
background row and every coalition, where present players take the row's columns and absent ones the background row's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._cubes import CoalitionGame
from automl_explain.explainers._design import Coalitions
from automl_explain.explainers._final_model import FinalModel
from automl_explain.explainers._final_trees import Doubts, FinalTrees
from automl_explain.explainers._links import LinkFunction
from automl_explain.explainers._model import (
    Composite,
    FittedModel,
    Linear,
    Matrix,
    Mixture,
    Opaque,
    OwnValues,
    Prepared,
)
from automl_explain.explainers._outputs import every_output
from automl_explain.explainers._predictions import predict_finite
from automl_explain.explainers._table import Mixer, Rows, Table
from automl_explain.explainers._trees import Trees

Outputs = npt.NDArray[np.float64]
"""(n, B, m, K): rows, background rows, coalitions, outputs."""

Means = npt.NDArray[np.float64]
"""(n, m, K): rows, coalitions, outputs; means over the background."""

Players = npt.NDArray[np.intp]
"""(f,): the player of each column."""

LATTICE_PLAYERS = 14
"""Players up to which a tree ensemble's outputs for all coalitions are computed even where some are asked for."""
BYTE_BUDGET = 8 * 2**20
"""Upper bound on the memory of one batch of mixed rows: few enough for the cache."""

ENOUGH_TO_COMPARE = 16
"""Background rows from which their mixtures say how far a stack's members are from their libraries."""


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
        Threads; default: all cores.
    """

    def __init__(self, model: FittedModel, background: Table, players: Players, n_jobs: int | None = None) -> None:
        self._model, self._background, self._players, self._n_jobs = model, background, players, n_jobs

    def outputs(self, rows: Table, coalitions: Coalitions) -> Outputs:
        """Return (n, B, m, S) for n rows and coalitions of players, (m, P).

        S is 1, for the second of two classes, or the number of the model's outputs.
        """
        raise NotImplementedError

    def means(self, rows: Table, coalitions: Coalitions, share: Matrix | None = None) -> Means:
        """Return the means over the background, (n, m, K), weighted by the share of each row, (B,), if there is one."""
        return self.every_output(_mean(self.outputs(rows, coalitions), share))

    def every_output(self, outputs: Outputs) -> Outputs:
        """Return outputs, last axis S, with one for each output of the model."""
        return every_output(outputs, self._model)


def evaluator(model: FittedModel, background: Table, players: Players, n_jobs: int | None = None) -> Evaluator:
    """Return the evaluator that the model's structure asks for; `players` is the player of each column."""
    return EVALUATORS[type(model.structure)](model, background, players, n_jobs)


class _Predicted(Evaluator):
    """Any model: each distinct mixed row of a (row, background row) pair is predicted once."""

    def outputs(self, rows: Table, coalitions: Coalitions) -> Outputs:
        mixer = Mixer(rows, self._background)
        different = mixer.differences().reshape(-1, rows.n_columns)
        columns = coalitions[:, self._players]
        m, width = columns.shape
        pairs = np.indices((len(rows), len(self._background))).reshape(2, -1).T
        per_batch = max(1, BYTE_BUDGET // (16 * max(1, width) * m))
        parts = [
            self._pairs(mixer, pairs[i : i + per_batch], different[i : i + per_batch], columns)
            for i in range(0, len(pairs), per_batch)
        ]
        return np.concatenate(parts).reshape(len(rows), len(self._background), m, -1)

    def _pairs(self, mixer: Mixer, pairs: Rows, different: Coalitions, columns: Coalitions) -> Matrix:
        masks, inverses, owners, offset = [], [], [], 0
        everything = np.arange(len(columns))
        for position, differs in enumerate(different):
            distinct, inverse = (columns, everything) if differs.all() else _distinct_rows(columns & differs)
            masks.append(distinct)
            inverses.append(inverse + offset)
            owners.append(np.full(len(distinct), position))
            offset += len(distinct)
        owner = np.concatenate(owners)
        mixed = mixer.mix(pairs[owner, 0], pairs[owner, 1], np.vstack(masks))
        return predict_finite(self._model, mixed)[np.concatenate(inverses)]


class _LinearOutputs(Evaluator):
    """A linear model: the background row's output plus the differences of the present columns."""

    def outputs(self, rows: Table, coalitions: Coalitions) -> Outputs:
        structure, model, players = self._model.structure, self._model, self._players
        assert isinstance(structure, Linear)
        mine, theirs = model.encode(rows.data), model.encode(self._background.data)
        steps = (mine[:, None, :] - theirs[None, :, :])[..., None] * structure.coef.T
        by_player = np.stack(
            [steps[:, :, players == player].sum(axis=2) for player in range(players.max() + 1)], axis=2
        )
        present = coalitions[:, : by_player.shape[2]].astype(np.float64)  # further players have no column
        outputs = np.einsum("mp,nbpk->nbmk", present, by_player, optimize=True)
        base = theirs @ structure.coef.T + structure.intercept
        return np.asarray(outputs + base[None, :, None, :])


class _TreeOutputs(Evaluator):
    """A tree ensemble: its trees walked once per pair of rows, for any number of coalitions."""

    def __init__(self, model: FittedModel, background: Table, players: Players, n_jobs: int | None = None) -> None:
        super().__init__(model, background, players, n_jobs)
        assert isinstance(model.structure, Trees)
        self._game = CoalitionGame(model.structure, model.encode(background.data), players)

    def outputs(self, rows: Table, coalitions: Coalitions) -> Outputs:
        parts = [self._of_row(row, coalitions) for row in self._model.encode(rows.data)]
        return np.stack(parts).transpose(0, 2, 1, 3)

    def means(self, rows: Table, coalitions: Coalitions, share: Matrix | None = None) -> Means:
        """As of any evaluator; the outputs of single background rows are not kept."""
        parts = [_mean(self._of_row(row, coalitions), share) for row in self._model.encode(rows.data)]
        return self.every_output(np.stack(parts))

    def _of_row(self, row: Matrix, coalitions: Coalitions) -> Outputs:
        """Return (m, B, K) for one encoded row."""
        n_players = self._game.n_players
        present = coalitions[:, :n_players]  # further players have no column
        if n_players <= LATTICE_PLAYERS and 2**n_players <= 16 * len(present):
            return self._game.values(row, n_jobs=self._n_jobs)[present @ (1 << np.arange(n_players))]
        return self._game.values(row, present, n_jobs=self._n_jobs)


class _MixtureOutputs(Evaluator):
    """A linear combination of its members' outputs."""

    def __init__(self, model: FittedModel, background: Table, players: Players, n_jobs: int | None = None) -> None:
        super().__init__(model, background, players, n_jobs)
        assert isinstance(model.structure, Mixture)
        self._structure = model.structure
        self._members = [evaluator(member, background, players, n_jobs) for member in model.structure.members]

    def outputs(self, rows: Table, coalitions: Coalitions) -> Outputs:
        return self._combine([member.every_output(member.outputs(rows, coalitions)) for member in self._members])

    def means(self, rows: Table, coalitions: Coalitions, share: Matrix | None = None) -> Means:
        """As of any evaluator: the combination of the members' means."""
        return self._combine([member.means(rows, coalitions, share) for member in self._members])

    def _combine(self, parts: list[Outputs]) -> Outputs:
        weighted = [part @ weights for part, weights in zip(parts, self._structure.weights, strict=True)]
        total: Outputs = self._structure.constant + np.sum(weighted, axis=0)
        return total


class _CompositeOutputs(Evaluator):
    """A function of its members' outputs, and of the mixed rows themselves where they are passed through."""

    def __init__(self, model: FittedModel, background: Table, players: Players, n_jobs: int | None = None) -> None:
        super().__init__(model, background, players, n_jobs)
        assert isinstance(model.structure, Composite)
        self._structure = model.structure
        examples = background.take(np.arange(min(64, len(background)))).data
        self._members = [
            evaluator(member.in_space(space, examples), background, players, n_jobs)
            for member, space in model.structure.members
        ]
        final = model.structure.combine
        self._final: FinalTrees | None = None
        if isinstance(final, FinalModel) and FinalTrees.can_read(final, background, int(players.max()) + 1):
            self._final = FinalTrees(final, background, players, model.structure.member_outputs, n_jobs)
            if len(background) >= ENOUGH_TO_COMPARE:  # held against the library here, not in the first explanation
                alternating = np.arange(players.max() + 1) % 2 == 0
                self.outputs(background.take(np.arange(1)), np.stack([alternating, ~alternating]))

    def outputs(self, rows: Table, coalitions: Coalitions) -> Outputs:
        combine, parts = self._structure.combine, [member.outputs(rows, coalitions) for member in self._members]
        if isinstance(combine, LinkFunction) and combine.elementwise:
            return combine.link(parts[0])
        if self._final is not None:
            found = self._final(self._read(parts), rows, coalitions)
            if found is not None:
                return self._settled(self._final, *found, rows, coalitions)
            self._final = None  # its library rounds otherwise: mixed rows are predicted
        shape = len(rows), len(self._background), len(coalitions)
        columns = np.concatenate(
            [member.every_output(part) for member, part in zip(self._members, parts, strict=True)], axis=-1
        )
        mixed = None
        if self._structure.passthrough:
            mixed = Mixer(rows, self._background).mix_all(coalitions[:, self._players])
        return combine(columns.reshape(shape[0] * shape[1] * shape[2], -1), mixed).reshape(*shape, -1)

    def means(self, rows: Table, coalitions: Coalitions, share: Matrix | None = None) -> Means:
        """As of any evaluator; of a weighted sum, the weighted sum of the members' means."""
        if self._structure.weights is None:
            return super().means(rows, coalitions, share)
        columns = np.concatenate([member.means(rows, coalitions, share) for member in self._members], axis=-1)
        flat = columns.reshape(len(rows) * len(coalitions), -1)
        return self._structure.combine(flat, None).reshape(len(rows), len(coalitions), -1)

    def _settled(
        self, final: FinalTrees, outputs: Outputs, doubts: Doubts, rows: Table, coalitions: Coalitions
    ) -> Outputs:
        """Return outputs with those in doubt predicted by the model itself."""
        which = np.nonzero(doubts)
        if len(which[0]):
            mixed = final.mixed(which, rows, coalitions)
            outputs[which] = predict_finite(self._model, mixed)[:, -outputs.shape[-1] :]
        return outputs

    def _read(self, parts: list[Outputs]) -> Outputs:
        """Return the outputs that a final model reads, (n, B, c, m)."""
        final = self._structure.combine
        assert isinstance(final, FinalModel)
        ends = np.cumsum([member.n_outputs for member, _ in self._structure.members])
        owner = np.searchsorted(ends, final.reads, side="right")
        # Counted from the last one, since a binary member may have given its second class alone.
        return np.stack([parts[i][..., read - ends[i]] for i, read in zip(owner, final.reads, strict=True)], axis=2)


class _PreparedOutputs(Evaluator):
    """A model behind a preprocessing of its own: both tables are preprocessed once, and columns mixed afterwards."""

    def __init__(self, model: FittedModel, background: Table, players: Players, n_jobs: int | None = None) -> None:
        super().__init__(model, background, players, n_jobs)
        assert isinstance(model.structure, Prepared)
        self._table = model.structure.table
        self._inner = evaluator(
            model.structure.model, self._table(background), model.structure.players(players), n_jobs
        )

    def outputs(self, rows: Table, coalitions: Coalitions) -> Outputs:
        return self._inner.outputs(self._table(rows), coalitions)

    def means(self, rows: Table, coalitions: Coalitions, share: Matrix | None = None) -> Means:
        """As of any evaluator: the means of the model behind the preprocessing."""
        return self._inner.means(self._table(rows), coalitions, share)


EVALUATORS: dict[type, Callable[[FittedModel, Table, Players, int | None], Evaluator]] = {
    Trees: _TreeOutputs,
    Linear: _LinearOutputs,
    Mixture: _MixtureOutputs,
    Composite: _CompositeOutputs,
    Prepared: _PreparedOutputs,
    OwnValues: _Predicted,
    Opaque: _Predicted,
}
"""Structure -> how its outputs for mixed rows are computed."""


def _mean(outputs: Outputs, share: Matrix | None) -> Outputs:
    """Mean over the second axis, the background rows."""
    return np.asarray(outputs.mean(axis=1) if share is None else np.average(outputs, axis=1, weights=share))


def _distinct_rows(masks: Coalitions) -> tuple[Coalitions, npt.NDArray[np.intp]]:
    packed = np.packbits(masks, axis=1)
    width = packed.shape[1]
    if width <= 8:
        keys = np.zeros((len(packed), 8), dtype=np.uint8)
        keys[:, :width] = packed
        flat = keys.view(np.uint64).ravel()
    else:
        flat = np.ascontiguousarray(packed).view(f"V{width}").ravel()
    _, first, inverse = np.unique(flat, return_index=True, return_inverse=True)
    return masks[first], inverse.ravel()
