"""From an Optuna trial or study to its run in a history.

Nothing is written to a trial, since each write would be a transaction of its storage. Instead, a study holds the id of its
search and the path of its history, and a run is recorded under a name that every copy of its trial leads to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from automl_explain.explainers._errors import ExplanationNotFoundError, HistoryError, RunNotFoundError
from automl_explain.integrations.history._index import default_directory
from automl_explain.integrations.history._run import Run
from automl_explain.integrations.history._run_history import RunHistory
from automl_explain.integrations.history.index_tables._known_ids import new_id, run_id
from automl_explain.integrations.history.index_tables._schema import INDEX

ATTRIBUTE = "automl_explain"
"""User attribute of a study: the id of its search, and the path of its history."""

USED: dict[Path, None] = {}
"""Directories of the histories that this process wrote to, in order."""


def search_of(study: optuna.Study, history: RunHistory) -> str:
    """Return the id of the search of a study, which is written to the study when an explainer first sees it."""
    kept = study.user_attrs.get(ATTRIBUTE)
    if kept is None:
        with history.alone():  # if several processes begin at once, one of them creates the id
            kept = study.user_attrs.get(ATTRIBUTE)
            if kept is None:
                kept = {"search": new_id(), "history": str(history.directory.absolute())}
                study.set_user_attr(ATTRIBUTE, kept)
    return str(kept["search"])


def run_of_trial(trial: FrozenTrial | optuna.Trial, history: RunHistory | None = None) -> Run:
    """Return the run of a trial that a `TrialExplainer` recorded, in this process or another.

    Parameters
    ----------
    trial : FrozenTrial or Trial
    history : RunHistory, optional
        Where to look. Default: the default history, and the histories that this process wrote to.

    Raises
    ------
    ExplanationNotFoundError
        If no history has the trial, or several runs match it.
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
            f"Trial {trial.number} matches several runs of {looked}, whose studies began at the same time: "
            f"{[run.id for run in found]}. Pass one of these ids."
        )
    raise ExplanationNotFoundError(
        f"Trial {trial.number} ({trial.state.name}) has no run in {looked}. If it was not seen by a TrialExplainer, put the "
        "objective's body into 'with explainer.trial(trial) as seen:' and call seen.capture(model, X_valid). If the search is "
        "still running, its runs are explained at the end of the 'with TrialExplainer(...)' block or by explain(). If its "
        "history is in another directory, pass the study instead of its best trial, or history=RunHistory(DIR)."
    )


def run_of_study(study: optuna.Study, history: RunHistory | None = None) -> Run:
    """Return the run of a study's best trial.

    Raises
    ------
    ExplanationNotFoundError
        If no explainer saw the trial, its runs have not been recorded, or the study has no best trial.
    HistoryError
        If the history of the study does not exist.
    """
    try:
        best = study.best_trial
    except (ValueError, RuntimeError) as error:
        raise ExplanationNotFoundError(
            f"Study {study.study_name!r} has no best trial ({error}). Pass one of its trials; for several objectives, one of "
            "study.best_trials."
        ) from error
    return _run_of(study, best.number, history)


def _run_of(study: optuna.Study, number: int, history: RunHistory | None) -> Run:
    kept = study.user_attrs.get(ATTRIBUTE)
    if kept is None:
        raise ExplanationNotFoundError(
            f"Trial {number} was not seen by a TrialExplainer, nor was any other of its study. Put the objective's body into "
            "'with explainer.trial(trial) as seen:' and call seen.capture(model, X_valid)."
        )
    if history is None:
        if not _holds_one(Path(kept["history"])):
            raise HistoryError(
                f"The history of the study, {kept['history']}, does not exist. Pass history=RunHistory(DIR) with its present "
                "directory."
            )
        history = RunHistory(kept["history"])
    try:
        return history.run(run_id(kept["search"], number))
    except RunNotFoundError as error:
        raise ExplanationNotFoundError(
            f"Trial {number} has no run in {history.directory} yet. Runs are explained at the end of the "
            "'with TrialExplainer(...)' block or by explain(), in the process that ran the trial."
        ) from error


def _holds_one(directory: Path) -> bool:
    return (directory / INDEX).exists()


def name_of(trial: FrozenTrial) -> str:
    """Return the name of a trial in the history, the same for every copy of it that a storage returns."""
    return trial_name(trial.number, trial.datetime_start)


def trial_name(number: int | str, began: Any) -> str:
    """Return that name from a trial's number and the time at which it began, as a date or as text."""
    return f"optuna {number} {began}"
