"""Readers of estimators that hold a PyTorch module: skorch's nets, and TabNet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from automl_explain.explainers._errors import NotFittedError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._registry import NetworkOptions
from automl_explain.integrations.readers._checks import require_fitted
from automl_explain.integrations.readers.neural import _torch


class _Then(torch.nn.Module):
    """A module, and what its estimator does with the outputs."""

    def __init__(self, module: torch.nn.Module, then: Callable[[Any], Any]) -> None:
        super().__init__()
        self.module, self._then = module, then

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self._then(self.module(*inputs))


def _first(made: Any) -> torch.Tensor:
    output: torch.Tensor = made[0] if isinstance(made, tuple) else made
    return output


def _softmax(made: Any) -> torch.Tensor:
    return torch.softmax(_first(made), dim=-1)


def _sigmoid(made: Any) -> torch.Tensor:
    return torch.sigmoid(_first(made))


def describe_skorch(net: Any, examples: Any = None, network: NetworkOptions | None = None) -> FittedModel:
    """Describe a skorch net by its module, followed by the function with which the net predicts.

    Raises
    ------
    NotFittedError
        If the net is not fitted.
    """
    if not getattr(net, "initialized_", False):
        raise NotFittedError(f"{type(net).__name__} is not fitted yet. Call its 'fit' method with training data.")
    criterion = type(getattr(getattr(net, "criterion_", None), "_orig_mod", getattr(net, "criterion_", None))).__name__
    inferred = {"CrossEntropyLoss": _softmax, "BCEWithLogitsLoss": _sigmoid, "BCELoss": _first}.get(criterion, _first)
    then = inferred if net.predict_nonlinearity == "auto" else net.predict_nonlinearity or _first
    return _described(net, net.module_, then, examples, network)


def describe_tabnet(model: Any, examples: Any = None, network: NetworkOptions | None = None) -> FittedModel:
    """Describe a TabNetClassifier or TabNetRegressor by its module."""
    require_fitted(model)
    if not hasattr(model, "network"):
        raise NotFittedError(f"{type(model).__name__} is not fitted yet. Call its 'fit' method with training data.")
    then = _softmax if hasattr(model, "predict_proba") else _first
    return _described(model, model.network, then, examples, network)


def _described(
    model: Any, module: torch.nn.Module, then: Callable[[Any], Any], examples: Any, network: NetworkOptions | None
) -> FittedModel:
    described = _torch.describe(_Then(module, then), examples, network)
    classes = getattr(model, "classes_", None)
    if classes is not None and described.classes is not None and len(classes) == len(described.classes):
        described = replace(described, classes=tuple(classes.tolist() if hasattr(classes, "tolist") else classes))
    elif described.task in ("binary", "multiclass") and not hasattr(model, "predict_proba"):
        described = replace(described, task="multitarget")
    return replace(described, name=type(model).__name__)
