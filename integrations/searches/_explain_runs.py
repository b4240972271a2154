"""After a search: explain the captured runs, best first, until a deadline."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

from threadpoolctl import threadpool_limits

from automl_explain.explainers._errors import AutoMLExplainError, HistoryError, RunNotFoundError
from automl_explain.explainers._fallback import logger
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers._quiet import ignored
from automl_explain.explainers._tabular_explainer import TabularExplainer
from automl_explain.explainers.compiled._kernel_cache import seconds_compiled
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.integrations.history._labels import keep_labels
from automl_explain.integrations.history._run_scorers import keep_scorer
from automl_explain.integrations.history._scores import keep_scores
from automl_explain.integrations.planning._plan import Plan
from automl_explain.integrations.searches._captured_run import CapturedRun, ExplanationJob, in_order
from automl_explain.integrations.searches._kept_runs import forget_runs, keep_runs
from automl_explain.integrations.searches._listeners import tell_listeners
from automl_explain.integrations.searches._run_threads import Ticket, work_off
from automl_explain.integrations.searches.workers._choice import workers_for
from automl_explain.integrations.searches.workers._explain_run import FEWEST_ROWS, Allowance, RunSettings
from automl_explain.integrations.searches.workers._workers import Workers

NO_ANSWER = "did not answer in {:.0f} s: its model was left behind. Set a larger ExplainabilityOptions(time_budget=...)"
"""Why a run failed whose model still predicts when the time is over."""


def explain_runs(job: ExplanationJob, runs: Sequence[CapturedRun]) -> list[CapturedRun]:
    """Record the runs and explain the requested ones: final models first, then trials by loss, until the deadline.

    Final models and the best trial are explained regardless of the deadline. A run that cannot be explained is recorded with
    the reason. Those that could not be written, such as to a full disk, are returned: `explain_again` takes them.

    Raises
    ------
    HistoryError
        If the runs cannot be recorded; nothing is lost then, and it can be called again.
    """
    chosen = choose(runs, job.options.which)
    for run in runs:
        if run.read is not None and run not in chosen:
            run.release(f"not requested (which={job.options.which!r})")
    with job.history.kept_open(), job.history.owned(job.search):
        ids = job.history.add_runs(job.search, [run.as_row() for run in runs], complete=job.complete)
        for run, run_id in zip(runs, ids, strict=True):
            run.id = run_id
        keep_runs(job, chosen)
        unwritten = _explain_queue(job, [run for run in in_order(chosen) if run.read is not None])
        forget_runs(job, runs, unwritten)
    if job.search in job.history.searches():  # nobody has removed it meanwhile
        tell_listeners(job.history, ids, job.options)
    return unwritten


def explain_again(job: ExplanationJob, runs: Sequence[CapturedRun]) -> list[CapturedRun]:
    """Explain recorded runs whose explanations could not be written, and return those that still cannot."""
    with job.history.kept_open(), job.history.owned(job.search):
        unwritten = _explain_queue(job, [run for run in runs if run.read is not None])
        forget_runs(job, runs, unwritten)
    return unwritten


def _explain_queue(job: ExplanationJob, queue: list[CapturedRun]) -> list[CapturedRun]:
    best = next((run for run in queue if run.kind == "trial"), None)
    with closing(workers_for(job.options, job.tables, job.features)) as workers:
        return _explain_with(workers, job, queue, best)


def _explain_with(
    workers: Workers, job: ExplanationJob, queue: list[CapturedRun], best: CapturedRun | None
) -> list[CapturedRun]:
    unwritten: list[CapturedRun] = []
    n_threads = job.options.n_jobs or workers.n_slots
    plan = Plan(queue, job.deadline, n_threads)
    with (
        progress_bar(len(queue), "explaining runs", job.options.progress) as advance,
        threadpool_limits(1 if n_threads > 1 else None),  # each run has a thread: those of BLAS and OpenMP would wait
    ):
        keeps = [run is best or run.kind != "trial" for run in queue]
        try:
            work_off(
                [
                    partial(_quietly, workers, job, plan, run, unwritten, keep=keep)
                    for run, keep in zip(queue, keeps, strict=True)
                ],
                n_threads,
                seconds=partial(_seconds_left, plan, queue, set()),
                late=lambda number, took: _say(job, queue[number], "failed", NO_ANSWER.format(took)),
                interrupted=lambda number: _skip(job, queue[number], "explaining the runs was interrupted"),
                advance=advance,
            )
        except RunNotFoundError as error:  # there is nothing left to explain, which is no reason to end the program
            logger.warning("search %s was removed while it was explained: %s", job.search, error)
            return []
    return unwritten


def _seconds_left(plan: Plan, queue: Sequence[CapturedRun], told: set[int], number: int, began: float) -> float:
    """Return the seconds that a run may still take; those that are waited for are told of once."""
    run, left = queue[number], plan.latest(queue[number], began)
    if number not in told and plan.is_waited_for(run, began):
        told.add(number)
        what = "the best run" if run.kind == "trial" else "a final model"
        took = time.monotonic() - began
        logger.warning(
            "run %s has not answered in %.0f s; as %s it is waited for up to %.0f s more", run.id, took, what, left
        )
    return left


def choose(runs: Sequence[CapturedRun], which: str | int) -> list[CapturedRun]:
    """Return the runs that `which` selects, and every final model."""
    final = [run for run in runs if run.kind != "trial"]
    trials = [run for run in runs if run.kind == "trial"]
    if which == "all":
        return final + trials
    if which == "improving":
        best, improving = math.inf, []
        for run in sorted(trials, key=lambda run: run.number):
            if run.loss is not None and run.loss < best:
                best = run.loss
                improving.append(run)
        return final + improving
    return final + in_order(trials)[: 1 if which == "best" else int(which)]


def _quietly(*args: Any, **settings: Any) -> None:
    """Explain a run; warnings about the input of its model were shown during the search."""
    with ignored():
        _explain_one(*args, **settings)


def _explain_one(
    workers: Workers,
    job: ExplanationJob,
    plan: Plan,
    run: CapturedRun,
    unwritten: list[CapturedRun],
    ticket: Ticket,
    *,
    keep: bool,
) -> None:
    """Explain a run; keep its scoring explainer if asked for. Nothing is written of a run that was left behind."""
    seconds, must = plan.start(run), plan.must(run)
    if not seconds and not must:
        if ticket.take():
            _skip(job, run, plan.why_skipped())
        return
    started, compiled = time.monotonic(), seconds_compiled()
    try:
        assert run.read is not None
        if run.tables is not None:
            job = replace(job, tables=run.tables)
        models = run.read()
        assert job.tables is not None
        settings = RunSettings(job.tables, job.options, job.features)
        allowance = Allowance(seconds, must, plan.expected(run), run.kind != "trial")
        explanation, elsewhere = workers.explain(models, settings, allowance, ticket.is_taken)
        is_there = isinstance(explanation, Explanation)
        engineered = _engineered(workers, models, settings, allowance, ticket) if is_there else None
    except Exception as error:
        # An error of a third-party model is recorded as this run's reason; the other runs are still explained.
        known = isinstance(error, AutoMLExplainError)
        why = str(error) if known else f"{type(error).__name__}: {error}"
        if not ticket.take():
            return
        _say(job, run, "failed", why)
        if job.options.on_error == "raise":
            raise
        return
    if not ticket.take():
        return
    if isinstance(explanation, str):
        _say(job, run, "skipped", explanation)
        return
    whole, is_sampled = len(job.tables.rows) / explanation.num_examples, explanation.standard_errors is not None
    least = FEWEST_ROWS / explanation.num_examples if is_sampled else whole
    try:
        _store(job, run, explanation, engineered, time.monotonic() - started)
        worked = time.monotonic() - started - (seconds_compiled() - compiled) - elsewhere
        plan.finish(run, max(worked, 0.0), whole, least)
        if keep and run.score is not None:
            _keep_scores(job, run)
        if keep and job.options.keep_scoring and not isinstance(models, list):
            keep_scorer(job.history, run.id, partial(_over_given_columns, models, job))
    except OSError as error:  # such as a full disk, which is no reason to lose the other runs
        unwritten.append(run)
        _say(job, run, "failed", str(error))


def _store(
    job: ExplanationJob, run: CapturedRun, explanation: Explanation, engineered: Explanation | None, seconds: float
) -> None:
    """Store the explanation of a run, and what is known with it."""
    if engineered is not None:
        job.history.store(run.id, engineered, share_rows=True)
    stored = job.history.store(run.id, explanation, seconds=seconds, part_losses=_measured(run), share_rows=True)
    assert job.tables is not None
    labels = job.tables.rows.sample(explanation.num_examples, job.options.random_state).labels
    if job.options.keep_labels and labels is not None and not run.fitted_to_rows:
        keep_labels(job.history, stored, labels)


def _say(job: ExplanationJob, run: CapturedRun, status: str, why: str) -> None:
    """Record why a run has no explanation, if that can be written."""
    try:
        job.history.set_status(run.id, status, why)
    except HistoryError as error:
        logger.warning("run %s is %s (%s), which cannot be recorded: %s", run.id, status, why, error)


def _engineered(
    workers: Workers,
    models: FittedModel | list[FittedModel],
    settings: RunSettings,
    allowance: Allowance,
    ticket: Ticket,
) -> Explanation | None:
    """Return the explanation of the columns that a model reads, if it is wanted, there are any, and the time allows."""
    every = models if isinstance(models, list) else [models]
    if settings.options.feature_space != "both" or any(model.preprocessing is None for model in every):
        return None
    settings = replace(settings, options=replace(settings.options, feature_space="engineered"))
    explanation, _ = workers.explain(models, settings, allowance, ticket.is_taken)
    return explanation if isinstance(explanation, Explanation) else None


def _over_given_columns(model: FittedModel, job: ExplanationJob) -> TabularExplainer:
    """Return the explainer of a run over the caller's columns, which are those that rows have at inference time."""
    assert job.tables is not None
    return TabularExplainer(
        model,
        job.tables.background,
        features=job.features,
        output=job.options.output,
        feature_space="raw",
        random_state=job.options.random_state,
        progress=False,
    )


def _measured(run: CapturedRun) -> tuple[float, ...]:
    """Return losses of parts of a run, by which it is compared with others; none if they cannot be computed."""
    if run.measure is None:
        return ()
    try:
        return run.measure()
    except Exception as error:
        # The metric is another library's and may need what a part of the rows lacks, such as a class.
        logger.warning("the noise of the loss of run %s is not known", run.id, exc_info=error)
        return ()


def _keep_scores(job: ExplanationJob, run: CapturedRun) -> None:
    """Keep scores on the validation rows, if the model predicts them."""
    try:
        assert run.score is not None
        keep_scores(job.history, run.id, run.score())
    except Exception as error:
        # The model's own code predicts here; the run's explanation is complete without the scores.
        logger.warning("the validation scores of run %s are not known", run.id, exc_info=error)


def _skip(job: ExplanationJob, run: CapturedRun, why: str) -> None:
    run.release(why)
    _say(job, run, "skipped", why)
