"""Runs of a FLAML search: of each trial, and of the model that `predict` uses."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

from automl_explain.explainers._errors import AutoMLExplainWarning
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.integrations._vote import about_ensemble
from automl_explain.integrations.searches._captured_run import CapturedRun
from automl_explain.integrations.searches.flaml._kept import described, without_rows
from automl_explain.integrations.searches.flaml._tap import MetricTap, Trial, own_config


def captured(automl: Any, trial: Trial, tap: MetricTap) -> CapturedRun:
    """Return the run of a trial of an AutoML object."""
    learner, config = tap.learner_of(trial.learner), own_config(trial.config)
    return CapturedRun(
        trial.number, learner, config, trial.loss, tap.metric_name,
        sample_size=trial.sample_size, why=trial.why, failed=trial.failed, part_losses=trial.fold_losses,
        read=partial(_described_trial, automl, trial) if trial.models else None,
        measure=partial(tap.block_losses, trial) if trial.models else None,
        nbytes=trial.nbytes, fitted_to_rows=len(trial.models) > 1,
        score=partial(tap.scores_of_trial, trial) if len(trial.models) == 1 else None,
        to_keep=lambda: partial(described, trial.load(), without_rows(automl), "trial"),
    )  # fmt: skip


def final_model(automl: Any, tap: MetricTap) -> CapturedRun | None:
    """Return the run of the model that `predict` uses; None if that is the model of a trial, or there is none."""
    model = automl.model
    if model is None:
        return None
    is_stack = not hasattr(model, "estimator_class")
    inner = None if is_stack else model.estimator
    if tap.in_others and not is_stack and not automl._state.retrain_final:
        return None  # predict uses a trial's model, which was fitted in another process
    kept = [] if tap.in_others else [seen for trial in tap.trials for seen in trial.models]
    if inner is not None and any(inner is seen.estimator for seen in kept):
        return None  # predict uses the model of a trial
    kind = "ensemble" if is_stack else "refit"
    learner, config = about_ensemble(model) if is_stack else (automl.best_estimator, automl.best_config)
    has_validation = automl._given[3] is not None
    return CapturedRun(
        len(tap.trials), learner, config, None, tap.metric_name, kind=kind,
        read=lambda: described([model], automl, kind, automl._shared),
        to_keep=lambda: partial(described, [model], without_rows(automl), kind),
        score=partial(tap.scores, model) if has_validation else None, fitted_to_rows=not has_validation,
    )  # fmt: skip


def warn_of_missing(automl: Any, tap: MetricTap) -> None:
    """Warn about trials of a parallel search whose models were not collected, such as those of other machines."""
    missing = sum(automl._iter_per_learner.values()) - len(tap.trials)
    if (automl._use_ray or automl._use_spark) and missing > 0:
        warnings.warn(
            f"{missing} trials of this search have no run: their worker processes wrote no file into the run history. "
            "Check that the disk has space. If workers run on other machines, pass history=DIR with a directory that all "
            "machines share.",
            AutoMLExplainWarning,
            stacklevel=4,
        )


def _described_trial(automl: Any, trial: Trial) -> FittedModel:
    return described(trial.load(), automl, "trial", automl._shared)
