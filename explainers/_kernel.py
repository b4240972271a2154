"""Shapley values of any model from its predictions alone."""

from __future__ import annotations

import numpy as np

from automl_explain.explainers._background import representative
from automl_explain.explainers._design import Design, make_design
from automl_explain.explainers._engine import Attribution, Question
from automl_explain.explainers._game import Game
from automl_explain.explainers._model import Opaque
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers._table import Table

BACKGROUND_SIZE = 50
"""Background rows unless the caller says how many: the cost is proportional to them."""
MAX_EVALUATIONS = 4_000_000
"""Predictions per call unless the caller says how many; fewer coalitions are used for many rows."""


class KernelEngine:
    """Shapley values by exact enumeration, or by regression over paired coalitions with standard errors.

    References
    ----------
    Lundberg and Lee, "A unified approach to interpreting model predictions", arXiv 1705.07874.
    """

    method = "kernel"

    def __init__(self, question: Question) -> None:
        assert question.background is not None
        model, settings = question.model, question.settings
        size = settings.background_size or BACKGROUND_SIZE
        background, note = representative(model, question.background, size)
        self._game = Game(model, background, question.players)
        self._n_background = len(background)
        self._settings = settings
        self._n_players = question.n_players or background.n_columns
        self.base_values = self._game.base_values
        self.notes: tuple[str, ...] = () if note is None else (note,)
        why = model.structure.why if isinstance(model.structure, Opaque) else "asked for by name"
        self.reason = f"{why}: values computed from predictions alone"

    def attribute(self, rows: Table) -> Attribution:
        """Return values and, where coalitions were sampled, their standard errors."""
        design = make_design(self._n_players, self._n_coalitions(len(rows)), self._settings.random_state)
        parts = []
        with progress_bar(len(rows), "explaining rows", self._settings.progress) as advance:
            for start in range(0, len(rows), 8):
                block = rows.take(np.arange(start, min(start + 8, len(rows))))
                parts.append(self._solve(design, block))
                advance(len(block))
        errors = None if design.exact else np.concatenate([part[1] for part in parts], axis=1)
        return Attribution(np.concatenate([part[0] for part in parts], axis=1), errors)

    def _n_coalitions(self, n_rows: int) -> int:
        wanted = self._settings.nsamples or 2 * self._n_players + 2048
        if self._settings.nsamples is None:
            budget = self._settings.max_evaluations or MAX_EVALUATIONS
            wanted = min(wanted, max(4 * self._n_players, budget // (n_rows * self._n_background)))
        return wanted

    def _solve(self, design: Design, rows: Table) -> tuple[np.ndarray, np.ndarray]:
        values, full = self._game.values(rows, design.coalitions)

        def attribution(estimate: np.ndarray, share: np.ndarray) -> np.ndarray:
            return np.einsum("pm,nmk->knp", estimate, values) + share * full.T[:, :, None]

        result = attribution(design.estimate, design.share)
        if design.exact:
            return result, np.zeros_like(result)
        left_out = np.stack([attribution(estimate, share) for estimate, share in design.blocks])
        n_blocks = len(left_out)
        variance = (n_blocks - 1) / n_blocks * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
        return result, np.sqrt(variance)
