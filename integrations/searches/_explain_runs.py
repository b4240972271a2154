"""After a search: explain the captured runs, best first, until a deadline."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from automl_explain.explainers._errors import AutoMLExplainError
from automl_explain.explainers._fallback import fall_back, logger
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers._quiet import ignored
from automl_explain.explainers._tabular_explainer import OneTableExplainer, TabularExplainer
from automl_explain.explainers.compiled._kernel_cache import seconds_compiled
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.methods._kernel import predicts_mixed_rows
from automl_explain.explainers.methods._members import has_members
from automl_explain.explainers.methods._settings import SamplingOptions
from automl_explain.explainers.model._explained_model import engineer
from automl_explain.explainers.model._fitted_model import Composite, FittedModel, Opaque, RadialBasis
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.neural._network import Network
from automl_explain.explainers.tables._table import Table
from automl_explain.integrations.history._labels import keep_labels
from automl_explain.integrations.history._run_scorers import keep_scorer
from automl_explain.integrations.history._scores import keep_scores
from automl_explain.integrations.planning._plan import Plan, expected_seconds
from automl_explain.integrations.searches._captured_run import CapturedRun, ExplanationJob, RunTables, in_order
from automl_explain.integrations.searches._cv_folds import mean_over_folds
from automl_explain.integrations.searches._listeners import tell_listeners

SLOW_BACKGROUND = 25
"""Background rows of a slow run: one whose model is not explained from its structure alone."""
FEW_COALITIONS, MANY_COALITIONS = 8, 64
"""Coalitions evaluated per row and column of a slow run; many for the best run and the final models, if their members'
structure gives the outputs of masked rows."""
FEWEST_ROWS = 10
"""A slow run is skipped if fewer rows than this can be explained in its share of the time."""
PATIENCE = 2.0
"""Seconds that any run explained from its structure may take. If all its rows would take longer, fewer are explained."""
CERTAIN = 0.25
"""A slow run is not timed first if its rows are expected to take less than this many seconds, and less than this share of
the time that it may take."""
LEAST_SECONDS = 1.0
"""Seconds that a slow run may take at least if it is explained whatever the time: then by fewer coalitions, with their errors."""
PROBED_ROWS = 16
"""Rows of a run explained from its structure whose explanation is timed."""
QUICK = 0.1
"""If explaining the first rows takes less than this many seconds, more rows are timed."""


def explain_runs(job: ExplanationJob, runs: Sequence[CapturedRun]) -> None:
    """Record the runs and explain the requested ones: final models first, then trials by loss, until the deadline.

    Final models and the best trial are explained regardless of the deadline. A run that cannot be explained is recorded with
    the reason.
    """
    chosen = choose(runs, job.options.which)
    for run in runs:
        if run.read is not None and run not in chosen:
            run.release(f"not requested (which={job.options.which!r})")
    with job.history.kept_open(), job.history.owned(job.search):
        ids = job.history.add_runs(job.search, [run.as_row() for run in runs])
        for run, run_id in zip(runs, ids, strict=True):
            run.id = run_id
        _explain_queue(job, [run for run in in_order(chosen) if run.read is not None])
    tell_listeners(job.history, ids, job.options)


def _explain_queue(job: ExplanationJob, queue: list[CapturedRun]) -> None:
    best = next((run for run in queue if run.kind == "trial"), None)
    n_threads = job.options.n_jobs or _n_cores()
    plan = Plan(queue, job.deadline, n_threads)
    with (
        ignored(),  # warnings about a captured model's input were shown during the search
        progress_bar(len(queue), "explaining runs", job.options.progress) as advance,
        threadpool_limits(1 if n_threads > 1 else None),  # each run has a thread: those of BLAS and OpenMP would wait
        ThreadPoolExecutor(n_threads) as pool,
    ):
        keeps = [run is best or run.kind != "trial" for run in queue]
        asked = [pool.submit(_explain_one, job, plan, run, keep=keep) for run, keep in zip(queue, keeps, strict=True)]
        waiting = list(zip(asked, queue, strict=True))
        try:
            for done, _ in waiting:
                done.result()
                advance(1)
        except BaseException:
            left = [run for done, run in waiting if done.cancel()]
            pool.shutdown()  # the runs in work are kept
            for run in left:
                _skip(job, run, "explaining the runs was interrupted")
            raise


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


def _explain_one(job: ExplanationJob, plan: Plan, run: CapturedRun, *, keep: bool) -> None:
    """Explain a run; keep its scoring explainer if asked for."""
    seconds, must = plan.start(run), plan.must(run)
    if not seconds and not must:
        _skip(job, run, plan.why_skipped())
        return
    started, compiled = time.monotonic(), seconds_compiled()
    try:
        assert run.read is not None
        if run.tables is not None:
            job = replace(job, tables=run.tables)
        models = run.read()
        explanation = _explained(models, job, run, seconds, plan)
        if job.options.feature_space == "both" and isinstance(explanation, Explanation):
            _store_engineered(models, job, run, seconds, plan)
    except Exception as error:
        # An error of a third-party model is recorded as this run's reason; the other runs are still explained.
        known = isinstance(error, AutoMLExplainError)
        why = str(error) if known else f"{type(error).__name__}: {error}"
        job.history.set_status(run.id, "failed", why)
        if job.options.on_error == "raise":
            raise
        return
    if isinstance(explanation, str):
        job.history.set_status(run.id, "skipped", explanation)
        return
    seconds = time.monotonic() - started
    stored = job.history.store(run.id, explanation, seconds=seconds, part_losses=_measured(run), share_rows=True)
    assert job.tables is not None
    labels = job.tables.rows.sample(explanation.num_examples, job.options.random_state).labels
    if job.options.keep_labels and labels is not None and not run.fitted_to_rows:
        keep_labels(job.history.directory, stored, labels)
    whole, is_sampled = len(job.tables.rows) / explanation.num_examples, explanation.standard_errors is not None
    least = FEWEST_ROWS / explanation.num_examples if is_sampled else whole
    worked = time.monotonic() - started - (seconds_compiled() - compiled)
    plan.finish(run, max(worked, 0.0), whole, least)
    if keep and run.score is not None:
        _keep_scores(job, run)
    if keep and job.options.keep_scoring and not isinstance(models, list):
        keep_scorer(job.history, run.id, partial(_over_given_columns, models, job))


def _explained(
    models: FittedModel | list[FittedModel], job: ExplanationJob, run: CapturedRun, seconds: float, plan: Plan
) -> Explanation | str:
    """Return the explanation of a run, or the reason in words why there is none."""
    if isinstance(models, list):
        return _explain_folds(models, job, seconds, must=plan.must(run))
    return explain_within(
        models, job, seconds, must=plan.must(run), members=run.kind != "trial", expected=plan.expected(run)
    )


def _store_engineered(
    models: FittedModel | list[FittedModel], job: ExplanationJob, run: CapturedRun, seconds: float, plan: Plan
) -> None:
    """Store the explanation of the columns that a model reads, if it has a preprocessing and the time allows."""
    if any(model.preprocessing is None for model in (models if isinstance(models, list) else [models])):
        return
    job = replace(job, options=replace(job.options, feature_space="engineered"))
    explanation = _explained(models, job, run, seconds, plan)
    if isinstance(explanation, Explanation):
        job.history.store(run.id, explanation, share_rows=True)


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
        keep_scores(job.history.directory, run.id, run.score())
    except Exception as error:
        # The model's own code predicts here; the run's explanation is complete without the scores.
        logger.warning("the validation scores of run %s are not known", run.id, exc_info=error)


def _skip(job: ExplanationJob, run: CapturedRun, why: str) -> None:
    run.release(why)
    job.history.set_status(run.id, "skipped", why)


def _explain_folds(models: list[FittedModel], job: ExplanationJob, seconds: float, *, must: bool) -> Explanation | str:
    parts: list[Explanation] = []
    for model in models:
        n_rows = parts[0].num_examples if parts else None
        part = explain_within(model, job, seconds / len(models), must=must, n_rows=n_rows)
        if isinstance(part, str):
            return part
        parts.append(part)
    return mean_over_folds(parts)


def explain_within(
    model: FittedModel,
    job: ExplanationJob,
    seconds: float,
    *,
    must: bool = False,
    n_rows: int | None = None,
    members: bool = False,
    expected: float = math.inf,
) -> Explanation | str:
    """Explain a model in about this time: all rows if that is fast enough, otherwise as many as the time allows.

    Parameters
    ----------
    model : FittedModel
    job : ExplanationJob
    seconds : float
    must : bool
        Explain at least a few rows, regardless of the time.
    n_rows : int, optional
        Explain this many rows, regardless of the time.
    members : bool
        Include the member contributions of an ensemble.
    expected : float
        Seconds that other models of its kind took for all rows, if it cannot be explained from its structure alone.

    Returns
    -------
    Explanation, or the reason in words why there is none
    """
    assert job.tables is not None
    rows, options = job.tables.rows, job.options
    if options.output != "auto" and options.output not in model.outputs:
        return f"{model.name} has no output in {options.output}, only in {', '.join(model.outputs)}"
    slow = _is_slow(model, options.output)
    make = partial(_explainer, model, job.tables, job, len(rows) if n_rows is None else n_rows, slow=slow, must=must)
    explainer = make()
    if not slow:
        seconds = max(seconds, PATIENCE)
        expected = expected_seconds(explainer.model.structure, len(rows), len(job.tables.background))
    elif must:
        seconds = max(seconds, LEAST_SECONDS)
    certain = expected <= (min(CERTAIN, CERTAIN * seconds) if slow else seconds)
    if n_rows is None and certain:
        n_rows = len(rows)
    elif n_rows is None:
        per_row = _row_seconds(model, job.tables, must=must) if slow else 0.0
        if FEWEST_ROWS * per_row <= seconds:  # otherwise a row alone may take too long
            per_row = seconds_per_row(explainer, rows, 1 if slow else PROBED_ROWS, QUICK if slow else 0.0)
        elif must:
            explainer = make(within=seconds)
        affordable = int(min(seconds / per_row, len(rows)))
        if affordable < min(FEWEST_ROWS, len(rows)) and not must:
            return (
                f"too slow for its share of the time: {FEWEST_ROWS} rows would take {FEWEST_ROWS * per_row:.2g} s, and its "
                f"share was {seconds:.2g} s. Set a larger ExplainabilityOptions(time_budget=...)"
            )
        n_rows = max(affordable, FEWEST_ROWS)
    rows = rows.sample(n_rows, options.random_state)
    explanation = explainer.explain_local(rows)
    if members and has_members(explainer.model):
        explanation = _with_members(explanation, explainer, rows)
    if len(rows) < job.tables.n_validation:
        note = f"rows: {len(rows):,} of {job.tables.n_validation:,} validation rows, drawn at random"
        explanation = replace(explanation, notes=(*explanation.notes, note))
    return explanation


def _with_members(explanation: Explanation, explainer: TabularExplainer, rows: Table) -> Explanation:
    """Return an explanation with the contributions of the members, or with a note that says why they are missing."""

    def without(why: str) -> Explanation:
        return replace(explanation, notes=(*explanation.notes, f"{why}: no contributions of members"))

    return fall_back(
        "Splitting the output among the members",
        lambda: replace(explanation, members=explainer.explain_members(rows)),
        without,
    )


def _is_slow(model: FittedModel, output: str) -> bool:
    """Whether a model cannot be explained from its structure alone in this output space."""
    structured = not isinstance(model.structure, Opaque | Network | Composite | RadialBasis)
    return not structured or output not in ("auto", model.output_space)


def _row_seconds(model: FittedModel, tables: RunTables, *, must: bool) -> float:
    """Return about how long a row of a slow run takes if its masked rows are predicted; 0 if they are not."""
    if not predicts_mixed_rows(model.structure):
        return 0.0
    background = engineer(model, tables.background, "the background")
    seconds = math.inf
    for _ in range(2):  # the first call may load a library
        started = time.monotonic()
        predict_finite(model, background.data, "the background")
        seconds = min(seconds, time.monotonic() - started)
    return seconds / len(background) * SLOW_BACKGROUND * tables.rows.n_columns * _per_column(model, must=must)


def _per_column(model: FittedModel, *, must: bool) -> int:
    return MANY_COALITIONS if must and not predicts_mixed_rows(model.structure) else FEW_COALITIONS


def _explainer(
    model: FittedModel,
    tables: RunTables,
    job: ExplanationJob,
    n_rows: int,
    *,
    slow: bool,
    must: bool,
    within: float | None = None,
) -> TabularExplainer:
    options, sampling = job.options, None
    if slow:
        n_samples = tables.rows.n_columns * _per_column(model, must=must)
        sampling = SamplingOptions(nsamples=n_samples, background_size=SLOW_BACKGROUND, time_budget=within)
    return OneTableExplainer(
        n_rows,
        model,
        tables.background,
        features=job.features,
        output=options.output,
        feature_space="engineered" if options.feature_space == "engineered" else "raw",
        sampling=sampling,
        random_state=options.random_state,
        n_jobs=1,
        progress=False,
    )


def seconds_per_row(explainer: TabularExplainer, rows: Table, first: int, at_least: float) -> float:
    """Return the time that explaining one row takes.

    The first rows are timed, then more rows until they take at least `at_least` seconds. The first rows are explained once
    before, so that compilation is not timed.
    """
    explainer.explain_local(rows.take(np.arange(min(first, len(rows)))))
    elapsed, n_rows = -1.0, first
    while elapsed < at_least:
        some = rows.take(np.arange(min(n_rows, len(rows))))
        started = time.monotonic()
        explainer.explain_local(some)
        elapsed = time.monotonic() - started
        if len(some) == len(rows):
            break
        n_rows *= 4
    return max(elapsed / len(some), 1e-9)


def _n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
