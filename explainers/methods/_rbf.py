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

import numpy as np

from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.compiled._arrays import Floats
from automl_explain.explainers.compiled._jit import kernel, run_blocks
from automl_explain.explainers.methods._base import Attribution, Question
from automl_explain.explainers.model._fitted_model import RadialBasis
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.tables._table import Table
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
        """Return exact values of engineered rows."""
        question, structure = self._question, self._structure
        matrix = question.model.encoded(rows.data)
        players = np.arange(matrix.shape[1]) if question.players is None else question.players
        n_players = question.n_players or matrix.shape[1]
        nodes, weights = np.polynomial.legendre.leggauss(-(-n_players // 2))
        values = np.zeros((len(matrix), structure.weights.shape[1], n_players))
        row_parts = [slice(i, i + ROWS_AT_ONCE) for i in range(0, len(matrix), ROWS_AT_ONCE)]
        with progress_bar(
            len(matrix) * len(structure.centres), "explaining rows", question.settings.progress
        ) as advance:
            for part in structure.parts():
                theirs = np.exp(-part.distances(self._background, players, n_players))

                def explain(some: slice, part: RadialBasis = part, theirs: Floats = theirs) -> int:
                    mine = np.exp(-part.distances(matrix[some], players, n_players))
                    space = np.empty((1 + n_players, len(part.centres)))
                    _add_values(
                        mine, theirs, self._share, part.weights, (nodes + 1.0) / 2.0, weights / 2.0, space, values[some]
                    )
                    return len(mine) * len(part.centres)

                run_blocks(explain, row_parts, question.settings.n_jobs, advance)
        return Attribution(values.transpose(1, 0, 2))


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
