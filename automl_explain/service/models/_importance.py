"""The rolling importance of features: means of absolute values over the rows explained lately. No row is kept."""

from __future__ import annotations

import threading

import numpy as np

from automl_explain.analysis._diff import ExplanationDiff
from automl_explain.explainers._errors import ExplanationNotFoundError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.service.models._served_model import Matrix, ServedModel, output_labels


class RollingImportance:
    """Means of absolute local importance values, in which the weight of a row halves with every `half_life` rows after it.

    Parameters
    ----------
    model : ServedModel
    half_life : int
        Rows.
    """

    def __init__(self, model: ServedModel, half_life: int) -> None:
        self._model, self._half_life = model, half_life
        self._lock = threading.Lock()
        self._sums, self._base = np.zeros((1, 1)), np.zeros(1)  # of the shapes of the first values
        self._weight, self.rows = 0.0, 0

    def add(self, values: Matrix, base_values: Matrix) -> None:
        """Count explained rows; values (n, f) or (C, n, f)."""
        by_class = np.abs(values if values.ndim == 3 else values[None])
        n_rows = by_class.shape[1]
        sums, kept = by_class.sum(axis=1), 0.5 ** (n_rows / self._half_life)
        with self._lock:
            self._sums = kept * self._sums + sums
            self._weight = kept * self._weight + n_rows
            self._base, self.rows = base_values, self.rows + n_rows

    def means(self) -> Matrix | None:
        """Return the importance of each feature in each class, (C, f) or (1, f); None before the first explained row."""
        with self._lock:
            return self._sums / self._weight if self.rows else None

    def top(self, count: int) -> list[tuple[str, float]]:
        """Return the most important features with their importance over the classes."""
        means = self.means()
        if means is None:
            return []
        overall = means.mean(axis=0)
        order = np.argsort(-overall, kind="stable")[:count]
        return [(self._model.features[j], float(overall[j])) for j in order]

    def moved(self) -> float | None:
        """Return the share of the importance that moved to other features since training; None if it is not known."""
        if self._model.importance is None or not self.rows:
            return None
        return ExplanationDiff.between(self._model.importance, self.explanation()).moved

    def explanation(self) -> Explanation:
        """Return the importance as an explanation with global values only, which ``automl-explain diff`` compares.

        Raises
        ------
        ExplanationNotFoundError
            If no row has been explained.
        """
        means, model = self.means(), self._model
        if means is None:
            raise ExplanationNotFoundError("No row has been explained since the service started.")
        return Explanation(
            None,
            self._base,
            model.features,
            output_labels(model),
            model.output_space,
            model.method,
            f"rolling means over {self.rows:,} rows that a service has explained; the half-life is {self._half_life:,} rows",
            is_raw=model.is_raw,
            global_values=means.mean(axis=0),
            class_values=None if output_labels(model) is None else means,
        )
