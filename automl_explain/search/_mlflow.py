"""Log a search to the active MLflow run: each explained run becomes a child run with its values, a figure and a table.

If FLAML or Optuna's MLflowCallback has logged a child run for a trial, that child run is used. The parent gets the
explanation of the final model, and the report.
"""

from __future__ import annotations

import json
import math
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.entities import Metric

from automl_explain.explainers._errors import AutoMLExplainWarning, HistoryError
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.formatting._html import render
from automl_explain.explainers.stored._any_explanation import AnyExplanation
from automl_explain.integrations.history._run import final_of
from automl_explain.integrations.mlflow import FOLDER, PARTS_TAG, RUN_TAG, MlflowStore
from automl_explain.search._mlflow_params import as_params

if TYPE_CHECKING:
    from automl_explain.integrations.history._run import Run
    from automl_explain.integrations.history._run_history import RunHistory
    from automl_explain.integrations.searches._options import ExplainabilityOptions

SHOWN = 15
"""Features in the figure."""
PARAMS_AT_ONCE = 100
"""Maximum number of parameters in one request to MLflow."""
FLAML_ITERATION, FLAML_LEARNER = "flaml.iteration_number", "flaml.learner"
"""Tags of the child runs that FLAML creates."""
FLAML_LOSS = "validation_loss"
"""Metric of the child runs that FLAML creates."""
OPTUNA_NUMBER, OPTUNA_BEGAN = "number", "datetime_start"
"""Tags of the child runs of Optuna's MLflowCallback."""
CLOCK_SECONDS = 0.1
"""How much earlier than its search a child run may seem to have begun: times are rounded."""
SAME_LOSS = 1e-9
"""Largest relative difference between equal losses, which MLflow stores as text."""


def log_runs(history: RunHistory, ids: Sequence[str], options: ExplainabilityOptions) -> None:
    """Log the explained runs as children of the active MLflow run; without an active run, do nothing.

    If MLflow fails, there is one warning; the run history has all explanations.
    """
    parent = mlflow.active_run()
    if parent is None or not ids:
        return
    try:
        store = MlflowStore()
        runs = [history.run(one) for one in ids]
        theirs = _children(store, parent, history, runs)
        explained = [run for run in runs if run.status == "explained"]
        with progress_bar(len(explained), "logging to MLflow", options.progress) as advance:
            for run in explained:
                _log(store, parent, run, theirs.get(run.id))
                advance(1)
        if explained:
            _log_final(store, parent, runs)
            _log_report(store, parent, history, explained[0].search)
    except HistoryError as error:
        message = f"{error} The explanations that were not logged are in {history}."
        warnings.warn(message, AutoMLExplainWarning, stacklevel=2)


def _log(store: MlflowStore, parent: Any, run: Run, child: str | None) -> None:
    explanation = run.explanation
    with store.talking():
        own = child is None
        child = child or _new_child(store, parent, run)
        _log_explanation(store, child, run, explanation)
        if own:
            store.client.update_run(child, status="FINISHED")  # set_terminated would print to stdout


def _log_final(store: MlflowStore, parent: Any, runs: Sequence[Run]) -> None:
    """Give the parent the explanation of the final model, if there is one."""
    final = final_of(runs)
    if final is not None and final.status == "explained":
        with store.talking():
            _log_explanation(store, parent.info.run_id, final, final.explanation)


def _log_explanation(store: MlflowStore, mlflow_run: str, run: Run, explanation: AnyExplanation) -> None:
    """Store an explanation with an MLflow run, its facts as tags, and what MLflow's page shows: a figure and a table."""
    for name, value in _facts(run):
        store.client.set_tag(mlflow_run, name, value)
    overall = explanation.overall()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "importance.png").write_bytes(_picture(overall))
        (Path(folder) / "importance.html").write_text(_page(overall, run), encoding="utf-8")
        (Path(folder) / "importance.json").write_text(json.dumps(_importance(overall)), encoding="utf-8")
        store.client.log_artifacts(mlflow_run, folder, FOLDER)
    store.store(mlflow_run, explanation, comment=f"run {run.id}", seconds=run.seconds)


def _log_report(store: MlflowStore, parent: Any, history: RunHistory, search: str) -> None:
    from automl_explain.report._write import write_report  # imported here, as the plots are

    with tempfile.TemporaryDirectory() as folder:
        path = write_report(Path(folder) / f"report-{search}.html", history.runs(search))
        with store.talking():
            store.client.log_artifact(parent.info.run_id, str(path), FOLDER)


def _new_child(store: MlflowStore, parent: Any, run: Run) -> str:
    tags = {"mlflow.parentRunId": parent.info.run_id, "mlflow.runName": run.id}
    child: str = store.client.create_run(parent.info.experiment_id, tags=tags, run_name=run.id).info.run_id
    params = as_params(run.config)
    for start in range(0, len(params), PARAMS_AT_ONCE):
        store.client.log_batch(child, params=params[start : start + PARAMS_AT_ONCE])
    if run.loss is not None:
        store.client.log_batch(child, metrics=[Metric("loss", run.loss, parent.info.start_time, 0)])
    return child


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    yield RUN_TAG, run.id
    yield "automl_explain.learner", run.learner
    yield "automl_explain.metric", run.metric
    yield "automl_explain.kind", run.kind
    parts = run.history.part_losses(run.search).get(run.id, ())
    if parts:
        yield PARTS_TAG, json.dumps(parts)


def _picture(explanation: Explanation) -> bytes:
    # Imported here: every search of a program that uses MLflow loads this module, and most log nothing.
    from automl_explain.plots._explanation_plots import plot_global_importance
    from automl_explain.plots._png import png

    n_bars = min(SHOWN, explanation.num_features)
    return png(lambda ax: plot_global_importance(explanation, ax=ax, top_k=SHOWN), n_bars)


def _page(explanation: Explanation, run: Run) -> str:
    """Return the table of importance as a page, which MLflow shows in a frame of its own."""
    from markupsafe import Markup

    from automl_explain.explainers.explanation._notebook import importance_table

    table = importance_table(explanation, title=f"{run.id} ({run.learner})")
    return render("notebook/page.html", title=run.id, body=Markup(table))


def _importance(explanation: Explanation) -> dict[str, float]:
    names, values = explanation.get_ranked_global_names(), explanation.get_ranked_global_values()
    return {str(name): float(value) for name, value in zip(names, values, strict=True)}


def _children(store: MlflowStore, parent: Any, history: RunHistory, runs: Sequence[Run]) -> dict[str, str]:
    """Return the MLflow run of each trial for which the search has logged one."""
    query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    search = history.search(runs[0].search)
    began = search["created"] - search["facts"].get("search_seconds", math.inf) - CLOCK_SECONDS
    with store.talking():
        places = {parent.info.experiment_id}
        study = search["facts"].get("study")
        if study is not None:  # the callback creates an experiment with the study's name
            experiment = store.client.get_experiment_by_name(study)
            places |= {experiment.experiment_id} if experiment is not None else set()
        found: list[Any] = []
        page = None
        while page is None or page.token:
            page = store.client.search_runs(sorted(places), query, page_token=page.token if page else None)
            found += [run for run in page if RUN_TAG not in run.data.tags]
    return _of_flaml(found, runs, began) | _of_optuna(found, history, runs)


def _of_flaml(children: Sequence[Any], runs: Sequence[Run], began: float) -> dict[str, str]:
    """Match by learner and loss. FLAML logs trials in the order of the search, or for workers in the order of their ends.

    Child runs from before the search are those of another one, whose trials may be the same.
    """
    theirs = [
        child for child in children if FLAML_ITERATION in child.data.tags and child.info.start_time >= 1000 * began
    ]
    theirs.sort(key=lambda child: int(child.data.tags[FLAML_ITERATION]))
    found: dict[str, str] = {}
    for child in theirs:
        learner, loss = child.data.tags.get(FLAML_LEARNER), child.data.metrics.get(FLAML_LOSS)
        for run in sorted(runs, key=lambda run: run.number):
            same = run.kind == "trial" and run.learner == learner and run.id not in found
            if same and None not in (loss, run.loss) and math.isclose(loss, run.loss or 0.0, rel_tol=SAME_LOSS):
                found[run.id] = child.info.run_id
                break
    return found


def _of_optuna(children: Sequence[Any], history: RunHistory, runs: Sequence[Run]) -> dict[str, str]:
    from automl_explain.integrations.searches.optuna._lookup import trial_name  # Optuna is imported only when needed

    found: dict[str, str] = {}
    for child in children:
        number, began = (child.data.tags.get(name) for name in (OPTUNA_NUMBER, OPTUNA_BEGAN))
        if number is not None and began is not None:
            named = {run.id for run in history.named(trial_name(number, began))}
            found |= {run.id: child.info.run_id for run in runs if run.id in named}
    return found
