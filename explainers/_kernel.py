"""Shapley values from the outputs of coalitions: of any model, and of ensembles member by member."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._background import SUMMARIES
from automl_explain.explainers._design import Design, coalition_bytes, make_design
from automl_explain.explainers._engine import Attribution, Question
from automl_explain.explainers._final_model import FinalModel
from automl_explain.explainers._game import Game
from automl_explain.explainers._model import Composite, Mixture, Opaque, OwnValues, Prepared, Structure
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers._row_blocks import Clock, RowBlock
from automl_explain.explainers._table import Table
from automl_explain.explainers._tree_paths import as_weights
from automl_explain.explainers._trees import Trees

OUTPUTS_AT_ONCE = 1 << 17
"""Outputs of mixed rows that are computed together: few enough for the cache."""
FIRST_STAGE = 256
"""Coalitions of each row that are looked at first where a tolerance or a time decides how many are needed."""
LAST_STAGE = 1 << 15
"""Most coalitions of each row there, unless the caller says."""
DESIGN_BYTES = 512 * 2**20
"""Upper bound on the memory of the largest design there, whose size grows with the players as well."""


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
STRUCTURED = Effort(background=100, all_up_to=14, evaluations=100_000_000)
"""Members whose outputs for mixed rows come from their structure."""


class KernelEngine:
    """Shapley values by enumerating all coalitions, or by regression over pairs of them with standard errors.

    `background` and `share` are the background rows in use and their weights, which may be fewer than those given.

    References
    ----------
    Lundberg and Lee, "A unified approach to interpreting model predictions", arXiv 1705.07874.
    """

    def __init__(self, question: Question) -> None:
        assert question.background is not None
        model, settings = question.model, question.settings
        structure = model.structure
        self._effort = PREDICTED if predicts_mixed_rows(structure) else STRUCTURED
        size = settings.background_size or self._effort.background
        share = None if question.weights is None else as_weights(question.weights, len(question.background))
        summarise = SUMMARIES[settings.background_summary]
        background, share, note = summarise(model, question.background, size, share)
        self._game = Game(model, background, question.players, share, settings.n_jobs)
        self.background, self.share = background, share
        self._n_background = len(background)
        self._settings = settings
        self._n_players = question.n_players or background.n_columns
        self.base_values = self._game.base_values
        self.notes: tuple[str, ...] = () if note is None else (note,)
        self.method = "ensemble" if isinstance(structure, Composite) else "kernel"
        self.reason = _reason(structure)

    def attribute(self, rows: Table) -> Attribution:
        """Return values and, where coalitions were sampled, their standard errors.

        With a tolerance or a time budget, coalitions are added in stages, each twice as many, until every standard error
        is small enough or the time is over; the best values so far are returned and a note says so.
        """
        settings = self._settings
        clock = Clock(settings.time_budget)
        sizes = self._stages(len(rows))
        parts = [RowBlock(rows.take(part)) for part in self._blocks(len(rows), sizes[-1])]
        total = len(rows) * self._n_background * sizes[-1]
        what = f"explaining {len(rows)} rows (up to {total:.2g} outputs)"
        with progress_bar(total, what, settings.progress) as advance:
            for size in sizes:
                design = make_design(self._n_players, size, settings.random_state)
                if not self._refine(parts, design, clock, advance) or self._good_enough(parts):
                    break
        exact = all(part.exact for part in parts)
        errors = None if exact else np.concatenate([part.errors for part in parts], axis=1)
        values = np.concatenate([part.values for part in parts], axis=1)
        return Attribution(values, errors, self._told(parts, clock, sizes[-1]))

    def _refine(self, parts: list[RowBlock], design: Design, clock: Clock, advance: Callable[[int], object]) -> bool:
        """Look at the coalitions of a design that were not looked at yet; False when the time is over."""
        for part in parts:
            if part.design is not None and clock.over(part.seconds_for(len(design.coalitions))):
                return False
            before = part.n_coalitions
            part.look(self._game, design)
            advance((part.n_coalitions - before) * len(part.rows) * self._n_background)
        return True

    def _good_enough(self, parts: list[RowBlock]) -> bool:
        tolerance = self._settings.tolerance
        return tolerance is not None and max(part.error for part in parts) <= tolerance

    def _told(self, parts: list[RowBlock], clock: Clock, most: int) -> tuple[str, ...]:
        """What became of a tolerance or a time budget."""
        settings = self._settings
        if settings.tolerance is None and settings.time_budget is None:
            return ()
        fewest, error = min(part.n_coalitions for part in parts), max(part.error for part in parts)
        note = f"{fewest} coalitions of each row after {clock.seconds:.1f} s; the largest standard error is {error:.2g}"
        if settings.tolerance is not None and error > settings.tolerance:
            limit = "max_evaluations or nsamples" if fewest >= most else "time_budget"
            note += f", above the tolerance {settings.tolerance:g}: raise {limit} to go on"
        return (note,)

    def _blocks(self, n_rows: int, size: int) -> list[npt.NDArray[np.intp]]:
        step = max(1, OUTPUTS_AT_ONCE // max(1, min(size, 2**self._n_players) * self._n_background))
        return [np.arange(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]

    def _stages(self, n_rows: int) -> list[int]:
        """Coalitions of each row, stage by stage."""
        settings, every = self._settings, 2**self._n_players
        most = self._n_coalitions(n_rows)
        if settings.tolerance is None and settings.time_budget is None:
            return [most]
        if settings.nsamples is None:
            budget = settings.max_evaluations
            most = LAST_STAGE if budget is None else budget // (n_rows * self._n_background)
            most = min(most, DESIGN_BYTES // coalition_bytes(self._n_players))
        most = max(4 * self._n_players, min(most, every))
        first = min(most, max(FIRST_STAGE, 4 * self._n_players))
        doubled = [first * 2**i for i in range(64) if first * 2**i < most]
        return [*doubled, most]

    def _n_coalitions(self, n_rows: int) -> int:
        if self._settings.nsamples is not None:
            return self._settings.nsamples
        n_players, effort = self._n_players, self._effort
        budget = self._settings.max_evaluations or effort.evaluations
        affordable = max(4 * n_players, budget // (n_rows * self._n_background))
        if n_players <= effort.all_up_to and 2**n_players <= affordable:
            return 1 << n_players
        return min(2 * n_players + 2048, affordable)


def predicts_mixed_rows(structure: Structure) -> bool:
    """Say whether an ensemble, or a part of it, answers for coalitions by predicting; else its structure does."""
    if isinstance(structure, Prepared):
        return predicts_mixed_rows(structure.model.structure)
    if isinstance(structure, Composite):
        final = structure.combine
        read = isinstance(final, FinalModel) and isinstance(final.model.structure, Trees)
        parts = [member.structure for member, _ in structure.members]
        return (structure.passthrough and not read) or any(map(predicts_mixed_rows, parts))
    if isinstance(structure, Mixture):
        return any(predicts_mixed_rows(member.structure) for member in structure.members)
    return isinstance(structure, Opaque)


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
