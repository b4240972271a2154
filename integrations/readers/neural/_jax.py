"""Reader of functions of JAX arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._registry import NetworkOptions
from automl_explain.explainers.neural._examples import Examples
from automl_explain.explainers.neural._network import Arrays, Chosen, Gradients, Matrix
from automl_explain.integrations.readers.neural._calls import NetworkCalls, check_shape, choose_one, describe_calls
from automl_explain.integrations.readers.neural._outputs import few_examples

State: TypeAlias = list[Any]
"""Values of a network's variables."""
SIZES = (16, 128, 1024)
"""Rows of small batches; each size of batch is compiled."""


def describe_function(function: Callable[..., Any], examples: Examples, network: NetworkOptions | None) -> FittedModel:
    """Describe a function of JAX arrays."""
    name = str(getattr(function, "__qualname__", type(function).__name__))
    few = few_examples(examples, name)

    def call(state: State, tensors: tuple[Any, ...]) -> Any:
        return function(*tensors)

    calls = JaxCalls(call, list, list, name, network)
    return describe_calls(NetworkCalls(calls, name, "a JAX network"), few, network)


class JaxCalls:
    """A pure function of a state and a tuple of arrays, compiled and called with numpy arrays; see `Calls`.

    Parameters
    ----------
    call : callable
        Takes the state and the tensors, and returns the outputs.
    state, other_state : callable
        Return the values of the variables now, and those with another random state.
    name : str
        Name in messages.
    options : NetworkOptions or None
    """

    def __init__(
        self,
        call: Callable[[State, tuple[Any, ...]], Any],
        state: Callable[[], State],
        other_state: Callable[[], State],
        name: str,
        options: NetworkOptions | None,
    ) -> None:
        self._call, self._state, self._other_state, self._name = call, state, other_state, name
        self._device = _device_of("auto" if options is None else options.device)
        self._outputs_compiled, self._gradients_compiled = jax.jit(self._outputs), jax.jit(self._derivatives)

    def forward(self, arrays: Arrays) -> Matrix:
        """Return the outputs, (M, K) float64."""
        return self._forward(self._state(), arrays)

    def again(self, arrays: Arrays) -> Matrix:
        """Return the outputs with another random state."""
        return self._forward(self._other_state(), arrays)

    def gradients(self, arrays: Arrays, chosen: Chosen = None) -> Gradients:
        """Return the derivatives of each chosen output by each cell, one array (K, M, *shape) per input."""
        n_rows = len(arrays[0])
        numbers = None if chosen is None else jnp.asarray(chosen)
        with jax.default_device(self._device), jax.default_matmul_precision("float32"):
            found = self._gradients_compiled(self._state(), _padded(arrays), numbers)
        return tuple(np.asarray(part, dtype=np.float64)[:, :n_rows] for part in found)

    def _forward(self, state: State, arrays: Arrays) -> Matrix:
        n_rows = len(arrays[0])
        with jax.default_device(self._device), jax.default_matmul_precision("float32"):
            made = self._outputs_compiled(state, _padded(arrays))
        return np.asarray(made, dtype=np.float64)[:n_rows]

    def _outputs(self, state: State, tensors: tuple[Any, ...]) -> Any:
        made = self._call(state, tensors)
        if not hasattr(made, "shape"):
            raise InvalidInputError(f"{self._name} must return one array. {choose_one(made)}")
        check_shape(tuple(made.shape), len(tensors[0]), self._name)
        return made.reshape(len(tensors[0]), -1)

    def _derivatives(self, state: State, tensors: tuple[Any, ...], numbers: Any) -> Any:
        made, pull = jax.vjp(lambda given: self._outputs(state, given), tensors)
        numbers = jnp.arange(made.shape[1]) if numbers is None else numbers
        units = jax.nn.one_hot(numbers, made.shape[1], dtype=made.dtype)
        return jax.lax.map(lambda one: pull(jnp.broadcast_to(one, made.shape))[0], units)


def _padded(arrays: Arrays) -> Arrays:
    """Return the arrays with the last row repeated up to one of a few sizes, since each number of rows is compiled."""
    n_rows = len(arrays[0])
    size = next((size for size in SIZES if size >= n_rows), -(-n_rows // SIZES[-1]) * SIZES[-1])
    return tuple(np.concatenate([array, np.repeat(array[-1:], size - n_rows, axis=0)]) for array in arrays)


def _device_of(name: str) -> Any:
    if name == "auto":
        return None
    try:
        return jax.devices(name.partition(":")[0])[int(name.partition(":")[2] or 0)]
    except (RuntimeError, IndexError, ValueError) as error:
        raise InvalidInputError(
            f"The 'device' parameter must name a device of this JAX, such as 'cpu' or 'cuda'. Got {name!r}: {error}"
        ) from error
