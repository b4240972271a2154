"""Exact Shapley values of tree ensembles: path-dependent and interventional."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.compiled._arrays import LANES, NODES, Bools, Floats, Longs
from automl_explain.explainers.compiled._jit import run_blocks
from automl_explain.explainers.tables._weights import as_weights
from automl_explain.explainers.trees._paths import read_paths
from automl_explain.explainers.trees._predict import TreePredictor
from automl_explain.explainers.trees._routing import as_matrix, read_rows
from automl_explain.explainers.trees._row_pieces import FEW_ROWS, Progress, RowValues, explain_one_by_one, row_chunks
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.explainers.trees.interventional._companions import (
    add_companion_values,
    build_companions,
    companion_bytes,
    describe_all,
    pattern_batches,
)
from automl_explain.explainers.trees.interventional._costs import choose_tables
from automl_explain.explainers.trees.interventional._interactions import (
    PairSums,
    add_companion_pairs,
    add_pair_sums,
    build_pair_sums,
)
from automl_explain.explainers.trees.interventional._kernels import Companions
from automl_explain.explainers.trees.path_dependent._cover_sums import choose_cover_tables, cover_sums
from automl_explain.explainers.trees.path_dependent._interactions import (
    add_path_interactions,
    leaf_shares,
    plan_pair_walks,
)
from automl_explain.explainers.trees.path_dependent._kernels import PathWalk
from automl_explain.explainers.trees.path_dependent._single_row import RowPlan, add_row_values, plan_rows
from automl_explain.explainers.trees.path_dependent._walks import (
    add_path_values,
    cover_shares,
    edge_bytes,
    plan_walks,
)
from automl_explain.explainers.trees.patterns._pattern_tables import build_tables
from automl_explain.explainers.trees.patterns._table_kernels import Subtrees
from automl_explain.explainers.trees.patterns._table_values import TableValues

_Part = TypeVar("_Part")
KEPT_BYTES = 256 << 20
"""Largest precomputed data on the background that is kept; the limit holds again for interactions and for single rows."""


class Parts(Generic[_Part]):
    """The items that `build` yields: kept if they take little memory, otherwise built again for each pass."""

    def __init__(self, build: Callable[[], Iterable[_Part]], n_bytes: int) -> None:
        self._build = build
        self._made = list(build()) if n_bytes <= KEPT_BYTES else None

    def __iter__(self) -> Iterator[_Part]:
        return iter(self._build() if self._made is None else self._made)


class PathDependent:
    """Shapley values where absent players follow the training data's split proportions.

    Parameters
    ----------
    trees : Trees
        The ensemble.
    player : array_like of int, shape (n_features,), optional
        Player of each column; columns of one player join and leave coalitions together. By default each column is its own player.
    n_rows : int, optional
        Number of rows that will be explained; for few rows, less is computed in advance. By default many.

    Attributes
    ----------
    base_values : ndarray, shape (K,)
        Output of the empty coalition: the mean output, weighted by cover.
    predictor : TreePredictor
        The outputs of the ensemble.
    background_outputs : None
        There is no background.

    References
    ----------
    Lundberg et al. (2020), Nature Machine Intelligence 2, doi:10.1038/s42256-019-0138-9.
    """

    def __init__(self, trees: Trees, player: npt.ArrayLike | None = None, *, n_rows: int | None = None) -> None:
        self._trees = trees = trees.for_kernels()
        self._paths = read_paths(trees, player)
        self.predictor, self.background_outputs = TreePredictor(trees, self._paths.router), None
        self._choice = choose_cover_tables(self._paths, n_rows, trees.values.shape[1])
        self.base_values = trees.base + trees.sum_by_output(cover_shares(self._paths)[:, None] * trees.values)

    @cached_property
    def _found(self) -> tuple[TableValues, Floats, Bools]:
        """The tables, the outputs of the leaves without one, (M, V), and the trees with such leaves, which are walked."""
        tables, others = build_tables(self._trees, self._paths, partial(cover_sums, self._paths), self._choice)
        outputs, walked = np.zeros_like(self._trees.values), np.zeros(self._trees.n_trees, np.bool_)
        outputs[others.nodes], walked[others.trees] = self._trees.values[others.nodes], True
        return TableValues(self._trees, self._paths, tables, others), outputs, walked

    @cached_property
    def _walks(self) -> list[list[PathWalk]]:
        _, outputs, walked = self._found
        return [list(plan_walks(self._paths, column, walked)) for column in outputs.T] if walked.any() else []

    @cached_property
    def _walks_single_rows(self) -> bool:
        """Whether the coefficients of all edges are few enough to keep them for single rows, beside those of blocks."""
        return edge_bytes(self._paths, self._found[2]) <= KEPT_BYTES

    @cached_property
    def _row_plans(self) -> list[RowPlan]:
        _, outputs, walked = self._found
        return list(plan_rows(self._paths, leaf_shares(self._paths, outputs), self._planes, walked))

    @cached_property
    def _planes(self) -> list[Longs]:
        """For each leaf column, the position of each tree's output among the values of a row, (T,)."""
        columns = range(self._trees.values.shape[1])
        return [self._trees.output_columns(column).astype(np.int64) * self._paths.n_players for column in columns]

    def shap_values(self, X: npt.ArrayLike, *, n_jobs: int | None = None, progress: Progress | None = None) -> Floats:
        """Return the Shapley values of the rows of `X`, (K, n, P); parameters as in `explain`."""
        return self.explain(X, n_jobs=n_jobs, progress=progress).values

    def explain(self, X: npt.ArrayLike, *, n_jobs: int | None = None, progress: Progress | None = None) -> RowValues:
        """Return the Shapley values of the rows of `X`, and their outputs if one pass over the trees gives both.

        Parameters
        ----------
        X : array_like, shape (n, f)
            Rows to explain.
        n_jobs : int, optional
            Number of threads; by default every core that this process may use.
        progress : callable, optional
            Called with the number of rows finished since the last call.

        Returns
        -------
        RowValues
            Contribution of each player to each output of each row, (K, n, P); with `base_values` they add up to the
            prediction. Outputs (n, K), which are those of `TreePredictor`, or None.
        """
        matrix = as_matrix(self._trees, X)
        n_outputs, n_players = self._trees.n_outputs, self._paths.n_players
        tables = self._found[0]
        made = RowValues.of(n_outputs, len(matrix), n_players, with_outputs=tables.holds_outputs)

        if len(matrix) <= FEW_ROWS and self._walks_single_rows:
            explain_one_by_one(self._explain_row, matrix, made, progress)
            return made
        walks = self._walks

        def explain(rows: slice) -> int:
            inside = read_rows(self._paths.router, matrix[rows])
            n = inside.n_rows
            sums = tables.new_sums(n)
            if tables:
                tables.add(inside, sums.reshape(n, -1))
            made.take(sums, rows)
            if walks:
                phi = np.zeros((inside.n_blocks, n_outputs * n_players * LANES))
                for column, slabs in enumerate(walks):
                    plane = self._planes[column] * LANES
                    for slab in slabs:
                        add_path_values(self._paths, slab, inside, plane, phi)
                by_row = phi.reshape(-1, n_outputs, n_players, LANES).transpose(1, 0, 3, 2)
                made.values[:, rows] += by_row.reshape(n_outputs, -1, n_players)[:, :n]
            return n

        run_blocks(
            explain, row_chunks(len(matrix), n_jobs, n_outputs * n_players, len(self._trees.left)), n_jobs, progress
        )
        return made

    def _explain_row(self, row: Floats) -> Floats:
        """Return the sums of one row, (K, places); see `TableValues.new_sums`."""
        n_outputs, n_players, tables = self._trees.n_outputs, self._paths.n_players, self._found[0]
        sums: Floats = tables.new_sums(1)[0]
        if tables:
            tables.add_row(row, sums.reshape(-1))
        if plans := self._row_plans:
            phi = np.zeros((n_outputs * n_players, NODES))
            for plan in plans:
                add_row_values(plan, row, phi)
            sums[:, :n_players] += phi.sum(axis=1).reshape(n_outputs, n_players)
        return sums

    def interaction_values(
        self, X: npt.ArrayLike, *, n_jobs: int | None = None, progress: Progress | None = None
    ) -> Floats:
        """Return the Shapley interaction values of the rows of `X`.

        Parameters
        ----------
        X, n_jobs, progress
            As in `shap_values`.

        Returns
        -------
        ndarray, shape (K, n, P, P)
            Off the diagonal, half of each pair's Shapley interaction index; on the diagonal, the rest of the player's
            Shapley value, so that each row of a matrix sums to a Shapley value.
        """
        matrix = as_matrix(self._trees, X)
        n_outputs, n_players = self._trees.n_outputs, self._paths.n_players
        values = np.empty((n_outputs, len(matrix), n_players, n_players))
        shares = leaf_shares(self._paths, self._trees.values)
        n_places = n_outputs * n_players**2

        def explain(rows: slice) -> int:
            inside = read_rows(self._paths.router, matrix[rows])
            phi = np.zeros((inside.n_blocks, n_places * LANES))
            for plan in plan_pair_walks(self._paths):
                for column in range(shares.shape[1]):
                    plane = self._trees.output_columns(column).astype(np.int64) * (n_players**2 * LANES)
                    add_path_interactions(self._paths, plan, inside, shares[:, column].copy(), plane, phi)
            by_row = phi.reshape(-1, n_outputs, n_players, n_players, LANES).transpose(1, 0, 4, 2, 3)
            values[:, rows] = by_row.reshape(n_outputs, -1, n_players, n_players)[:, : inside.n_rows]
            return inside.n_rows

        run_blocks(explain, row_chunks(len(matrix), n_jobs, n_places, len(self._trees.left)), n_jobs, progress)
        share_interactions(values)
        return values


class Interventional:
    """Shapley values where absent players take their values from background rows, independently of present ones.

    Parameters
    ----------
    trees : Trees
        The ensemble.
    background : array_like, shape (B, f)
        Background rows.
    weights : array_like, shape (B,), optional
        Weights of the background rows; equal by default.
    player : array_like of int, shape (n_features,), optional
        Player of each column; columns of one player join and leave coalitions together. By default each column is its own player.
    n_rows : int, optional
        Number of rows that will be explained; for few rows, less is computed in advance. By default many.

    Attributes
    ----------
    base_values : ndarray, shape (K,)
        Weighted mean output of the background.
    predictor : TreePredictor
        The outputs of the ensemble.
    background_outputs : ndarray, shape (B, K)
        Those of the background rows.

    References
    ----------
    Janzing et al. (2020), Feature relevance quantification in explainable AI, arXiv:1910.13413.
    """

    def __init__(
        self,
        trees: Trees,
        background: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        player: npt.ArrayLike | None = None,
        *,
        n_rows: int | None = None,
    ) -> None:
        self._trees = trees = trees.for_kernels()
        self._paths = read_paths(trees, player)
        rows = as_matrix(trees, background, "background")
        self._weights = as_weights(weights, len(rows))
        self.predictor = TreePredictor(trees, self._paths.router)
        self.background_outputs = self.predictor(rows)
        self.base_values = self._weights @ self.background_outputs
        self._background = read_rows(self._paths.router, rows)
        choice = choose_tables(self._paths, n_rows, len(rows), trees.values.shape[1])
        sums = partial(pattern_batches, self._paths, background=self._background, weights=self._weights, order=1)
        tables, self._wide = build_tables(trees, self._paths, sums, choice)
        self._tables = TableValues(trees, self._paths, tables, self._wide)
        self._companions = self._build_companions(self._wide)

    def _build_companions(self, leaves: Subtrees) -> Parts[Companions]:
        given = self._trees, self._paths, leaves, self._background, self._weights
        return Parts(partial(build_companions, *given), companion_bytes(leaves, self._paths, self._background))

    @cached_property
    def _all_companions(self) -> Parts[Companions]:
        """Companions of all leaves with too many players for pattern sums; used for interactions."""
        return self._build_companions(describe_all(self._trees, self._paths)[1])

    @cached_property
    def _pair_sums(self) -> Parts[PairSums]:
        leaves = describe_all(self._trees, self._paths)[0]
        given = self._trees, self._paths, leaves, self._background, self._weights
        return Parts(
            partial(build_pair_sums, *given), int((24 << self._paths.width[leaves.nodes].astype(np.int64)).sum())
        )

    def shap_values(self, X: npt.ArrayLike, *, n_jobs: int | None = None, progress: Progress | None = None) -> Floats:
        """Return the Shapley values of the rows of `X`; parameters and result as in `PathDependent.shap_values`."""
        return self.explain(X, n_jobs=n_jobs, progress=progress).values

    def explain(self, X: npt.ArrayLike, *, n_jobs: int | None = None, progress: Progress | None = None) -> RowValues:
        """Return the Shapley values of the rows of `X`, and their outputs, as `PathDependent.explain` does."""
        matrix = as_matrix(self._trees, X)
        n_outputs, n_players = self._trees.n_outputs, self._paths.n_players
        made = RowValues.of(n_outputs, len(matrix), n_players, with_outputs=self._tables.holds_outputs)

        if len(matrix) <= FEW_ROWS:
            explain_one_by_one(self._explain_row, matrix, made, progress)
            return made

        def explain(rows: slice) -> int:
            inside = read_rows(self._paths.router, matrix[rows])
            n = inside.n_rows
            sums = self._tables.new_sums(n)
            if self._tables:
                self._tables.add(inside, sums.reshape(n, -1))
            for portion in self._companions:
                add_companion_values(self._paths, portion, inside, sums.reshape(n, -1))
            made.take(sums, rows)
            return n

        n_visited = len(self._trees.left) + len(self._wide.nodes) * self._background.n_rows
        run_blocks(explain, row_chunks(len(matrix), n_jobs, n_outputs * n_players, n_visited), n_jobs, progress)
        return made

    def _explain_row(self, row: Floats) -> Floats:
        """Return the sums of one row, (K, places); see `TableValues.new_sums`."""
        sums: Floats = self._tables.new_sums(1)[0]
        if self._tables:
            self._tables.add_row(row, sums.reshape(-1))
        if len(self._wide.nodes):
            inside = read_rows(self._paths.router, row[None])
            for portion in self._companions:
                add_companion_values(self._paths, portion, inside, sums.reshape(1, -1))
        return sums

    def interaction_values(
        self, X: npt.ArrayLike, *, n_jobs: int | None = None, progress: Progress | None = None
    ) -> Floats:
        """Return the Shapley interaction values of the rows of `X`, as `PathDependent.interaction_values` does."""
        matrix = as_matrix(self._trees, X)
        n_outputs, n_players = self._trees.n_outputs, self._paths.n_players
        values = np.empty((n_outputs, len(matrix), n_players, n_players))
        n_places = n_outputs * n_players**2
        walks, sums = self._all_companions, self._pair_sums

        def explain(rows: slice) -> int:
            inside = read_rows(self._paths.router, matrix[rows])
            phi = np.zeros((inside.n_rows, n_places))
            for part in sums:
                add_pair_sums(self._paths, part, inside, phi)
            for companions in walks:
                add_companion_pairs(self._paths, companions, inside, phi)
            values[:, rows] = phi.reshape(-1, n_outputs, n_players, n_players).transpose(1, 0, 2, 3)
            return inside.n_rows

        run_blocks(explain, row_chunks(len(matrix), n_jobs, n_places, len(self._trees.left)), n_jobs, progress)
        diagonal = np.arange(n_players)
        values[..., diagonal, diagonal] = self.shap_values(matrix, n_jobs=n_jobs)
        share_interactions(values)
        return values


def share_interactions(values: Floats) -> None:
    """Turn interactions above the diagonal and values on it into symmetric matrices whose rows sum to the values."""
    diagonal = np.arange(values.shape[-1])
    shap_values = values[..., diagonal, diagonal]
    values[..., diagonal, diagonal] = 0.0
    values /= 2.0
    values += values.swapaxes(-1, -2).copy()
    values[..., diagonal, diagonal] = shap_values - values.sum(axis=-1)
