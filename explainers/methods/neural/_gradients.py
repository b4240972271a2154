"""Engines that explain a network from its gradients, approximately: along a path, or by rules for single operations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import AdditivityError
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.compiled._arrays import Values
from automl_explain.explainers.formatting._names import counted
from automl_explain.explainers.methods._base import Attribution, Question
from automl_explain.explainers.methods.neural._coalition_fit import coalition_r2
from automl_explain.explainers.model._feature_map import pool_players
from automl_explain.explainers.model._model_call import model_call
from automl_explain.explainers.model._predict import check_finite
from automl_explain.explainers.model._structures import Matrix
from automl_explain.explainers.neural._network import Network, PairRule
from automl_explain.explainers.neural._path import pairs_at_once, path_contributions
from automl_explain.explainers.tables._table import Table

BACKGROUND = 100
"""Background rows by default."""
PAIRS_AT_ONCE = 256
"""Most pairs per pass of the rescale rule."""
INTERVALS, MOST_INTERVALS = 8, 64
"""Intervals of the path at first, and at most."""
RAW_GAP = 0.05
"""Part of the outputs' range that the gradients alone may miss; above it, the number of intervals is doubled."""
ROWS_OF_FIT = 5
"""Background rows whose coalitions are compared with sums of values."""
APPROXIMATE = (
    "approximate: the values add up to the output, but {} is not the Shapley value; sums of values explain {:.1%} of the "
    "variance of the outputs of coalitions (coalition_r2 on {}). method='coalitions' estimates the "
    "Shapley values themselves"
)


class GradientEngine:
    """Base class: the mean, over the background, of contributions for pairs of a row and a background row.

    Parameters
    ----------
    question : Question
        Of a model whose structure is a `Network`.
    why : str
        Why this method was chosen.
    """

    method = ""
    what = ""
    """What the values are, in a note."""

    def __init__(self, question: Question, why: str) -> None:
        network = question.model.structure
        assert isinstance(network, Network)
        self._question, self._network, self._model = question, network, question.model
        background, share, self.notes = question.fewer_rows(BACKGROUND)
        self.background = background
        self._others = self._model.encoded(background.data, "the background")
        self._share = np.full(len(background), 1.0 / len(background)) if share is None else share
        self._theirs = self._outputs(self._others)
        self.base_values = np.asarray(self._share @ self._theirs)
        self.reason = f"{network.why}: {why}"

    @cached_property
    def coalition_r2(self) -> float:
        """Share of the variance of coalitions' outputs that sums of values explain, on a few rows of the background."""
        places = np.unique(np.linspace(0, len(self.background) - 1, ROWS_OF_FIT).astype(np.intp))
        rows = self.background.take(places).alone()
        return self._fit(rows, self._values(self._model.encoded(rows.data))[0])

    def _fit(self, rows: Table, values: Values) -> float:
        return coalition_r2(self._question, self.background, self._share, rows, values)

    def attribute(self, rows: Table) -> Attribution:
        """Return the approximate values, (K, n, P)."""
        values, notes = self._values(self._model.encoded(rows.data, "X"))
        if len(self.background) > 1:
            fit, judged = self.coalition_r2, f"{min(ROWS_OF_FIT, len(self.background))} rows of the background"
        else:  # coalitions of a single background row with itself have no variance
            some = rows.take(np.arange(min(ROWS_OF_FIT, len(rows)))).alone()
            fit, judged = self._fit(some, values[:, : len(some)]), f"{len(some)} of the rows explained"
        return Attribution(values, None, (APPROXIMATE.format(self.what, fit, judged), *notes), fit)

    def _values(self, mine: Matrix) -> tuple[Values, tuple[str, ...]]:
        """Return the values of rows, and notes on how they were computed."""
        raise NotImplementedError

    def _outputs(self, table: Matrix) -> Matrix:
        with model_call(self._model.name, "the rows"):
            outputs = self._network.outputs(table)
        return check_finite(outputs, self._model)

    def _layout(self, at_once: int) -> tuple[int, int]:
        """Return the number of background rows per batch of pairs, and the number of rows."""
        n_parts = -(-len(self._others) // at_once)
        n_others = -(-len(self._others) // n_parts)
        return n_others, max(1, at_once // n_others)

    def _pairs(self, n_rows: int, at_once: int) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
        """Yield batches of pairs: the numbers of rows and of background rows, those of the background in the same order."""
        n_others, n_mine = self._layout(at_once)
        for first in range(0, len(self._others), n_others):
            others = np.arange(first, min(first + n_others, len(self._others)))
            for start in range(0, n_rows, n_mine):
                rows = np.arange(start, min(start + n_mine, n_rows))
                yield np.repeat(rows, len(others)), np.tile(others, len(rows))

    def _add(self, total: Values, values: Values, row: npt.NDArray[np.intp], other: npt.NDArray[np.intp]) -> None:
        """Add weighted contributions of pairs (K, M, f) to the values of rows (K, n, P)."""
        weighted = pool_players(values * self._share[other][:, None], self._question.players, self._question.n_players)
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        total[:, row[starts]] += np.add.reduceat(weighted, starts, axis=1)

    def _nothing(self, n_rows: int) -> Values:
        n_players = self._question.n_players or self._others.shape[1]
        return np.zeros((self._theirs.shape[1], n_rows, n_players))


class PathEngine(GradientEngine):
    """Gradients along the path from each background row, completed so that the values add up.

    Additivity then proves nothing, so a note gives the gap of the gradients alone. Where it is above 5 % of the range of the
    outputs, the number of intervals is doubled.
    """

    method = "path"
    what = "a mean of gradients along a path"

    def _values(self, mine: Matrix) -> tuple[Values, tuple[str, ...]]:
        outputs = self._outputs(mine)
        both = np.concatenate([outputs, self._theirs])
        span = np.ptp(both, axis=0)
        scale = np.where(span > 0.0, span, np.inf)
        values, gap = self._nothing(len(mine)), np.zeros(len(mine))
        todo, n_intervals = np.arange(len(mine)), INTERVALS
        while len(todo):
            values[:, todo], gap[todo] = self._along(mine[todo], scale, n_intervals)
            todo = np.flatnonzero(gap > RAW_GAP)
            if len(todo) and n_intervals >= MOST_INTERVALS:
                raise AdditivityError(
                    f"The gradients of {self._model.name} along a path of {n_intervals} intervals miss its outputs by "
                    f"{gap.max():.1%} of their range; the values are not returned. Use method='coalitions', which needs no "
                    "gradients."
                )
            n_intervals *= 2 if len(todo) else 1
        return values, (
            f"path of {n_intervals} intervals; before their sums were completed, the gradients missed the outputs by up to "
            f"{gap.max(initial=0.0):.2%} of their range",
        )

    def _along(self, mine: Matrix, scale: Matrix, n_intervals: int) -> tuple[Values, Matrix]:
        """Return the values of rows and the gap of each, relative to the range of the outputs."""
        total, missed = self._nothing(len(mine)), np.zeros((len(scale), len(mine)))
        what = f"explaining {counted(len(mine), 'row')} along {n_intervals} intervals"
        at_once = pairs_at_once(self._network, len(scale))
        with progress_bar(len(mine) * len(self._others), what, self._question.settings.progress) as advance:
            for row, other in self._pairs(len(mine), at_once):
                with model_call(self._model.name, "X"):
                    part = path_contributions(self._network, mine[row], self._others[other], n_intervals)
                self._add(total, part.values, row, other)
                np.add.at(missed.T, row, (part.missed * self._share[other]).T)
                advance(len(row))
        return total, np.abs(missed / scale[:, None]).max(axis=0)


class RescaleEngine(GradientEngine):
    """The rescale rule: an operation's change of output is shared in proportion to the changes of its inputs.

    References
    ----------
    Shrikumar, Greenside and Kundaje, "Learning important features through propagating activation differences",
    arXiv 1704.02685; Chen, Lundberg and Lee, "Explaining a series of models by propagating Shapley values", arXiv 2105.00108.
    """

    method = "rescale"
    what = "the rescale rule (DeepLIFT)"

    def __init__(self, question: Question, why: str) -> None:
        super().__init__(question, why)
        self._at_once = min(PAIRS_AT_ONCE, pairs_at_once(self._network, len(self.base_values)))
        self._rule: PairRule | None = self._made()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the rules, which frameworks cannot pickle; they are made again when they are needed."""
        return {**vars(self), "_rule": None}

    def _made(self) -> PairRule:
        assert self._network.pair_rule is not None
        n_others, n_rows = self._layout(self._at_once)
        return self._network.pair_rule(n_others * n_rows)

    def _values(self, mine: Matrix) -> tuple[Values, tuple[str, ...]]:
        self._rule = self._rule or self._made()
        total = self._nothing(len(mine))
        what = f"explaining {counted(len(mine), 'row')} by the rescale rule"
        with progress_bar(len(mine) * len(self._others), what, self._question.settings.progress) as advance:
            for row, other in self._pairs(len(mine), self._at_once):
                arrays = self._network.arrays(mine[row]), self._network.arrays(self._others[other])
                with model_call(self._model.name, "X"):
                    values = self._network.flat(self._rule.contributions(*arrays))
                self._add(total, values, row, other)
                advance(len(row))
        return total, ()
