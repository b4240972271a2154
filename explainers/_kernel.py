"""Shapley values from the outputs of coalitions: of any model, and of ensembles member by member."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from automl_explain.explainers._background import representative
from automl_explain.explainers._design import Design, make_design
from automl_explain.explainers._engine import Attribution, Question
from automl_explain.explainers._game import Game
from automl_explain.explainers._model import Composite, Opaque, OwnValues, Structure
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers._table import Table

ROWS_AT_ONCE = 4
"""Rows whose coalitions are evaluated together."""


@dataclass(frozen=True)
class Effort:
    """How much work is done unless the caller says: it depends on what an output of a mixed row costs.

    Parameters
    ----------
    background : int
        Background rows; the cost is proportional to them.
    all_up_to : int
        Players up to which every coalition is evaluated, so that values are exact.
    evaluations : int
        Outputs of mixed rows computed in a call; with many rows, fewer coalitions are used for each.
    """

    background: int
    all_up_to: int
    evaluations: int


PREDICTED = Effort(background=50, all_up_to=11, evaluations=4_000_000)
"""A black box: each mixed row is a prediction."""
STRUCTURED = Effort(background=100, all_up_to=12, evaluations=100_000_000)
"""Members whose outputs for mixed rows come from their structure."""


class KernelEngine:
    """Shapley values by enumerating all coalitions, or by regression over pairs of them with standard errors.

    References
    ----------
    Lundberg and Lee, "A unified approach to interpreting model predictions", arXiv 1705.07874.
    """

    def __init__(self, question: Question) -> None:
        assert question.background is not None
        model, settings = question.model, question.settings
        structure = model.structure
        self._effort = PREDICTED if isinstance(structure, Opaque) else STRUCTURED
        size = settings.background_size or self._effort.background
        background, note = representative(model, question.background, size)
        self._game = Game(model, background, question.players)
        self._n_background = len(background)
        self._settings = settings
        self._n_players = question.n_players or background.n_columns
        self.base_values = self._game.base_values
        self.notes: tuple[str, ...] = () if note is None else (note,)
        self.method = "ensemble" if isinstance(structure, Composite) else "kernel"
        self.reason = _reason(structure)

    def attribute(self, rows: Table) -> Attribution:
        """Return values and, where coalitions were sampled, their standard errors."""
        design = make_design(self._n_players, self._n_coalitions(len(rows)), self._settings.random_state)
        parts = []
        with progress_bar(len(rows), "explaining rows", self._settings.progress) as advance:
            for start in range(0, len(rows), ROWS_AT_ONCE):
                block = rows.take(np.arange(start, min(start + ROWS_AT_ONCE, len(rows))))
                parts.append(self._solve(design, block))
                advance(len(block))
        errors = None if design.exact else np.concatenate([part[1] for part in parts], axis=1)
        return Attribution(np.concatenate([part[0] for part in parts], axis=1), errors)

    def _n_coalitions(self, n_rows: int) -> int:
        if self._settings.nsamples is not None:
            return self._settings.nsamples
        n_players, effort = self._n_players, self._effort
        wanted = 2**n_players if n_players <= effort.all_up_to else 2 * n_players + 2048
        budget = self._settings.max_evaluations or effort.evaluations
        return min(wanted, max(4 * n_players, budget // (n_rows * self._n_background)))

    def _solve(self, design: Design, rows: Table) -> tuple[np.ndarray, np.ndarray]:
        values, full = self._game.values(rows, design.coalitions)

        def attribution(estimate: np.ndarray, share: np.ndarray) -> np.ndarray:
            return np.asarray(np.einsum("pm,nmk->knp", estimate, values) + share * full.T[:, :, None])

        result = attribution(design.estimate, design.share)
        if design.exact:
            return result, np.zeros_like(result)
        left_out = np.stack([attribution(estimate, share) for estimate, share in design.blocks])
        n_blocks = len(left_out)
        variance = (n_blocks - 1) / n_blocks * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
        return result, np.sqrt(variance)


def _reason(structure: Structure) -> str:
    if isinstance(structure, Composite):
        return f"{structure.why}: values computed from coalitions of its members' outputs"
    if isinstance(structure, OwnValues):
        return (
            f"{structure.why}: values computed from predictions, with absent features from the background; without a "
            f"background TreeExplainer gives {structure.library}'s own"
        )
    if isinstance(structure, Opaque):
        return f"{structure.why}: values computed from predictions alone"
    return "asked for by name: values computed from coalitions"
