"""The work of ``automl-explain demo`` and ``run``: search, explain, and write the report and the plots."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from automl_explain._explain_model import retrieve_model_explanation
from automl_explain._model_explanation import ModelExplanation
from automl_explain.dashboard._dashboard import ExplanationDashboard
from automl_explain.display._text_tables import runs_text, six_values_tables
from automl_explain.explainers._errors import InvalidInputError, MissingExtraError, UnsupportedModelError
from automl_explain.explainers.explanation._explanation import MemberExplanation
from automl_explain.explainers.formatting._numbers import number_text
from automl_explain.explainers.formatting._text_table import wrapped
from automl_explain.integrations.history._run import Run, final_unexplained
from automl_explain.integrations.history._run_history import RunHistory
from automl_explain.integrations.searches._options import ExplainabilityOptions
from automl_explain.integrations.searches._word_columns import text_columns
from automl_explain.report._write import save_plots, write_report
from automl_explain.search._config import AutoMLConfig
from automl_explain.search._dataset import Dataset
from automl_explain.search._texts import COUNTING
from automl_explain.search.engines._base import FinishedSearch
from automl_explain.search.engines._registry import run_engine


@dataclass(frozen=True, eq=False)
class SearchResult:
    """A finished search: its runs, the explanation of the best run, and the files written."""

    runs: list[Run]
    best_run: Run
    final_run: Run
    explained: ModelExplanation | None
    report: Path
    plots: list[Path]
    dashboard: Path | None = None
    why_no_dashboard: str = ""

    @property
    def missing(self) -> list[str]:
        """A sentence if the final model was not explained; otherwise empty."""
        return final_unexplained(self.runs)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-serialisable values."""
        return {
            "search": self.best_run.search,
            "best_run": self.best_run.id,
            "final_run": self.final_run.id,
            "final_explained": not self.missing,
            "runs": [run.as_dict() for run in self.runs],
            "explanation": None if self.explained is None else explanation_as_dict(self.explained),
            "report": str(self.report),
            "plots": [str(path) for path in self.plots],
            "dashboard": None if self.dashboard is None else str(self.dashboard),
        }

    def as_text(self, history_flag: str = "") -> str:
        """Return the tables that the command line prints, and the next commands."""
        parts = [runs_text(self.runs), ""]
        if self.explained is None:
            parts.append(f"best run {self.best_run.id} was not explained: {self.best_run.why}")
        else:
            parts += [_named("best run", self.best_run), six_values_tables(self.explained)]
        if self.final_run.id != self.best_run.id:
            parts += ["", _named("final model", self.final_run)]
        plots = ", ".join(path.name for path in self.plots)
        parts += [
            "",
            f"report: {self.report}",
            f"plots:  {self.report.parent}/ {plots}",
            f"dashboard: {self.dashboard or self.why_no_dashboard}",
            "",
            "next:",
            *self._next_commands(history_flag),
        ]
        return "\n".join(parts)

    def _next_commands(self, history_flag: str) -> list[str]:
        """What may be asked next, a command a line; the final model has one of its own unless it is the best run."""
        best, final = self.best_run, self.final_run
        shown = [(best, "explanation of the best run"), (final, "explanation of the final model")]
        if best.id == final.id:
            shown = [(best, "explanation of the best run, the final model")]
        commands = [
            (f"runs{history_flag} --search {best.search}", "list the runs of this search"),
            *((f"show{history_flag} {run.id}", what) for run, what in shown),
            (f"report{history_flag} {best.search}", "write the report again, to report.html"),
        ]
        width = max(len(command) for command, _ in commands)
        return [f"  automl-explain {command:<{width}}  {what}" for command, what in commands]


def _named(what: str, run: Run) -> str:
    """A run with its scores, as a line."""
    found = ", ".join(f"{name} {number_text(value)}" for name, value in run.scores.items())
    scores = f"validation rows: {found}" if found else run.score_text
    if not scores:
        scores = "not scored: it was fitted to the validation rows as well"
    return wrapped(f"{what} {run.id} ({run.learner}), {scores}")


def run_search(config: AutoMLConfig, out: Path) -> SearchResult:
    """Search a configuration, explain every run, and write the report and the plots.

    Parameters
    ----------
    config : AutoMLConfig
        The configuration; a progress bar is shown unless its options say otherwise.
    out : Path
        Directory of the report and the plots; created if it does not exist.
    """
    options = ExplainabilityOptions.read(config.explainability_options)
    options = replace(options, progress=True) if options.progress is None else options
    if config.engine in COUNTING and text_columns(config.dataset.X_train):
        options = replace(options, feature_space="engineered")  # words, rather than the column of texts as a whole
    config = replace(config, history=RunHistory.to_write(config.history), explainability_options=options)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass  # found out before the search, not after it
    except OSError as error:
        raise InvalidInputError(
            f"The directory {out} cannot be written: {error}. Choose another with --out DIR."
        ) from error
    found = run_engine(config)
    best, final = found.best_run, found.final_run
    assert best is not None
    assert final is not None
    explained = retrieve_model_explanation(best) if best.status == "explained" else None
    dashboard, why = _write_dashboard(out / "dashboard.html", found, config.dataset)
    report = out / "report.html"
    write_report(report, found.runs, dashboard=dashboard)
    plots = [] if explained is None else save_plots(out, explained.explanation)
    return SearchResult(found.runs, best, final, explained, report, plots, dashboard, why)


def _write_dashboard(path: Path, found: FinishedSearch, data: Dataset) -> tuple[Path | None, str]:
    """Write the dashboard of the final model; return the file, or the reason why there is none."""
    final = found.final_run
    if final is None or final.status != "explained":
        return None, "none, since the final model was not explained"
    try:
        return _dashboard(final, found.model, data).save(path), ""
    except (InvalidInputError, MissingExtraError, UnsupportedModelError) as error:
        return None, f"none. {error}"


def _dashboard(final: Run, model: Any, data: Dataset) -> ExplanationDashboard:
    """Return a dashboard with the validation rows and their labels if they are the rows explained, else with those kept."""
    if data.X_valid is not None and data.X_valid.shape[0] == final.explanation.num_examples:
        with suppress(InvalidInputError):  # such as other rows of the same number
            return ExplanationDashboard(final, model, data.X_valid, true_labels=data.y_valid, background=data.X_train)
    return ExplanationDashboard(final)


def explanation_as_dict(explained: ModelExplanation) -> dict[str, Any]:
    """Return the six values and their details as JSON-serialisable values."""
    names = ("expected_values", "overall_summary", "overall_imp", "per_class_summary", "per_class_imp")
    values = {name: _plain(getattr(explained, name)) for name in names}
    return {
        "features": list(explained.explanation.feature_labels),
        "shap_values": _plain(explained.shap_values),
        **values,
        "classes": _plain(explained.classes),
        "output_space": explained.output_space,
        "method": explained.method,
        "reason": explained.reason,
        "notes": list(explained.explanation.notes),
        "additivity_error": explained.additivity_error,
        "model_kind": explained.model_kind,
        "members": None if explained.members is None else _members_as_dict(explained.members),
    }


def _members_as_dict(shares: MemberExplanation) -> dict[str, Any]:
    split = shares.local_importance_values is not None
    return {
        "overall": shares.get_member_importance_dict(),
        "features": shares.to_frame().to_dict("index") if split else None,
        "reason": shares.reason,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
