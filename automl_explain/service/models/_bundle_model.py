"""A scoring explainer as the service sees it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.formatting._numbers import python_value
from automl_explain.explainers.model._links import LINKS
from automl_explain.explainers.scoring._explainer import ScoringExplainer
from automl_explain.explainers.scoring.columns._schema import CellError, Column
from automl_explain.explainers.scoring.models._outputs import linked_spaces
from automl_explain.explainers.tables._moments import is_zoned
from automl_explain.service.models._served_model import Cells, Matrix, Scored

EVERY = "rows"
"""Stands for the columns where a refusal names none."""


class BundleModel:
    """A `ServedModel` over a scoring explainer.

    Parameters
    ----------
    scorer : ScoringExplainer
    """

    def __init__(self, scorer: ScoringExplainer) -> None:
        self.scorer = scorer
        self.version = scorer.fingerprint[:12]
        self.columns: tuple[Column, ...] = scorer.schema.columns
        several = scorer.model.task == "multitarget"
        self.targets = tuple(map(str, scorer.classes or ())) if several else None
        self.classes = None if scorer.classes is None or several else tuple(map(python_value, scorer.classes))
        self.output_space, self.method = scorer.output_space, scorer.method
        self.is_raw, self.importance = scorer.is_raw, scorer.importance

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Names of the explained features."""
        return self.scorer.feature_labels

    def problems(self, cells: Cells) -> dict[str, str]:
        """Return what is wrong with the cells: column -> sentence."""
        try:
            self.scorer.schema.read(cells)
        except CellError as error:
            return error.problems
        except InvalidInputError as error:
            return {EVERY: str(error)}
        return {}

    def score(self, cells: Cells, explain: bool) -> Scored:
        """Return the scores of rows."""
        values = base = None
        if explain:
            explanation = self.scorer.explain_local(cells, with_rows=False)
            values, base = explanation.local_importance_values, explanation.expected_values
            outputs = np.asarray(explanation.predictions)
        else:
            outputs = self.scorer.predict(cells)
            outputs = outputs.reshape(len(outputs), -1)
        return Scored(self._labels(outputs), outputs, self._probabilities(cells, outputs), values, base)

    def warm_up(self) -> None:
        """Prepare what the first rows would wait for, and score a row."""
        self.scorer.warm_up()
        self.score(self.example(), True)

    def _labels(self, outputs: Matrix) -> tuple[Any, ...]:
        if self.targets is not None:
            return tuple(map(tuple, outputs.tolist()))
        if self.classes is None:
            return tuple(outputs[:, 0].tolist())
        return tuple(self.classes[c] for c in outputs.argmax(axis=1).tolist())

    def _probabilities(self, cells: Cells, outputs: Matrix) -> Matrix | None:
        if self.classes is None or "probability" not in self.scorer.model.outputs:
            return None
        if self.output_space == "probability":
            return outputs
        link = linked_spaces(self.scorer.model).get("probability")
        return self.scorer.predict_proba(cells) if link is None else np.asarray(LINKS[link](outputs))

    def example(self) -> dict[str, list[Any]]:
        """Return a row that the model takes."""
        return {column.name: [_cell(column)] for column in self.columns}


def _cell(column: Column) -> Any:
    if column.kind == "date":
        return "2024-01-31T08:30:00Z" if is_zoned(column.dtype) else "2024-01-31"
    if column.categories is None:
        return 0.0
    return column.categories[0] if column.categories else None
