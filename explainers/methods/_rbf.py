"""Exact Shapley values of sums of Gaussian kernels: support vector machines, kernel ridge regression, Gaussian processes.

A kernel around a centre is a product over players. Let a_j and c_j be the factors of player j for the explained row and
for a background row. The value of a coalition S is ``prod_{j in S} a_j prod_{j not in S} c_j``, and the Shapley value of
player i is

    phi_i = int_0^1  (a_i - c_i)  prod_{j != i} (c_j + t (a_j - c_j))  dt,

where the integrand is a polynomial in t. Gauss-Legendre quadrature with half as many nodes as players is exact.

Sources: Mohammadi, Chau and Muandet, "Computing exact Shapley values in polynomial time for product-kernel methods",
arXiv:2505.16516, for the product form; Owen, "Multilinear extensions of games", 1972, doi:10.1287/mnsc.18.5.64, for the
integral.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.coalitions.sampling._adaptive_sampling import Clock
from automl_explain.explainers.coalitions.sampling._walks import added_up
from automl_explain.explainers.compiled._arrays import Floats
from automl_explain.explainers.compiled._jit import count_threads, kernel, run_blocks
from automl_explain.explainers.methods._base import Attribution, Question
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.model._structures import RadialBasis
from automl_explain.explainers.tables._table import RowNumbers, Table
from automl_explain.explainers.tables._weights import as_weights

BACKGROUND = 200
"""Default number of background rows. The cost is proportional to it."""
ROWS_AT_ONCE = 16
"""Rows per task of a thread."""
LEAST = 1e-300
"""Lower bound of divisors."""


class RadialEngine:
    """Exact values over the background rows in use, which may be fewer than those of the question."""

    method = "rbf"

    def __init__(self, question: Question) -> None:
        model, structure = question.model, question.model.structure
        assert isinstance(structure, RadialBasis)
        background, share, self.notes = question.fewer_rows(BACKGROUND)
        self.reason = (
            f"a sum of Gaussian kernels around {len(structure.centres)} centres, each a product over the columns, so the "
            f"values are exact; absent features come from {len(background)} background rows"
        )
        mean = np.average(predict_finite(model, background.data), axis=0, weights=share)
        self.base_values = mean[-structure.weights.shape[1] :]
        self._question, self._structure, self._background = (
            question,
            structure,
            model.encoded(background.data, "the background"),
        )
        self._share = as_weights(share, len(background))

    def attribute(self, rows: Table) -> Attribution:
        """Return exact values of engineered rows, or those over the background rows that a time budget allows."""
        question = self._question
        matrix = question.model.encoded(rows.data)
        with progress_bar(len(matrix), "explaining rows", question.settings.progress) as advance:
            if question.settings.sampling.time_budget is None:
                every = np.arange(len(self._background))
                return Attribution(self._values(matrix, every, self._share, advance).transpose(1, 0, 2))
            return self._within_budget(rows, matrix, advance)

    def _within_budget(self, rows: Table, matrix: Floats, advance: Callable[[int], object]) -> Attribution:
        """Return means over as many background rows as the time budget allows, in a random order, at least two."""
        settings, n_all = self._question.settings, len(self._background)
        clock, fewest = Clock(settings.sampling.time_budget), n_all
        order = np.random.default_rng(settings.random_state).permutation(n_all)
        outputs = predict_finite(self._question.model, rows.data)[:, -len(self.base_values) :] - self.base_values
        n_players = self._question.n_players or matrix.shape[1]
        values, errors = np.zeros((2, len(matrix), len(self.base_values), n_players))
        step = ROWS_AT_ONCE * count_threads(settings.n_jobs)
        for start in range(0, len(matrix), step):
            some = slice(start, start + step)
            own, share = clock.part(min(1.0, step / (len(matrix) - start))), 0.0
            sums, squares = np.zeros((2, *values[some].shape))
            for n_seen, other in enumerate(order, start=1):
                found = self._values(matrix[some], order[n_seen - 1 : n_seen], np.ones(1), lambda _: None)
                weight = self._share[other]
                share, sums, squares = share + weight, sums + weight * found, squares + weight * found**2
                if n_seen > 1 and own.over(own.seconds / n_seen):
                    break
            mean = sums / share
            spread = np.maximum(squares / share - mean**2, 0.0) / max(n_seen - 1, 1)
            variance, fewest = (1.0 - n_seen / n_all) * spread, min(fewest, n_seen)
            values[some], errors[some] = added_up(mean, variance, outputs[some]), np.sqrt(variance)
            advance(len(mean))
        if fewest == n_all:
            return Attribution(values.transpose(1, 0, 2))
        largest = f"the largest standard error is {errors.max():.2g}"
        note = f"{fewest} of {n_all} background rows after {clock.seconds:.1f} s; {largest}"
        return Attribution(values.transpose(1, 0, 2), errors.transpose(1, 0, 2), (note,))

    def _values(self, matrix: Floats, others: RowNumbers, share: Floats, advance: Callable[[int], object]) -> Floats:
        """Return the values of rows over some background rows, (n, K, P)."""
        question, background = self._question, self._background[others]
        players = np.arange(matrix.shape[1]) if question.players is None else question.players
        n_players = question.n_players or matrix.shape[1]
        nodes, weights = _quadrature(n_players)
        values = np.zeros((len(matrix), self._structure.weights.shape[1], n_players))
        row_parts = [slice(i, i + ROWS_AT_ONCE) for i in range(0, len(matrix), ROWS_AT_ONCE)]
        n_parts = len(list(self._structure.parts()))
        for number, part in enumerate(self._structure.parts()):
            theirs = np.exp(-part.distances(background, players, n_players))

            def explain(some: slice, part: RadialBasis = part, theirs: Floats = theirs) -> int:
                mine = np.exp(-part.distances(matrix[some], players, n_players))
                space = np.empty((1 + n_players, len(part.centres)))
                _add_values(mine, theirs, share, part.weights, nodes, weights, space, values[some])
                return len(mine)

            run_blocks(explain, row_parts, question.settings.n_jobs, advance if number == n_parts - 1 else None)
        return values


@lru_cache(maxsize=4)
def _quadrature(n_players: int) -> tuple[Floats, Floats]:
    """Return nodes in [0, 1] and weights that integrate polynomials of degree P - 1 exactly."""
    nodes, weights = np.polynomial.legendre.leggauss(-(-n_players // 2))
    return (nodes + 1.0) / 2.0, weights / 2.0


@kernel
def _add_values(
    mine: Floats, theirs: Floats, share: Floats, weights: Floats, nodes: Floats, node_weights: Floats, space: Floats,
    phi: Floats,
) -> None:  # fmt: skip
    """Add values to `phi` (n, K, P) from the factors of rows (n, P, c) and background rows (B, P, c) at c centres.

    `space` (1 + P, c) is working memory.
    """
    n_players, n_centres = mine.shape[1:]
    whole, slopes = space[0], space[1:]
    for row in range(len(mine)):
        slopes[:] = 0.0
        for other in range(len(theirs)):
            for k in range(len(nodes)):
                t = nodes[k]
                whole[:] = node_weights[k] * share[other]
                for player in range(n_players):
                    for c in range(n_centres):
                        absent = theirs[other, player, c]
                        whole[c] *= absent + t * (mine[row, player, c] - absent)
                for player in range(n_players):
                    for c in range(n_centres):
                        absent = theirs[other, player, c]
                        step = mine[row, player, c] - absent
                        # The quotient is at most 1 / t or 1 / (1 - t), so terms that underflow are negligible for any divisor.
                        slopes[player, c] += whole[c] * (step / max(absent + t * step, LEAST))
        for output in range(phi.shape[1]):
            for player in range(n_players):
                total = 0.0
                for c in range(n_centres):
                    total += slopes[player, c] * weights[c, output]
                phi[row, output, player] += total
