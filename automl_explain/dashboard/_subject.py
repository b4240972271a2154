"""From what a user passes to what a page is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain._explain_model import ModelExplanation
from automl_explain.dashboard.data._columns import PageColumn, column_cells, read_column
from automl_explain.dashboard.data._page_model import PageModel, without_preprocessing
from automl_explain.dashboard.data._payload import ShownExplanation, Subject
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.formatting._names import counted
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.tables._table import Table, as_table, check_same_columns

MOST_BACKGROUND = 100
"""Background rows of a page whose user passed none."""
NO_MODEL = "What-if, ICE and edited rows need the fitted model: ExplanationDashboard(explanation, model, X_test)."
NO_ROWS = "The values of the columns are not known. Pass the rows explained: ExplanationDashboard(explanation, model, X_test)."
NO_TRUTH = "Performance needs the true labels of the rows: pass true_labels=."


@dataclass(frozen=True, eq=False)
class Given:
    """What a page shows, and the model that answers it.

    Parameters
    ----------
    subject : Subject
    model : PageModel or None
    """

    subject: Subject
    model: PageModel | None = None


def read_given(
    source: Any,
    model: Any = None,
    X_test: Any = None,
    true_labels: Any = None,
    background: Any = None,
    title: str | None = None,
) -> Given:
    """Return what a page is about; the parameters are those of `ExplanationDashboard`."""
    explanation = source.explanation if isinstance(source, ModelExplanation) else source
    if not isinstance(explanation, Explanation):
        raise InvalidInputError(f"Expected an explanation. Got {type(source).__name__}.")
    recipe = source.explainer if isinstance(source, ModelExplanation) else None
    rows = None if X_test is None else as_table(X_test, "X_test")
    described = recipe.model if model is None and recipe is not None else None
    if model is not None:
        described = describe(model, rows)
    if background is None and recipe is not None:
        background = recipe.background
    found = _over_columns(explanation, described, rows)
    backing = None if background is None else as_table(background, "background")
    columns = None
    if found.table is not None:
        if backing is not None:
            backing = _in_columns(backing, found)
        columns = _columns(found, backing)
    shown = ShownExplanation("explanation", "Explanation", found.explanation)
    page_model = _page_model(found, columns, backing)
    truth = None if true_labels is None else _truth(true_labels, found.explanation)
    missing = [
        sentence
        for absent, sentence in ((page_model is None, NO_MODEL), (columns is None, NO_ROWS), (truth is None, NO_TRUTH))
        if absent
    ]
    probability = None if page_model is None or found.table is None else page_model.predict(found.table).probability
    subject = Subject(
        title=title or _title(explanation, described),
        explanations=(shown,),
        table=found.table,
        columns=columns,
        probability=probability,
        truth=truth,
        notes=tuple(explanation.notes),
        missing=tuple(missing),
    )
    return Given(subject, page_model)


@dataclass(frozen=True, eq=False)
class _Columns:
    """An explanation over the page's columns, their rows, and the model over them."""

    explanation: Explanation
    table: Table | None
    model: FittedModel | None
    engineered: Explanation | None = None


def _over_columns(explanation: Explanation, model: FittedModel | None, rows: Table | None) -> _Columns:
    """Decide which columns the page has: the user's own where the values can be had for them, else the model's."""
    if rows is not None:
        _check_rows(rows, explanation)
        if explanation.is_raw:
            return _Columns(
                explanation, check_same_columns(rows, explanation.features, explanation.num_features, "X_test"), model
            )
        if explanation.feature_map is not None and rows.n_columns == len(explanation.feature_map.raw_names):
            raw = explanation.get_raw_explanation()
            return _Columns(raw, check_same_columns(rows, raw.features, raw.num_features, "X_test"), model, explanation)
        if model is not None and model.preprocessing is not None and rows.n_columns != explanation.num_features:
            return _Columns(explanation, as_table(model.transform(rows.data, "X_test")), without_preprocessing(model))
        return _Columns(
            explanation, check_same_columns(rows, explanation.features, explanation.num_features, "X_test"), model
        )
    inner = model if model is None or explanation.is_raw else without_preprocessing(model)
    return _Columns(explanation, explanation.data, inner)


def _check_rows(rows: Table, explanation: Explanation) -> None:
    if explanation.num_examples and len(rows) != explanation.num_examples:
        raise InvalidInputError(
            f"X_test must be the {counted(explanation.num_examples, 'row')} that were explained, in their order. "
            f"Got {counted(len(rows), 'row')}."
        )


def _in_columns(background: Table, found: _Columns) -> Table:
    """Return background rows in the page's columns."""
    assert found.table is not None
    return check_same_columns(background, found.table.names, found.table.n_columns, "background")


def _columns(found: _Columns, background: Table | None) -> tuple[PageColumn, ...]:
    table = found.table
    assert table is not None
    names = found.explanation.feature_labels
    more = [] if background is None else [background]
    return tuple(
        read_column(names[j], column_cells(table, j), *(column_cells(other, j) for other in more))
        for j in range(table.n_columns)
    )


def _page_model(found: _Columns, columns: tuple[PageColumn, ...] | None, background: Table | None) -> PageModel | None:
    if found.model is None or columns is None or found.table is None:
        return None
    feature_map = None if found.engineered is None else found.engineered.feature_map
    rows = found.table.sample(MOST_BACKGROUND, 0) if background is None else background
    return PageModel(found.model, columns, found.table, rows, found.explanation, feature_map)


def _truth(labels: Any, explanation: Explanation) -> npt.NDArray[np.float64]:
    """Return the position of each label among the classes, or the targets of a regression."""
    given = pd.Series(
        np.ravel(np.asarray(labels, dtype=object) if not isinstance(labels, pd.Series) else labels.to_numpy())
    )
    if len(given) != explanation.num_examples:
        raise InvalidInputError(
            f"The 'true_labels' must have a label for each of the {counted(explanation.num_examples, 'row')} explained. "
            f"Got {len(given)}."
        )
    if explanation.classes is None:
        return np.asarray(pd.to_numeric(given), dtype=np.float64)
    known = {str(label): code for code, label in enumerate(explanation.classes)}
    found = given.astype(str).map(known)
    unknown = given[found.isna() & given.notna()]
    if len(unknown):
        raise InvalidInputError(
            f"The 'true_labels' must be the classes of the model, {list(explanation.classes)}. Got {unknown.iloc[0]!r}."
        )
    return np.asarray(found, dtype=np.float64)


def _title(explanation: Explanation, model: FittedModel | None) -> str:
    return f"Explanation of {model.name}" if model is not None else "Explanation of a model"
