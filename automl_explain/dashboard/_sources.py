"""What a dashboard can be made of: explanations, and whatever identifies a run of a search."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from automl_explain._model_explanation import ModelExplanation
from automl_explain.display._class_view import is_explanation
from automl_explain.explainers._errors import ExplanationNotFoundError, InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation, MemberExplanation
from automl_explain.explainers.formatting._names import OF_TABLES, Nouns
from automl_explain.explainers.scoring._explainer import ScoringExplainer
from automl_explain.explainers.stored._any_explanation import AnyExplanation
from automl_explain.explainers.tables._table import Table
from automl_explain.integrations._run_lookup import find_run
from automl_explain.integrations.history._run import Run
from automl_explain.integrations.history._run_history import RunHistory
from automl_explain.integrations.history._run_scorers import scorer_of

MOST_EXAMPLES = 20
"""Texts or images that a page shows."""
NO_EDITING = "Texts and images cannot be edited in the dashboard."


@dataclass(frozen=True, eq=False)
class Source:
    """An explanation, and what is known of its model.

    Parameters
    ----------
    explanation : Explanation
    model : object or None
        The fitted model, or its description.
    background : Table or None
        The rows that provided the values of absent features.
    scoring : ScoringExplainer or None
        The model and its explainer as data, if the model itself is not there.
    run : Run or None
        The run that is explained.
    runs : tuple of Run
        All runs of its search.
    why_no_model : str
        A sentence on why neither is there; empty if the source says nothing of it.
    labels : array-like or None
        True labels of the rows that were kept with the explanation.
    examples : str
        Examples of an explanation of texts or images as HTML, in which everything is escaped; empty for tables.
    nouns : Nouns
        What the rows and the features are called.
    """

    explanation: Explanation
    model: Any = None
    background: Table | None = None
    scoring: ScoringExplainer | None = None
    run: Run | None = None
    runs: tuple[Run, ...] = ()
    why_no_model: str = ""
    labels: Any = None
    examples: str = ""
    nouns: Nouns = OF_TABLES

    @property
    def members(self) -> MemberExplanation | None:
        """Contributions of the members of an ensemble."""
        return self.explanation.members


def find_source(source: Any) -> Source:
    """Return what a dashboard is made of.

    Raises
    ------
    InvalidInputError
        If the object is neither an explanation nor identifies a run.
    RunNotFoundError, ExplanationNotFoundError
        If there is no such run, or it has no explanation.
    """
    if is_explanation(source):
        return _of_explanation(source)
    if isinstance(source, ModelExplanation):
        recipe = source.explainer
        found = replace(_of_explanation(source.explanation), labels=source.true_labels)
        return found if recipe is None else replace(found, model=recipe.model, background=recipe.background)
    try:
        run = find_run(source)
    except InvalidInputError as error:
        raise InvalidInputError(
            "ExplanationDashboard takes an Explanation, the result of explain_model, a Run or its id, an AutoML object, a study "
            f"or a search with explanations. Got {type(source).__name__}. For a fitted model: "
            "ExplanationDashboard(explain_model(model, X_train, X_test), model, X_test)."
        ) from error
    return _of_run(run, source if hasattr(source, "predict") else None)


def _of_explanation(explanation: AnyExplanation) -> Source:
    """Return an explanation; of texts or images, their ranking and some examples."""
    if isinstance(explanation, Explanation):
        return Source(explanation)
    examples = explanation.examples_html(MOST_EXAMPLES)
    return Source(explanation.overall(), why_no_model=NO_EDITING, examples=examples, nouns=explanation.nouns)


def _of_run(run: Run, model: Any) -> Source:
    explanation, history = run.explanation, run.history
    runs = tuple(history.runs(run.search)) if isinstance(history, RunHistory) else ()
    if not isinstance(explanation, Explanation):
        return replace(_of_explanation(explanation), run=run, runs=runs)
    found = Source(explanation, model, run=run, runs=runs, labels=run.true_labels)
    if model is not None:
        return found
    try:
        return replace(found, scoring=scorer_of(run))
    except ExplanationNotFoundError as error:
        return replace(found, why_no_model=str(error))
