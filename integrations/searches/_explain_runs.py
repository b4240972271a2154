"""What every search integration does once its search has ended: explain the captured runs, best first, in time."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from automl_explain.explainers._errors import AutoMLExplainError
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers._tabular_explainer import TabularExplainer
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.methods._kernel import predicts_mixed_rows
from automl_explain.explainers.methods._members import has_members
from automl_explain.explainers.methods._settings import SamplingOptions
from automl_explain.explainers.model._fitted_model import Composite, FittedModel, Opaque, RadialBasis
from automl_explain.explainers.tables._table import Table
from automl_explain.integrations.searches._captured_run import CapturedRun, ExplanationJob, in_order
from automl_explain.integrations.searches._cv_folds import mean_over_folds
from automl_explain.integrations.searches._listeners import tell_listeners

SLOW_BACKGROUND = 25
"""Background rows of a run that is not explained from its structure alone."""
COALITIONS_PER_COLUMN = {True: 8, False: 64}
"""Whether its mixed rows are predicted -> coalitions evaluated for each row of such a run, per column."""
FEWEST_ROWS = 10
"""Such a run is skipped when fewer rows than this can be explained in its time."""
PATIENCE = 2.0
"""Seconds that a run explained from its structure may take in any case; its rows are fewer where all would take longer."""
PROBED_ROWS = 16
"""Rows of such a run whose explanation is timed."""
QUICK = 0.1
"""Seconds within which explaining the first rows tells little; more are tried then."""


def explain_runs(job: ExplanationJob, runs: Sequence[CapturedRun]) -> None:
    """Record runs and explain those asked for, final models first, then best first, until the deadline.

    The final models are explained whatever the deadline; a run that cannot be explained is recorded with the reason.
    """
    chosen = choose(runs, job.options.which)
    for run in runs:
        if run.read is not None and run not in chosen:
            run.release(f"not asked for (which={job.options.which!r})")
    ids = job.history.add_runs(job.search, [run.as_row() for run in runs])
    for run, run_id in zip(runs, ids, strict=True):
        run.id = run_id
    queue = [run for run in in_order(chosen) if run.read is not None]
    n_threads = job.options.n_jobs or _n_cores()
    with (
        warnings.catch_warnings(),  # here, not in the threads: the filters belong to the whole process
        progress_bar(len(queue), "explaining runs", job.options.progress) as advance,
        ThreadPoolExecutor(n_threads) as pool,
    ):
        warnings.simplefilter("ignore")  # advice about a captured model's input was given during the search
        for done in [pool.submit(_explain_one, job, position, run) for position, run in enumerate(queue)]:
            done.result()
            advance(1)
    tell_listeners(job.history, ids, job.options)


def choose(runs: Sequence[CapturedRun], which: str | int) -> list[CapturedRun]:
    """Return the runs that `which` asks for, and every final model."""
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


def _explain_one(job: ExplanationJob, position: int, run: CapturedRun) -> None:
    left = job.deadline - time.monotonic()
    if left <= 0 and position > 0 and run.kind == "trial":
        run.release("the time for explanations was over")
        job.history.set_status(run.id, "skipped", run.why)
        return
    started = time.monotonic()
    try:
        assert run.read is not None
        must = position == 0 or run.kind != "trial"
        if run.tables is not None:
            job = replace(job, tables=run.tables)
        models = run.read()
        seconds = max(left, 1.0) * _share(position)
        if isinstance(models, list):
            explanation = _explain_folds(models, job, seconds, must=must)
        else:
            explanation = explain_within(models, job, seconds, must=must, members=run.kind != "trial")
    except Exception as error:
        # Whatever a third party's model raises is this run's reason, not the end of the search's result.
        known = isinstance(error, AutoMLExplainError)
        why = str(error) if known else f"{type(error).__name__}: {error}"
        job.history.set_status(run.id, "failed", why)
        if job.options.on_error == "raise":
            raise
        return
    if isinstance(explanation, str):
        job.history.set_status(run.id, "skipped", explanation)
    else:
        job.history.store(run.id, explanation, seconds=time.monotonic() - started)


def _share(position: int) -> float:
    """Part of the remaining time that one slow run may take: the first, being the best, most."""
    return 0.4 if position == 0 else 0.2


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
) -> Explanation | str:
    """Explain a model in about that time: all rows where that is fast, else as many as it allows.

    Parameters
    ----------
    model : FittedModel
    job : ExplanationJob
    seconds : float
    must : bool
        Explain at least a few rows, whatever the time.
    n_rows : int, optional
        Explain that many rows, whatever the time.
    members : bool
        Say of an ensemble what each member brings.

    Returns
    -------
    Explanation, or the reason in words why there is none
    """
    assert job.tables is not None
    rows, options = job.tables.rows, job.options
    if options.output != "auto" and options.output not in model.outputs:
        return f"{model.name} has no output in {options.output}, only in {', '.join(model.outputs)}"
    slow = isinstance(model.structure, Opaque | Composite | RadialBasis) or options.output not in (
        "auto",
        model.output_space,
    )
    sampling = None
    if slow:
        n_coalitions = rows.n_columns * COALITIONS_PER_COLUMN[predicts_mixed_rows(model.structure)]
        sampling = SamplingOptions(nsamples=n_coalitions, background_size=SLOW_BACKGROUND)
    explainer = TabularExplainer(
        model,
        job.tables.background,
        features=job.features,
        output=options.output,
        feature_space=options.feature_space,
        sampling=sampling,
        random_state=options.random_state,
        n_jobs=1,
        progress=False,
    )
    if n_rows is not None:
        rows = rows.sample(n_rows, options.random_state)
    else:
        per_row = seconds_per_row(explainer, rows, 1 if slow else PROBED_ROWS, QUICK if slow else 0.0)
        affordable = int(min((seconds if slow else max(seconds, PATIENCE)) / per_row, len(rows)))
        if affordable < min(FEWEST_ROWS, len(rows)) and not must:
            return f"too slow for its share of the time: {FEWEST_ROWS} rows would take {FEWEST_ROWS * per_row:.2g} s"
        rows = rows.sample(max(affordable, FEWEST_ROWS), options.random_state)
    explanation = explainer.explain_local(rows)
    if members and has_members(explainer.model):
        explanation = replace(explanation, members=explainer.explain_members(rows))
    if len(rows) < job.tables.n_validation:
        note = f"rows: {len(rows):,} of {job.tables.n_validation:,} validation rows, drawn at random"
        explanation = replace(explanation, notes=(*explanation.notes, note))
    return explanation


def seconds_per_row(explainer: TabularExplainer, rows: Table, first: int, at_least: float) -> float:
    """Time the explanation of the first rows, and of more until that takes so many seconds at least.

    They are explained once before the clock runs: a compiler's time does not count.
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
