"""A tree model to fit, and what its description must say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Library:
    """How a library's own predictions are asked for."""

    leaves: Callable[[Any, Any], Any] | None  # leaf of each row in each tree, whatever the numbering
    rtol: float  # of sums of leaves
    takes_infinity: bool = True
    leaves_take_infinity: bool = True
    is_linear: bool = False


@dataclass(frozen=True)
class Case:
    """A model to fit, and what its description must say."""

    name: str
    library: Library
    fit: Callable[[], tuple[Any, Any]]  # model and table
    space: str
    raw: Callable[[Any, Any], Any]  # the library's additive prediction
    task: str = "binary"
    classes: tuple[Any, ...] | None = (0, 1)
    names: tuple[str, ...] | None = None
    value: Callable[[Any, Any], Any] | None = None  # the library's prediction after the link
    categories: tuple[int, ...] = ()  # columns not to be changed at random

    @property
    def is_linear(self) -> bool:
        return self.library.is_linear

    @property
    def has_link(self) -> bool:
        """Whether probabilities are the logistic or softmax function of the log-odds."""
        return self.space in ("log_odds", "probability") and self.value is not None and "against all" not in self.name


THREE: dict[str, Any] = {"task": "multiclass", "classes": (0, 1, 2)}
NUMBER: dict[str, Any] = {"task": "regression", "classes": None}


def predicted(model, X):
    return model.predict(X)


def predicted_probability(model, X):
    return model.predict_proba(X)


def fitted(model: Any, X: Any, y: Any, **options: Any) -> Callable[[], tuple[Any, Any]]:
    return lambda: (model.fit(X, y, **options), X)


def squares(y_true, y_pred):
    return y_pred - y_true, np.ones_like(y_pred)


def squares_of_three(y_true, y_pred):
    return y_pred - (y_true[:, None] == np.arange(3)), np.ones_like(y_pred)
