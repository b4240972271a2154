"""One search from a data set to its files: what ``automl-explain demo`` and ``run`` do."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl_explain._data import Dataset, Task
from automl_explain._explain_model import ModelExplanation, retrieve_model_explanation
from automl_explain._report import save_plots, write_report
from automl_explain._tables import runs_table, six_values_tables
from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError, MissingExtraError
from automl_explain.explainers._table import nearest
from automl_explain.integrations._history import RunHistory
from automl_explain.integrations._options import ExplainabilityOptions
from automl_explain.integrations._run import Run

if TYPE_CHECKING:
    from automl_explain.integrations.flaml import AutoML

CHOICES: dict[str, dict[Task, tuple[str, ...]]] = {
    "estimators": {
        "classification": ("lrl1", "lrl2", "svc"),
        "regression": ("enet", "lassolars"),
    },
    "metric": {
        "classification": (
            *("accuracy", "log_loss", "f1", "micro_f1", "macro_f1", "ap", "roc_auc", "roc_auc_ovr", "roc_auc_ovo"),
            *("roc_auc_weighted", "roc_auc_ovr_weighted", "roc_auc_ovo_weighted"),
        ),
        "regression": ("r2", "rmse", "mae", "mse", "mape"),
    },
}
"""Option -> task -> FLAML's names for that task alone."""
FOR_BOTH = {
    "estimators": (
        *("lgbm", "xgboost", "xgb_limitdepth", "rf", "extra_tree", "histgb", "catboost", "sgd", "kneighbor"),
    ),
    "metric": ("auto",),
}
"""Option -> FLAML's names for either task."""


@dataclass(frozen=True, eq=False)
class SearchResult:
    """A finished search: its runs, the best one's explanation, and the files written."""

    runs: list[Run]
    best_run: Run
    final_run: Run
    explained: ModelExplanation | None
    report: Path
    plots: list[Path]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-serialisable values."""
        return {
            "search": self.best_run.search,
            "best_run": self.best_run.id,
            "final_run": self.final_run.id,
            "runs": [run.as_dict() for run in self.runs],
            "explanation": None if self.explained is None else explanation_as_dict(self.explained),
            "report": str(self.report),
            "plots": [str(path) for path in self.plots],
        }

    def as_text(self, history_flag: str = "") -> str:
        """Return the tables that the command line prints, and what to do next."""
        parts = [runs_table(self.runs), ""]
        if self.explained is None:
            parts.append(f"best run {self.best_run.id} was not explained: {self.best_run.why}")
        else:
            parts += [f"best run {self.best_run.id} ({self.best_run.learner})", six_values_tables(self.explained)]
        plots = ", ".join(path.name for path in self.plots)
        parts += [
            "",
            f"report: {self.report}",
            f"plots:  {self.report.parent}/ {plots}",
            "",
            "next:",
            f"  automl-explain runs{history_flag} --search {self.best_run.search}    every run of this search",
            f"  automl-explain show{history_flag} {self.best_run.id}    the best run's explanation again",
            f"  automl-explain show{history_flag} {self.final_run.id}    that of the model you would deploy",
            f"  automl-explain report{history_flag} {self.best_run.search}    the report again, as report.html",
        ]
        return "\n".join(parts)


def run_search(
    dataset: Dataset,
    *,
    history: RunHistory,
    out: Path,
    time_budget: float,
    max_iter: int | None,
    ensemble: bool,
    metric: str,
    estimators: list[str] | None,
    seed: int,
    options: ExplainabilityOptions | None = None,
) -> SearchResult:
    """Search with FLAML, explain every run, write the report and the plots.

    Parameters
    ----------
    dataset : Dataset
    history : RunHistory
        Where the runs are kept.
    out : Path
        Directory of the report and the plots; made when missing.
    time_budget, max_iter, ensemble, metric, estimators, seed
        As FLAML's settings of those names.
    options : ExplainabilityOptions, optional
        Default: the usual ones, with a progress bar.
    """
    check_choices("--estimators", estimators or [], dataset.task)
    check_choices("--metric", [metric], dataset.task)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInputError(f"The directory {out} cannot be made: {error}. Name another with --out DIR.") from error
    automl = fit(
        dataset,
        history=history,
        time_budget=time_budget,
        max_iter=max_iter,
        ensemble=ensemble,
        metric=metric,
        estimators=estimators,
        seed=seed,
        options=options or ExplainabilityOptions(progress=True),
    )
    best, final = automl.best_run, automl.final_run
    assert best is not None
    assert final is not None
    explained = retrieve_model_explanation(best) if best.status == "explained" else None
    report = out / "report.html"
    write_report(report, automl.runs)
    plots = [] if explained is None else save_plots(out, explained.explanation)
    return SearchResult(automl.runs, best, final, explained, report, plots)


def fit(
    dataset: Dataset,
    *,
    history: RunHistory | str | os.PathLike[str] | None,
    time_budget: float,
    max_iter: int | None,
    ensemble: bool,
    metric: str,
    estimators: list[str] | None,
    seed: int,
    options: ExplainabilityOptions,
    explain: bool = True,
    experiment: str | None = None,
) -> AutoML:
    """Search with FLAML, on validation rows of their own, and explain the runs.

    Raises
    ------
    AutoMLExplainError
        If no model could be trained or scored.
    """
    from automl_explain.integrations.flaml import AutoML

    automl = AutoML(
        model_explainability=explain, history=history, explainability_options=options, experiment=experiment
    )
    settings: dict[str, Any] = {"time_budget": time_budget, "metric": metric, "seed": seed, "verbose": 0}
    settings |= {"estimator_list": estimators} if estimators else {}
    settings |= {"max_iter": max_iter} if max_iter else {}
    automl.fit(
        dataset.X_train,
        dataset.y_train,
        task=dataset.task,
        X_val=dataset.X_valid,
        y_val=dataset.y_valid,
        ensemble=ensemble,
        **settings,
    )
    if automl.best_run is None if explain else automl.model is None:
        tried = len(automl.runs)
        raise AutoMLExplainError(
            f"None of the {tried} models could be scored by {metric}: try another --metric."
            if tried
            else f"No trial finished within {time_budget:g} seconds: give the search more time with --time-budget."
        )
    return automl


def check_choices(option: str, names: list[str], task: Task) -> None:
    """Refuse a name that FLAML has not, or not for this task, before the search; it would ignore or fail on it.

    Raises
    ------
    InvalidInputError
        If a name is not one of FLAML's for the task; the message names the nearest.
    MissingExtraError
        If the catboost learner is named and catboost is not installed.
    """
    known = [*FOR_BOTH[option.lstrip("-")], *CHOICES[option.lstrip("-")][task]]
    for name in names:
        if name not in known:
            guess = nearest(name, known)
            hint = f"Did you mean {guess!r}?" if guess else f"There are: {', '.join(known)}."
            raise InvalidInputError(f"{option} has no {name!r} for a {task}. {hint}")
    if "catboost" in names and find_spec("catboost") is None:
        raise MissingExtraError("The catboost learner needs catboost: pip install 'automl-explain[catboost]'")


def explanation_as_dict(explained: ModelExplanation) -> dict[str, Any]:
    """Return the six values and what stands behind them as JSON-serialisable values."""
    names = ("expected_values", "overall_summary", "overall_imp", "per_class_summary", "per_class_imp")
    values = {name: _plain(getattr(explained, name)) for name in names}
    return {
        "shap_values": _plain(explained.shap_values),
        **values,
        "classes": _plain(explained.classes),
        "output_space": explained.output_space,
        "method": explained.method,
        "reason": explained.reason,
        "notes": list(explained.explanation.notes),
        "additivity_error": explained.additivity_error,
        "model_kind": explained.model_kind,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
