"""Which run of a history an Optuna trial or study stands for.

Nothing is written to a trial, since that would cost its storage a transaction each: a study names its search and history,
and a run is recorded with what its trial is called in every copy that a storage gives of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from automl_explain.explainers._errors import ExplanationNotFoundError, HistoryError, RunNotFoundError
from automl_explain.integrations.history._run import Run
from automl_explain.integrations.history._run_history import RunHistory, default_directory, run_id

ATTRIBUTE = "automl_explain"
"""User attribute of a study: the id of its search, and the history that has it."""

USED: dict[Path, None] = {}
"""Histories that the explainers of this process wrote to."""


def run_of_trial(trial: FrozenTrial | optuna.Trial, history: RunHistory | None = None) -> Run:
    """Return the run of a trial that a `TrialExplainer` saw, in this process or another.

    Parameters
    ----------
    trial : FrozenTrial or Trial
    history : RunHistory, optional
        Where to look; default: the default history, and those that this process wrote to.

    Raises
    ------
    ExplanationNotFoundError
        If none of these has recorded it.
    """
    if isinstance(trial, optuna.Trial):
        return _run_of(trial.study, trial.number, history)
    default = default_directory().absolute()
    places = [history] if history else [RunHistory(place) for place in {default: None, **USED} if _holds_one(place)]
    found = [run for place in places for run in place.named(name_of(trial))]
    if len(found) == 1:
        return found[0]
    looked = ", ".join(str(place.directory) for place in places) or str(default)
    if found:
        raise ExplanationNotFoundError(
            f"Trial {trial.number} may be any of the runs {[run.id for run in found]} of {looked}, whose studies began at the "
            "same time. Pass one of these ids."
        )
    raise ExplanationNotFoundError(
        f"Trial {trial.number} ({trial.state.name}) has no run in {looked}: it was not seen by a TrialExplainer (put the "
        "objective's body into 'with explainer.trial(trial) as seen:' and call seen.capture(model, X_valid)), or the process "
        "that ran it has not come to the end of its 'with TrialExplainer(...)' block or to explain(), or its runs are kept "
        "elsewhere: pass the study in place of its best trial, or history=RunHistory(DIR)."
    )


def run_of_study(study: optuna.Study, history: RunHistory | None = None) -> Run:
    """Return the run of a study's best trial.

    Raises
    ------
    ExplanationNotFoundError
        If no explainer saw the trial, its process ended before it recorded its runs, or the study has no best trial.
    HistoryError
        If the history that the study names is gone.
    """
    try:
        best = study.best_trial
    except (ValueError, RuntimeError) as error:
        raise ExplanationNotFoundError(
            f"Study {study.study_name!r} has no best trial ({error}). Pass one of its trials: of several objectives one of "
            "study.best_trials."
        ) from error
    return _run_of(study, best.number, history)


def _run_of(study: optuna.Study, number: int, history: RunHistory | None) -> Run:
    kept = study.user_attrs.get(ATTRIBUTE)
    if kept is None:
        raise ExplanationNotFoundError(
            f"Trial {number} was not seen by a TrialExplainer, nor was another of its study. Put the objective's body into "
            "'with explainer.trial(trial) as seen:' and call seen.capture(model, X_valid)."
        )
    if history is None:
        if not _holds_one(Path(kept["history"])):
            raise HistoryError(
                f"The history of the study, {kept['history']}, is not there. Pass history=RunHistory(DIR) with the directory "
                "where it is now."
            )
        history = RunHistory(kept["history"])
    try:
        return history.run(run_id(kept["search"], number))
    except RunNotFoundError as error:
        raise ExplanationNotFoundError(
            f"Trial {number} has no run in {history.directory} yet: runs are recorded when the 'with TrialExplainer(...)' "
            "block or explain() ends; the process that ran the trial has not come to it."
        ) from error


def _holds_one(directory: Path) -> bool:
    return (directory / "history.sqlite").exists()


def name_of(trial: FrozenTrial) -> str:
    """Return what stands for a trial in every copy of it that a storage gives."""
    return trial_name(trial.number, trial.datetime_start)


def trial_name(number: int | str, began: Any) -> str:
    """Return the same from a trial's number and the time at which it began, as a date or as its text."""
    return f"optuna {number} {began}"
