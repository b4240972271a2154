"""The checks that every reader begins with."""

from __future__ import annotations

from typing import Any

from automl_explain.explainers._errors import NotFittedError, UnsupportedModelError


def require_fitted(model: Any, attribute: str) -> None:
    """Raise unless the model has the attribute that fitting gives it."""
    if getattr(model, attribute, None) is None:
        raise NotFittedError(
            f"This {type(model).__name__} is not fitted yet. Call its 'fit' method with training data, then explain it."
        )


def require_classes(name: str, classes: tuple[Any, ...] | None) -> None:
    """Raise if a classifier knows one class only."""
    if classes is not None and len(classes) < 2:
        raise UnsupportedModelError(
            f"This {name} was trained on one class only, so that no feature can matter. Models of two or more classes "
            "are supported."
        )
