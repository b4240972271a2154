"""What the service needs of a model: its columns, its classes, and its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.scoring.columns._schema import Column

Matrix = npt.NDArray[np.float64]
Cells = Mapping[str, Sequence[Any]]
"""Columns of rows: column -> a cell for each row; None is a missing cell."""


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of n rows; f features, C classes.

    Parameters
    ----------
    predictions : tuple
        Predicted class of each row, or predicted number; for several targets a tuple with the output of each.
    outputs : ndarray, shape (n, C), or (n, 1) for a regression
        Outputs in the space that is explained.
    probabilities : ndarray of shape (n, C), or None
        Probabilities of the classes, if the model has them.
    values : ndarray of shape (n, f), or (C, n, f) for a classification, or None
        Local importance values; None if no explanation was asked for. Targets count as classes.
    base_values : ndarray, shape (C,) or (1,), or None
        Expected outputs.
    """

    predictions: tuple[Any, ...]
    outputs: Matrix
    probabilities: Matrix | None = None
    values: Matrix | None = None
    base_values: Matrix | None = None


class ServedModel(Protocol):
    """A model as the service sees it."""

    @property
    def version(self) -> str:
        """Version of the bundle: changes with every change of the model or its explainer."""

    @property
    def columns(self) -> Sequence[Column]:
        """Columns of the rows, in the order of the model."""

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the explained features."""

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """Class labels; None for a regression and for several targets."""

    @property
    def targets(self) -> tuple[str, ...] | None:
        """Names of the outputs of a model of several targets; None for any other model."""

    @property
    def output_space(self) -> str:
        """Unit of the outputs and values."""

    @property
    def method(self) -> str:
        """How the values are computed."""

    @property
    def is_raw(self) -> bool:
        """Whether the features are the caller's columns."""

    @property
    def importance(self) -> Explanation | None:
        """Global importance in training; None if the bundle keeps none."""

    def problems(self, cells: Cells) -> dict[str, str]:
        """Return what is wrong with the cells: column -> sentence. The names have been checked."""

    def score(self, cells: Cells, explain: bool) -> Scored:
        """Return the scores of rows without problems."""

    def warm_up(self) -> None:
        """Compile or load what the first score needs, and score a row."""


def output_labels(model: ServedModel) -> tuple[Any, ...] | None:
    """Return the classes or targets that outputs and values have an axis for; None for a regression."""
    return model.classes if model.targets is None else model.targets
