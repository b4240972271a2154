"""What is said before a computation that will take long, and how its time is estimated."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from automl_explain.explainers.coalitions._game import Game
from automl_explain.explainers.coalitions.sampling._adaptive_sampling import PROBE, Clock, RowBlock, walk_a_little
from automl_explain.explainers.coalitions.sampling._walks import WalkPlan
from automl_explain.explainers.compiled._kernel_cache import seconds_compiled

logger = logging.getLogger("automl_explain")

LONG = 20.0
"""Seconds from which on a computation is announced, with what would make it shorter."""
MANY_PREDICTED, MANY_COMPUTED = 20_000, 1_000_000
"""Outputs of masked rows, predicted or computed from a structure, from which on a computation may be long."""
PATIENCE = 20.0
"""Seconds that a block computed from a structure may be expected to take, by the speed of walks, if its own is to be measured."""
ENOUGH = 0.02
"""Share of the time of a computation whose measurement says how long the rest takes."""


@dataclass(frozen=True, eq=False)
class Computation:
    """The blocks of rows of a call, and how they are evaluated.

    Parameters
    ----------
    game : Game
    parts : sequence of RowBlock
    exact : sequence of bool
        Whether all coalitions of a block are evaluated.
    outputs : sequence of float
        Outputs of masked rows that are computed for each block.
    size : int
        Coalitions of each row of the other blocks.
    plan : WalkPlan
        A complete round of walks.
    evaluate : callable
        Evaluates a block.
    predicted : bool
        Whether masked rows are predicted, which takes as long in any way. From a structure, walks are the slowest way to
        outputs.
    """

    game: Game
    parts: Sequence[RowBlock]
    exact: Sequence[bool]
    outputs: Sequence[float]
    size: int
    plan: WalkPlan
    evaluate: Callable[[RowBlock], object]
    predicted: bool


def announcement(work: Computation) -> str:
    """Return what is said, and logged, before rows are explained that will take long; empty if they will not.

    The first blocks may be evaluated, to measure their speed; these have coalitions afterwards.
    """
    total = sum(work.outputs)
    if total < (MANY_PREDICTED if work.predicted else MANY_COMPUTED):
        return ""
    sampled = [part for part, exact in zip(work.parts, work.exact, strict=True) if not exact]
    first = (sampled or work.parts)[0]
    one = RowBlock(first.rows.take(np.arange(1)), np.arange(1), first.n_all)
    seconds = _seconds_of_walks(work.game, one, work.plan, total)
    patience = PROBE * LONG if work.predicted else PATIENCE
    if seconds >= LONG and seconds * max(work.outputs) / total <= patience:
        seconds = _seconds_of_blocks(work, seconds)
    if seconds < LONG:
        return ""
    n_rows = sum(len(part.rows) for part in work.parts)
    said = f"explaining {n_rows} rows is expected to take {seconds:.0f} s. SamplingOptions(time_budget={LONG:.0f}) ends sooner"
    if not sampled:
        said += ", with sampled values and their standard errors instead of exact ones"
    else:
        known = [part for part in sampled if part.n_coalitions]
        if not known:
            one.walk(work.game, work.plan, Clock(PROBE * LONG))
        error = max(part.error * np.sqrt(part.n_coalitions / work.size) for part in known or [one])
        said += (
            f", with standard errors of about {error * np.sqrt(seconds / LONG):.2g} instead of {error:.2g}; "
            f"tolerance={2.0 * error:.2g} takes about {seconds / 4.0:.0f} s"
        )
    logger.warning("%s", said)
    return said


def _seconds_of_blocks(work: Computation, expected: float) -> float:
    """Evaluate the first blocks of each kind, and return how long all blocks take, without compilation.

    What the first block of a kind takes counts only if there is no other, since it makes what the others use.
    """
    seconds = 0.0
    for kind in sorted(set(work.exact)):
        mine = [i for i, exact in enumerate(work.exact) if exact == kind]
        spent, done = [], []
        for i in mine:
            started, compiled = time.monotonic(), seconds_compiled()
            work.evaluate(work.parts[i])
            spent.append(max(time.monotonic() - started - (seconds_compiled() - compiled), 0.0))
            done.append(work.outputs[i])
            if len(spent) > 1 and sum(spent) >= min(PROBE * LONG, ENOUGH * expected):
                break
        later = slice(1 if len(spent) > 1 else 0, None)
        seconds += sum(spent[later]) / sum(done[later]) * sum(work.outputs[i] for i in mine)
    return seconds


def _seconds_of_walks(game: Game, part: RowBlock, plan: WalkPlan, total: float) -> float:
    """Measure the speed of walks on at most a few hundredths of `total` outputs; return how long all of them would take.

    What a call costs however few outputs there are is left out. More and more are computed, until they take several times as
    long as the fewest. A long time is measured again, since a busy machine may have caused it.
    """
    walk_a_little(game, part, plan, 1)  # the first call may wait for compilation
    (least, n_cuts), (again, _) = (walk_a_little(game, part, plan, 1) for _ in range(2))
    least, n_least = min(least, again), 2 * (n_cuts + 1)
    most, n_others = 4, 1
    while True:
        if n_cuts < plan.n_players - 1:
            most *= 2 if least > PROBE * LONG else 8
        else:
            n_others = min(4 * n_others, game.n_background)
        seconds, n_cuts = walk_a_little(game, part, plan, n_others, most)
        n_outputs = 2 * n_others * (n_cuts + 1)
        everything = n_cuts >= plan.n_players - 1 and n_others == game.n_background
        if everything or seconds > max(3.0 * least, PROBE * LONG) or n_outputs > PROBE * total:
            break
    for _ in range(3):
        expected = max(seconds - least, 0.0) / max(1, n_outputs - n_least) * total
        if expected < LONG:
            break
        seconds = min(seconds, walk_a_little(game, part, plan, n_others, most)[0])
        least = min(least, walk_a_little(game, part, plan, 1)[0])
    return expected
