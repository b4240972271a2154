"""The model behind a page, as a function of rows of the page."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.dashboard.data._columns import PageColumn, column_cells, table_of
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._tabular_explainer import TabularExplainer
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.model._explained_model import ExplainedModel, explained_model
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._structures import Opaque
from automl_explain.explainers.scoring._explainer import ScoringExplainer
from automl_explain.explainers.tables._table import Table, as_table

Numbers = npt.NDArray[np.float64]


class Answer(NamedTuple):
    """Outputs of rows, (m, C), and probabilities of the classes, or None."""

    output: Numbers
    probability: Numbers | None


@dataclass(frozen=True, eq=False)
class AnyPageModel(ABC):
    """A model that answers rows of a page.

    Parameters
    ----------
    columns : tuple of PageColumn
    like : Table
        The rows of the page, in the format that the model takes.
    """

    columns: tuple[PageColumn, ...]
    like: Table

    def numbers(self, table: Table) -> Numbers:
        """Return rows as the page has them, (m, f)."""
        return np.column_stack([column.to_numbers(column_cells(table, j)) for j, column in enumerate(self.columns)])

    def table(self, rows: Sequence[Sequence[float | None]] | Numbers) -> Table:
        """Return rows that the page sent as a table.

        Raises
        ------
        InvalidInputError
            If a row has another number of cells, or one that is not a number or no cell of its column.
        """
        try:
            numbers = np.array(rows, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InvalidInputError(f"Rows must be lists of numbers, with null for a missing cell: {error}.") from error
        if numbers.ndim != 2 or numbers.shape[1] != len(self.columns) or not len(numbers):
            raise InvalidInputError(f"Rows must be lists of {len(self.columns)} cells. Got the shape {numbers.shape}.")
        return table_of(self.columns, numbers, self.like)

    @abstractmethod
    def predict(self, table: Table) -> Answer:
        """Return the outputs of rows in the explained space, and probabilities where the model has them.

        Raises
        ------
        InvalidInputError
            If the model cannot predict the rows.
        """

    @abstractmethod
    def explain(self, table: Table) -> Explanation:
        """Return the explanation of rows over the page's columns.

        Raises
        ------
        InvalidInputError
            If the model cannot predict the rows.
        AdditivityError
            If the values do not add up to the predictions.
        """


@dataclass(frozen=True, eq=False)
class PageModel(AnyPageModel):
    """A fitted model whose columns are those of a page.

    Parameters
    ----------
    columns, like
        As in `AnyPageModel`.
    model : FittedModel
        What the caller passes to it are tables of the page's columns.
    background : Table
        Rows that provide the values of absent features.
    explanation : Explanation
        The explanation that the page shows first: its output space is that of the answers.
    feature_map : FeatureMap or None
        If values are computed for engineered columns and summed over those of each column of the page. None: they are
        computed for the page's columns themselves.
    """

    model: FittedModel
    background: Table
    explanation: Explanation
    feature_map: FeatureMap | None = None

    @cached_property
    def explained(self) -> ExplainedModel:
        """The model in the output space and over the columns that are explained, with its background."""
        return explained_model(self.model, self.background, **self.options)

    @property
    def options(self) -> dict[str, Any]:
        """Options of the explainer: names of the columns, output space and feature space."""
        return {
            "features": None if self.background.names is not None else [column.name for column in self.columns],
            "output": self.explanation.output_space,
            "feature_space": "engineered" if self.feature_map is not None else "raw",
        }

    @cached_property
    def explainer(self) -> TabularExplainer:
        """The explainer of edited rows."""
        return TabularExplainer(self.model, self.background, progress=False, **self.options)

    def predict(self, table: Table) -> Answer:
        """Return the answers of the model itself."""
        rows = self.explained.read(table).engineered
        outputs, space = self.explained.model.outputs, self.explained.model.output_space
        found = outputs[space](rows.data)
        if space == "probability":
            return Answer(found, found)
        return Answer(found, outputs["probability"](rows.data) if "probability" in outputs else None)

    def explain(self, table: Table) -> Explanation:
        """Return what the explainer of the model's structure says."""
        found = self.explainer.explain_local(table)
        return found if self.feature_map is None else found.get_raw_explanation(self.feature_map)


@dataclass(frozen=True, eq=False)
class StoredPageModel(AnyPageModel):
    """A scoring explainer, such as one that a search has kept, whose columns are those of a page.

    Parameters
    ----------
    columns, like
        As in `AnyPageModel`.
    scoring : ScoringExplainer
    """

    scoring: ScoringExplainer

    def predict(self, table: Table) -> Answer:
        """Return the answers of the stored model."""
        outputs = self.scoring.predict(table.data)
        found = outputs if outputs.ndim == 2 else outputs[:, None]
        if self.scoring.output_space == "probability":
            return Answer(found, found)
        return Answer(
            found, self.scoring.predict_proba(table.data) if "probability" in self.scoring.model.outputs else None
        )

    def explain(self, table: Table) -> Explanation:
        """Return what the scoring explainer says, summed over the engineered columns of each column of the page."""
        found = self.scoring.explain_local(table.data)
        return found if found.is_raw or found.feature_map is None else found.get_raw_explanation()


def without_preprocessing(model: FittedModel) -> FittedModel:
    """Return the last step of a model, as a function of its engineered columns."""
    return replace(model, preprocessing=None, raw_names=None, n_raw=None, feature_map=None, mixes="")


def over_numbers(page: PageModel) -> PageModel:
    """Return the model of a page as a function of the page's numbers, such as those of dates and the codes of categories."""
    columns = tuple(PageColumn(column.name, "number", np.dtype(np.float64)) for column in page.columns)
    names = [column.name for column in columns]

    def numbers(table: Table) -> Table:
        return as_table(pd.DataFrame(page.numbers(table), columns=names))

    def output(matrix: Any) -> Numbers:
        return page.predict(page.table(np.asarray(matrix, dtype=np.float64))).output

    def probability(matrix: Any) -> Numbers:
        found = page.predict(page.table(np.asarray(matrix, dtype=np.float64))).probability
        assert found is not None
        return found

    space = page.explained.model.output_space
    outputs: dict[Any, Any] = {space: output}
    if space != "probability" and "probability" in page.explained.model.outputs:
        outputs["probability"] = probability
    model = FittedModel(
        outputs=outputs,
        output_space=space,
        task=page.model.task,
        structure=Opaque("a function of the page's numbers"),
        classes=page.model.classes,
        feature_names=tuple(names),
        n_features=len(names),
        kind=page.model.kind,
        name=page.model.name,
    )
    return PageModel(columns, numbers(page.like), model, numbers(page.background), page.explanation)
