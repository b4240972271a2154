"""Reader of PyTorch modules, and of functions of tensors."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch

from automl_explain.explainers._agreement import agree
from automl_explain.explainers._errors import InvalidInputError, NotFittedError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._registry import NetworkOptions
from automl_explain.explainers.neural._examples import Examples
from automl_explain.explainers.neural._network import Arrays, Network, NetworkInput, PairRule
from automl_explain.explainers.neural._rescale import make_rule
from automl_explain.explainers.neural._torch_devices import as_device
from automl_explain.integrations.readers.neural._calls import with_gradients
from automl_explain.integrations.readers.neural._outputs import describe_network, few_examples
from automl_explain.integrations.readers.neural._torch_calls import LOG_SOFTMAX, ModuleCalls
from automl_explain.integrations.readers.neural._torch_layers import ModuleLayers
from automl_explain.integrations.readers.neural._torch_mixing import mixed_forward, takes_channels_last

WORKING_BYTES = 4 * 2**20
"""Memory of the outputs of a module's parts for one batch, so that they stay in a cache."""
GPU_BYTES = 512 * 2**20
"""The same on a GPU, which is fast with large batches."""
LONG_CALL = 1e9
"""Multiplications of a call that is worth several threads."""
CELL_COST = 20
"""Multiplications that take as long as one cell of an activation."""
MOSTLY = 0.5
"""Share of the multiplications in convolutions of images from which on the layout of images matters."""
MOST_ROWS, FEWEST_ROWS = 1 << 14, 8
"""Bounds on the rows per batch."""
BYTES_SHARE = 1e-3
"""Largest difference of the outputs for bytes from those for the same numbers, as a share of their spread."""
HALF = {torch.float16, torch.bfloat16}
"""Types of 16 bits; networks with such weights are computed in float32."""


def describe(module: Any, examples: Any = None, network: NetworkOptions | None = None) -> FittedModel:
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
    options = network or NetworkOptions()
    wanted = own if options.device == "auto" else as_device(options.device)
    kinds = {each.dtype for each in weights if each.is_floating_point()}
    half = bool(kinds) and kinds <= HALF
    if wanted != own or half:
        module = copy.deepcopy(module).to(wanted)  # the caller's module stays where it is, and as it is
    if half:  # sums of 16 bits are too coarse for differences of outputs
        module = module.float()
    dtype = "float64" if torch.float64 in kinds else "float32"
    return describe_calls(ModuleCalls(module, wanted, name), few, dtype, options)


def describe_function(function: Callable[..., Any], examples: Examples, network: NetworkOptions | None) -> FittedModel:
    """Describe a function of tensors, such as one that chooses among the outputs of a module."""
    name = str(getattr(function, "__qualname__", type(function).__name__))
    few = few_examples(examples, name)
    options = network or NetworkOptions()
    device = as_device("cpu" if options.device == "auto" else options.device)
    return describe_calls(ModuleCalls(function, device, name), few, "float32", options)


def describe_calls(
    calls: ModuleCalls, few: Examples, dtype: str | tuple[str, ...], options: NetworkOptions
) -> FittedModel:
    """Describe a module by its calls; `dtype` is that of its weights, or the dtypes of its inputs if they are known."""
    inputs, arrays = _accepted(calls, few, dtype, keeps_bytes=options.keeps_bytes)
    budget = (GPU_BYTES if calls.device.type == "cuda" else WORKING_BYTES) // 4
    cells = max(calls.sizes(arrays), sum(each.size for each in inputs))
    size = options.batch_size or max(FEWEST_ROWS, min(MOST_ROWS, budget // cells))
    last = calls.last_link(arrays)
    multiplications = calls.multiplications(arrays)
    cost = multiplications.total + CELL_COST * cells
    calls = replace(calls, one_thread=cost * size < LONG_CALL)
    convolves = multiplications.of_images > MOSTLY * multiplications.total
    about = _About(inputs, arrays, size, cost, channels_last=convolves and takes_channels_last(calls, arrays))
    network = _network(calls, about)
    if last and last != LOG_SOFTMAX:
        network = replace(network, scores=("log_odds", _network(replace(calls, before_link=True), about)))
    return describe_network(network, few, calls.name, last=last, again=calls.again(arrays))


class _About(NamedTuple):
    """What is known of a network: its inputs, a few examples, how it is called, and what it costs."""

    inputs: tuple[NetworkInput, ...]
    arrays: Arrays
    rows_at_once: int
    cost: float
    channels_last: bool


def _network(calls: ModuleCalls, about: _About) -> Network:
    network = Network(
        forward=calls.forward,
        inputs=about.inputs,
        why=f"a torch network on {calls.device}",
        rows_at_once=about.rows_at_once,
        cost=about.cost,
        device=str(calls.device),
        state=calls.state,
        layers=ModuleLayers(calls) if isinstance(calls.function, torch.nn.Module) else None,
    )
    network = with_gradients(network, calls.gradients, about.arrays)
    mixer = partial(mixed_forward, calls, about.channels_last, network.arrays)
    return replace(network, mixer=mixer, pair_rule=partial(_pair_rule, calls, network))


def _pair_rule(calls: ModuleCalls, network: Network, n_pairs: int) -> PairRule:
    """Return the rescale rule of a network; exporting its graph may take seconds."""
    examples = tuple(
        torch.zeros((n_pairs, *each.shape), dtype=getattr(torch, each.dtype), device=calls.device)
        for each in network.inputs
    )
    if isinstance(calls.function, torch.nn.Module):
        module: torch.nn.Module = copy.deepcopy(calls.function).eval()  # exporting assigns to parts of a module
    else:
        module = _AsModule(calls.function)
    return make_rule(module, examples, calls.undisturbed, before_link=calls.before_link)


class _AsModule(torch.nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self._function = function

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self._function(*inputs)


def _accepted(
    calls: ModuleCalls, few: Examples, dtype: str | tuple[str, ...], *, keeps_bytes: bool
) -> tuple[tuple[NetworkInput, ...], tuple[Any, ...]]:
    """Return the inputs in the types that the module takes: those of its weights, or whole numbers as for embeddings."""
    first: Exception | None = None
    for types in _types(few, dtype):
        arrays = tuple(array.astype(each) for array, each in zip(few.arrays, types, strict=True))
        try:
            made = calls.forward(arrays)
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            if isinstance(error, InvalidInputError):
                raise
            first = first or error
            continue
        if not isinstance(dtype, tuple) and _means_bytes(calls, few, types, made, refuses=keeps_bytes):
            types, arrays = tuple(array.dtype.name for array in few.arrays), few.arrays
        return tuple(replace(each, dtype=kind) for each, kind in zip(few.inputs, types, strict=True)), arrays
    shapes = [array.shape for array in few.arrays]
    raise InvalidInputError(
        f"{calls.name} cannot take examples of the shapes {shapes}: {type(first).__name__}: {first}"
    ) from first


def _means_bytes(calls: ModuleCalls, few: Examples, types: tuple[str, ...], known: Any, *, refuses: bool) -> bool:
    """Whether a module scales bytes, so that it has other outputs for them than for the same numbers in `types`.

    Raises
    ------
    InvalidInputError
        If the module refuses them, and they are not to be converted.
    """
    given = tuple(array.dtype.name for array in few.arrays)
    if not any(own == "uint8" != chosen for own, chosen in zip(given, types, strict=True)):
        return False
    try:
        made = calls.forward(few.arrays)
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        if not refuses:
            return False
        raise InvalidInputError(
            f"{calls.name} takes {types[0]}, not the uint8 of {few.what} ({type(error).__name__}: {error}). Scale them as in "
            "training, such as images / 255; images.astype('float32') keeps numbers from 0 to 255."
        ) from error
    return not agree(made, known, BYTES_SHARE)


def _types(few: Examples, dtype: str | tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(dtype, tuple):
        yield dtype
        return
    whole = [bool((array == array.round()).all()) for array in few.arrays]
    given = [array.dtype.kind in "iub" for array in few.arrays]
    yield (dtype,) * len(whole)
    for chosen in (given, whole):
        if any(chosen):
            yield tuple("int64" if each else dtype for each in chosen)
