"""Shapley values computed from the values of coalitions, for composite and black-box models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.coalitions._game import OUTPUTS_AT_ONCE, Game
from automl_explain.explainers.coalitions._linked_members import linked
from automl_explain.explainers.coalitions.sampling._adaptive_sampling import Clock, RowBlock, first_look
from automl_explain.explainers.coalitions.sampling._announcement import Computation, announcement
from automl_explain.explainers.coalitions.sampling._coalition_sampling import (
    N_BLOCKS,
    Design,
    coalition_bytes,
    make_design,
)
from automl_explain.explainers.coalitions.sampling._control_variate import MOST_FITTED
from automl_explain.explainers.coalitions.sampling._estimates import MOST_OUTPUTS
from automl_explain.explainers.coalitions.sampling._sampling_rules import (
    MOST_REGRESSED,
    design_seconds,
    fewest_coalitions,
    index_models_suit,
    index_seconds,
    walks_suit,
)
from automl_explain.explainers.coalitions.sampling._walks import WalkPlan, cuts_of
from automl_explain.explainers.formatting._names import counted
from automl_explain.explainers.methods._base import Attribution, Question
from automl_explain.explainers.model._final_estimator import FinalModel
from automl_explain.explainers.model._fitted_model import Composite, Mixture, Prepared, Structure
from automl_explain.explainers.model._structures import Opaque, OwnValues
from automl_explain.explainers.neural._dense_chain import DenseNetwork
from automl_explain.explainers.neural._network import Network
from automl_explain.explainers.tables._table import Table
from automl_explain.explainers.trees._tree_ensemble import Trees

FIRST_STAGE = 256
"""Coalitions per row in the first stage, if there is a tolerance or a time budget."""
LAST_STAGE = 1 << 15
"""Maximum number of coalitions per row in the last stage, if the caller sets none."""
WALK_CELLS = 1 << 25
"""Most cells of the coalitions of walks that are held in memory at a time."""
CELLS_AT_ONCE = 1 << 22
"""Cells of pairs of a row and a background row that are held in memory at a time, per class."""
SOME_EXACT = (
    "rows whose standard errors are 0 have no sampling error: all coalitions of the columns in which they differ from the "
    "background were evaluated"
)
UNSTEADY = (
    "the model's predictions of a row differ by up to {:.2g} depending on the number of rows predicted together, as they do for "
    "nearest neighbours at equal distances; the values add up to its predictions when given only the explained rows"
)
DESIGN_BYTES = 512 * 2**20
"""Maximum memory of the largest design of coalitions, whose size also grows with the number of players."""


@dataclass(frozen=True)
class Effort:
    """Default amounts of work, which depend on the cost of an output of a masked row.

    Parameters
    ----------
    background : int
        Background rows. The cost is proportional to their number.
    all_up_to : int
        Number of relevant players up to which all coalitions are evaluated, so that the values are exact.
    evaluations : int
        Maximum number of outputs of masked rows computed in one call. With many rows, each row gets fewer coalitions.
    at_once : int
        Outputs of all classes computed at a time, between two checks of the time budget.
    of_row : float
        Maximum number of outputs of masked rows computed for each row. Default: no maximum of its own.
    """

    background: int
    all_up_to: int
    evaluations: int
    at_once: int
    of_row: float = np.inf


PREDICTED = Effort(background=50, all_up_to=11, evaluations=4_000_000, at_once=1 << 16)
"""Black-box models, which predict every masked row."""
STRUCTURED = Effort(background=100, all_up_to=14, evaluations=100_000_000, at_once=OUTPUTS_AT_ONCE)
"""Ensembles whose members' outputs for masked rows are computed from their structure."""
NETWORK_MULTIPLICATIONS = 2e9
"""Most multiplications of a row for other networks, about a tenth of a second of one thread for dense layers."""
DENSE_UP_TO = 12
"""Number of relevant players up to which all coalitions are evaluated with a chain of dense layers."""
DENSE_MULTIPLICATIONS = 2e11
"""Most multiplications of one call for a chain of dense layers, about ten seconds of one thread."""


class KernelEngine:
    """Exact Shapley values from all coalitions, or estimates with standard errors from a sample of coalitions.

    The table in `explainers/coalitions/sampling/_sampling_rules.py` says what is sampled.

    `background` and `share` hold the background rows in use and their weights. There may be fewer rows than in the
    question.

    References
    ----------
    Lundberg and Lee, "A unified approach to interpreting model predictions", arXiv 1705.07874.
    """

    def __init__(self, question: Question) -> None:
        assert question.background is not None
        model, settings = linked(question.model, question.background), question.settings
        structure = model.structure
        self._structure, self._effort = structure, _effort_of(structure)
        background, share, self.notes = question.fewer_rows(self._effort.background)
        self._game = Game(model, background, question.players, share, settings.n_jobs)
        self.background, self.share = background, share
        self._n_background = len(background)
        self._settings = settings
        self._n_players = question.n_players or background.n_columns
        self._indexed = index_models_suit(self._n_players, self._n_background, predicted=predicts_mixed_rows(structure))
        self.base_values = self._game.base_values
        self.method = "ensemble" if isinstance(structure, Composite) else "kernel"
        self.reason = _reason(structure)

    def attribute(self, rows: Table) -> Attribution:
        """Return the values and, if coalitions were sampled, their standard errors.

        With a tolerance or a time budget, coalitions are evaluated in stages, each with twice as many as the previous one.
        The stages end when all standard errors are within the tolerance, or when the time budget or the maximum number of
        coalitions is reached. A note then gives the number of coalitions and the largest standard error.
        """
        sampling = self._settings.sampling
        clock, announced = Clock(sampling.time_budget), ""
        sizes = self._stages(len(rows))
        limits = self._all_within(len(rows), sizes)
        parts = parts_left = self._blocks(rows, sizes, limits)
        outputs = self._outputs_of(parts, sizes[-1], limits[-1])
        total = int(sum(outputs))
        what = f"explaining {counted(len(rows), 'row')} (up to {counted(total, 'output')})"
        with progress_bar(total, what, self._settings.progress) as advance:
            going = sampling.time_budget is None or first_look(
                self._game, parts, self._round(parts[0], range(1)), limits[0], clock, advance
            )
            if not self._staged:
                announced = announcement(self._computation(parts, outputs, sizes[-1], limits[-1], clock, advance))
                parts_left = [part for part in parts if not part.n_coalitions]
            for size, limit in zip(sizes, limits, strict=True):
                if not going or self._good_enough(parts):
                    break
                going = self._refine(parts_left, size, limit, limits[-1], clock, advance)
        shape = *parts[0].values.shape[::2], len(rows)
        values, errors = np.empty((2, shape[0], shape[2], shape[1]))
        for part in parts:
            values[:, part.numbers], errors[:, part.numbers] = part.values, part.errors
        exact = all(part.exact for part in parts)
        return Attribution(values, None if exact else errors, self._notes_on(parts, clock, sizes[-1], announced))

    def _outputs_of(self, parts: list[RowBlock], size: int, limit: int) -> list[float]:
        """Return the number of outputs of masked rows for each block."""
        n_coalitions = (part.n_all if part.all_within(limit) else size for part in parts)
        return [
            float(int(n) * len(part.rows) * self._n_background) for n, part in zip(n_coalitions, parts, strict=True)
        ]

    def _computation(
        self,
        parts: list[RowBlock],
        outputs: list[float],
        size: int,
        limit: int,
        clock: Clock,
        advance: Callable[[int], object],
    ) -> Computation:
        """Return the only stage of a call."""
        return Computation(
            game=self._game,
            parts=parts,
            exact=[part.all_within(limit) for part in parts],
            outputs=outputs,
            size=size,
            plan=self._round(parts[0], range(1)),
            evaluate=lambda part: self._refine([part], size, limit, limit, clock, advance),
            predicted=predicts_mixed_rows(self._structure),
        )

    def _refine(
        self, parts: list[RowBlock], size: int, limit: int, most: int, clock: Clock, advance: Callable[[int], object]
    ) -> bool:
        """Evaluate the coalitions of a stage that are not known yet; return False if the time budget is exceeded.

        All coalitions of the relevant players are evaluated if there are at most `limit`, and at most `most` together with
        the coalitions evaluated before. Otherwise those of a design of `size` coalitions are evaluated.
        """
        design: Design | None = None
        for part in parts:
            if part.exact:
                continue
            before = part.n_coalitions
            everything = part.all_within(limit) and part.all_within(most - before)
            walks = not everything and (
                walks_suit(self._n_players, size, self._n_background, indexed=self._indexed)
                or clock.over(
                    part.seconds_for(size) + self._design_seconds(design, size) + self._index_seconds(part, size)
                )
            )
            if before and clock.over(
                part.seconds_for(part.n_all if everything else fewest_coalitions(self._n_players))
            ):
                return False
            if everything:
                part.evaluate_all(self._game, self._n_players)
            elif walks:
                if not self._walk(part, size, clock):
                    return False
            else:
                design = design or make_design(self._n_players, size, self._settings.random_state)
                part.evaluate(self._game, design, indexed=self._indexed)
            advance(max(0, part.n_coalitions - before) * len(part.rows) * self._n_background)
        return True

    @property
    def _staged(self) -> bool:
        """Whether coalitions are evaluated in stages, until a tolerance or a time budget is reached."""
        return self._settings.sampling.tolerance is not None or self._settings.sampling.time_budget is not None

    def _design_seconds(self, design: Design | None, size: int) -> float:
        """Estimate the time for making the design of a stage, unless it is there."""
        return 0.0 if design else design_seconds(self._n_players, size, MOST_FITTED, 1 + N_BLOCKS)

    def _index_seconds(self, part: RowBlock, size: int) -> float:
        """Estimate the time for fitting index models, if there are any."""
        n_fits = min(len(self.base_values), MOST_OUTPUTS) * len(part.rows)
        return index_seconds(self._n_players, size, n_fits) if self._indexed else 0.0

    def _round(self, part: RowBlock, rounds: range) -> WalkPlan:
        """Return the plan of complete walks in these rounds."""
        at_once = self._effort.at_once // (len(self.base_values) * len(part.rows))
        return WalkPlan(
            n_players=self._n_players,
            n_all=self._n_background,
            n_others=self._n_background,
            rounds=rounds,
            extra=0,
            cuts=cuts_of(self._n_players),
            at_once=max(1, min(at_once, WALK_CELLS // self._n_players)),
            random_state=self._settings.random_state,
        )

    def _walk(self, part: RowBlock, size: int, clock: Clock) -> bool:
        """Evaluate walks up to `size` coalitions per row; return False if the time budget does not allow all of them."""
        of_round = fewest_coalitions(self._n_players)
        n_rounds, rest = divmod(size, of_round)
        extra = 0 if self._staged else rest * self._n_background // of_round
        step = max(2, self._round(part, range(1)).at_once // of_round)
        while part.n_rounds < n_rounds:
            stop = min(part.n_rounds + step, n_rounds)
            while clock.over(part.seconds_for((stop - part.n_rounds) * of_round)):
                stop -= 1
            if stop <= part.n_rounds and part.n_rounds:
                return False
            plan = self._round(part, range(part.n_rounds, stop))
            if not part.walk(self._game, replace(plan, extra=extra if stop == n_rounds else 0), clock):
                return False
        return True

    def _good_enough(self, parts: list[RowBlock]) -> bool:
        tolerance = self._settings.sampling.tolerance
        return tolerance is not None and bool(parts[0].n_coalitions) and max(part.error for part in parts) <= tolerance

    def _notes_on(self, parts: list[RowBlock], clock: Clock, most: int, announced: str) -> tuple[str, ...]:
        """Return notes on exact rows, unsteady predictions, and whether the tolerance was reached."""
        sampling = self._settings.sampling
        sampled = [part for part in parts if not part.exact] or parts
        notes = [SOME_EXACT] if len(sampled) < len(parts) else []
        if self._game.unsteady:
            notes.append(UNSTEADY.format(self._game.unsteady))
        fewest, error = min(part.n_coalitions for part in sampled), max(part.error for part in sampled)
        if not self._staged:
            if announced:
                notes.append(announced)
            if isinstance(self._structure, Network) and error > 0.0:
                notes.append(f"{counted(fewest, 'coalition')} each; the largest standard error is {error:.2g}")
            return tuple(notes)
        note = f"{counted(fewest, 'coalition')} each after {clock.seconds:.1f} s; the largest standard error is {error:.2g}"
        if sampling.tolerance is not None and error > sampling.tolerance:
            limit = "max_evaluations or nsamples" if fewest >= most else "time_budget"
            note += f", above the tolerance {sampling.tolerance:g}: raise {limit} to evaluate more coalitions"
        return (*notes, note)

    def _blocks(self, rows: Table, sizes: list[int], limits: list[int]) -> list[RowBlock]:
        """Group rows into blocks by the stage in which all of their coalitions are evaluated, if there is one."""
        n_all = self._game.n_coalitions(rows)
        stage = np.searchsorted(limits, n_all - 2)
        blocks = []
        for number in np.unique(stage):
            group = np.flatnonzero(stage == number)
            most = n_all[group].max() if number < len(sizes) else sizes[-1]
            width = len(self.base_values) * self._n_background
            step = max(1, int(min(self._effort.at_once / (most * width), CELLS_AT_ONCE / (rows.n_columns * width))))
            for start in range(0, len(group), step):
                part = group[start : start + step]
                blocks.append(RowBlock(rows.take(part), part, float(n_all[part].max())))
        return blocks

    def _stages(self, n_rows: int) -> list[int]:
        """Return the number of sampled coalitions per row in each stage."""
        sampling = self._settings.sampling
        most = self._n_coalitions(n_rows)
        if not self._staged:
            return [most]
        if sampling.nsamples is None:
            budget = sampling.max_evaluations
            most = LAST_STAGE if budget is None else budget // (n_rows * self._n_background)
            if self._n_players <= MOST_REGRESSED:
                most = min(most, DESIGN_BYTES // coalition_bytes(self._n_players))
        most = max(fewest_coalitions(self._n_players), min(most, 2**self._n_players))
        first = min(most, max(FIRST_STAGE, 4 * self._n_players))
        doubled = [first * 2**i for i in range(64) if first * 2**i < most]
        return [*doubled, most]

    def _n_coalitions(self, n_rows: int) -> int:
        """Return the number of sampled coalitions per row if there is only one stage."""
        most = self._settings.sampling.nsamples or min(2 * self._n_players + 2048, self._affordable(n_rows))
        return max(most, fewest_coalitions(self._n_players))

    def _affordable(self, n_rows: int) -> int:
        budget = self._settings.sampling.max_evaluations
        if budget is None:
            budget = int(min(self._effort.evaluations, n_rows * self._effort.of_row))
        return budget // (n_rows * self._n_background)

    def _all_within(self, n_rows: int, sizes: list[int]) -> list[int]:
        """Return, for each stage, the number of coalitions per row up to which all of them are evaluated.

        It is the number of sampled coalitions, or more by default.
        """
        sampling = self._settings.sampling
        if sampling.nsamples or sampling.tolerance is not None or sampling.time_budget is not None:
            return sizes
        return [max(sizes[0], min(2**self._effort.all_up_to, self._affordable(n_rows)))]


def _effort_of(structure: Structure) -> Effort:
    if isinstance(structure, DenseNetwork):
        affordable = int(DENSE_MULTIPLICATIONS / structure.chain.cost)
        evaluations = min(STRUCTURED.evaluations, max(PREDICTED.evaluations, affordable))
        return Effort(PREDICTED.background, DENSE_UP_TO, evaluations, STRUCTURED.at_once)
    if isinstance(structure, Network):
        return replace(PREDICTED, all_up_to=DENSE_UP_TO, of_row=NETWORK_MULTIPLICATIONS / structure.cost)
    return PREDICTED if predicts_mixed_rows(structure) else STRUCTURED


def predicts_mixed_rows(structure: Structure) -> bool:
    """Return whether any part of a `linked` model has to predict masked rows; otherwise outputs come from the structure."""
    if isinstance(structure, Prepared):
        return predicts_mixed_rows(structure.model.structure)
    if isinstance(structure, Composite):
        final = structure.combine
        read = isinstance(final, FinalModel) and isinstance(final.model.structure, Trees)
        parts = [member.structure for member, _ in structure.members]
        return (structure.passthrough and not read) or any(map(predicts_mixed_rows, parts))
    if isinstance(structure, Mixture):
        return any(predicts_mixed_rows(member.structure) for member in structure.members)
    return isinstance(structure, Opaque | Network) and not isinstance(structure, DenseNetwork)


def _reason(structure: Structure) -> str:
    if isinstance(structure, Composite):
        return f"{structure.why}: values computed from coalitions of its members' outputs"
    if isinstance(structure, OwnValues):
        return (
            f"{structure.why}: values computed from predictions, with absent features from the background; without a "
            f"background TreeExplainer gives {structure.library}'s own values"
        )
    if isinstance(structure, Opaque):
        return f"{structure.why}: values computed from predictions only"
    return "KernelExplainer was requested: values computed from coalitions"
