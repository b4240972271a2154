"""FLAML's `AutoML` with explanations: the search is the same, and every run is explained.

>>> from automl_explain.integrations.flaml import AutoML
>>> automl = AutoML(model_explainability=True)
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import flaml
from flaml.automl.task.task import CLASSIFICATION, NLP_TASKS, RANK, REGRESSION, TS_FORECAST

from automl_explain.explainers._arguments import check_arguments
from automl_explain.explainers._errors import InvalidInputError, MissingExtraError
from automl_explain.explainers.tables._shared_tables import SharedTables
from automl_explain.integrations._vote import warn_of_no_ensemble
from automl_explain.integrations.history._run import Run, Runs, best_trial, final_of
from automl_explain.integrations.history._run_history import RunHistory
from automl_explain.integrations.readers._flaml import check_task, raw_map
from automl_explain.integrations.recording._search_record import SearchRecord
from automl_explain.integrations.recording._termination import terminated_as_interrupted
from automl_explain.integrations.sealed._spool import SPOOL, Spool
from automl_explain.integrations.searches._captured_run import CapturedRun, ExplanationJob, RunTables
from automl_explain.integrations.searches._explain_runs import explain_again, explain_runs
from automl_explain.integrations.searches._kept_runs import kept_models
from automl_explain.integrations.searches._options import ExplainabilityOptions, has_package, need_java
from automl_explain.integrations.searches._search_bar import search_bar
from automl_explain.integrations.searches.flaml._facts import facts_of, first_facts
from automl_explain.integrations.searches.flaml._kept import TrialKeeper
from automl_explain.integrations.searches.flaml._mlflow_log import own_log
from automl_explain.integrations.searches.flaml._rows import (
    Shared,
    features,
    fetched,
    own_tables,
    raw_columns,
    with_own_labels,
)
from automl_explain.integrations.searches.flaml._runs import captured, final_model, warn_of_missing
from automl_explain.integrations.searches.flaml._tap import MetricTap, class_name
from automl_explain.integrations.searches.flaml._words import CountsWords

FLAML_TASKS = {*CLASSIFICATION, *REGRESSION, *RANK, *TS_FORECAST, *NLP_TASKS}
UNBOUNDED = 1_000_000
"""FLAML's greatest number of trials if neither the caller nor the time budget sets one."""
OWN_SETTINGS = ("model_explainability", "explainability_options", "history", "experiment", "text_columns")


class _Unwritten(NamedTuple):
    """Runs that could not be written, or whose explanations could not, the job to explain them, and their tap."""

    job: ExplanationJob
    runs: list[CapturedRun]
    tap: MetricTap

    @property
    def are_recorded(self) -> bool:
        """Whether the history knows the runs, also if an error ended explaining them."""
        return any(run.id for run in self.runs)


class AutoML(CountsWords, flaml.AutoML):  # type: ignore[misc, name-defined]
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
    text_columns : "auto", str, or sequence of str, optional
        Columns of texts of a frame `X_train`, whose words are counted by TF-IDF: FLAML gets a column per word, of the 1,000
        most frequent ones, in the place of the texts, and `predict` takes rows with texts. "auto" finds columns of several
        words per cell. Default: none, so that FLAML reads texts as categories, or leaves them out.
    **settings
        FLAML's own settings. The five settings above may also be passed to `fit`.

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
        self._unwritten: _Unwritten | None = None
        self._experiment: str | None = None
        self._plan: tuple[ExplainabilityOptions, RunHistory] | None
        self._tap: MetricTap | None
        self._record: SearchRecord | None
        self._shared: SharedTables | None = None
        super().__init__(**settings)

    def add_learner(self, learner_name: str, learner_class: type) -> None:
        """Add a learner, as FLAML does, and keep its name for the runs.

        Parameters
        ----------
        learner_name : str
            Name of the learner in `estimator_list` and in the runs.
        learner_class : type
            A subclass of FLAML's `BaseEstimator`.
        """
        self._learner_names[learner_class] = learner_name
        super().add_learner(learner_name, learner_class)

    def get_params(self, deep: bool = False) -> dict[str, Any]:
        """Return FLAML's settings and those of the explanations, so that a clone has both.

        Parameters
        ----------
        deep : bool, default False
            As in scikit-learn.

        Returns
        -------
        dict
            Names and values.
        """
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
        X_train : DataFrame, ndarray or csr_matrix of shape (n, f), optional
            Training rows.
        y_train : array-like of shape (n,), optional
            Their labels or numbers.
        dataframe : DataFrame, optional
            Training rows with their labels, instead of `X_train` and `y_train`.
        label : str, optional
            The column of `dataframe` that holds the labels.
        *args, **kwargs
            As in `flaml.AutoML.fit`; also the five settings of the constructor, for this fit only.

        Raises
        ------
        UnsupportedTaskError
            If the task cannot be explained; raised before the search.
        HistoryError
            If the history cannot be written; raised before the search.
        InvalidInputError
            If `text_columns` names no columns of a frame `X_train`; raised before the search.
        MissingExtraError
            If ``use_ray=True`` and Ray is not installed, or ``use_spark=True`` and PySpark or Java is not; raised before the
            search.

        Notes
        -----
        FLAML checks its own arguments first and raises its own errors, as it does without explanations.
        """
        own = self._explainability | {name: kwargs.pop(name) for name in OWN_SETTINGS if name in kwargs}
        self._search_runs, self._unwritten = None, None
        self._experiment = own.get("experiment")
        self._given = (X_train, dataframe, label, kwargs.get("X_val"), kwargs.get("y_val"))
        self._plan, self._tap, self._record = None, None, None
        started = time.monotonic()
        try:
            check_arguments({"model_explainability": own.get("model_explainability", False)})
            if own.get("model_explainability", False):
                options = ExplainabilityOptions.read(own.get("explainability_options"))
                self._check_task(args[1] if len(args) > 1 else kwargs.get("task"))
                self._check_elsewhere(options, kwargs)
                self._plan = (options, RunHistory.to_write(own.get("history")))
            X_train, kwargs = self._count_words(own.get("text_columns"), X_train, kwargs)
            with terminated_as_interrupted() if self._plan else nullcontext():
                super().fit(X_train, y_train, dataframe, label, *args, **kwargs)
                self._explain_search(started)
        except ModuleNotFoundError as error:
            if self._plan is None or error.name != "ray":
                raise
            raise MissingExtraError("use_ray=True needs Ray: pip install 'automl-explain[ray]'") from error
        finally:
            if self._record is not None:
                self._record.end()
            self._shared = None
            del self._given, self._plan, self._tap, self._record

    def _search(self) -> None:
        """Search as FLAML does, with the metric tapped. FLAML has checked its arguments and read the tables before."""
        self._given = given = tuple(fetched(value) for value in self._given)
        self.raw_columns_ = raw_columns(*given[:3])
        if self._plan is None:
            super()._search()
            return
        options, history = self._plan
        self._check_task(self._state.task)
        state = self._state
        metric, aggregate = state.metric, state.cv_score_agg_func
        spool = Spool(history.directory / SPOOL, options.memory_limit)
        one_table = state.eval_method == "holdout"
        self._record = record = SearchRecord(history, "flaml", first_facts(self, options), spool=spool.name)
        names = {class_name(cls): name for cls, name in self._learner_names.items()}
        tap = MetricTap(
            metric, aggregate, state.log_training_metric, options, spool, task=state.task, one_table=one_table,
            record=record, names=names,
        )  # fmt: skip
        started = time.monotonic()
        trials = self._max_iter if self._max_iter < UNBOUNDED else None
        tap.keeper = self._keeper(tap, options, history)
        try:
            with search_bar(state.time_budget, trials, options.progress) as tap.listener, own_log(self, metric, tap):
                state.metric, state.cv_score_agg_func = tap, tap.end_of_folds
                super()._search()
            tap.collect()
        except BaseException:
            tap.collect()
            self._record_interrupted(tap, options, history, time.monotonic() - started)
            raise
        finally:
            tap.listener, tap.keeper = None, None
            state.metric, state.cv_score_agg_func = metric, aggregate
        self._tap = tap

    def explain(self) -> list[Run]:
        """Explain the runs of the last `fit` that could not be written, such as to a full disk.

        `fit` has explained all others, so that nothing is done if there are none.

        Returns
        -------
        list of Run
            Every run of the last fit; empty without explanations.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> automl = AutoML(model_explainability=True)
        >>> automl.fit(X, y, task="classification", max_iter=2, estimator_list=["lgbm"], verbose=0)
        >>> [run.status for run in automl.explain()]  # after space was made on the disk, if a run had failed
        ['explained', 'explained', 'explained']
        """
        if self._unwritten is not None:
            left = self._unwritten
            job = replace(left.job, deadline=time.monotonic() + left.job.options.seconds(0.0))
            explain = explain_again if left.are_recorded else explain_runs
            with terminated_as_interrupted():
                self._keep_unwritten(job, explain(job, left.runs), left.tap)
        return self.runs

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_unwritten": None}  # models of trials stay in their process

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

    def _check_elsewhere(self, options: ExplainabilityOptions, given: dict[str, Any]) -> None:
        """Refuse Spark that cannot start, and to keep models of other processes, which do not have the rows of the search."""
        settings = {"use_ray": False, "use_spark": False, **self._settings, **given}
        elsewhere = any(settings[name] not in (None, False) for name in ("use_ray", "use_spark"))
        if options.keep_models and elsewhere:
            raise InvalidInputError(
                "keep_models=True keeps the models of trials in the process of the search. Leave it out, or search without "
                "use_ray and use_spark."
            )
        if settings["use_spark"] and has_package("spark"):  # FLAML itself says that the package is missing
            need_java()

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
            if self._unwritten is None:
                tap.remove()

    def _keep_unwritten(self, job: ExplanationJob, runs: list[CapturedRun], tap: MetricTap) -> None:
        """Keep runs whose explanations could not be written for `explain`, and the files of their models."""
        self._unwritten = _Unwritten(job, runs, tap) if runs else None
        if not runs:
            tap.remove()

    def _tables(self, X_train: Any, dataframe: Any, label: Any, X_val: Any) -> tuple[Any, Any]:
        """Training and validation rows as FLAML's learners see them; without validation rows, training rows for both."""
        train = self.preprocess(features(X_train, dataframe, label))
        return train, train if X_val is None else self.preprocess(X_val)

    def _explain(
        self, tap: MetricTap, options: ExplainabilityOptions, history: RunHistory, search_seconds: float
    ) -> None:
        warn_of_missing(self, tap)
        seen = tap.seen
        if seen is None:
            return  # no trial was scored
        if self._ensemble and hasattr(self.model, "estimator_class"):
            warn_of_no_ensemble(self.best_estimator, [name for name, tried in self._iter_per_learner.items() if tried])
        runs = [captured(self, trial, tap) for trial in tap.trials]
        final = final_model(self, tap)
        if final is not None:
            runs.append(final)
        search = self._start_search(tap, seen, options, search_seconds)
        tables = self._tables_of(seen, options)
        self._shared = SharedTables((one.data, self.preprocess(one.data)) for one in (tables.background, tables.rows))
        deadline = time.monotonic() + options.seconds(search_seconds)
        kept = kept_models(history, search, options)
        job = ExplanationJob(history, search, options, deadline, tables, kept=kept, complete=True)
        self._unwritten = _Unwritten(job, runs, tap)  # in case that nothing can be written
        self._keep_unwritten(job, explain_runs(job, runs), tap)

    def _tables_of(self, seen: Shared, options: ExplainabilityOptions) -> RunTables:
        """Return the rows on which models are explained, with the caller's columns and labels."""
        tables = with_own_labels(seen.tables, self.label_transformer)
        if raw_map(self.feature_transformer, self.raw_columns_, self.word_parents_) is None:
            return tables
        valid = self._given[3:] if self._state.eval_method == "holdout" else (None, None)
        return own_tables(tables, features(*self._given[:3]), valid, self.preprocess, options)

    def _keeper(self, tap: MetricTap, options: ExplainabilityOptions, history: RunHistory) -> TrialKeeper | None:
        """Return what keeps the models of trials in files, if that is wanted."""
        assert self._record is not None
        kept = kept_models(history, self._record.search, options)
        if kept is None:
            return None

        def tables() -> RunTables:
            assert tap.seen is not None
            return self._tables_of(tap.seen, options)

        return TrialKeeper(tap, kept, options, self._record.name, partial(captured, self, tap=tap), tables)

    def _record_interrupted(
        self, tap: MetricTap, options: ExplainabilityOptions, history: RunHistory, search_seconds: float
    ) -> None:
        """Record the scored trials of a search that was interrupted."""
        seen = tap.seen
        if seen is None:
            return
        search = self._start_search(tap, seen, options, search_seconds)
        runs = [captured(self, trial, tap) for trial in tap.trials]
        for run in runs:
            run.release("the search was interrupted")
        history.add_runs(search, [run.as_row() for run in runs], complete=True)
        tap.remove()

    def _start_search(self, tap: MetricTap, seen: Shared, options: ExplainabilityOptions, search_seconds: float) -> str:
        """Record what is known of the search at its end."""
        assert self._plan is not None
        assert self._record is not None
        history, facts = self._plan[1], facts_of(self, tap, seen, options, search_seconds)
        search = history.start_search("flaml", self._state.task.name, facts, search=self._record.search)
        self._search_runs = (history, search)
        return search


__all__ = ["AutoML", "ExplainabilityOptions"]
