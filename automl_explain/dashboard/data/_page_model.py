"""`PageModel`: the model behind a page, as a function of rows of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from automl_explain.dashboard.data._columns import PageColumn, table_of
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._tabular_explainer import TabularExplainer
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.model._explained_model import ExplainedModel, explained_model
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.tables._table import Table

Numbers = npt.NDArray[np.float64]


class Answer(NamedTuple):
    """Outputs of rows, (m, C), and probabilities of the classes, or None."""

    output: Numbers
    probability: Numbers | None


@dataclass(frozen=True, eq=False)
class PageModel:
    """A model whose columns are those of a page.

    Parameters
    ----------
    model : FittedModel
        What the caller passes to it are tables of the page's columns.
    columns : tuple of PageColumn
    like : Table
        A table in the format that the model takes.
    background : Table
        Rows that provide the values of absent features.
    explanation : Explanation
        The explanation that the page shows first: its output space is that of the answers.
    feature_map : FeatureMap or None
        If values are computed for engineered columns and summed over those of each column of the page. None: they are
        computed for the page's columns themselves.
    """

    model: FittedModel
    columns: tuple[PageColumn, ...]
    like: Table
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

    def table(self, rows: Sequence[Sequence[float | None]]) -> Table:
        """Return rows that the page sent as a table.

        Raises
        ------
        InvalidInputError
            If a row has another number of cells, or one that is not a number or no cell of its column.
        """
        try:
            numbers = np.array(rows, dtype=np.float64).reshape(len(rows), -1)
        except (TypeError, ValueError) as error:
            raise InvalidInputError(f"Rows must be lists of numbers, with null for a missing cell: {error}.") from error
        if numbers.shape[1] != len(self.columns):
            raise InvalidInputError(f"A row must have {len(self.columns)} cells. Got {numbers.shape[1]}.")
        return table_of(self.columns, numbers, self.like)

    def predict(self, table: Table) -> Answer:
        """Return the outputs of rows in the explained space, and probabilities where the model has them.

        Raises
        ------
        InvalidInputError
            If the model cannot predict the rows.
        """
        rows = self.explained.read(table).engineered
        outputs = self.explained.model.outputs
        space = self.explained.model.output_space
        found = outputs[space](rows.data)
        probability = outputs["probability"](rows.data) if "probability" in outputs else None
        return Answer(found, found if space == "probability" else probability)

    def explain(self, table: Table) -> Explanation:
        """Return the explanation of rows over the page's columns; errors are those of `TabularExplainer.explain_local`."""
        found = self.explainer.explain_local(table)
        return found if self.feature_map is None else found.get_raw_explanation(self.feature_map)


def without_preprocessing(model: FittedModel) -> FittedModel:
    """Return the last step of a model, as a function of its engineered columns."""
    return replace(model, preprocessing=None, raw_names=None, n_raw=None, feature_map=None, mixes="")
