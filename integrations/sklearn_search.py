"""scikit-learn's searches, such as GridSearchCV: a scorer captures every candidate, to be explained.

>>> from automl_explain.integrations.sklearn_search import ExplainingScorer
"""

from __future__ import annotations

import math
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from sklearn.base import is_classifier
from sklearn.metrics import check_scoring

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import ExplanationNotFoundError, InvalidInputError, NotFittedError
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.tables._table import Table, stack_rows
from automl_explain.integrations.history._run import Run, best_trial, final_of
from automl_explain.integrations.history._run_history import RunHistory
from automl_explain.integrations.history.index_tables._owners import Owner, has_died, is_worker_of
from automl_explain.integrations.recording._search_record import SearchRecord
from automl_explain.integrations.recording._termination import terminated_as_interrupted
from automl_explain.integrations.sealed._spool import SPOOL, Spool, rows_key
from automl_explain.integrations.searches._captured_run import CapturedRun, ExplanationJob, RunTables, learner_name
from automl_explain.integrations.searches._explain_runs import explain_again, explain_runs
from automl_explain.integrations.searches._kept_runs import keep_run, kept_models
from automl_explain.integrations.searches._memory import keep_within_memory
from automl_explain.integrations.searches._options import ExplainabilityOptions, made_with
from automl_explain.integrations.searches._sklearn_candidates import (
    Capture,
    as_runs,
    candidate_key,
    facts_of,
    fit_key,
    loss_name,
    match,
    plain_parameters,
    run_of_fold,
    scores_by_name,
    without_errors,
)
from automl_explain.integrations.searches._word_columns import searched_table

ENGINE = "scikit-learn"
"""Name of these searches in the history."""


class ExplainingScorer:
    """A scorer that returns the same scores as another and captures the fitted candidates that it scores.

    Parameters
    ----------
    scoring : str, callable, list, tuple, dict or None, default None
        The `scoring` of the search. With several metrics, the search's `refit` must name one of them.
    X_train : ndarray, DataFrame or csr_matrix of shape (B, f), optional
        The background: rows that stand for absent features. Default: the validation rows of all folds.
    explainability_options : ExplainabilityOptions or dict, optional
        Which candidates and how many rows are explained, and for how long.
    history : RunHistory or path-like, optional
        Where runs and explanations are kept. Default: the user's run history.
    features : sequence of str, optional
        Column names, for tables without names.
    facts : mapping, optional
        Other facts recorded with the search, as JSON, such as the ``"experiment"`` by which `Experiment.runs` finds it.

    Raises
    ------
    HistoryError
        If the history cannot be written.
    InvalidInputError
        If a table or option cannot be used.

    Notes
    -----
    The search is not changed. Candidates fitted in this process are kept in memory; those of worker processes (``n_jobs``)
    are pickled into a folder of the run history, which `explain` reads and removes. A candidate's explanation is the mean
    over its folds' models, with its spread, of validation rows drawn from all folds. A scorer does not know the search's
    `error_score`: if one of several metrics fails, its score is NaN, the search's default, with a warning.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from automl_explain import retrieve_model_explanation
    >>> from automl_explain.integrations.sklearn_search import ExplainingScorer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> scorer = ExplainingScorer("r2", X)
    >>> search = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, scoring=scorer, cv=3).fit(X, y)
    >>> [run.status for run in scorer.explain(search)]
    ['explained', 'explained', 'explained']
    >>> scorer.best_run.config
    {'alpha': 0.1}
    >>> retrieve_model_explanation(search).model_kind  # the best candidate, fitted again on all rows
    'refit'
    """

    @checked
    def __init__(
        self,
        scoring: str | Callable[..., Any] | Sequence[str] | Mapping[str, Any] | None = None,
        X_train: Any = None,
        *,
        explainability_options: ExplainabilityOptions | dict[str, Any] | None = None,
        history: Any = None,
        features: Sequence[str] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.scoring = scoring
        self.options = ExplainabilityOptions.read(explainability_options)
        self.history = RunHistory.to_write(history)
        table = None if X_train is None else searched_table(X_train, "X_train")
        self._background = None if table is None else self._sampled(table, self.options.background)
        self._features, self._own_facts = features, dict(facts or {})
        self._latest: str | None = None
        self._searches: dict[str, str] = {}  # key of a fit -> id of the stored search
        self._reset()
        self._begin()

    def _reset(self) -> None:
        self._lock, self._seen = threading.Lock(), threading.local()
        self._captures: list[Capture] = []
        self._unwritten: dict[str, tuple[ExplanationJob, list[CapturedRun], set[Capture]]] = {}
        self._rows: dict[str, tuple[Table, int]] = {}

    def __getstate__(self) -> dict[str, Any]:
        # A worker needs what scoring needs, not the captured models.
        left = {"_lock", "_seen", "_captures", "_rows", "_unwritten"}
        return {name: value for name, value in vars(self).items() if name not in left}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset()
        is_copy = self._home.process == os.getpid() or (has_died(self._home) and not is_worker_of(self._home))
        if is_copy:
            self._begin()  # otherwise this is a worker of the search that made it, which may have outlived that

    def _begin(self) -> None:
        """Make this object one that captures for itself, with a folder of its own for its workers."""
        self._home, self._started = Owner.of(""), time.monotonic()
        self._spool = Spool(self.history.directory / SPOOL, self.options.memory_limit)
        self._renew()

    def __repr__(self) -> str:
        return f"ExplainingScorer({self.scoring!r})"

    def __call__(self, estimator: Any, X: Any, y: Any = None, **parameters: Any) -> Any:
        """Return the score, or the scores by name, as the original scorer would, and capture the estimator.

        Parameters
        ----------
        estimator : object
            A fitted candidate.
        X, y : table and labels
            The validation rows of a fold.
        **parameters
            Other arguments that the search passes to its scorer.
        """
        scorer = check_scoring(estimator, scoring=self.scoring, raise_exc=False)
        score = scorer(estimator, X, **parameters) if y is None else scorer(estimator, X, y, **parameters)
        if not callable(self.scoring) and isinstance(score, dict):
            score = without_errors(score)
        # With return_train_score=True, the same estimator is scored again on its training rows.
        if getattr(self._seen, "estimator", None) is not estimator:
            self._seen.estimator = estimator
            self._note(estimator, X, y, score)
        return score

    def explain(self, search: Any) -> list[Run]:
        """Explain the candidates of a search that has ended, best first, and the model that it refitted.

        A search that has been explained is not explained again: its runs are returned, after those that could not be written,
        such as to a full disk, have been tried again. A scorer may be used by several
        searches.

        Parameters
        ----------
        search : GridSearchCV, RandomizedSearchCV, HalvingGridSearchCV or HalvingRandomSearchCV
            Fitted with this object as its `scoring`.

        Returns
        -------
        list of Run
            A run for each candidate, in the order of ``cv_results_``, then that of ``best_estimator_``.

        Raises
        ------
        InvalidInputError
            If this is not the scorer of the search.
        NotFittedError
            If it was not fitted.
        """
        own = getattr(search, "scoring", None) is self
        if not own:
            raise InvalidInputError(
                f"This {type(search).__name__} has another scoring. Pass this scorer to it as scoring and fit it."
            )
        if not hasattr(search, "cv_results_"):
            raise NotFittedError(f"This {type(search).__name__} is not fitted yet. Call its 'fit' method first.")
        key = fit_key(search)
        if key not in self._searches:
            self._explain(search, key)
        elif unwritten := self._unwritten.pop(key, None):
            self._explain_again(key, *unwritten)
        self._latest = self._searches[key]
        return self.runs

    @property
    def runs(self) -> list[Run]:
        """The runs of the search that was explained last; empty before."""
        return [] if self._latest is None else self.history.runs(self._latest)

    @property
    def best_run(self) -> Run | None:
        """The candidate with the best score, explained as the mean over its folds' models."""
        return best_trial(self.runs)

    @property
    def final_run(self) -> Run | None:
        """The run of the refitted model; without `refit`, that of the best candidate."""
        return final_of(self.runs)

    def runs_of(self, search: Any) -> list[Run]:
        """Return the runs of a search that this scorer explained; empty for any other search.

        Parameters
        ----------
        search : fitted search
            Such as a GridSearchCV.

        Returns
        -------
        list of Run
            In the order of the candidates, then the refitted model.
        """
        stored = self._searches.get(fit_key(search)) if hasattr(search, "cv_results_") else None
        return [] if stored is None else self.history.runs(stored)

    # ---------------------------------------------------------------- private

    def _explain(self, search: Any, key: str) -> None:
        seconds = time.monotonic() - self._started
        with self._lock:
            spooled, rows = self._spool.read()
            captures, known = [*self._captures, *map(Capture.of_file, spooled)], self._rows | rows
        candidates, rest = match(search, captures)
        runs = as_runs(search, candidates, partial(self._tables, known))
        final = self._refitted(search, known, len(runs), runs)
        runs += [] if final is None else [final]
        task = "classification" if is_classifier(search.estimator) else "regression"
        record = self._record
        stored = self.history.start_search(ENGINE, task, self._facts(search, seconds), search=record.search)
        deadline = time.monotonic() + self.options.seconds(seconds)
        job = ExplanationJob(
            self.history, stored, self.options, deadline, features=self._features, kept=self._kept, complete=True
        )
        for candidate, run in zip(candidates, runs, strict=False):
            run.kept_as = record.name(None, candidate.key) if candidate.found else ""
        done = set(captures).difference(rest)
        unwritten: list[CapturedRun] = []
        try:
            with terminated_as_interrupted():
                unwritten = explain_runs(job, runs)
        finally:
            if any(run.id for run in runs):  # otherwise nothing was recorded, and it can be tried again
                self._latest = self._searches[key] = stored
                self._renew()
                record.end()
                self._keep(key, job, unwritten, done)
                for left in self._captures:  # of other searches: they are recorded as one that goes on
                    if left.model is not None and left not in done:
                        self._record_fold(left.key, left.model, left.score)
        self._started = time.monotonic()

    def _explain_again(self, key: str, job: ExplanationJob, runs: list[CapturedRun], done: set[Capture]) -> None:
        """Explain runs whose explanations could not be written."""
        job = replace(job, deadline=time.monotonic() + self.options.seconds(0.0))
        with terminated_as_interrupted():
            self._keep(key, job, explain_again(job, runs), done)

    def _keep(self, key: str, job: ExplanationJob, unwritten: list[CapturedRun], done: set[Capture]) -> None:
        """Keep the captures of runs that could not be written, so that `explain` tries again; forget the others."""
        if unwritten:
            self._unwritten[key] = job, unwritten, done
        else:
            self._forget(done)

    def _forget(self, done: set[Capture]) -> None:
        """Drop the captures that were explained; those of other searches stay."""
        with self._lock:
            self._captures = [capture for capture in self._captures if capture not in done]
            wanted = {capture.rows for capture in self._captures}
            self._rows = {key: rows for key, rows in self._rows.items() if key in wanted}
        self._spool.remove([capture.file.name for capture in done if capture.file is not None])

    def _sampled(self, table: Table, n_rows: int) -> Table:
        return table.sample(n_rows, self.options.random_state)

    def _note(self, estimator: Any, X: Any, y: Any, score: Any) -> None:
        try:
            if any(map(math.isnan, scores_by_name(score).values())):
                return  # like a fold that failed
            in_worker = os.getpid() != self._home.process
            if in_worker and has_died(self._home):
                return  # nobody asks for the score of a worker that outlives its search
            table = searched_table(X).with_labels(y)
            rows = rows_key(table)
            key = candidate_key(estimator)
            self._record_fold(key, estimator, score)
            if in_worker:
                self._spool.write_once(rows, lambda: (self._sampled(table, self.options.max_rows), len(table)))
                self._spool.write((key, rows, score, time.time_ns()), estimator, "Search with n_jobs=1.")
                self._keep_fold(Capture(key, rows, score, estimator), table)
                return
            capture = Capture(key, rows, score, estimator)
            self._keep_fold(capture, table)
            with self._lock:
                if rows not in self._rows:
                    self._rows[rows] = self._sampled(table, self.options.max_rows), len(table)
                self._captures.append(capture)
                keep_within_memory(self._captures, self.options.memory_limit)
        except Exception as error:
            # No error is raised into the search; the candidate's run has the reason why it was not explained.
            if self.options.on_error == "raise":
                raise
            with suppress(Exception):  # if nothing can be written, the run reports a missing file
                note = (candidate_key(estimator), secrets.token_hex(8), score, time.time_ns())
                self._spool.write_reason(note, f"{type(error).__name__}: {error}")

    def _renew(self) -> None:
        """Begin to record another search, and to keep its models."""
        facts = {**made_with(self.options), **self._own_facts}
        self._record = SearchRecord(self.history, ENGINE, facts, spool=self._spool.name)
        self._kept = kept_models(self.history, self._record.search, self.options)

    def _keep_fold(self, capture: Capture, table: Table) -> None:
        """Keep the model of a fold in a file, if that is wanted."""
        if self._kept is None:
            return
        rows = self._sampled(table, self.options.max_rows)
        tables = RunTables(self._background or self._sampled(rows, self.options.background), rows, len(table))
        keep_run(
            self._kept, self._record.name(None, capture.key), run_of_fold(capture, tables), self.options, self._features
        )

    def _record_fold(self, key: str, estimator: Any, score: Any) -> None:
        """Record the score of a fold, so that the candidate is known if the search is killed."""
        task = "classification" if is_classifier(estimator) else "regression"
        name, first = next(iter(scores_by_name(score).items()))
        scoring = self.scoring if isinstance(self.scoring, str) else name
        config = plain_parameters(estimator)
        self._record.note(learner_name(estimator), config, -first, loss_name(scoring), task=task, key=key, is_part=True)

    def _tables(self, known: Mapping[str, tuple[Table, int]], keys: Sequence[str]) -> RunTables:
        share = max(self.options.max_rows // len(keys), 1)
        rows = stack_rows([self._sampled(known[key][0], share) for key in keys], ignore_index=False)
        return RunTables(
            self._background or self._sampled(rows, self.options.background), rows, sum(known[key][1] for key in keys)
        )

    def _refitted(
        self, search: Any, known: Mapping[str, tuple[Table, int]], number: int, runs: Sequence[CapturedRun]
    ) -> CapturedRun | None:
        if not hasattr(search, "best_estimator_"):
            return None
        best = runs[search.best_index_] if hasattr(search, "best_index_") else runs[0]
        tables = best.tables or next((run.tables for run in runs if run.tables is not None), None)
        if tables is None:
            return None
        model = search.best_estimator_
        return CapturedRun(
            number, best.learner, best.config, None, best.metric, kind="refit", tables=tables, fitted_to_rows=True,
            read=lambda: replace(describe(model, tables.background.data), kind="refit"),
        )  # fmt: skip

    def _facts(self, search: Any, seconds: float) -> dict[str, Any]:
        return facts_of(search, seconds) | made_with(self.options) | self._own_facts


def run_of_search(search: Any, history: RunHistory | None = None) -> Run:
    """Return the run of a search's final model.

    Raises
    ------
    ExplanationNotFoundError
        If the search has no explained runs.
    """
    scorer = search.scoring
    run = final_of(scorer.runs_of(search)) if isinstance(scorer, ExplainingScorer) else None
    if run is None:
        raise ExplanationNotFoundError(
            f"This {type(search).__name__} has no explained runs. Pass scoring=ExplainingScorer(...) to it and call the "
            "scorer's explain(search) after fit, or explain the model with explain_model(search, X_train, X_test)."
        )
    return run if history is None else history.run(run.id)


__all__ = ["ExplainabilityOptions", "ExplainingScorer"]
