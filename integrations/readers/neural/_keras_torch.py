"""Keras models on PyTorch, which are modules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._registry import NetworkOptions
from automl_explain.explainers.neural._examples import Examples
from automl_explain.explainers.neural._network import Network
from automl_explain.explainers.neural._torch_devices import as_device
from automl_explain.integrations.readers.neural._torch import describe_calls
from automl_explain.integrations.readers.neural._torch_calls import ModuleCalls


class KerasModule(torch.nn.Module):
    """A Keras model as a module whose inputs are tensors in the order of the examples."""

    def __init__(self, model: Any, call: Callable[[tuple[Any, ...]], Any]) -> None:
        super().__init__()
        self.model, self._call = model, call

    def forward(self, *tensors: torch.Tensor) -> Any:
        """Return what the model makes of the tensors, without the behaviour that only training has."""
        return self._call(tensors)


def describe_module(
    model: Any,
    call: Callable[[tuple[Any, ...]], Any],
    name: str,
    dtypes: tuple[str, ...] | None,
    few: Examples,
    options: NetworkOptions | None,
) -> FittedModel:
    """Describe a Keras model on PyTorch, on the device that Keras has put it."""
    weights = [*model.parameters(), *model.buffers()]
    own = weights[0].device if weights else torch.device("cpu")
    options = options or NetworkOptions()
    if options.device != "auto" and as_device(options.device).type != own.type:
        raise InvalidInputError(
            f"Keras puts this model on {own}. Got the 'device' parameter {options.device!r}: leave it out, or choose the device "
            "with keras.device when the model is made."
        )
    found = describe_calls(ModuleCalls(KerasModule(model, call), own, name), few, dtypes or "float32", options)
    assert isinstance(found.structure, Network)
    return replace(
        found, structure=replace(found.structure, layers=None)
    )  # Keras does not call the hooks of its layers
