"""What an explainer knows of the studies that use it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from automl_explain.integrations.history._run import Run
from automl_explain.integrations.history._run_history import RunHistory
from automl_explain.integrations.recording._search_record import SearchRecord
from automl_explain.integrations.sealed._kept_models import KeptModels
from automl_explain.integrations.sealed._limits import GIB
from automl_explain.integrations.searches._captured_run import CapturedRun, in_order, last_step
from automl_explain.integrations.searches._memory import keep_within_memory
from automl_explain.integrations.searches.optuna._lookup import name_of
from automl_explain.integrations.searches.optuna._trial import TrialCapture


def stored_runs(history: RunHistory, search: str, captured: Sequence[CapturedRun]) -> list[Run]:
    """Return captured runs as they are stored; none of a search that was removed meanwhile."""
    stored = {run.id: run for run in history.runs(search)}
    return [stored[run.id] for run in captured if run.id in stored]


@dataclass(eq=False)
class SeenStudy:
    """A study that uses an explainer: its search, and the captured trials and final models not yet explained."""

    study: optuna.Study
    search: str
    record: SearchRecord
    metric: str
    target: Callable[[FrozenTrial], float] | None = None
    kept: KeptModels | None = None
    seen: dict[int, TrialCapture] = field(default_factory=dict)
    finals: dict[str, TrialCapture] = field(default_factory=dict)
    unwritten: list[CapturedRun] = field(default_factory=list)
    untold: dict[int, tuple[TrialCapture, int]] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def loss_of(self, trial: FrozenTrial) -> float:
        """Return the loss of a finished trial; an error of the user's target passes through."""
        sign = -1.0 if self.study.directions[0] == optuna.study.StudyDirection.MAXIMIZE else 1.0
        return float(self.target(trial)) if self.target else sign * float(trial.values[0])

    def note_losses(self, untold: Mapping[int, tuple[TrialCapture, int]]) -> None:
        """Record the losses of trials that the study was told in the meantime; the others are untold still."""
        for number, (seen, place) in untold.items():
            found = self.study._storage.get_trial(place)
            if found.state == TrialState.COMPLETE:
                with suppress(Exception):  # an error in the user's target is the reason of its run when it is explained
                    self.record.note(seen.learner, found.params, self.loss_of(found), self.metric, number=number)
            elif not found.state.is_finished():
                self.untold[number] = (seen, place)

    def read_losses(self) -> None:
        """Read from the study the state and the loss of each captured trial."""
        ended = {trial.number: trial for trial in self.study.get_trials(deepcopy=False)}
        for seen in self.seen.values():
            trial = ended[seen.number]
            seen.config, seen.told = dict(trial.params), trial.state.is_finished()
            seen.name = name_of(trial)
            if trial.state == TrialState.COMPLETE:
                try:
                    seen.loss = self.loss_of(trial)
                except Exception as error:  # an error in the user's function fails this run only
                    seen.release(f"its target raised {type(error).__name__}: {error}", failed=True)
            elif trial.state == TrialState.PRUNED:
                step = trial.last_step
                seen.release("the study pruned the trial" + ("" if step is None else f" at step {step}"))
            elif trial.state == TrialState.FAIL and not seen.failed:
                seen.release("the study counts the trial as failed: its objective returned no number", failed=True)

    def keep_within_memory(self, limit: float) -> None:
        """Release the models of the worst trials until the rest take at most `limit` GiB."""
        held = [seen for seen in self.seen.values() if seen.nbytes]
        if sum(seen.nbytes for seen in held) > limit * GIB:
            self.read_losses()
            finished = [seen for seen in held if seen.loss is not None]
            keep_within_memory(finished or held, limit)

    def take_finals(self) -> list[TrialCapture]:
        """Return the final models, numbered after the present trials, and remove them from the study."""
        n_trials = len(self.study.get_trials(deepcopy=False))
        finals, self.finals = list(self.finals.values()), {}
        for number, one in enumerate(finals, start=n_trials):
            one.number = number
        return finals


@dataclass(eq=False)
class SeenHere:
    """What an explainer has seen in one process: a fork of it sees the trials of its own process."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    block: ExitStack = field(default_factory=ExitStack)
    studies: dict[str, SeenStudy] = field(default_factory=dict)

    def release_others(self, model: Any, own: TrialCapture) -> None:
        """Release the earlier trials whose model object a later trial has fitted again."""
        with self.lock:
            every = [seen for known in self.studies.values() for seen in (*known.seen.values(), *known.finals.values())]
            again = f"trial {own.number}" if own.kind == "trial" else f"the {own.kind}"
            for other in (seen for seen in every if seen is not own):
                if any(last_step(model) is last_step(held) for held in other.models):
                    other.release(
                        f"{again} fitted the same model object again; make a new one in each trial",
                        failed=True,
                    )


def metric_of(study: optuna.Study, target: Callable[[FrozenTrial], float] | None, facts: Mapping[str, Any]) -> str:
    """Return the name of the loss by which trials are ranked: that of the facts, of the target, or of the study's value."""
    if "metric" in facts:
        return str(facts["metric"])
    if target is not None:
        return getattr(target, "__name__", "target")
    name = (study.metric_names or ["value"])[0]
    return f"-{name}" if study.directions[0] == optuna.study.StudyDirection.MAXIMIZE else name


def facts_of(study: optuna.Study, metric: str, seconds: float, training_rows: int) -> dict[str, Any]:
    """Return what is recorded of the search of a study."""
    return {
        "metric": metric,
        "study": study.study_name,
        "directions": [direction.name.lower() for direction in study.directions],
        "search_seconds": round(seconds, 3),
        "training_rows": training_rows,
    }


def task_of(runs: Sequence[CapturedRun]) -> str:
    """Return the task of the best model that can be read; the reason why another cannot is recorded with its run."""
    for run in in_order(runs):
        if run.read is not None:
            try:
                models = run.read()
            except Exception:
                continue
            return models[0].task if isinstance(models, list) else models.task
    return "unknown"
