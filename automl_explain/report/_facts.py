"""The facts that a report is made of: a search, its runs, and the models that it shows in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automl_explain.display._class_view import any_explanation_of, is_explanation
from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.stored._any_explanation import AnyExplanation
from automl_explain.explainers.text._explanation import TextExplanation
from automl_explain.integrations.history._run import Run, best_trial, runs_of
from automl_explain.integrations.history._run_history import RunHistory

TOP = 3
"""Features named in a sentence or a table of runs."""


@dataclass(frozen=True, eq=False)
class Model:
    """A model that the report shows in full.

    Parameters
    ----------
    run : Run or None
        None for a model that is not of a search.
    full : AnyExplanation
        Its explanation, of a table, of texts or of images.
    name : str
        Its name in headings.
    role : str
        Its place in this search, in words.
    labels : ndarray of shape (n,), or None
        True labels of the rows explained, if they were kept.
    words : mapping of str to TextExplanation
        The words in columns of texts, for columns whose words were explained.
    """

    run: Run | None
    full: AnyExplanation
    name: str
    role: str
    labels: Any = None
    words: Mapping[str, TextExplanation] = field(default_factory=dict)

    @property
    def explanation(self) -> Explanation:
        """The explanation of a table, or the ranking over all texts or images."""
        overall: Explanation = self.full.overall()
        return overall

    @property
    def in_text(self) -> str:
        """Its name within a sentence."""
        return f"t{self.name[1:]}"


@dataclass(frozen=True, eq=False)
class Story:
    """A search, its runs and the models shown in full; or a single model.

    Parameters
    ----------
    search : dict
        As `RunHistory.search` returns it; empty for a single model.
    runs : tuple of Run
        Empty for a single model.
    best : Run or None
        The trial with the lowest loss.
    models : tuple of Model
        First the model that the search ends with, then the best run if that is another one. If neither was explained, the
        best run among those explained.
    unreadable : tuple of str
        Explanations that cannot be read, with the reason.
    """

    search: dict[str, Any]
    runs: tuple[Run, ...]
    best: Run | None
    models: tuple[Model, ...]
    unreadable: tuple[str, ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """What the search recorded about itself."""
        return dict(self.search.get("facts") or {})

    @property
    def metric(self) -> str:
        """Name of the metric from which the loss is computed."""
        return str(self.facts.get("metric") or self.runs[0].metric)

    @property
    def dropped(self) -> list[str]:
        """Columns that preprocessing removed."""
        return [str(name) for name in self.facts.get("dropped_columns") or ()]

    @property
    def is_search(self) -> bool:
        """Whether the report is on a search, not on a single model."""
        return bool(self.search)

    def count(self, status: str) -> int:
        """Return the number of runs with a status."""
        return sum(run.status == status for run in self.runs)


def tell_of(source: Any) -> Story:
    """Gather the facts for a report on one search, or on the model of one explanation.

    Parameters
    ----------
    source : iterable of Run, object with `runs`, ModelExplanation, Explanation or Run

    Raises
    ------
    InvalidInputError
        If there are no runs, or they belong to several searches, or this is no explanation.
    """
    if isinstance(source, Run) or is_explanation(source) or is_explanation(getattr(source, "explanation", None)):
        explanation = any_explanation_of(source)
        run = source if isinstance(source, Run) else None
        labels = getattr(source, "true_labels", None)
        words = {} if is_explanation(source) else getattr(source, "texts", {})
        return Story(
            {}, (), None, (Model(run, explanation, "The model", "the model that was explained", labels, words),)
        )
    return tell(source)


def tell(source: Any) -> Story:
    """Gather the facts for a report on one search.

    Raises
    ------
    InvalidInputError
        If there are no runs, or they belong to several searches.
    """
    runs = runs_of(source)
    searches = list(dict.fromkeys(run.search for run in runs))
    if len(searches) > 1:
        raise InvalidInputError(
            f"A report covers one search. Got runs of {len(searches)} searches: {searches[:5]}. Write one report for each."
        )
    history = runs[0].history
    if not isinstance(history, RunHistory):
        raise InvalidInputError(
            f"A report needs runs of a run history. Got a run of {history!r}. Use save_plots with its explanation instead."
        )
    best = best_trial(runs)
    models, unreadable = _models(runs, best)
    return Story(history.search(searches[0]), runs, best, models, unreadable)


_FINAL = {
    "refit": ("The final model", "the best configuration, fitted again to all training data"),
    "ensemble": ("The final ensemble", "an ensemble of models of the search"),
}
"""Kind of run -> its name and role."""


def _models(runs: Sequence[Run], best: Run | None) -> tuple[tuple[Model, ...], tuple[str, ...]]:
    wanted = [
        (run, *_FINAL.get(run.kind, ("The final model", "the model that the search returned")))
        for run in runs
        if run.kind != "trial"
    ]
    if best is not None:
        wanted.append((best, "The best run", "the trial with the lowest loss"))
    explained = [(run, name, role) for run, name, role in wanted if run.status == "explained"]
    if not explained:
        candidate = best_trial([run for run in runs if run.status == "explained"])
        role = "the trial with the lowest loss among those that were explained"
        explained = [] if candidate is None else [(candidate, "The best explained run", role)]
    models, unreadable = [], []
    for run, name, role in explained:
        try:
            models.append(Model(run, run.explanation, name, role, run.true_labels))
        except (AutoMLExplainError, OSError) as error:
            unreadable.append(f"{run.id}: {error}")
    return tuple(models), tuple(unreadable)
