"""Checks and facts that the readers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.exceptions import NotFittedError as SklearnNotFittedError
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils.validation import check_is_fitted

from automl_explain.explainers._errors import NotFittedError, UnsupportedModelError
from automl_explain.explainers.model._registry import package_of
from automl_explain.explainers.model._structures import Task


def not_fitted(model: Any) -> NotFittedError:
    """Return the error for a model that was never fitted."""
    return NotFittedError(
        f"This {type(model).__name__} is not fitted yet. Call its 'fit' method with training data, then explain it."
    )


def require_fitted(model: Any, attribute: str | None = None) -> None:
    """Raise `NotFittedError` unless a model is fitted.

    scikit-learn looks for attributes that end in an underscore. Classes outside scikit-learn need not have them, so of these
    only `__sklearn_is_fitted__` is believed; without it, the model's own code says so when it predicts.

    Parameters
    ----------
    model : object
    attribute : str, optional
        An attribute that only a fitted model has. Default: whatever scikit-learn looks for.
    """
    if attribute is not None:
        if getattr(model, attribute, None) is None:
            raise not_fitted(model)
        return
    if package_of(model, ("fit",)) != "sklearn" and not hasattr(model, "__sklearn_is_fitted__"):
        return
    if isinstance(model, FeatureUnion | Pipeline):  # scikit-learn asks their parts, which may be of such classes
        parts = model.transformer_list if isinstance(model, FeatureUnion) else model.steps[-1:]
        for _, part in parts:
            if part is not None and not isinstance(part, str):
                require_fitted(part)
        return
    try:
        check_is_fitted(model)
    except SklearnNotFittedError as error:
        raise not_fitted(model) from error


def require_classes(name: str, classes: Sequence[Any] | None) -> None:
    """Raise `UnsupportedModelError` for a classifier with a single class; `classes` is None for any other model."""
    if classes is not None and len(classes) < 2:
        raise UnsupportedModelError(
            f"This {name} was trained on one class only, so that no feature can matter. Models of two or more classes "
            "are supported."
        )


def several_targets(name: str, n_targets: int) -> UnsupportedModelError:
    """Return the error for a model that predicts several targets."""
    return UnsupportedModelError(
        f"This {name} predicts {n_targets} targets at once. Models of one target are supported: fit one model per target, "
        "or pass a function that predicts one of them."
    )


def require_one_target(name: str, n_targets: int) -> None:
    """Raise `UnsupportedModelError` for a model that predicts several targets."""
    if n_targets > 1:
        raise several_targets(name, n_targets)


def task_of(classes: Sequence[Any] | None) -> Task:
    """Return the task of a model with these classes; None or no classes: a regression."""
    if not classes:
        return "regression"
    return "binary" if len(classes) == 2 else "multiclass"
