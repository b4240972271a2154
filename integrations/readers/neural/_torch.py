"""Reader of PyTorch modules, and of functions of tensors."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from automl_explain.explainers._errors import InvalidInputError, NotFittedError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.neural._examples import Examples
from automl_explain.explainers.neural._network import Network, NetworkInput
from automl_explain.integrations.readers.neural._outputs import describe_network, few_examples
from automl_explain.integrations.readers.neural._torch_calls import LOG_SOFTMAX, ModuleCalls

WORKING_BYTES = 4 * 2**20
"""Memory of the outputs of a module's parts for one batch, so that they stay in a cache."""
GPU_BYTES = 512 * 2**20
"""The same on a GPU, which is fast with large batches."""
MOST_ROWS, FEWEST_ROWS = 1 << 14, 16
"""Bounds on the rows per batch."""


def describe(module: Any, examples: Any = None, device: str | None = None) -> FittedModel:
    """Describe a module: examples go in with the type and device of its weights, in evaluation mode.

    Raises
    ------
    InvalidInputError
        If it cannot take the examples, or its outputs are random, several, or not one row per example.
    """
    name = type(module).__name__
    few = few_examples(examples, name)
    weights = [*module.parameters(), *module.buffers()]
    if any(torch.nn.parameter.is_lazy(each) for each in weights):
        raise NotFittedError(f"{name} has parameters without values. Call it on training data first, then explain it.")
    own = weights[0].device if weights else torch.device("cpu")
    wanted = own if device in (None, "auto") else as_device(device)
    if wanted != own:
        module = copy.deepcopy(module).to(wanted)  # the caller's module stays where it is
    kinds = {each.dtype for each in weights if each.is_floating_point()}
    dtype = "float64" if torch.float64 in kinds else "float32"
    return _described(module, few, name, wanted, dtype)


def describe_function(function: Callable[..., Any], examples: Examples, device: str | None = None) -> FittedModel:
    """Describe a function of tensors, such as one that chooses among the outputs of a module."""
    name = str(getattr(function, "__qualname__", type(function).__name__))
    few = few_examples(examples, name)
    wanted = as_device("cpu" if device in (None, "auto") else device)
    return _described(function, few, name, wanted, "float32")


def as_device(device: Any) -> torch.device:
    """Return a device by its name.

    Raises
    ------
    InvalidInputError
        If this PyTorch does not have the device.
    """
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise InvalidInputError(
            f"The 'device' parameter must name a device of this PyTorch, such as 'cpu' or 'cuda'. Got {device!r}: {error}"
        ) from error
    return found


def _described(function: Callable[..., Any], few: Examples, name: str, device: torch.device, dtype: str) -> FittedModel:
    calls = ModuleCalls(function, device, name)
    inputs, arrays = _accepted(calls, few, dtype)
    batch = (GPU_BYTES if device.type == "cuda" else WORKING_BYTES) // 4
    cells = max(calls.sizes(arrays), sum(each.size for each in inputs))
    last = calls.last_link(arrays)
    network = _network(calls, inputs, max(FEWEST_ROWS, min(MOST_ROWS, batch // cells)))
    if last and last != LOG_SOFTMAX:
        network = replace(
            network, scores=("log_odds", _network(replace(calls, before_link=True), inputs, network.rows_at_once))
        )
    return describe_network(network, few, name, last=last, again=calls.again(arrays))


def _network(calls: ModuleCalls, inputs: tuple[NetworkInput, ...], rows_at_once: int) -> Network:
    network = Network(
        forward=calls.forward,
        inputs=inputs,
        why=f"a torch network on {calls.device}",
        rows_at_once=rows_at_once,
        device=str(calls.device),
    )
    whole = [each.name or "the input" for each in inputs if not each.dtype.startswith("float")]
    if whole:
        undifferentiable = f"{', '.join(whole)} holds whole numbers, which have no gradient"
        network = replace(network, undifferentiable=undifferentiable)
    else:
        network = replace(network, gradients=calls.gradients)
    return replace(network, mixer=partial(calls.mixer, network.arrays))


def _accepted(calls: ModuleCalls, few: Examples, dtype: str) -> tuple[tuple[NetworkInput, ...], tuple[Any, ...]]:
    """Return the inputs in the types that the module takes: those of its weights, or whole numbers as for embeddings."""
    first: Exception | None = None
    for types in _types(few, dtype):
        arrays = tuple(array.astype(each) for array, each in zip(few.arrays, types, strict=True))
        try:
            calls.forward(arrays)
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            if isinstance(error, InvalidInputError):
                raise
            first = first or error
            continue
        return tuple(replace(each, dtype=kind) for each, kind in zip(few.inputs, types, strict=True)), arrays
    shapes = [array.shape for array in few.arrays]
    raise InvalidInputError(
        f"{calls.name} cannot take the values of initialization_examples, of the shapes {shapes}: "
        f"{type(first).__name__}: {first}"
    ) from first


def _types(few: Examples, dtype: str) -> Iterator[tuple[str, ...]]:
    whole = [bool((array == array.round()).all()) for array in few.arrays]
    given = [array.dtype.kind in "iub" for array in few.arrays]
    yield (dtype,) * len(whole)
    for chosen in (given, whole):
        if any(chosen):
            yield tuple("int64" if each else dtype for each in chosen)
