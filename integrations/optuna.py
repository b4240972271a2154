"""Optuna studies with a custom objective: the model of every trial is explained.

>>> from automl_explain.integrations.optuna import TrialExplainer
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._fallback import logger
from automl_explain.integrations.history._run import Run, best_trial
from automl_explain.integrations.history._run_history import RunHistory
from automl_explain.integrations.recording._search_record import SearchRecord
from automl_explain.integrations.recording._termination import terminated_as_interrupted
from automl_explain.integrations.searches._captured_run import ExplanationJob
from automl_explain.integrations.searches._explain_runs import explain_again, explain_runs
from automl_explain.integrations.searches._kept_runs import keep_run, kept_models
from automl_explain.integrations.searches._options import ExplainabilityOptions, made_with
from automl_explain.integrations.searches._word_columns import searched_table
from automl_explain.integrations.searches.optuna._lookup import USED, search_of
from automl_explain.integrations.searches.optuna._study import (
    SeenHere,
    SeenStudy,
    facts_of,
    metric_of,
    stored_runs,
    task_of,
)
from automl_explain.integrations.searches.optuna._trial import CaptureContext, TrialCapture
from automl_explain.integrations.searches.optuna._worker_trials import WorkerTrial, WorkerTrials


class TrialExplainer:
    """Explains the models that a custom objective fits in the trials of an Optuna study.

    Parameters
    ----------
    X_train : ndarray, DataFrame or csr_matrix of shape (B, f)
        The background: rows that stand for absent features, in the form that the models take.
    X_valid : ndarray, DataFrame or csr_matrix of shape (n, f), optional
        The rows explained, unless `capture` is given others.
    y_valid : array-like of shape (n,), optional
        Their true labels, which are kept with ``ExplainabilityOptions(keep_labels=True)``.
    explainability_options : ExplainabilityOptions or dict, optional
        Which trials and how many rows are explained, and for how long.
    history : RunHistory or path-like, optional
        Where runs and explanations are kept. Default: the user's run history.
    features : sequence of str, optional
        Column names, for tables without names.
    target : callable, optional
        Function from a finished trial to the loss by which it is ranked; lower is better. Default: the study's value, with
        the sign changed if the study maximises; for several objectives, the first value. If it raises an error, the run is
        recorded as failed with that reason.
    facts : mapping, optional
        Other facts recorded with the search, as JSON: ``"experiment"``, by which `Experiment.runs` finds it, ``"metric"``,
        the name of its loss, and any others.

    Raises
    ------
    HistoryError
        If the history cannot be written.
    InvalidInputError
        If a table or option cannot be used.

    Notes
    -----
    The study is not changed, except that a user attribute is added to it. Models are captured while it runs and explained
    when the ``with`` block ends, best first, within a time budget of their own.

    `retrieve_model_explanation` finds the run of a trial in the default history and in the histories that this process
    wrote to. In a later process, a history in another directory is found through the study, or passed as ``history``.

    Several processes may work on one study in a storage that they share. Those that get this object, as the workers of
    multiprocessing, joblib or a cluster do, pass their models to the process that made it, which explains them all. They go
    through files in the folder of the history, sealed and pickled. Processes that are started apart each create a
    TrialExplainer with the same history, and explain their own trials; all are runs of one search.

    Examples
    --------
    >>> import optuna
    >>> from lightgbm import LGBMRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> from automl_explain import retrieve_model_explanation
    >>> from automl_explain.integrations.optuna import TrialExplainer
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> def objective(trial):
    ...     with explainer.trial(trial) as seen:
    ...         model = LGBMRegressor(n_estimators=trial.suggest_int("n_estimators", 5, 20), verbose=-1)
    ...         model.fit(X[:300], y[:300])
    ...         seen.capture(model, X[300:])
    ...         return model.score(X[300:], y[300:])
    >>> study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    >>> with TrialExplainer(X[:300]) as explainer:
    ...     study.optimize(objective, n_trials=3)
    >>> shap_values, *_ = retrieve_model_explanation(study.best_trial)
    >>> shap_values.shape
    (142, 10)
    """

    @checked
    def __init__(
        self,
        X_train: Any,
        X_valid: Any = None,
        *,
        y_valid: Any = None,
        explainability_options: ExplainabilityOptions | dict[str, Any] | None = None,
        history: Any = None,
        features: Sequence[str] | None = None,
        target: Callable[[FrozenTrial], float] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.options = ExplainabilityOptions.read(explainability_options)
        self.history = RunHistory.to_write(history)
        USED[self.history.directory.absolute()] = None
        background = searched_table(X_train, "X_train").sample(self.options.background, self.options.random_state)
        valid = None if X_valid is None else searched_table(X_valid, "X_valid").with_labels(y_valid)
        self._tables = (
            background,
            None if valid is None else valid.sample(self.options.max_rows, self.options.random_state),
            0 if valid is None else len(valid),
        )
        self._features, self._target, self._own_facts = features, target, dict(facts or {})
        self._workers = WorkerTrials(self.history.directory, self.options.memory_limit)
        self._reset()

    def _reset(self) -> None:
        self._seen_in: dict[int, SeenHere] = {}
        self._context = CaptureContext(self.options, *self._tables, self._release_others_with)

    def __getstate__(self) -> dict[str, Any]:
        # A worker needs what capturing needs, not the captured models.
        return {name: value for name, value in vars(self).items() if name not in ("_seen_in", "_context")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset()

    @property
    def _here(self) -> SeenHere:
        """What was seen in this process, which may be a fork of the one that made the explainer."""
        return self._seen_in.setdefault(os.getpid(), SeenHere())

    @contextmanager
    def trial(self, trial: optuna.Trial) -> Iterator[TrialCapture]:
        """Capture the models that the objective fits within the block. Pruning and errors pass through it.

        Parameters
        ----------
        trial : optuna.Trial
            The trial that was passed to the objective.

        Yields
        ------
        TrialCapture
            Its `capture` takes the fitted model.
        """
        if self._workers.is_orphan:
            yield TrialCapture(self._context, trial.number)
            return
        with self._here.lock:
            known = self._known(trial.study)
            seen = known.seen.setdefault(trial.number, TrialCapture(self._context, trial.number))
            seen.running = True
        try:
            yield seen
        except optuna.TrialPruned:
            seen.release("the study pruned the trial")
            raise
        except Exception as error:
            seen.release(f"the objective raised {type(error).__name__}: {error}", failed=True)
            raise
        finally:
            seen.running = False
            self._record(known, seen, trial)
            if self._workers.are_elsewhere:
                self._send(known, seen)
        with self._here.lock:
            known.keep_within_memory(self.options.memory_limit)

    def capture_final(
        self,
        study: optuna.Study,
        model: Any,
        X_valid: Any = None,
        *,
        y_valid: Any = None,
        learner: str | None = None,
        config: Mapping[str, Any] | None = None,
        kind: Literal["refit", "ensemble"] = "refit",
    ) -> None:
        """Capture the final model of a study; it is explained first, as a run of its own.

        Parameters
        ----------
        study : optuna.Study
            The study, after its trials.
        model : object
            A fitted model, such as the best configuration fitted again on all rows.
        X_valid : ndarray, DataFrame or csr_matrix, optional
            The rows explained. Default: the `X_valid` of the explainer.
        y_valid : array-like of shape (n,), optional
            Their true labels.
        learner : str, optional
            Name shown. Default: the model's class.
        config : mapping, optional
            Its parameters.
        kind : {"refit", "ensemble"}, default "refit"
            If several models of one kind are captured before they are explained, the last one is used. A model that is
            captured later, such as after the study was continued, is another run.

        Raises
        ------
        InvalidInputError
            In a worker process, whose trials another process explains.
        """
        if self._workers.are_elsewhere:
            raise InvalidInputError(
                f"The process {self._workers.home.process} made this TrialExplainer and explains what it captures: call "
                "capture_final there."
            )
        with self._here.lock:
            known = self._known(study)
        seen = TrialCapture(
            self._context, -1, kind
        )  # it is numbered when it is recorded, since the study may be continued
        seen.capture(model, X_valid, y_valid=y_valid)
        seen.learner, seen.config, seen.told = learner or seen.learner, dict(config or {}), True
        with self._here.lock:
            known.finals[kind] = seen

    def explain(self) -> list[Run]:
        """Explain the trials that have ended since the last call, and return their runs.

        The ``with`` block calls it at its end. Without such a block, call it yourself, as often as needed, also while the
        study runs in other threads or processes: a trial is explained once the study has its result. Worker processes that
        got this object explain nothing.

        Returns
        -------
        list of Run
            Runs explained by this call.

        Raises
        ------
        HistoryError
            If the runs cannot be recorded.
        InvalidInputError
            If the study of worker processes cannot be loaded in this process.
        """
        return self._finish()

    @property
    def runs(self) -> list[Run]:
        """The runs of the studies whose trials were seen, including those of other processes."""
        return [run for search in self._here.studies for run in self.history.runs(search)]

    @property
    def best_run(self) -> Run | None:
        """The run with the lowest loss; None before any was explained."""
        return best_trial(self.runs)

    def __enter__(self) -> TrialExplainer:
        self._here.block.enter_context(terminated_as_interrupted())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        why = None if kind is None else f"the search was interrupted by {kind.__name__}"
        block = self._here.block
        block.callback(self._end_records)
        block.callback(self._finish, why, last=True)
        block.__exit__(kind, error, at)

    # ---------------------------------------------------------------- private

    def _end_records(self) -> None:
        if not self._workers.are_elsewhere:
            for known in self._here.studies.values():
                known.record.end()

    def _send(self, known: SeenStudy, seen: TrialCapture) -> None:
        """Pass a trial that has ended to the process that explains it, and drop its models."""
        del known.seen[seen.number]
        try:
            run = seen.as_run(known.metric, self._features)
            self._workers.send(known.study, known.record.name(seen.number), run, self.options)
        except Exception:  # nothing is raised into the search, whatever the file system or a storage raises
            if self.options.on_error == "raise":
                raise
            logger.warning("trial %s could not be passed to the process that explains it", seen.number, exc_info=True)

    def _collect(self) -> None:
        """Take over the trials that worker processes have passed on."""
        for search, runs in self._workers.collect():
            known = self._here.studies.get(search) or self._new_study(self._workers.study(search))
            known.record.begin()
            known.seen |= {run.number: WorkerTrial(self._context, run) for run in runs}

    def _record(self, known: SeenStudy, seen: TrialCapture, trial: optuna.Trial) -> None:
        """Record a trial that has ended, and the losses of those before it, which the study was told in the meantime."""
        with self._here.lock:
            untold, known.untold = known.untold, {seen.number: (seen, trial._trial_id)}
        known.note_losses(untold)
        known.record.note(seen.learner, trial.params, None, known.metric, number=seen.number)
        if known.kept is not None and seen.models:
            run = seen.as_run(known.metric, self._features)
            keep_run(known.kept, known.record.name(seen.number), run, self.options, self._features)

    def _known(self, study: optuna.Study) -> SeenStudy:
        known = next((known for known in self._here.studies.values() if known.study is study), None)
        return known or self._new_study(study)

    def _new_study(self, study: optuna.Study) -> SeenStudy:
        search, studies = search_of(study, self.history), self._here.studies
        if search not in studies:
            facts, owner = (
                made_with(self.options, "optuna") | self._own_facts,
                self._workers.home._replace(search=search),
            )
            record = SearchRecord(self.history, "optuna", facts, search, self._workers.folder, owner)
            kept = kept_models(self.history, search, self.options)
            metric = metric_of(study, self._target, self._own_facts)
            studies[search] = SeenStudy(study, search, record, metric, self._target, kept)
        known = studies[search]
        known.study = study  # the same study, loaded again
        return known

    def _release_others_with(self, model: Any, own: TrialCapture) -> None:
        self._here.release_others(model, own)

    def _finish(self, interrupted: str | None = None, *, last: bool = False) -> list[Run]:
        """Explain the trials with a result; at the last call, also those whose result the study was not told."""
        runs: list[Run] = []
        if self._workers.are_elsewhere:
            return runs
        with self._here.lock:
            self._collect()
            studies = list(self._here.studies.values())
        for known in studies:
            with self._here.lock:
                known.read_losses()
                seen = [one for one in known.seen.values() if one.told or (last and not one.running)]
                for one in seen:
                    del known.seen[one.number]
                    known.untold.pop(one.number, None)
                seen += known.take_finals()
            again, known.unwritten = known.unwritten, []
            if again:
                deadline = time.monotonic() + self.options.seconds(0.0)
                job = self._job(known, deadline)
                known.unwritten = explain_again(job, again)
                runs += stored_runs(self.history, known.search, again)
            if not seen:
                continue
            metric = metric_of(known.study, self._target, self._own_facts)
            captured = [one.as_run(metric, self._features) for one in seen]
            for run in captured:
                if interrupted and run.read is not None:
                    run.release(interrupted)
            seconds = time.monotonic() - known.started
            self.history.start_search(
                "optuna", task_of(captured), self._facts(known.study, metric, seconds), search=known.search
            )
            deadline = time.monotonic() + self.options.seconds(seconds)
            job = self._job(known, deadline)
            if interrupted:
                job = replace(job, kept=None)  # they stay, for `resume_search`
            known.unwritten += explain_runs(job, captured)
            known.started = time.monotonic()
            runs += stored_runs(self.history, known.search, captured)
        self._forget({run.id for run in runs}, studies, last=last)
        return runs

    def _forget(self, done: set[str], studies: Sequence[SeenStudy], *, last: bool) -> None:
        """Remove the files of worker processes that are not needed any longer."""
        left = {run.id for known in studies for run in known.unwritten}
        if last and not left:
            self._workers.clear()
        else:
            self._workers.forget(done - left)

    def _job(self, known: SeenStudy, deadline: float) -> ExplanationJob:
        return ExplanationJob(
            self.history, known.search, self.options, deadline, features=self._features, kept=known.kept
        )

    def _facts(self, study: optuna.Study, metric: str, seconds: float) -> dict[str, Any]:
        found = facts_of(study, metric, seconds, len(self._context.background))
        return found | made_with(self.options, "optuna") | self._own_facts


__all__ = ["ExplainabilityOptions", "TrialCapture", "TrialExplainer"]
