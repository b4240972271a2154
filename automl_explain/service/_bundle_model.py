"""A scoring explainer as the service sees it."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

import numpy as np

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.formatting._numbers import python_value
from automl_explain.service._bundle import Cells, ColumnFacts, Matrix, Scored

EVERY = "rows"
"""Stands for the columns where a refusal names none."""


class ScoringSchema(Protocol):
    """The columns of a scoring explainer, and the reading of rows by them."""

    @property
    def columns(self) -> tuple[ColumnFacts, ...]:
        """Columns in the order of the model."""

    def read(self, rows: Any) -> Matrix:
        """Return rows as numbers; an `InvalidInputError` whose `problems` lists columns if they cannot be read."""


class Scorer(Protocol):
    """What the service uses of a scoring explainer."""

    schema: ScoringSchema
    features: tuple[str, ...] | None
    classes: tuple[Any, ...] | None
    output_space: str
    method: str
    fingerprint: str

    def explain_local(self, X: Any) -> Explanation:
        """Explain rows."""

    def predict(self, X: Any) -> Matrix:
        """Return outputs in `output_space`."""

    def predict_proba(self, X: Any) -> Matrix:
        """Return probabilities; an `InvalidInputError` if there are none."""

    def warm_up(self) -> None:
        """Prepare what the first rows would wait for."""


class BundleModel:
    """A `ServedModel` over a scoring explainer.

    Parameters
    ----------
    scorer : scoring explainer
    """

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self.version = scorer.fingerprint[:12]
        self.columns = scorer.schema.columns
        self.classes = None if scorer.classes is None else tuple(map(python_value, scorer.classes))
        self.output_space, self.method = scorer.output_space, scorer.method

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Names of the explained features."""
        return self._scorer.features or tuple(column.name for column in self.columns)

    def problems(self, cells: Cells) -> dict[str, str]:
        """Return what is wrong with the cells: column -> sentence."""
        try:
            self._scorer.schema.read(cells)
        except InvalidInputError as error:
            return dict(getattr(error, "problems", None) or {EVERY: str(error)})
        return {}

    def score(self, cells: Cells, explain: bool) -> Scored:
        """Return the scores of rows."""
        values = base = None
        if explain:
            explanation = self._scorer.explain_local(cells)
            values, base = explanation.local_importance_values, explanation.expected_values
            outputs = explanation.predictions
            assert outputs is not None
        else:
            outputs = self._scorer.predict(cells)
        outputs = np.asarray(outputs, dtype=np.float64).reshape(len(outputs), -1)
        return Scored(self._labels(outputs), outputs, self._probabilities(cells, outputs), values, base)

    def warm_up(self) -> None:
        """Prepare what the first rows would wait for, and score a row."""
        self._scorer.warm_up()
        self.score({column.name: [_example(column)] for column in self.columns}, True)

    def _labels(self, outputs: Matrix) -> tuple[Any, ...]:
        if self.classes is None:
            return tuple(outputs[:, 0].tolist())
        return tuple(self.classes[c] for c in outputs.argmax(axis=1).tolist())

    def _probabilities(self, cells: Cells, outputs: Matrix) -> Matrix | None:
        if self.classes is None or self.output_space == "probability":
            return None if self.classes is None else outputs
        return self._scorer.predict_proba(cells) if self._has_probabilities else None

    @cached_property
    def _has_probabilities(self) -> bool:
        try:
            self._scorer.predict_proba({column.name: [_example(column)] for column in self.columns})
        except InvalidInputError:
            return False
        return True


def _example(column: ColumnFacts) -> Any:
    if column.categories:
        return column.categories[0]
    return 0.0 if column.categories is None else None
