"""The one check that every reader begins with."""

from __future__ import annotations

from typing import Any

from automl_explain.explainers._errors import NotFittedError


def require_fitted(model: Any, attribute: str) -> None:
    """Raise unless the model has the attribute that fitting gives it."""
    if getattr(model, attribute, None) is None:
        raise NotFittedError(
            f"This {type(model).__name__} is not fitted yet. Call its 'fit' method with training data, then explain it."
        )
