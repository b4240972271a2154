"""The plan of a queue of runs: which time each may take, from counts of its model and from the runs explained before."""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from automl_explain.explainers.compiled._kernel_cache import seconds_compiled
from automl_explain.explainers.model._fitted_model import Mixture, Prepared, Structure
from automl_explain.explainers.model._structures import Linear
from automl_explain.explainers.trees._tree_ensemble import Trees

FIRST_SHARE, NEXT_SHARE = 0.4, 0.2
"""Share of the remaining time that the first run may take, and any other of which nothing is known yet."""
SHORTEST = 0.1
"""Seconds that a run may take while there is time: what a short run took says little about the next to a millisecond."""
LATE, MUST_LATE = (0.2, 10.0), (1.0, 30.0)
"""How much later than the deadline a run may end before it is left behind, and one that is explained whatever the time: a
share of the budget, and the least number of seconds, in which other work on the machine may have held it up."""
SECONDS_PER_LEAF_AND_ROW = 4e-8
"""Seconds per leaf of a model, and row explained or background row; a rough figure, corrected by what runs take."""


class Queued(Protocol):
    """A run that waits to be explained."""

    learner: str
    kind: str
    nbytes: int


def expected_seconds(structure: Structure, n_rows: int, n_background: int) -> float:
    """Return about how long explaining rows from a structure takes; infinite if counts do not say."""
    if isinstance(structure, Trees):
        n_leaves, n_values = len(structure.left) / 2, int(structure.values.shape[1])
        return SECONDS_PER_LEAF_AND_ROW * n_leaves * n_values * (n_rows + n_background)
    if isinstance(structure, Linear):
        return 0.0
    if isinstance(structure, Prepared):
        return expected_seconds(structure.model.structure, n_rows, n_background)
    if isinstance(structure, Mixture):
        return sum(expected_seconds(member.structure, n_rows, n_background) for member in structure.members)
    return math.inf


@dataclass
class _Learner:
    """The runs of one learner: sizes of the models that wait, and what the explained ones took."""

    n_waiting: int = 0
    size_waiting: float = 0.0
    n_seen: int = 0
    size_seen: float = 0.0
    whole: float = 0.0
    least: float = 0.0

    def put(self, run: Queued, sign: int) -> None:
        """Add a run to those that wait, or take it from them."""
        self.n_waiting += sign
        self.size_waiting += sign * run.nbytes


class Plan:
    """The time that each run of a queue may take. Several threads use it at once.

    A run gets what its fewest rows need, and a share of what is left when the fewest rows of all other runs are set aside.

    Parameters
    ----------
    runs : sequence of Queued
        The queue.
    deadline : float
        Time on the clock `time.monotonic`. It is put off by the time in which kernels are compiled.
    n_threads : int
        Number of runs explained at the same time.
    """

    def __init__(self, runs: Sequence[Queued], deadline: float, n_threads: int) -> None:
        self._n_threads = n_threads
        self._started, self._deadline = time.monotonic(), deadline
        self._compiled = seconds_compiled()
        self._first = runs[0] if runs else None
        self._best = next((run for run in runs if run.kind == "trial"), None)
        self._learners: defaultdict[str, _Learner] = defaultdict(_Learner)
        for run in runs:
            self._learners[run.learner].put(run, 1)
        self._lock = threading.Lock()
        self._why = ""

    def start(self, run: Queued) -> float:
        """Return the seconds that a run may take, and take it from the queue; 0 if the time is over."""
        with self._lock:
            least, whole = self._waiting()
            learner = self._learners[run.learner]
            learner.put(run, -1)
            left = self._deadline - self._now()
            if left <= 0.0:
                return 0.0
            if (
                run is self._first or learner.whole <= 0.0
            ):  # nothing is known: none has been explained, or all was compiling
                return max(left, 1.0) * (FIRST_SHARE if run is self._first else NEXT_SHARE)
            mine = self._of(learner, learner.least, run)
            wanted = self._of(learner, learner.whole, run) - mine
            slack = max(left * self._n_threads - least, 0.0)
            share = slack * (wanted / (whole - least) if wanted > 0.0 else 0.0)
            return min(left, max(mine + share, SHORTEST))

    def must(self, run: Queued) -> bool:
        """Whether a run is explained whatever the time: a final model, or the first trial of the queue, which is the best."""
        return run is self._best or run.kind != "trial"

    def latest(self, run: Queued, began: float) -> float:
        """Return the seconds that a run, begun at this time, may still take before it is left behind."""
        return self._left(began, *(MUST_LATE if self.must(run) else LATE))

    def is_waited_for(self, run: Queued, began: float) -> bool:
        """Whether a run is late, and is not left behind yet since it is explained whatever the time."""
        return self.must(run) and self._left(began, *LATE) < 0.0

    def _left(self, began: float, share: float, least: float) -> float:
        budget = max(self._deadline - self._started, 0.0)
        return max(began, self._deadline) + max(share * budget, least) - self._now()

    def _now(self) -> float:
        """The time, without what kernels took to compile since the beginning: once for a machine, whatever is explained."""
        return time.monotonic() - (seconds_compiled() - self._compiled)

    def finish(self, run: Queued, seconds: float, whole: float, least: float) -> None:
        """Note what a run took.

        Parameters
        ----------
        run : Queued
        seconds : float
            Time that it took.
        whole, least : float
            Multiples of this time that all rows, and the fewest rows, would have taken.
        """
        with self._lock:
            learner = self._learners[run.learner]
            learner.n_seen += 1
            learner.size_seen += run.nbytes
            learner.whole += seconds * whole
            learner.least += seconds * least

    def expected(self, run: Queued) -> float:
        """Return about how long all rows of a run take; infinite if no run of its learner has been explained."""
        with self._lock:
            learner = self._learners[run.learner]
            return self._of(learner, learner.whole, run) if learner.whole > 0.0 else math.inf

    def why_skipped(self) -> str:
        """Return why a run is not explained that is reached when the time is over, and how much more all runs need."""
        with self._lock:
            if not self._why:
                budget = max(self._deadline - self._started, 0.0)
                needed = max(self._now() - self._started, 0.0) + self._waiting()[1] / self._n_threads
                self._why = (
                    f"the time for explanations had run out: explaining all runs takes about {needed:.2g} s, and there were "
                    f"{budget:.2g} s. Set ExplainabilityOptions(time_budget={_rounded_up(1.2 * needed)})"
                )
            return self._why

    @staticmethod
    def _of(learner: _Learner, total: float, run: Queued) -> float:
        """Return the part of what a learner's runs took that a run of it may take, by the size of its model."""
        if learner.size_seen and run.nbytes:
            return total / learner.size_seen * run.nbytes
        return total / learner.n_seen

    def _waiting(self) -> tuple[float, float]:
        """Return the seconds for the fewest rows, and for all rows, of the runs that wait.

        A learner of which no run has been explained is taken for the mean of the others.
        """
        learners = self._learners.values()
        n_seen = max(1, sum(one.n_seen for one in learners))
        mean_least, mean_whole = (
            sum(one.least for one in learners) / n_seen,
            sum(one.whole for one in learners) / n_seen,
        )
        least = whole = 0.0
        for one in learners:
            if not one.n_seen:
                least, whole = least + one.n_waiting * mean_least, whole + one.n_waiting * mean_whole
                continue
            scale = one.size_waiting / one.size_seen if one.size_seen else one.n_waiting / one.n_seen
            least, whole = least + scale * one.least, whole + scale * one.whole
        return least, whole


def _rounded_up(seconds: float) -> int:
    """Return seconds rounded up to two digits."""
    unit = 10 ** max(0, math.floor(math.log10(max(seconds, 1.0))) - 1)
    return int(math.ceil(seconds / unit) * unit)
