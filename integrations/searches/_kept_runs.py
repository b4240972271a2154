"""Runs whose models are kept in files until they are explained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.tables._table import stack_rows
from automl_explain.integrations.history._run_history import RunHistory
from automl_explain.integrations.sealed._kept_models import KeptModels
from automl_explain.integrations.searches._captured_run import CapturedRun, ExplanationJob, RunTables
from automl_explain.integrations.searches._options import ExplainabilityOptions


def kept_models(history: RunHistory, search: str, options: ExplainabilityOptions) -> KeptModels | None:
    """Return what keeps the models of a search, if its options say so."""
    return KeptModels.of_user(history.directory, search, options.memory_limit) if options.keep_models else None


def keep_run(kept: KeptModels, name: str, run: CapturedRun, options: ExplainabilityOptions, features: Any) -> str:
    """Keep the models of a run, or of a part of it, and what is needed to explain them; return why not if that fails."""
    read = run.read if run.to_keep is None else run.to_keep()
    about = replace(run, read=None, measure=None, score=None, to_keep=None)
    return kept.put(name, (about, options, features), None if read is None else (read, run.measure, run.score))


def keep_runs(job: ExplanationJob, runs: Sequence[CapturedRun]) -> None:
    """Keep the models of runs that were not kept while the search went on, and note under which names the others were."""
    if job.kept is None:
        return
    known = job.kept.runs()
    for run in runs:
        if run.read is not None and run.id not in known and run.kept_as not in known:
            keep_run(job.kept, run.id, replace(run, tables=run.tables or job.tables), job.options, job.features)
    job.kept.name({run.id: run.kept_as for run in runs if run.kept_as in known})


def forget_runs(job: ExplanationJob, runs: Iterable[CapturedRun], unwritten: Sequence[CapturedRun]) -> None:
    """Remove the kept models of runs that were seen to, other than those that could not be written."""
    if job.kept is not None:
        left = {run.id for run in unwritten}
        job.kept.forget(name for run in runs if run.id not in left for name in (run.id, run.kept_as))


def kept_run(kept: KeptModels, files: Sequence[str]) -> tuple[CapturedRun, ExplainabilityOptions, Any]:
    """Return a run of which models are kept, with the options of its search and the names of its columns.

    The models are loaded when they are explained. The parts of a run, such as folds, become one run with several models, which
    are explained on rows of all parts.
    """
    found = [kept.about(file) for file in files]
    parts, (_, options, features) = [run for run, *_ in found], found[-1]
    tables = [run.tables for run in parts]
    run = replace(parts[0], read=partial(_models, kept, files), kept_as="")
    if len(parts) == 1:
        run.measure, run.score = partial(_told, kept, files[0], 1), partial(_told, kept, files[0], 2)
        return run, options, features
    share, seed = max(options.max_rows // len(parts), 1), options.random_state
    backgrounds = list({id(one.background): one.background for one in tables}.values())
    run.tables = RunTables(
        stack_rows(backgrounds).sample(options.background, seed),
        stack_rows([one.rows.sample(share, seed) for one in tables], ignore_index=False),
        sum(one.n_validation for one in tables),
    )
    run.fitted_to_rows = True
    return run, options, features


def _models(kept: KeptModels, files: Sequence[str]) -> FittedModel | list[FittedModel]:
    found: list[FittedModel] = []
    for file in files:
        read, *_ = kept.models(file)
        models = read()
        if len(files) == 1:
            return models  # type: ignore[no-any-return]  # unpickled
        found += models if isinstance(models, list) else [models]
    return found


def _told(kept: KeptModels, file: str, place: int) -> Any:
    """Return the losses of the parts of a run, or its scores; empty if they are not known."""
    tell = kept.models(file)[place]
    return {1: (), 2: {}}[place] if tell is None else tell()
