"""FLAML's `AutoML` with explanations: the search is the same, and every run is explained.

>>> from automl_explain.integrations.flaml import AutoML
>>> automl = AutoML(model_explainability=True)
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import flaml
import pandas as pd
from flaml.automl.task.task import CLASSIFICATION, NLP_TASKS, RANK, REGRESSION, TS_FORECAST

from automl_explain.explainers._errors import AutoMLExplainWarning, MissingExtraError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._registry import describe
from automl_explain.integrations._vote import about_ensemble
from automl_explain.integrations.history._run import Run, Runs, best_trial, final_of
from automl_explain.integrations.history._run_history import RunHistory
from automl_explain.integrations.readers._flaml import check_task, in_search, mean_of, raw_map
from automl_explain.integrations.searches._captured_run import CapturedRun, ExplanationJob
from automl_explain.integrations.searches._explain_runs import explain_runs
from automl_explain.integrations.searches._flaml_tap import (
    MetricTap,
    Shared,
    Trial,
    class_name,
    own_tables,
    with_own_labels,
)
from automl_explain.integrations.searches._options import ExplainabilityOptions, made_with
from automl_explain.integrations.searches._search_bar import search_bar
from automl_explain.integrations.searches._spool import Spool

FLAML_TASKS = {*CLASSIFICATION, *REGRESSION, *RANK, *TS_FORECAST, *NLP_TASKS}
UNBOUNDED = 1_000_000
"""FLAML's greatest number of trials if neither the caller nor the time budget sets one."""
OWN_SETTINGS = ("model_explainability", "explainability_options", "history", "experiment")


class AutoML(flaml.AutoML):  # type: ignore[misc, name-defined]
    """`flaml.AutoML` that explains every run.

    Parameters
    ----------
    model_explainability : bool, default False
        Explain the runs of each `fit`. If False, this is FLAML without any change.
    explainability_options : ExplainabilityOptions or dict, optional
        Which runs and rows are explained, and for how long.
    history : RunHistory or path-like, optional
        Where runs and explanations are kept. Default: the user's run history.
    experiment : str, optional
        A name recorded with the search.
    **settings
        FLAML's own settings. The four settings above may also be passed to `fit`.

    Attributes
    ----------
    runs : list of Run
        Every trial of the last fit and its final model.
    best_run : Run
        The trial with the lowest loss.
    final_run : Run
        The run of the model that `predict` uses.

    Notes
    -----
    The search is FLAML's: same trials, same losses, same best model. Fitted models are captured as each trial is scored and
    explained when the search has ended, best first, within a time budget of their own. With ``use_ray`` or ``use_spark``, worker
    processes pickle them into a folder of the run history, which is removed when they have been explained.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> automl = AutoML(model_explainability=True)
    >>> automl.fit(X, y, task="classification", max_iter=3, estimator_list=["lgbm"], verbose=0)
    >>> automl.best_run.status
    'explained'
    """

    def __init__(self, **settings: Any) -> None:
        self._explainability = {name: settings.pop(name) for name in OWN_SETTINGS if name in settings}
        self._learner_names: dict[type, str] = {}
        self._search_runs: tuple[RunHistory, str] | None = None
        self._experiment: str | None = None
        self._plan: tuple[ExplainabilityOptions, RunHistory] | None
        self._tap: MetricTap | None
        self._prepared: tuple[tuple[Any, Any], ...] = ()
        super().__init__(**settings)

    def add_learner(self, learner_name: str, learner_class: type) -> None:
        """Add a learner, as FLAML does, and keep its name for the runs."""
        self._learner_names[learner_class] = learner_name
        super().add_learner(learner_name, learner_class)

    def get_params(self, deep: bool = False) -> dict[str, Any]:
        """Return FLAML's settings and those of the explanations, so that a clone has both."""
        return {**super().get_params(deep), **self._explainability}

    def fit(
        self,
        X_train: Any = None,
        y_train: Any = None,
        dataframe: Any = None,
        label: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Search, then explain.

        Parameters
        ----------
        X_train, y_train, dataframe, label, *args, **kwargs
            As in `flaml.AutoML.fit`; also the four settings of the constructor, for this fit only.

        Raises
        ------
        UnsupportedTaskError
            If the task cannot be explained; raised before the search.
        HistoryError
            If the history cannot be written; raised before the search.
        MissingExtraError
            If ``use_ray=True`` and Ray is not installed; raised before the search.

        Notes
        -----
        FLAML checks its own arguments first and raises its own errors, as it does without explanations.
        """
        own = self._explainability | {name: kwargs.pop(name) for name in OWN_SETTINGS if name in kwargs}
        self._search_runs = None
        self._experiment = own.get("experiment")
        self._given = (X_train, dataframe, label, kwargs.get("X_val"), kwargs.get("y_val"))
        self._plan, self._tap = None, None
        if own.get("model_explainability", False):
            options = ExplainabilityOptions.read(own.get("explainability_options"))
            self._check_task(args[1] if len(args) > 1 else kwargs.get("task"))
            self._plan = (options, RunHistory.to_write(own.get("history")))
        started = time.monotonic()
        try:
            super().fit(X_train, y_train, dataframe, label, *args, **kwargs)
            self._explain_search(started)
        except ModuleNotFoundError as error:
            if self._plan is None or error.name != "ray":
                raise
            raise MissingExtraError("use_ray=True needs Ray: pip install 'automl-explain[ray]'") from error
        finally:
            self._prepared = ()
            del self._given, self._plan, self._tap

    def _search(self) -> None:
        """Search as FLAML does, with the metric tapped. FLAML has checked its arguments and read the tables before."""
        self._given = given = tuple(_fetched(value) for value in self._given)
        self.raw_columns_ = _raw_columns(*given[:3])
        if self._plan is None:
            super()._search()
            return
        options, history = self._plan
        self._check_task(self._state.task)
        state = self._state
        metric, aggregate = state.metric, state.cv_score_agg_func
        spool = Spool(history.directory / "spool")
        one_table = state.eval_method == "holdout"
        tap = MetricTap(
            metric, aggregate, state.log_training_metric, options, spool, task=state.task, one_table=one_table
        )
        started = time.monotonic()
        trials = self._max_iter if self._max_iter < UNBOUNDED else None
        try:
            with search_bar(state.time_budget, trials, options.progress) as tap.listener, self._logged_as(metric, tap):
                state.metric, state.cv_score_agg_func = tap, tap.end_of_folds
                super()._search()
            tap.collect()
        except BaseException:
            tap.collect()
            self._record_interrupted(tap, options, history, time.monotonic() - started)
            raise
        finally:
            tap.listener = None
            state.metric, state.cv_score_agg_func = metric, aggregate
        self._tap = tap

    # ------------------------------------------------------------------- runs

    @property
    def runs(self) -> list[Run]:
        """Every trial of the last fit in the order of the search, then the final model; empty without explanations."""
        if self._search_runs is None:
            return []
        history, search = self._search_runs
        return Runs(history.runs(search))

    @property
    def best_run(self) -> Run | None:
        """The trial with the lowest loss, explained as the model that was scored; None without explanations.

        If FLAML had a single configuration and scored none, it is the final model.
        """
        runs = self.runs
        return best_trial(runs) or final_of(runs)

    @property
    def final_run(self) -> Run | None:
        """The run of the model that `predict` uses: the refit, the ensemble, or the best trial itself."""
        return final_of(self.runs)

    # ---------------------------------------------------------------- private

    def _check_task(self, task: Any) -> None:
        """Raise an error for a task that FLAML knows and that cannot be explained."""
        task = task or self._settings.get("task")
        name = getattr(task, "name", task)
        if isinstance(name, str) and name in FLAML_TASKS:
            check_task(name)

    @contextmanager
    def _logged_as(self, metric: Any, tap: MetricTap) -> Iterator[None]:
        """Let FLAML's log in MLflow read the metric that FLAML was given, not the tap."""
        integration = self.mlflow_integration
        if integration is None:
            yield
            return
        record = integration.record_state

        def recorded(*args: Any, **kwargs: Any) -> Any:
            self._state.metric = metric
            try:
                return record(*args, **kwargs)
            finally:
                self._state.metric = tap

        integration.record_state = recorded
        try:
            yield
        finally:
            del integration.record_state

    def _explain_search(self, started: float) -> None:
        """Explain the runs of the search that has ended."""
        tap = self._tap
        if self._plan is None or tap is None:
            return
        options, history = self._plan
        if tap.seen is None and self.model is not None:
            # With a single configuration to try, FLAML fits it without scoring it.
            tap.train, tap.validation = self._tables(*self._given[:4])
        try:
            self._explain(tap, options, history, time.monotonic() - started)
        finally:
            tap.remove()

    def _tables(self, X_train: Any, dataframe: Any, label: Any, X_val: Any) -> tuple[Any, Any]:
        """Training and validation rows as FLAML's learners see them; without validation rows, training rows for both."""
        train = self.preprocess(_features(X_train, dataframe, label))
        return train, train if X_val is None else self.preprocess(X_val)

    def _explain(
        self, tap: MetricTap, options: ExplainabilityOptions, history: RunHistory, search_seconds: float
    ) -> None:
        self._warn_of_missing(tap)
        seen = tap.seen
        if seen is None:
            return  # no trial was scored
        runs = [self._captured(trial, tap, search_seconds) for trial in tap.trials]
        final = self._final_model(tap)
        if final is not None:
            runs.append(final)
        search = history.start_search("flaml", self._state.task.name, self._facts(tap, seen, options, search_seconds))
        self._search_runs = (history, search)
        tables = with_own_labels(seen.tables, self.label_transformer)
        if raw_map(self.feature_transformer, self.raw_columns_) is not None:
            valid = self._given[3:] if self._state.eval_method == "holdout" else (None, None)
            tables = own_tables(tables, _features(*self._given[:3]), valid, self.preprocess, options)
        self._prepared = tuple((one.data, self.preprocess(one.data)) for one in (tables.background, tables.rows))
        deadline = time.monotonic() + options.seconds(search_seconds)
        explain_runs(ExplanationJob(history, search, options, deadline, tables), runs)

    def _record_interrupted(
        self, tap: MetricTap, options: ExplainabilityOptions, history: RunHistory, search_seconds: float
    ) -> None:
        """Record the scored trials of a search that was interrupted."""
        seen = tap.seen
        if seen is None:
            return
        search = history.start_search("flaml", self._state.task.name, self._facts(tap, seen, options, search_seconds))
        runs = [self._captured(trial, tap, search_seconds) for trial in tap.trials]
        for run in runs:
            run.release("the search was interrupted")
        history.add_runs(search, [run.as_row() for run in runs])
        self._search_runs = (history, search)
        tap.remove()

    def _warn_of_missing(self, tap: MetricTap) -> None:
        """Warn about trials of a parallel search whose models were not collected, such as those of other machines."""
        missing = sum(self._iter_per_learner.values()) - len(tap.trials)
        if (self._use_ray or self._use_spark) and missing > 0:
            warnings.warn(
                f"{missing} trials of this search have no run: their worker processes wrote no file into the run history. "
                "Check that the disk has space. If workers run on other machines, pass history=DIR with a directory that all "
                "machines share.",
                AutoMLExplainWarning,
                stacklevel=4,
            )

    def _captured(self, trial: Trial, tap: MetricTap, search_seconds: float) -> CapturedRun:
        names = {class_name(cls): name for cls, name in self._learner_names.items()}
        learner = names.get(trial.learner, trial.learner.rpartition(".")[2])
        config = {name: value for name, value in trial.config.items() if name != "FLAML_sample_size"}
        read = partial(self._describe_trial, trial) if trial.models else None
        return CapturedRun(
            trial.number, learner, config, trial.loss, tap.metric_name,
            sample_size=trial.sample_size, read=read, why=trial.why, failed=trial.failed, part_losses=trial.fold_losses,
            measure=partial(tap.block_losses, trial) if trial.models else None,
            nbytes=trial.nbytes, fitted_to_rows=len(trial.models) > 1,
            score=partial(tap.scores_of_trial, trial) if len(trial.models) == 1 else None,
        )  # fmt: skip

    def _describe_trial(self, trial: Trial) -> FittedModel:
        members = [describe(model) for model in trial.load()]
        described = members[0] if len(members) == 1 else mean_of(members)
        return in_search(described, self, "trial", self._prepared)

    def _final_model(self, tap: MetricTap) -> CapturedRun | None:
        model = self.model
        if model is None:
            return None
        is_stack = not hasattr(model, "estimator_class")
        inner = None if is_stack else model.estimator
        if tap.in_others and not is_stack and not self._state.retrain_final:
            return None  # predict uses a trial's model, which was fitted in another process
        kept = [] if tap.in_others else [seen for trial in tap.trials for seen in trial.models]
        if inner is not None and any(inner is seen.estimator for seen in kept):
            return None  # predict uses the model of a trial
        kind = "ensemble" if is_stack else "refit"
        learner, config = about_ensemble(model) if is_stack else (self.best_estimator, self.best_config)
        return CapturedRun(
            len(tap.trials), learner, config, None, tap.metric_name, kind=kind,
            read=lambda: in_search(describe(model), self, kind, self._prepared),
            score=None if self._given[3] is None else partial(tap.scores, model), fitted_to_rows=self._given[3] is None,
        )  # fmt: skip

    def _facts(
        self, tap: MetricTap, seen: Shared, options: ExplainabilityOptions, search_seconds: float
    ) -> dict[str, Any]:
        return {
            **({} if self._experiment is None else {"experiment": self._experiment}),
            "metric": tap.metric_name,
            "loss": self._state.error_metric if isinstance(tap.metric, str) else tap.metric_name,
            "search_seconds": round(search_seconds, 3),
            "evaluation": self._state.eval_method,
            "training_rows": seen.n_training,
            "validation_rows": seen.tables.n_validation,
            "dropped_columns": self._dropped_columns(),
            **made_with(options, "flaml", "lightgbm", "xgboost"),
        }

    def _dropped_columns(self) -> list[str]:
        feature_map = raw_map(self.feature_transformer, self.raw_columns_)
        return [] if feature_map is None else list(feature_map.dropped)


def _fetched(table: Any) -> Any:
    """Return a table; one that lies in Ray's object store is fetched from there, as FLAML does."""
    cls = type(table)
    if cls.__name__ != "ObjectRef" or cls.__module__.partition(".")[0] != "ray":
        return table
    import ray

    return ray.get(table)


def _features(X_train: Any, dataframe: Any, label: Any) -> Any:
    return X_train if X_train is not None else dataframe.drop(columns=label)


def _raw_columns(X_train: Any, dataframe: Any, label: Any) -> list[Any] | None:
    if X_train is None and dataframe is None:
        return None  # FLAML raises the error
    table = _features(X_train, dataframe, label)
    return list(table.columns) if isinstance(table, pd.DataFrame) else None


__all__ = ["AutoML", "ExplainabilityOptions"]
