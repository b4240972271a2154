"""Evaluators compute the outputs of mixed rows, one class per structure.

`MixedRows` say which: present players take the values of an explained row, absent ones those of a background row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from automl_explain.explainers.coalitions._dense_outputs import DenseOutputs
from automl_explain.explainers.coalitions._masked_rows import (
    MixedRows,
    Players,
    add_products,
    add_steps,
    players_that_differ,
    tables_differ,
)
from automl_explain.explainers.coalitions._masker import Masker, differences
from automl_explain.explainers.coalitions._predicted import Evaluator, Means, NetworkOutputs, Outputs, Predicted
from automl_explain.explainers.coalitions._radial_kernels import group_codes, products_of, working_space
from automl_explain.explainers.coalitions._stacked_trees import FinalTrees
from automl_explain.explainers.coalitions._tree_game import CoalitionGame
from automl_explain.explainers.coalitions.sampling._coalition_sampling import Coalitions
from automl_explain.explainers.coalitions.sampling._walks import Walks
from automl_explain.explainers.compiled._arrays import Bools, Values
from automl_explain.explainers.compiled._jit import run_blocks
from automl_explain.explainers.model._feature_map import pool_players
from automl_explain.explainers.model._final_estimator import FinalModel
from automl_explain.explainers.model._fitted_model import Composite, FittedModel, Mixture, Prepared
from automl_explain.explainers.model._links import LinkFunction
from automl_explain.explainers.model._structures import Linear, Matrix, Opaque, OwnValues, RadialBasis
from automl_explain.explainers.neural._dense_chain import DenseNetwork
from automl_explain.explainers.neural._network import Network
from automl_explain.explainers.tables._table import Table
from automl_explain.explainers.trees._tree_ensemble import Trees

ENOUGH_TO_COMPARE = 16
"""Background rows that suffice to compare a stack with its members' libraries in advance."""


def evaluator(model: FittedModel, background: Table, players: Players, n_jobs: int | None = None) -> Evaluator:
    """Return the evaluator for the structure of a `linked` model; `players` is the player of each column."""
    return EVALUATORS[type(model.structure)](model, background, players, n_jobs)


class _LinearOutputs(Evaluator):
    """A linear model: the output of the background row plus the differences of the present columns."""

    def __init__(self, model: FittedModel, background: Table, players: Players, n_jobs: int | None = None) -> None:
        super().__init__(model, background, players, n_jobs)
        assert isinstance(model.structure, Linear)
        self._coef, self._theirs = model.structure.coef, model.encoded(background.data, "the background")
        self._base = self._theirs @ self._coef.T + model.structure.intercept

    def matters(self, rows: Table, n_players: int) -> Bools:
        used = (self._coef != 0.0).any(axis=0)
        different = differences(self._model.read(rows), self._theirs) & used
        return players_that_differ(different, self._players, n_players)

    def outputs(self, asked: MixedRows) -> Outputs:
        others = slice(asked.others.start, asked.others.stop)
        mine, theirs = self._model.read(asked.rows), self._theirs[others]
        by_pair = len(mine), len(theirs), asked.players.shape[1]
        by_column = (mine[:, None] - theirs[None]).reshape(-1, mine.shape[1]) * self._coef[:, None]
        steps = pool_players(by_column, self._players, asked.players.shape[1])
        if asked.walks is not None:
            return _sums_on_walks(self._base[others].T, steps.reshape(len(steps), *by_pair), asked.walks)
        base = np.tile(self._base[others], (len(mine), 1)).T
        if asked.coalitions is not None:
            present = np.swapaxes(asked.coalitions, -1, -2).astype(np.float64)
            if present.ndim == 3:  # of each background row; one product per pair
                present = np.tile(present, (len(mine), 1, 1))
                added = np.stack([(own[:, None] @ present)[:, 0] for own in steps])
            else:
                added = steps @ present
            return np.asarray((added + base[:, :, None]).reshape(len(steps), -1))
        out = np.empty((len(steps), len(asked)))
        add_steps(base, steps, asked.players, asked.first, out)
        return out


def _sums_on_walks(base: Outputs, steps: Values, walks: Walks) -> Outputs:
    """Return the outputs (K, mixed rows) of walks if each player adds a step (K, n, b, P) to a base (K, b)."""
    order = np.argsort(walks.place, axis=-1)
    added = np.take_along_axis(steps[:, :, :, None], order[None, None], axis=-1).cumsum(axis=-1)
    base, whole, first = base[:, None, :, None], steps.sum(axis=-1, keepdims=True), added[..., walks.cuts - 1]
    halves = np.stack([first, whole[..., None] - first], axis=-2) + base[..., None, None]
    ends = base + whole, np.broadcast_to(base, whole.shape)
    return np.concatenate([*ends, halves.reshape(*whole.shape[:3], -1)], axis=-1).reshape(len(steps), -1)


class _RadialOutputs(Evaluator):
    """A sum of Gaussian kernels: products of one factor per player, for some centres at a time."""

    def __init__(self, model: FittedModel, background: Table, players: Players, n_jobs: int | None = None) -> None:
        super().__init__(model, background, players, n_jobs)
        assert isinstance(model.structure, RadialBasis)
        self._structure, self._theirs = model.structure, model.encoded(background.data, "the background")

    def matters(self, rows: Table, n_players: int) -> Bools:
        different = differences(self._model.read(rows), self._theirs)
        return players_that_differ(different, self._players, n_players)

    def outputs(self, asked: MixedRows) -> Outputs:
        matrix, n_players = self._model.read(asked.rows), asked.players.shape[1]
        others = self._theirs[asked.others.start : asked.others.stop]
        out = np.repeat(self._structure.intercept[:, None], len(asked), axis=1)
        for part in self._structure.parts():
            mine, theirs = (part.distances(table, self._players, n_players) for table in (matrix, others))
            if asked.coalitions is None:
                self._add_lattices(part, np.exp(-mine), np.exp(-theirs), asked, out)
            else:
                self._add_coalitions(part, np.exp(-mine), np.exp(-theirs), asked.coalitions, out)
        return out

    def _add_coalitions(self, part: RadialBasis, mine: Matrix, theirs: Matrix, coalitions: Bools, out: Outputs) -> None:
        by_row = out.reshape(len(out), len(mine), len(theirs), -1)
        codes = [group_codes(own) for own in coalitions.reshape(-1, *coalitions.shape[-2:])]

        def add(row: int) -> int:
            tables, products = working_space(codes[0], len(part.centres))
            for other in range(len(theirs)):
                products_of(mine[row], theirs[other], codes[other % len(codes)], tables, products)
                by_row[:, row, other] += (products @ part.weights).T
            return 1

        run_blocks(add, range(len(mine)), self._n_jobs)

    def _add_lattices(self, part: RadialBasis, mine: Matrix, theirs: Matrix, asked: MixedRows, out: Outputs) -> None:
        most = 1 << int(asked.n_players.max())

        def add(row: int) -> int:
            first = row * len(theirs)
            add_products(mine[row], theirs, part.weights, asked.players, asked.first, first, np.empty(most), out)
            return 1

        run_blocks(add, range(len(mine)), self._n_jobs)


class _TreeOutputs(Evaluator):
    """A tree ensemble: the trees are walked once per pair of rows, for any number of coalitions."""

    def __init__(self, model: FittedModel, background: Table, players: Players, n_jobs: int | None = None) -> None:
        super().__init__(model, background, players, n_jobs)
        assert isinstance(model.structure, Trees)
        self._game = CoalitionGame(model.structure, model.encoded(background.data, "the background"), players)

    def matters(self, rows: Table, n_players: int) -> Bools:
        return self._game.matters(self._model.read(rows), n_players)

    def outputs(self, asked: MixedRows) -> Outputs:
        return self._game.outputs(self._model.read(asked.rows), asked, self._n_jobs)


class _MixtureOutputs(Evaluator):
    """A linear combination of its members' outputs."""

    def __init__(self, model: FittedModel, background: Table, players: Players, n_jobs: int | None = None) -> None:
        super().__init__(model, background, players, n_jobs)
        assert isinstance(model.structure, Mixture)
        self._structure = model.structure
        self.members = [evaluator(member, background, players, n_jobs) for member in model.structure.members]

    def matters(self, rows: Table, n_players: int) -> Bools:
        return np.asarray(np.logical_or.reduce([member.matters(rows, n_players) for member in self.members]))

    def outputs(self, asked: MixedRows) -> Outputs:
        parts = [member.every_output(member.outputs(asked)) for member in self.members]
        return np.ascontiguousarray(self._combine([part.T for part in parts]).T)

    def means(self, rows: Table, coalitions: Coalitions, share: Matrix | None = None) -> Means:
        """Return the combination of the means of the members; see `Evaluator.means`."""
        return self._combine([member.means(rows, coalitions, share) for member in self.members])

    def _combine(self, parts: list[Outputs]) -> Outputs:
        weighted = [part @ weights for part, weights in zip(parts, self._structure.weights, strict=True)]
        total: Outputs = self._structure.constant + np.sum(weighted, axis=0)
        return total


class _CompositeOutputs(Evaluator):
    """A function of the members' outputs, and of the mixed rows if they are passed through."""

    def __init__(self, model: FittedModel, background: Table, players: Players, n_jobs: int | None = None) -> None:
        super().__init__(model, background, players, n_jobs)
        assert isinstance(model.structure, Composite)
        self._structure = model.structure
        assert all(member.output_space == space for member, space in model.structure.members), "the model is not linked"
        members = [member for member, _ in model.structure.members]
        self.members = [evaluator(member, background, players, n_jobs) for member in members]
        final = model.structure.combine
        self._final: FinalTrees | None = None
        if isinstance(final, FinalModel) and FinalTrees.can_read(final, background, int(players.max()) + 1):
            self._final = FinalTrees(final, background, players, members, n_jobs)
            if len(background) >= ENOUGH_TO_COMPARE:  # compared with the library now, not in the first explanation
                alternating = np.arange(players.max() + 1) % 2 == 0
                both = np.stack([alternating, ~alternating])
                self.outputs(MixedRows.of_coalitions(background.take(np.arange(1)), len(background), both))

    def matters(self, rows: Table, n_players: int) -> Bools:
        found = [member.matters(rows, n_players) for member in self.members]
        if self._final is not None:
            found.append(self._final.matters(rows, n_players))
        elif self._structure.passthrough:
            found.append(tables_differ(*self._passed(rows), self._players, n_players))
        return np.asarray(np.logical_or.reduce(found))

    def outputs(self, asked: MixedRows) -> Outputs:
        combine, parts = self._structure.combine, [member.outputs(asked) for member in self.members]
        if isinstance(combine, LinkFunction) and combine.elementwise:
            return combine.link(parts[0])
        final = self._final
        if final is not None:
            found = final(parts, asked)
            if found is not None:
                return found
            self._final = None  # its library rounds differently: predict mixed rows from now on
        columns = np.concatenate([member.every_output(part) for member, part in zip(self.members, parts, strict=True)])
        return np.ascontiguousarray(combine(columns.T, self._passed_through(asked)).T)

    def means(self, rows: Table, coalitions: Coalitions, share: Matrix | None = None) -> Means:
        """Return the means; for a weighted sum, the weighted sum of the members' means. See `Evaluator.means`."""
        if self._structure.weights is None:
            return super().means(rows, coalitions, share)
        columns = np.concatenate([member.means(rows, coalitions, share) for member in self.members], axis=-1)
        flat = columns.reshape(len(rows) * len(coalitions), -1)
        return self._structure.combine(flat, None).reshape(len(rows), len(coalitions), -1)

    def _passed_through(self, asked: MixedRows) -> Any:
        """Return the columns of the mixed rows that the function of the members' outputs reads; None if it reads none."""
        if not self._structure.passthrough:
            return None
        row, other, present = asked.present(np.arange(len(asked)))
        return Masker(*self._passed(asked.rows)).mix(row, other, present[:, self._players])

    def _passed(self, rows: Table) -> tuple[Table, Table]:
        """Return the columns that are passed through of rows and of the background."""
        structure = self._structure
        mine, theirs = (
            Table(table.through(structure.passed, by_table=structure.by_table)) for table in (rows, self._background)
        )
        return mine, theirs


class _PreparedOutputs(Evaluator):
    """A model with its own preprocessing: both tables are preprocessed once, and columns are mixed afterwards."""

    def __init__(self, model: FittedModel, background: Table, players: Players, n_jobs: int | None = None) -> None:
        super().__init__(model, background, players, n_jobs)
        assert isinstance(model.structure, Prepared)
        self._structure = structure = model.structure
        self._last: tuple[Table, Table] | None = None
        self.members = [evaluator(structure.model, structure.table(background), structure.players(players), n_jobs)]

    def _table(self, rows: Table) -> Table:
        """Return rows after the preprocessing, which is applied once to rows that are asked about several times in turn."""
        last = self._last
        if last is None or last[0] is not rows:
            self._last = last = rows, self._structure.table(rows)
        return last[1]

    def matters(self, rows: Table, n_players: int) -> Bools:
        return self.members[0].matters(self._table(rows), n_players)

    def outputs(self, asked: MixedRows) -> Outputs:
        return self.members[0].outputs(replace(asked, rows=self._table(asked.rows)))

    def means(self, rows: Table, coalitions: Coalitions, share: Matrix | None = None) -> Means:
        """Return the means of the model behind the preprocessing; see `Evaluator.means`."""
        return self.members[0].means(self._table(rows), coalitions, share)


EVALUATORS: dict[type, Callable[[FittedModel, Table, Players, int | None], Evaluator]] = {
    Trees: _TreeOutputs,
    Linear: _LinearOutputs,
    RadialBasis: _RadialOutputs,
    Mixture: _MixtureOutputs,
    Composite: _CompositeOutputs,
    Prepared: _PreparedOutputs,
    OwnValues: Predicted,
    Network: NetworkOutputs,
    DenseNetwork: DenseOutputs,
    Opaque: Predicted,
}
"""Structure -> evaluator of its outputs for mixed rows."""
