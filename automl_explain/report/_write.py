"""`write_report` and `save_plots`: explanations as files to share."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from automl_explain.display._class_view import check_top_k, class_text, explanation_of
from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._files import write_whole
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._values import ranking
from automl_explain.plots._explanation_plots import plot_global_importance, plot_local, plot_summary, rows_needed
from automl_explain.plots._png import png
from automl_explain.report._facts import tell_of
from automl_explain.report._page import make_page, page_html
from automl_explain.report._rows import ChosenRow, choose_rows

MOST_CLASS_FILES = 10
"""Most classes with a picture of their own."""


@checked
def write_report(
    path: str | os.PathLike[str],
    runs: Any,
    *,
    title: str | None = None,
    top_k: int = 15,
    rows: int = 2,
    dashboard: str | os.PathLike[str] | None = None,
) -> Path:
    """Write the report of a search, or of one model, as one HTML file that needs no other file.

    For a search, it shows the final model and the best run in full, single rows of the final model, every run with its
    status, the reasons for missing explanations, and how everything was computed.

    Parameters
    ----------
    path : path-like
        File to write. An existing file is replaced, and kept if writing fails.
    runs : iterable of Run, ModelExplanation, Explanation or Run
        The runs of one search, such as ``automl.runs`` or ``history.runs(search)``, or an object with `runs`; or an
        explanation, whose model is then shown in full.
    title : str, optional
        Heading; default: "Explanations of search" followed by its id, or "Explanation of a model".
    top_k : int, default 15
        Features shown of each model.
    rows : int, default 2
        Number of rows shown with the highest output, and with the lowest; for several classes, with the most and the least
        certain prediction. At most 5.
    dashboard : path-like, optional
        File that `ExplanationDashboard.save` wrote, to which the report has a link.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InvalidInputError
        If there are no runs, they belong to several searches, or a parameter cannot be used.
    HistoryError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from automl_explain import RunHistory, write_report
    >>> history = RunHistory(tempfile.mkdtemp())
    >>> search = history.start_search("flaml", "binary", {"metric": "log_loss"})
    >>> run = {"number": 0, "learner": "lgbm", "config": {}, "loss": 0.2, "metric": "log_loss", "kind": "trial"}
    >>> _ = history.add_runs(search, [run | {"status": "skipped", "why": "not asked for", "sample_size": None}])
    >>> write_report(Path(tempfile.mkdtemp()) / "report.html", history.runs(search)).name
    'report.html'
    """
    top_k = check_top_k(top_k)
    if not isinstance(rows, int) or isinstance(rows, bool) or not 0 <= rows <= 5:
        raise InvalidInputError(f"The 'rows' parameter must be an integer from 0 to 5. Got {rows!r}.")
    target = Path(path)
    page = replace(make_page(tell_of(runs), title, top_k, rows), dashboard=_link(target, dashboard))
    write_whole(target, page_html(page).encode(errors="replace"))
    return target


@checked
def save_plots(directory: str | os.PathLike[str], explanation: Any, *, top_k: int = 15) -> list[Path]:
    """Write an explanation's plots as PNG files.

    Parameters
    ----------
    directory : path-like
        Created if it does not exist; files of the same names are replaced.
    explanation : ModelExplanation, Explanation or Run
        Without local values, only the importance is drawn.
    top_k : int, default 15
        Features shown.

    Returns
    -------
    list of Path
        ``importance.png``; ``summary.png``, or one for each class where there are more than two; ``row-<number>.png``
        for the rows with the highest and the lowest output, or, for several classes, with the most and the least certain
        prediction. Weights of local models do not add up to an output and have no such pictures.

    Raises
    ------
    InvalidInputError
        If this is no explanation or `top_k` is less than 1.
    HistoryError
        If a file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import explain_model, save_plots
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> explained = explain_model(Ridge().fit(X, y), X, X.iloc[:50])
    >>> [path.name for path in save_plots(tempfile.mkdtemp(), explained)][:2]
    ['importance.png', 'summary.png']
    """
    explanation = explanation_of(explanation)
    top_k = check_top_k(top_k)
    folder = Path(directory)
    shown = min(top_k, explanation.num_features)
    tall = rows_needed(explanation, top_k)
    files = {"importance.png": png(lambda ax: plot_global_importance(explanation, ax=ax, top_k=top_k), tall)}
    if explanation.local_importance_values is not None and explanation.num_examples:
        files |= _summaries(explanation, top_k, shown)
        files |= _rows(explanation, top_k, shown) if explanation.is_additive else {}
    for name, picture in files.items():
        write_whole(folder / name, picture)
    return [folder / name for name in files]


def _link(report: Path, dashboard: str | os.PathLike[str] | None) -> str:
    """Return the address of a dashboard as a report links to it; empty without one."""
    if dashboard is None:
        return ""
    try:
        return quote(Path(os.path.relpath(dashboard, report.parent)).as_posix())
    except ValueError:  # on another drive
        return Path(dashboard).absolute().as_uri()


def _summaries(explanation: Explanation, top_k: int, shown: int) -> dict[str, bytes]:
    classes = explanation.classes or ()
    if len(classes) <= 2:
        return {"summary.png": _summary(explanation, None, top_k, shown)}
    moved = sorted(ranking(explanation.per_class_values.sum(axis=1))[:MOST_CLASS_FILES].tolist())
    return {
        f"summary-{j}-{_slug(class_text(explanation, j))}.png": _summary(explanation, classes[j], top_k, shown)
        for j in moved
    }


def _summary(explanation: Explanation, label: Any, top_k: int, shown: int) -> bytes:
    return png(lambda ax: plot_summary(explanation, ax=ax, class_=label, top_k=top_k), shown, row_inches=0.36)


def _rows(explanation: Explanation, top_k: int, shown: int) -> dict[str, bytes]:
    return {f"row-{row.row}.png": _row(explanation, row, top_k, shown) for row in choose_rows(explanation, 1)[1]}


def _row(explanation: Explanation, chosen: ChosenRow, top_k: int, shown: int) -> bytes:
    label = None if chosen.position is None else (explanation.classes or ())[chosen.position]
    return png(lambda ax: plot_local(explanation, chosen.row, ax=ax, class_=label, top_k=top_k), shown + 3)


def _slug(label: str) -> str:
    """A label as part of a file name that is valid on any system."""
    return re.sub(r"[^A-Za-z0-9]+", "-", label)[:30].strip("-").lower() or "class"
