"""`Run`: one trial of a search or its final model, as the history keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.formatting._html import render
from automl_explain.explainers.formatting._names import counted
from automl_explain.explainers.formatting._numbers import NONE
from automl_explain.explainers.formatting._text_table import Column, TextTable
from automl_explain.integrations.history._labels import labels_of
from automl_explain.integrations.history._scores import score_name, score_of, scores_of

if TYPE_CHECKING:
    from automl_explain.explainers.stored._any_explanation import AnyExplanation


TOP = 3
"""Features of a run that a notebook shows."""


@dataclass(frozen=True)
class StoredExplanation:
    """The description of an explanation that is stored with a run; the explanation itself is not loaded.

    Parameters
    ----------
    id : str
        Its id.
    run : str
        Id of the run.
    created : datetime
        When it was stored, in UTC.
    comment : str
        Comment with which it was stored.
    is_raw : bool
        Whether its features are the user's own columns.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from automl_explain import StoredExplanation
    >>> print(StoredExplanation("run-1a2b3c", "run", datetime(2026, 5, 1, 12, 0, tzinfo=UTC), "five most important", True))
    run-1a2b3c (comment 'five most important', raw columns, 2026-05-01 12:00 UTC)
    """

    id: str
    run: str
    created: datetime
    comment: str
    is_raw: bool

    def __str__(self) -> str:
        comment = f"comment {self.comment!r}, " if self.comment else ""
        columns = "raw" if self.is_raw else "engineered"
        return f"{self.id} ({comment}{columns} columns, {self.created:%Y-%m-%d %H:%M} UTC)"


class ExplanationStore(Protocol):
    """The store of a run and its explanations: a `RunHistory` or an MLflow server."""

    def run(self, run_id: str) -> Run:
        """Return a run by its id."""

    def store(
        self, run_id: str, explanation: AnyExplanation, *, comment: str = "", seconds: float | None = None
    ) -> str:
        """Store an explanation of a run and return its id."""

    def part_losses(self, search: str) -> dict[str, tuple[float, ...]]:
        """Return the losses of each run's parts, such as folds; runs of which they are not known are left out."""

    def explanations(self, run_id: str) -> list[StoredExplanation]:
        """Return the descriptions of a run's explanations, oldest first."""

    def explanation(self, run_id: str, explanation_id: str | None = None) -> Any:
        """Return an explanation of a run, by default the most recent."""


@dataclass(frozen=True)
class Run:
    """One run of a search.

    Parameters
    ----------
    id : str
        Unique id: the search's id and the run's number, or ``refit`` or ``ensemble`` for the final model; ``refit-2`` for
        the second final model of a study that was continued.
    search : str
        Id of the search.
    number : int
        Order in the search, from 0.
    learner : str
        Name of the learner.
    config : mapping
        Hyperparameters as the search chose them.
    loss : float or None
        The minimised loss; None for a final model, which is not scored.
    metric : str
        Name of the loss.
    kind : {"trial", "refit", "ensemble"}
        A scored trial, the best configuration fitted again on all data, or an ensemble.
    status : {"captured", "explained", "skipped", "failed", "interrupted"}
        State of the run: its model was captured but not explained yet, it was explained, skipped, or failed, or
        the process that was to explain it ended before.
    why : str
        Reason of a run that was skipped, failed or interrupted.
    sample_size : int or None
        Training rows of a trial that used a part of the data.
    seconds : float or None
        Time that the explanation took.
    top : tuple of (str, float)
        The most important features.
    history : RunHistory or MlflowStore
        The store of the run.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from automl_explain import AutoMLConfig, Experiment
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> config = AutoMLConfig(X=X, y=y, engine="optuna", max_iter=2, estimators=["lgbm"])
    >>> run = Experiment("iris").submit(config).runs[0]
    >>> run.learner, run.kind, run.status, run.number
    ('lgbm', 'trial', 'explained', 0)
    """

    id: str
    search: str
    number: int
    learner: str
    config: Mapping[str, Any]
    loss: float | None
    metric: str
    kind: str
    status: str
    why: str
    sample_size: int | None
    seconds: float | None
    top: tuple[tuple[str, float], ...]
    history: ExplanationStore = field(repr=False, compare=False)

    @property
    def explanation(self) -> Any:
        """The run's most recent explanation: an `Explanation`, a `TextExplanation` or another kind that can be stored.

        Raises
        ------
        ExplanationNotFoundError
            If the run has none; the message has its status and the reason.
        """
        return self.history.explanation(self.id)

    @property
    def score(self) -> float | None:
        """The score in its own scale, such as 0.85 of "roc_auc" where the loss is 0.15; None for a metric that is not known."""
        return score_of(self.metric, self.loss)

    @property
    def score_text(self) -> str:
        """The score with its name, such as "ROC AUC 0.85"; the loss where the score is not known; empty without a loss."""
        if self.loss is None:
            return ""
        if self.score is None:
            return f"loss {self.loss:.5g} ({self.metric})"
        return f"{score_name(self.metric)} {self.score:.4g}"

    @property
    def scores(self) -> dict[str, float]:
        """Scores on the validation rows by name, such as accuracy; empty where they were not measured.

        A search measures them of its best run, and of its final model if that was not fitted to the validation rows.
        """
        return scores_of(self.history, self.id)

    @property
    def true_labels(self) -> Any:
        """True labels of the rows of its most recent explanation; None unless the search was to keep them (`keep_labels`)."""
        stored = self.history.explanations(self.id)
        return labels_of(self.history, stored[-1].id) if stored else None

    def as_dict(self) -> dict[str, Any]:
        """Return the run as JSON-serialisable values.

        Returns
        -------
        dict
            The fields, without the history, and the score.
        """
        names = (
            "id",
            "search",
            "number",
            "learner",
            "loss",
            "score",
            "metric",
            "kind",
            "status",
            "why",
            "sample_size",
            "seconds",
        )
        row = {name: getattr(self, name) for name in names}
        return row | {"config": dict(self.config), "top_features": [list(pair) for pair in self.top]}

    def to_frame(self) -> pd.DataFrame:
        """Return the run as a table of one line: see `Runs.to_frame`.

        Returns
        -------
        DataFrame
            One row.
        """
        return Runs([self]).to_frame()

    def _repr_html_(self) -> str:
        return Runs([self])._repr_html_()


class Runs(list[Run]):
    """The runs of a search. If its final model was not explained, their text says so first."""

    def to_frame(self) -> pd.DataFrame:
        """Return a line per run, by id: learner, kind, score, loss, metric, status, reason, seconds and top features."""
        names = ("learner", "kind", "score", "loss", "metric", "status", "why", "seconds")
        columns: dict[str, list[Any]] = {name: [getattr(run, name) for run in self] for name in names}
        columns["top_features"] = [[name for name, _ in run.top] for run in self]
        return pd.DataFrame(columns, index=pd.Index([run.id for run in self], name="run"))

    def __repr__(self) -> str:
        said = final_unexplained(self)
        return "\n".join([*said, super().__repr__()])

    def _repr_html_(self) -> str:
        heads = ("run", "learner", "score", "status", "features, or the reason")
        rows = tuple(
            (
                run.id,
                run.learner,
                (run.score_text or NONE).replace(" ", "\N{NO-BREAK SPACE}"),  # in one line beside a long reason
                run.status,
                ", ".join(name for name, _ in run.top[:TOP]) or run.why,
            )
            for run in self
        )
        table = TextTable(tuple(Column(head) for head in heads), rows)
        complete = final_unexplained(self) if len(self) > 1 else []
        return render("notebook/tables.html", facts=[*complete, counted(len(self), "run")], tables=[("", table)])


def best_trial(runs: Sequence[Run]) -> Run | None:
    """Return the trial with the lowest loss; the earliest one of equal losses."""
    scored = [run for run in runs if run.kind == "trial" and run.loss is not None]
    return min(scored, key=lambda run: (run.loss, run.number), default=None)


def final_of(runs: Sequence[Run]) -> Run | None:
    """Return the run of the final model: the refit, the ensemble, or the best trial itself."""
    return next((run for run in runs if run.kind != "trial"), best_trial(runs))


def runs_of(source: Any) -> tuple[Run, ...]:
    """Return the runs of a search: those of an object with `runs`, or of an iterable of runs.

    Raises
    ------
    InvalidInputError
        If it is neither, or there are no runs.
    """
    runs = getattr(source, "runs", source)
    several = isinstance(runs, Iterable) and not isinstance(runs, str | bytes) and getattr(runs, "ndim", 1) != 0
    found: list[Run] = []
    other: list[Any] = []
    for one in runs if several else (runs,):
        (found if isinstance(one, Run) else other).append(one)
        if other:  # what follows may have no end
            break
    if other or not found:
        got = f"{type(other[0]).__module__}.{type(other[0]).__qualname__}" if other else "no runs"
        raise InvalidInputError(
            f"Expected the runs of a search, such as automl.runs or history.runs(search). Got {got}. A single explanation is "
            "shown by plot_global_importance and plot_summary."
        )
    return tuple(found)


def final_unexplained(runs: Sequence[Run]) -> list[str]:
    """Return a sentence for each search in complete lists of runs whose final model has no explanation."""
    searches = dict.fromkeys(run.search for run in runs)
    finals = (final_of([run for run in runs if run.search == search]) for search in searches)
    return [
        f"The final model {run.id} ({run.learner}) was not explained: {' '.join((run.why or run.status).split())}"
        for run in finals
        if run is not None and run.status != "explained"
    ]


def why_unexplained(run: Run) -> str:
    """Return why a run has no explanation, and how to get one."""
    why = f" ({run.why})" if run.why else ""
    waits = " Runs are explained at the end of the search, or when its explain method is called."
    return (
        f"Run {run.id} has no explanation: its status is {run.status}{why}.{waits if run.status == 'captured' else ''} Explain a "
        "model with explain_model(fitted_model, X_train, X_test, best_run=run), or search with a larger "
        "ExplainabilityOptions(time_budget=...)."
    )
