"""From what a user passes to what a page shows, and to the model that answers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.dashboard._page_columns import Shown, as_before_preprocessing, choose_columns, describe_columns
from automl_explain.dashboard._searches import members_json, run_explanations, search_json
from automl_explain.dashboard._sources import Source, find_source
from automl_explain.dashboard.data._columns import PageColumn
from automl_explain.dashboard.data._metrics import classification_metrics, regression_metrics
from automl_explain.dashboard.data._page_model import AnyPageModel, PageModel, StoredPageModel, without_preprocessing
from automl_explain.dashboard.data._payload import ShownExplanation, Subject
from automl_explain.display._true_labels import class_codes, matched_labels
from automl_explain.explainers._agreement import agree
from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.formatting._names import counted, one_line
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.tables._table import Table, as_table, check_same_columns

MOST_BACKGROUND = 100
"""Rows drawn from the rows explained as a background, if there is none."""
CHECKED_ROWS = 200
"""Rows whose predictions are compared with those that were explained."""
TOLERANCE = 1e-4
"""Largest difference between these predictions, as a share of their spread."""
NO_MODEL = "What-if, ICE and edited rows need the fitted model: ExplanationDashboard(explanation, model, X_test)."
NO_ROWS = (
    "The cells of the rows are not known. Pass the rows explained: ExplanationDashboard(explanation, model, X_test)."
)
NOT_EDITABLE = (
    "Rows cannot be edited: a table holds cells that are others to the model after they went to the page and back."
)
NO_TRUTH = "Performance needs the true labels of the rows: true_labels=."
NO_VALUES = "The explanation has no values of single rows, only importance. Explain rows, with include_local=True."
INNER = "The columns are those that the model reads after its preprocessing."
PASS_ROWS = f"{INNER} Pass X_test, the rows that were explained, to see the columns of your table."


@dataclass(frozen=True, eq=False)
class Given:
    """What a page shows, and the model that answers it.

    Parameters
    ----------
    subject : Subject
    model : AnyPageModel or None
    """

    subject: Subject
    model: AnyPageModel | None = None


@dataclass(frozen=True, eq=False)
class Parameters:
    """What the user passes beside the source, as `ExplanationDashboard` documents it."""

    model: Any = None
    X_test: Any = None
    true_labels: Any = None
    background: Any = None
    title: str | None = None


def read_given(source: Any, given: Parameters = Parameters()) -> Given:
    """Return what a page is about.

    Raises
    ------
    InvalidInputError
        If the parts do not belong together: rows, labels, and the model's predictions.
    """
    found = find_source(source)
    rows = None if given.X_test is None else as_table(given.X_test, "X_test")
    fitted = found.model if given.model is None else given.model
    described = None if fitted is None else describe(fitted, rows)
    choice = _Choice.of(found, described, rows, given)
    shown, model = choice.shown, choice.model
    labels = found.labels if given.true_labels is None else given.true_labels
    truth = None if labels is None or labels is False else _truth(labels, shown, _own_labels(described, found))
    answer = None if model is None or shown.table is None else model.predict(shown.table)
    explanation = shown.explanation
    probability = (
        explanation.predictions if explanation.output_space == "probability" else answer and answer.probability
    )
    first = ShownExplanation(found.run.id if found.run else "explanation", _name(found), explanation)
    others = run_explanations(found, shown) if found.runs else ()
    subject = Subject(
        title=one_line(given.title or _title(found, described)),
        explanations=(first, *others),
        table=shown.table,
        columns=choice.columns,
        probability=probability,
        truth=truth,
        search=search_json(found, (first, *others)),
        members=members_json(found.members, shown),
        metrics=_metrics(truth, explanation, probability),
        notes=choice.notes,
        missing=() if found.examples else _missing(choice, truth),
        why_no_model=choice.why_no_model,
        examples=found.examples,
        nouns=found.nouns,
    )
    return Given(subject, model)


@dataclass(frozen=True, eq=False)
class _Choice:
    """The page's columns and the model over them.

    Parameters
    ----------
    shown : Shown
    columns : tuple of PageColumn, or None
    model : AnyPageModel or None
    why_no_model : str
    notes : tuple of str
    """

    shown: Shown
    columns: tuple[PageColumn, ...] | None = None
    model: AnyPageModel | None = None
    why_no_model: str = ""
    notes: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, found: Source, described: FittedModel | None, rows: Table | None, given: Parameters) -> _Choice:
        """Choose columns, and the model that takes them."""
        if described is None and found.scoring is not None:
            return cls._stored(found, rows)
        shown = choose_columns(found.explanation, described, rows)
        background = found.background if given.background is None else as_table(given.background, "background")
        if shown.table is None:
            return cls(shown, None, None, found.why_no_model or NO_MODEL)
        if described is not None and shown.is_inner and described.preprocessing is not None:
            background = None if background is None else as_table(described.transform(background.data, "background"))
            described = without_preprocessing(described)
        if background is not None:
            background = check_same_columns(background, shown.table.names, shown.table.n_columns, "background")
        columns = describe_columns(shown, () if background is None else (background,))
        notes = (PASS_ROWS if rows is None else INNER,) if shown.is_inner else ()
        if described is None:
            return cls(shown, columns, None, found.why_no_model or NO_MODEL, notes)
        if background is None:
            background = shown.table.sample(MOST_BACKGROUND, 0)
            notes = (
                *notes,
                f"Edited rows are explained over {counted(len(background), 'row')} of those shown, since no background is given.",
            )
        feature_map = None if shown.engineered is None else shown.engineered.feature_map
        model = PageModel(columns, shown.table, described, background, shown.explanation, feature_map)
        _check_predictions(model, shown)
        return cls._answered(shown, columns, model, notes)

    @classmethod
    def _answered(
        cls, shown: Shown, columns: tuple[PageColumn, ...], model: AnyPageModel, notes: tuple[str, ...] = ()
    ) -> _Choice:
        """Choose a model, unless the rows that come back from the page are others to it."""
        why = _why_not_editable(model)
        return cls(shown, columns, None if why else model, why, notes)

    @classmethod
    def _stored(cls, found: Source, rows: Table | None) -> _Choice:
        """Choose columns for a model that the history keeps as data, which takes raw columns."""
        scoring = found.scoring
        assert scoring is not None
        shown = choose_columns(found.explanation, None, rows)
        if rows is None and shown.is_inner:
            raw = as_before_preprocessing(found.explanation, scoring.schema)
            shown = shown if raw is None else Shown(*raw, engineered=found.explanation)
        if shown.table is None:
            return cls(shown, None, None, NO_MODEL)
        columns = describe_columns(shown, ())
        model = StoredPageModel(columns, shown.table, scoring)
        try:
            _check_predictions(model, shown)
        except AutoMLExplainError as error:
            if rows is not None:
                raise
            kept = choose_columns(found.explanation, None, None)
            why = (
                "The model that the history keeps cannot answer the rows that it keeps. Pass X_test, the rows that were "
                f"explained. ({error})"
            )
            return cls(kept, describe_columns(kept, ()), None, why, (PASS_ROWS,) if kept.is_inner else ())
        return cls._answered(shown, columns, model)


def _check_predictions(model: AnyPageModel, shown: Shown) -> None:
    """Refuse a model whose predictions are not those that were explained."""
    known, table = shown.explanation.predictions, shown.table
    if known is None or table is None or shown.explanation.fidelity is not None:
        return
    rows = np.arange(min(len(table), CHECKED_ROWS))
    made = model.predict(table.take(rows)).output
    if made.shape != known[rows].shape or not agree(made, known[rows], TOLERANCE):
        gap = f" by up to {np.max(np.abs(made - known[rows])):.3g}" if made.shape == known[rows].shape else ""
        raise InvalidInputError(
            f"The model's outputs for the rows differ from those that were explained{gap}. Pass the model that was explained, "
            "and as X_test the rows that were explained, in their order."
        )


def _why_not_editable(model: AnyPageModel) -> str:
    """Return a sentence if the model takes rows that went to the page and back for others, else an empty one."""
    rows = model.like.take(np.arange(min(len(model.like), CHECKED_ROWS)))
    try:
        back = model.predict(model.table(model.numbers(rows))).output
    except InvalidInputError as error:
        return f"{NOT_EDITABLE} {error}"
    return "" if agree(back, model.predict(rows).output, TOLERANCE) else NOT_EDITABLE


def _truth(labels: Any, shown: Shown, own: Sequence[Any] | None) -> npt.NDArray[np.float64]:
    """Return the position of each label among the classes, or the targets of a regression."""
    explanation = shown.explanation
    given = matched_labels(explanation, labels, "true_labels", None if shown.table is None else len(shown.table))
    if explanation.classes is not None:
        return class_codes(given, explanation.classes, own, "true_labels")
    try:
        return np.asarray(pd.to_numeric(pd.Series(given, dtype=object)), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"The 'true_labels' of a regression must be numbers: {error}.") from error


def _own_labels(described: FittedModel | None, found: Source) -> tuple[Any, ...] | None:
    """Return the labels of a model's classes, which may be others than their names."""
    model = found.scoring.model if described is None and found.scoring is not None else described
    return None if model is None else model.classes


def _metrics(
    truth: npt.NDArray[np.float64] | None, explanation: Explanation, probability: npt.NDArray[np.float64] | None
) -> dict[str, Any] | None:
    outputs = explanation.predictions
    if truth is None or outputs is None:
        return None
    if explanation.classes is None:
        return regression_metrics(truth, outputs[:, 0])
    return classification_metrics(truth, outputs, probability)


def _missing(choice: _Choice, truth: Any) -> tuple[str, ...]:
    explanation = choice.shown.explanation
    checks = (
        (explanation.local_importance_values is None, NO_VALUES),
        (choice.columns is None, NO_ROWS),
        (choice.model is None, choice.why_no_model),
        (truth is None, NO_TRUTH),
    )
    return tuple(sentence for absent, sentence in checks if absent)


def _name(found: Source) -> str:
    return "Explanation" if found.run is None else f"{found.run.learner} ({found.run.kind})"


def _title(found: Source, model: FittedModel | None) -> str:
    if found.run is not None:
        return f"{found.run.learner}, {found.run.kind} of search {found.run.search}"
    return f"Explanation of {model.name}" if model is not None else "Explanation of a model"
