"""The tap on a FLAML search: a metric that computes what FLAML's own would and keeps the model that is scored.

FLAML calls a metric once per trial (holdout) or fold (cross-validation) with the fitted learner. The tap keeps a reference
to the learner and returns at once; nothing is explained while the search runs. In the worker processes of a parallel search
it writes the learner to a spool, which the search's own process collects at the end.
"""

from __future__ import annotations

import copy
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from flaml.automl.logger import logger
from flaml.automl.ml import _eval_estimator, default_cv_score_agg_func

from automl_explain.explainers.tables._table import as_table
from automl_explain.integrations.recording._search_record import SearchRecord
from automl_explain.integrations.sealed._spool import Spool, Spooled, rows_key
from automl_explain.integrations.searches._captured_run import RunTables
from automl_explain.integrations.searches._memory import keep_within_memory, model_bytes
from automl_explain.integrations.searches._options import ExplainabilityOptions
from automl_explain.integrations.searches.flaml._answers import Answers, Listener
from automl_explain.integrations.searches.flaml._rows import ScoredRows, Shared

IN_OTHERS = "Search without use_ray and use_spark."
"""Advice for a learner that cannot be pickled."""
NO_PROCESS = -1
"""Process of a tap that was copied."""
CONSTANT = "FLAML put a constant model in its place: the trial ran out of time or memory"


@dataclass
class Trial:
    """One configuration that FLAML scored: its models (one, or one per fold), and its loss."""

    number: int
    learner: str
    config: dict[str, Any]
    loss: float | None
    sample_size: int | None
    models: list[Any] = field(default_factory=list)
    why: str = ""
    failed: bool = False
    nbytes: int = 0
    fold_losses: tuple[float, ...] = ()
    answers: Answers = field(default_factory=Answers)

    def load(self) -> list[Any]:
        """Return the models; those of worker processes are loaded from their files."""
        return [model.load() if isinstance(model, Spooled) else model for model in self.models]

    def release(self, why: str) -> None:
        """Drop the models and record why."""
        self.models, self.why, self.nbytes, self.answers = [], why, 0, Answers()


class MetricTap:
    """A FLAML metric that replaces another and keeps the models that it scores.

    Parameters
    ----------
    metric : str or callable
        The metric that FLAML scores with, such as "roc_auc".
    aggregate : callable or None
        The user's ``cv_score_agg_func``.
    log_training_metric : bool or None
        Whether FLAML also logs the training loss.
    options : ExplainabilityOptions
        Which runs are explained, and how much memory their models may take.
    spool : Spool
        Where worker processes write their models.
    task : flaml Task, optional
        What FLAML searches for: it says how a named metric reads predictions.
    one_table : bool, default False
        Whether all trials are scored on the same validation rows. Their noise can then be measured if the metric is a name.
    record : SearchRecord, optional
        Records each trial as it ends.
    names : mapping, optional
        Class name of a learner -> its name in the search.
    """

    def __init__(
        self,
        metric: Any,
        aggregate: Any,
        log_training_metric: bool | None,
        options: ExplainabilityOptions,
        spool: Spool,
        *,
        task: Any = None,
        one_table: bool = False,
        record: SearchRecord | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        self.metric = metric
        self.user_aggregate = aggregate
        self._log_training_metric = bool(log_training_metric)
        self._options, self._task, self._one_table = options, task, one_table and isinstance(metric, str)
        self._has_folds, self._record, self._names = not one_table, record, dict(names or {})
        self._spool, self._process = spool, os.getpid()
        self._reset()
        self.metric_name = metric if isinstance(metric, str) else getattr(metric, "__name__", type(metric).__name__)

    def _reset(self) -> None:
        self._wrapper: Any = None
        self._config: dict[str, Any] = {}
        self._token = ""
        self.listener: Callable[[float], object] | None = None
        self.keeper: Callable[[Trial], object] | None = None
        self.trials: list[Trial] = []
        self.train: Any = None
        self.validation: Any = None
        self.truth: Any = None
        self._collected: Shared | None = None
        self._scored: ScoredRows | None = None

    @property
    def _in_worker(self) -> bool:
        """Whether this is not the tap that the search asks for its models, or a fork of it."""
        return os.getpid() != self._process

    def __getstate__(self) -> dict[str, Any]:
        # A worker needs the settings for scoring, not the captured models.
        names = (
            "metric",
            "user_aggregate",
            "metric_name",
            "_log_training_metric",
            "_options",
            "_task",
            "_one_table",
            "_spool",
            "_has_folds",
            "_record",
            "_names",
        )
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        # Spark may run a trial in the search's own process, but with a copy of the tap, which nobody asks for its models.
        self._process = NO_PROCESS
        self._reset()

    def __call__(
        self,
        X_val: Any,
        y_val: Any,
        estimator: Any,
        labels: Any,
        X_train: Any,
        y_train: Any,
        weight_val: Any = None,
        weight_train: Any = None,
        config: Any = None,
        groups_val: Any = None,
        groups_train: Any = None,
    ) -> tuple[float, dict[str, Any]]:
        """Return the loss and the values that FLAML logs, as the replaced metric would, and keep the model."""
        weights = {"sample_weight": weight_train, "groups": groups_train}
        answers = Answers()
        scored = Listener(estimator, X_val, answers) if self._one_table else estimator
        loss, log, _, _ = _eval_estimator(  # type: ignore[no-untyped-call]  # FLAML's own
            config, scored, X_train, y_train, X_val, y_val, weight_val, groups_val,
            self.metric, self._task, labels, self._log_training_metric, weights,
        )  # fmt: skip
        rows = ScoredRows(X_val, y_val, labels, weight_val, groups_val) if self._one_table else None
        self._note(estimator, config, loss, X_train, X_val, y_val, rows, answers)
        return loss, log

    def block_losses(self, trial: Trial) -> tuple[float, ...]:
        """Return the losses of a trial's model on blocks of the validation rows; empty if they cannot be computed."""
        if self._scored is None or len(trial.models) != 1:
            return ()
        return self._scored.block_losses(trial.answers or trial.load()[0], self.metric, self._task, trial.loss)

    def scores(self, model: Any) -> dict[str, float]:
        """Return the usual scores of a model that FLAML has fitted, on the validation rows; empty if they are not known."""
        return {} if self._scored is None else self._scored.scores(model, self._task)

    def told_of(self, trial: Trial) -> dict[str, Any]:
        """Return the functions of `block_losses` and `scores_of_trial` for a trial without this tap."""
        if self._scored is None or len(trial.models) != 1:
            return {"measure": None, "score": None}
        (model,), rows, task = trial.load(), self._scored, self._task
        measure = partial(rows.block_losses, model, self.metric, task, trial.loss)
        return {"measure": measure, "score": partial(rows.scores, model, task)}

    def scores_of_trial(self, trial: Trial) -> dict[str, float]:
        """Return the usual scores of the model of a trial on the validation rows."""
        return self.scores(trial.load()[0])

    def end_of_folds(self, losses: list[float], logs: list[Any]) -> Any:
        """Aggregate the folds of a cross-validated trial as FLAML or the user does, and keep the trial's loss."""
        result = (self.user_aggregate or default_cv_score_agg_func)(losses, logs)
        self._record_trial(self._wrapper, self._config, float(result[0]))
        if self._in_worker:
            try:
                self._spool.write_once(f"loss of {self._token}", lambda: (float(result[0]), tuple(map(float, losses))))
            except Exception:
                self._say_unwritten("loss")
        elif self.trials:
            self.trials[-1].loss, self.trials[-1].fold_losses = float(result[0]), tuple(map(float, losses))
            self._keep_last()
            keep_within_memory(self.trials, self._options.memory_limit)
        self._wrapper = None
        return result

    def _note(
        self,
        wrapper: Any,
        config: Any,
        loss: Any,
        X_train: Any,
        X_val: Any,
        y_val: Any,
        rows: ScoredRows | None,
        answers: Answers,
    ) -> None:
        config = dict(config or {})
        first = wrapper is not self._wrapper
        self._wrapper, self._config = wrapper, config
        if self._in_worker:
            self._token = secrets.token_hex(8) if first else self._token
            self._write(wrapper, config, float(loss), X_train, X_val, y_val, rows)
            if not self._has_folds:
                self._record_trial(wrapper, config, float(loss))
            return
        self._scored = rows
        if first:
            self.trials.append(
                Trial(len(self.trials), class_name(type(wrapper)), config, float(loss), config.get("FLAML_sample_size"))
            )
            if self.listener is not None:
                self.listener(float(loss))
        trial = self.trials[-1]
        # The largest training table is kept: early trials are fitted on a part of the rows.
        if self.train is None or X_train.shape[0] > self.train.shape[0]:
            self.train, self.validation, self.truth = X_train, X_val, y_val
        if _is_constant(wrapper):
            trial.release(CONSTANT)
        elif not trial.why:
            trial.models.append(copy.copy(wrapper))
            trial.answers = answers
            trial.nbytes += model_bytes(wrapper.estimator) + answers.nbytes
            keep_within_memory(self.trials, self._options.memory_limit)
        if not self._has_folds:
            self._record_trial(wrapper, config, float(loss))
            self._keep_last()

    def _keep_last(self) -> None:
        """Keep the models of the last trial in a file, if that is wanted."""
        if self.keeper is not None and self.trials[-1].models:
            self.keeper(self.trials[-1])

    def learner_of(self, cls: str) -> str:
        """Return the name of a learner in the search, given that of its class."""
        return self._names.get(cls, cls.rpartition(".")[2])

    def _record_trial(self, wrapper: Any, config: Mapping[str, Any], loss: float) -> None:
        """Record a trial that has ended, so that it is known if the search is killed."""
        if self._record is None:
            return
        number = None if self._in_worker else len(self.trials) - 1
        self._record.note(
            self.learner_of(class_name(type(wrapper))), own_config(config), loss, self.metric_name,
            task=self._task.name, number=number, key=self._token, sample_size=config.get("FLAML_sample_size"),
        )  # fmt: skip

    def _write(
        self, wrapper: Any, config: dict[str, Any], loss: float, X_train: Any, X_val: Any, y_val: Any, rows: Any
    ) -> None:
        """Write a model of a worker process, and its tables unless another worker has written them."""
        if self._record is not None:
            self._record.announce(self._task.name)
        try:
            key = rows_key(as_table(X_train)) + rows_key(as_table(X_val))
            self._spool.write_once(key, lambda: self._shared(X_train, X_val, y_val))
            if rows is not None:
                self._spool.write_once("scored rows", lambda: rows)
            note = (self._token, class_name(type(wrapper)), config, loss, time.time_ns())
            if _is_constant(wrapper):
                self._spool.write_reason(note, CONSTANT)
            else:
                self._spool.write(note, wrapper, IN_OTHERS)
        except Exception:
            self._say_unwritten("model")

    def _say_unwritten(self, what: str) -> None:
        """Log the error instead of raising it into the search. Trials without a file are counted when the search has ended."""
        if self._options.on_error == "raise":
            raise
        logger.warning(f"automl-explain could not write a trial's {what}", exc_info=True)

    def _shared(self, X_train: Any, X_val: Any, y_val: Any) -> Shared:
        options = self._options
        tables = RunTables(
            as_table(X_train).sample(options.background, options.random_state),
            as_table(X_val).with_labels(y_val).sample(options.max_rows, options.random_state),
            int(X_val.shape[0]),
        )
        return Shared(int(X_train.shape[0]), tables, time.time_ns())

    def collect(self) -> None:
        """Collect the files of worker processes; trials in the order in which they were scored."""
        files, shared = self._spool.read()
        trials: dict[str, Trial] = {}
        for file in sorted(files, key=lambda file: file.note[-1]):
            token, learner, config, loss, _ = file.note
            loss, folds = shared.get(f"loss of {token}", (loss, ()))
            new = Trial(len(trials), learner, config, loss, config.get("FLAML_sample_size"), fold_losses=folds)
            trial = trials.setdefault(token, new)
            if file.why:
                trial.release(file.why)
                trial.failed = file.why != CONSTANT
            elif not trial.why:
                trial.models.append(file)
        self.trials += trials.values()
        seen = [one for one in shared.values() if isinstance(one, Shared)]
        self._collected = max(seen, key=lambda one: (one.n_training, -one.at), default=None)
        self._scored = shared.get("scored rows", self._scored)

    def remove(self) -> None:
        """Remove the files of worker processes."""
        self._spool.clear()

    @property
    def in_others(self) -> bool:
        """Whether trials ran in other processes."""
        return self._collected is not None

    @property
    def seen(self) -> Shared | None:
        """The tables that models are explained on, drawn from the largest training table of any trial."""
        if self.train is None or self.validation is None:
            return self._collected
        return self._shared(self.train, self.validation, self.truth)


def own_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyperparameters of a trial without what FLAML adds to them."""
    return {name: value for name, value in config.items() if name != "FLAML_sample_size"}


def class_name(cls: type) -> str:
    """Return the name of a learner's class, which is the same in every process."""
    return f"{cls.__module__}.{cls.__qualname__}"


def _is_constant(wrapper: Any) -> bool:
    return type(wrapper.estimator).__module__.startswith("sklearn.dummy")
