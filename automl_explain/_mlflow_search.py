"""A search under an active MLflow run: each explained run becomes a child run with its values and its figure."""

from __future__ import annotations

import json
import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.entities import Metric, Param

from automl_explain.explainers._errors import AutoMLExplainWarning, HistoryError
from automl_explain.explainers._explanation import Explanation
from automl_explain.explainers._progress import progress_bar
from automl_explain.integrations.mlflow import FOLDER, RUN_TAG, MlflowStore

if TYPE_CHECKING:
    from automl_explain.integrations._history import RunHistory
    from automl_explain.integrations._options import ExplainabilityOptions
    from automl_explain.integrations._run import Run

SHOWN = 15
"""Features in the figure."""
PARAMS_AT_ONCE = 100
"""Parameters that MLflow takes in one request."""
FLAML_ITERATION, FLAML_LEARNER = "flaml.iteration_number", "flaml.learner"
"""Tags of the child runs that FLAML makes itself."""


def log_runs(history: RunHistory, ids: Sequence[str], options: ExplainabilityOptions) -> None:
    """Log the explained ones of some runs as children of the active MLflow run; without one, do nothing.

    Where FLAML has logged a child run for each trial, these are used. If MLflow fails, that is said in one warning: the
    run history has everything.
    """
    parent = mlflow.active_run()
    if parent is None:
        return
    try:
        store = MlflowStore()
        runs = [history.run(one) for one in ids]
        theirs = _children_of_flaml(store, parent, runs)
        explained = [run for run in runs if run.status == "explained"]
        with progress_bar(len(explained), "logging to MLflow", options.progress) as advance:
            for run in explained:
                _log(store, parent, run, theirs.get(run.id))
                advance(1)
    except HistoryError as error:
        message = f"{error} Explanations that were not logged are in {history}."
        warnings.warn(message, AutoMLExplainWarning, stacklevel=2)


def _log(store: MlflowStore, parent: Any, run: Run, child: str | None) -> None:
    explanation = run.explanation
    with store.talking():
        own = child is None
        child = child or _new_child(store, parent, run)
        for name, value in _facts(run):
            store.client.set_tag(child, name, value)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "importance.png").write_bytes(_picture(explanation))
            (Path(folder) / "importance.json").write_text(json.dumps(_importance(explanation)), encoding="utf-8")
            store.client.log_artifacts(child, folder, FOLDER)
        store.store(child, explanation, comment=f"run {run.id}", seconds=run.seconds)
        if own:
            store.client.update_run(child, status="FINISHED")  # set_terminated would print to stdout


def _new_child(store: MlflowStore, parent: Any, run: Run) -> str:
    tags = {"mlflow.parentRunId": parent.info.run_id, "mlflow.runName": run.id}
    child: str = store.client.create_run(parent.info.experiment_id, tags=tags, run_name=run.id).info.run_id
    params = [Param(re.sub(r"[^\w\-./ ]", "_", name), str(value)) for name, value in run.config.items()]
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


def _picture(explanation: Explanation) -> bytes:
    # Imported here: this module is loaded after every search of a program that uses MLflow, most log nothing.
    from automl_explain._figures import png
    from automl_explain._plots import plot_global_importance

    n_bars = min(SHOWN, explanation.num_features)
    return png(lambda ax: plot_global_importance(explanation, ax=ax, top_k=SHOWN), n_bars)


def _importance(explanation: Explanation) -> dict[str, float]:
    names, values = explanation.get_ranked_global_names(), explanation.get_ranked_global_values()
    return {str(name): float(value) for name, value in zip(names, values, strict=True)}


def _children_of_flaml(store: MlflowStore, parent: Any, runs: Sequence[Run]) -> dict[str, str]:
    """MLflow run of each trial, where FLAML has made one for every trial: it logs them in the order of the search."""
    trials = sorted((run for run in runs if run.kind == "trial"), key=lambda run: run.number)
    query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    found: list[Any] = []
    with store.talking():
        page = None
        while page is None or page.token:
            token = page.token if page else None
            page = store.client.search_runs([parent.info.experiment_id], query, page_token=token)
            found += [run for run in page if FLAML_ITERATION in run.data.tags and RUN_TAG not in run.data.tags]
    found.sort(key=lambda run: int(run.data.tags[FLAML_ITERATION]))
    learners = [run.data.tags.get(FLAML_LEARNER) for run in found]
    if not trials or learners != [run.learner for run in trials]:
        return {}
    return {run.id: child.info.run_id for run, child in zip(trials, found, strict=True)}
