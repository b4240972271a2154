"""State of rows whose coalitions are evaluated in stages, until their standard errors are small enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.coalitions._game import Game
from automl_explain.explainers.coalitions.sampling._coalition_sampling import Coalitions, Design
from automl_explain.explainers.coalitions.sampling._estimates import estimates, with_index_models
from automl_explain.explainers.coalitions.sampling._sampling_rules import fewest_coalitions
from automl_explain.explainers.coalitions.sampling._walks import WalkPlan, WalkSums, cuts_of, draw_walks
from automl_explain.explainers.compiled._arrays import Values
from automl_explain.explainers.tables._table import Table

SHARE = 0.8
"""Share of the time left that is planned for; the rest is for what is estimated too low."""
PROBE = 0.01
"""Share of the time budget that measuring the model's speed takes at least, unless a whole round is faster."""
CHECKED = 0.03
"""Share of the time budget between two looks at the clock."""
FEWEST_OTHERS = 8
"""Background rows that take part at least, if there are as many: their spread gives the standard errors."""


class Clock:
    """The time that a call has taken, and its budget in seconds; None means no limit."""

    def __init__(self, budget: float | None) -> None:
        self._started = time.monotonic()
        self._budget = budget

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self._started

    def part(self, share: float) -> Clock:
        """Return a clock that starts now, with a share of the time left as its budget."""
        return Clock(None if self._budget is None else share * self.left)

    @property
    def left(self) -> float:
        """Seconds left of the budget, infinite without one."""
        return np.inf if self._budget is None else max(0.0, self._budget - self.seconds)

    def over(self, more: float) -> bool:
        """Return whether `more` further seconds exceed the budget."""
        return self._budget is not None and self.seconds + more > self._budget


class RowBlock:
    """Rows that are explained together, with the values of the coalitions evaluated so far.

    Parameters
    ----------
    rows : Table
        n rows in the model's engineered format.
    numbers : ndarray of int, shape (n,)
        Their positions among the rows of the call.
    n_all : float
        Number of all coalitions of the relevant players, averaged over the background; the largest of all rows.
    """

    def __init__(self, rows: Table, numbers: npt.NDArray[np.intp], n_all: float) -> None:
        self.rows, self.numbers, self.n_all = rows, numbers, n_all
        self.design: Design | None = None
        self.exact = False
        """Whether all coalitions have been evaluated."""
        self.n_coalitions = 0
        """Coalitions evaluated per row."""
        self.values: Values = np.empty((0, len(rows), 0))
        """Shapley values (K, n, P)."""
        self.errors: Values = self.values
        """Standard errors, of the same shape; zeros when exact."""
        self._seconds, self._n_evaluated = 0.0, 0
        self._known: Values | None = None
        self._full = self.values
        self._sums: WalkSums | None = None
        self.n_rounds = 0
        """Rounds of walks evaluated with all background rows."""

    @property
    def error(self) -> float:
        """The largest standard error."""
        return float(self.errors.max(initial=0.0))

    def all_within(self, n_coalitions: int) -> bool:
        """Return whether there are at most that many coalitions besides the empty and the grand one."""
        return self.n_all - 2 <= n_coalitions

    def seconds_for(self, n_more: float) -> float:
        """Estimate the time of `n_more` further coalitions from that of those evaluated so far."""
        return self._seconds * n_more / max(1, self._n_evaluated)

    def evaluate_all(self, game: Game, n_players: int) -> None:
        """Evaluate all coalitions of the relevant players; the values are exact."""
        self.values = game.shapley_values(self.rows, n_players)
        self.errors, self.exact, self.n_coalitions = np.zeros_like(self.values), True, int(self.n_all)

    def walk(self, game: Game, plan: WalkPlan, clock: Clock) -> bool:
        """Evaluate walks and compute the values; return whether none were left out because the time was over.

        A first set of walks has at least two background rows, if there are several; a later one that is not complete has no
        effect.
        """
        started, sums, done = time.monotonic(), None, 0
        for others, rounds in plan.groups():
            enough = sums is not None and (sums.n_others > 1 or self._sums is not None)
            if enough and clock.over((time.monotonic() - started) / done * len(others) * len(rounds)):
                break
            walks = draw_walks(plan.n_players, others, rounds, plan.cuts, plan.random_state)
            found = game.walk(self.rows, others, walks)
            sums = found if sums is None else sums + found
            done += len(others) * len(rounds)
        assert sums is not None
        n_new, whole = 2 * len(plan.cuts) * done / plan.n_all, sums.n_others == plan.n_others
        self._seconds += time.monotonic() - started
        self._n_evaluated += int(n_new)
        if self._sums is not None:
            if not whole:
                return False
            sums, n_new = self._sums.joined(sums), n_new + self.n_coalitions
        self._sums, self.n_coalitions = sums, max(1, int(n_new))
        self.n_rounds = plan.rounds.stop if plan.complete and sums.n_others == plan.n_all else 0
        self.values, self.errors = sums.estimate(game.base_values, plan.n_all, plan.n_players / (len(plan.cuts) + 1))
        return whole

    def evaluate(self, game: Game, design: Design, *, indexed: bool = False) -> None:
        """Evaluate the coalitions of a design that are not known yet, and compute the values, with index models if `indexed`."""
        started = time.monotonic()
        place = np.full(len(design.coalitions), -1) if self.design is None else _places(self.design, design)
        fresh = place < 0
        wanted = design.coalitions[fresh]
        if self._known is None:  # with the grand coalition first, so that additivity is checked and not assumed
            values = game.values(self.rows, np.insert(wanted, 0, True, axis=0))
            self._full, values = values[:, 0].T[:, :, None], values[:, 1:]
        else:
            values = game.values(self.rows, wanted)
            known = np.empty((len(self.rows), len(place), values.shape[2]))
            known[:, fresh], known[:, ~fresh] = values, self._known[:, place[~fresh]]
            values = known
        self._known, self.design, self.exact, self.n_coalitions = values, design, design.exact, len(design.coalitions)
        self._n_evaluated += int(fresh.sum())
        outputs = np.ascontiguousarray(values.transpose(2, 1, 0))
        found = estimates(design, outputs, self._full)
        if indexed and not design.exact:
            found = with_index_models(
                design, outputs, self._full, game.base_values, found, is_probability=game.is_probability
            )
        self.values, self.errors = found
        self._seconds += time.monotonic() - started


def first_look(
    game: Game,
    parts: Sequence[RowBlock],
    plan: WalkPlan,
    limit: int,
    clock: Clock,
    advance: Callable[[int], object],
) -> bool:
    """Evaluate one round of walks for all rows, or what the time budget allows; return whether the round is complete.

    If the time does not allow a round, fewer background rows take part. If it allows not even `FEWEST_OTHERS` of them, the
    players join in groups. All coalitions of the relevant players are evaluated if there are at most `limit` of them.

    Parameters
    ----------
    game : Game
    parts : sequence of RowBlock
    plan : WalkPlan
        A complete round.
    limit : int
    clock : Clock
    advance : callable
        Called with the number of outputs done.
    """
    pace, budget = _seconds_per_output(game, parts[0], plan, clock), clock.left
    n_left, complete = sum(len(part.rows) for part in parts), True
    for part in parts:
        share = SHARE * len(part.rows) / n_left
        outputs, started = share * clock.left / (pace * len(part.rows)), time.monotonic()
        if part.all_within(limit) and part.n_all * game.n_background <= outputs:
            part.evaluate_all(game, plan.n_players)
        else:
            at_once = max(1, int(CHECKED * budget / (pace * len(part.rows))))
            own = _affordable(replace(plan, at_once=min(plan.at_once, at_once)), outputs)
            complete &= part.walk(game, own, clock.part(share)) and own.complete
        n_done = part.n_coalitions * len(part.rows) * game.n_background
        pace = max((time.monotonic() - started) / n_done, pace / 8.0)
        n_left -= len(part.rows)
        advance(n_done)
    return complete


def _affordable(plan: WalkPlan, outputs: float) -> WalkPlan:
    """Return a complete round, which may be cut short, or one with fewer steps if a row can have only so many outputs."""
    fewest = min(plan.n_all, FEWEST_OTHERS)
    if outputs >= fewest * fewest_coalitions(plan.n_players):
        return plan
    n_rounds = 1 if plan.n_all > 1 else 2  # without several background rows, two walks give the standard errors
    cuts = cuts_of(plan.n_players, int(outputs // (2 * fewest * n_rounds)))
    return replace(plan, n_others=fewest, rounds=range(n_rounds), cuts=cuts)


def _seconds_per_output(game: Game, part: RowBlock, plan: WalkPlan, clock: Clock) -> float:
    """Measure the time per output of masked rows on more and more of them, since calls have a cost of their own."""
    most, n_others = 4, 1
    while True:
        seconds, n_cuts = walk_a_little(game, part, plan, n_others, most)
        n_outputs, whole = 2 * n_others * (n_cuts + 1), n_cuts >= plan.n_players - 1
        if seconds > PROBE * (clock.left + clock.seconds) or (whole and n_others == game.n_background):
            return max(seconds, 1e-9) / n_outputs
        most, n_others = most * 8, min(4 * n_others, game.n_background) if whole else n_others


def walk_a_little(game: Game, part: RowBlock, plan: WalkPlan, n_others: int, most: int = 4) -> tuple[float, int]:
    """Evaluate a pair of walks of one row with at most `most` cuts; return the seconds and the number of cuts."""
    cuts, started = cuts_of(plan.n_players, most), time.monotonic()
    walks = draw_walks(plan.n_players, range(n_others), range(1), cuts, plan.random_state)
    game.walk(part.rows.take(np.arange(1)), range(n_others), walks)
    return time.monotonic() - started, len(cuts)


def _places(old: Design, new: Design) -> npt.NDArray[np.intp]:
    """Return the position of each coalition of a design in an older design; -1 for a new one."""
    position = {key: i for i, key in enumerate(_keys(old.coalitions))}
    return np.array([position.get(key, -1) for key in _keys(new.coalitions)], dtype=np.intp)


def _keys(coalitions: Coalitions) -> list[bytes]:
    return [row.tobytes() for row in np.packbits(coalitions, axis=1)]
