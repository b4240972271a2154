"""Reader of TensorFlow's modules, functions and graphs, and of functions of its tensors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NoReturn

import numpy as np
import tensorflow as tf

from automl_explain.explainers._errors import InvalidInputError, UnsupportedModelError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._registry import NetworkOptions
from automl_explain.explainers.neural._examples import Examples
from automl_explain.explainers.neural._network import Arrays, Chosen, Gradients, Matrix
from automl_explain.integrations.readers.neural._calls import (
    NetworkCalls,
    check_shape,
    choose_one,
    describe_calls,
    names_given,
    not_rows,
)
from automl_explain.integrations.readers.neural._outputs import few_examples

GRAPH = (
    "Symbolic graphs and sessions of TensorFlow 1 cannot be called on examples. Got {}: pass a Keras model, or a function of "
    "tensors that TensorFlow 2 can call, such as tf.compat.v1.wrap_function."
)


def describe(module: Any, examples: Any = None, network: NetworkOptions | None = None) -> FittedModel:
    """Describe a `tf.Module`, a loaded model, or a `tf.function`.

    Raises
    ------
    UnsupportedModelError
        If it cannot be called.
    InvalidInputError
        If it cannot take the examples, or its outputs are random, several, or not one row per example.
    """
    name = str(getattr(module, "__name__", None) or type(module).__name__)
    if not callable(module):
        keys = list(getattr(module, "signatures", ()))
        raise UnsupportedModelError(
            f"Cannot explain {name}: it has no __call__."
            + (f" Pass one of its signatures {keys}, such as model.signatures[{keys[0]!r}]." if keys else "")
        )
    few = few_examples(examples, name)
    return describe_calls(NetworkCalls(_calls(module, few, network, name), name, "a TensorFlow network"), few, network)


def describe_function(function: Callable[..., Any], examples: Examples, network: NetworkOptions | None) -> FittedModel:
    """Describe a function of tensors, such as one that chooses among the outputs of a model."""
    return describe(function, examples, network)


def refuse_graph(graph: Any) -> NoReturn:
    """Raise `UnsupportedModelError` for a tensor, operation or session of a symbolic graph."""
    raise UnsupportedModelError(GRAPH.format(f"an object of type {type(graph).__name__}"))


def _calls(function: Callable[..., Any], few: Examples, options: NetworkOptions | None, name: str) -> TensorFlowCalls:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # functions of loaded models have no signature
        parameters = {}  # type: ignore[assignment]
    fixed = {"training": False} if "training" in parameters else {}
    by_name = names_given(few)

    def call(tensors: tuple[Any, ...]) -> Any:
        if by_name:
            return function(**dict(zip(by_name, tensors, strict=True)), **fixed)
        return function(*tensors, **fixed)

    return TensorFlowCalls(call, name, options)


class TensorFlowCalls:
    """A function of a tuple of tensors, traced once and called with numpy arrays; see `Calls`."""

    def __init__(self, call: Callable[[tuple[Any, ...]], Any], name: str, options: NetworkOptions | None) -> None:
        self._call, self._name, self._n_outputs = call, name, 0
        self._functions: dict[tuple[str, ...], Any] = {}
        self._refused: InvalidInputError | None = None
        self._device = _device_of("auto" if options is None else options.device)
        if not tf.executing_eagerly():
            raise UnsupportedModelError(GRAPH.format("a program with eager execution switched off"))

    def forward(self, arrays: Arrays) -> Matrix:
        """Return the outputs, (M, K) float64."""
        self._refused = None
        with self._undisturbed():
            try:
                made = self._trace("outputs", self._outputs, arrays)(*map(tf.constant, arrays)).numpy()
            except Exception:  # the network's own code may raise anything
                if self._refused is not None:
                    raise self._refused from None
                raise
        check_shape(made.shape, len(arrays[0]), self._name)
        self._n_outputs = made.shape[1]
        return np.asarray(made, dtype=np.float64)

    def again(self, arrays: Arrays) -> Matrix:
        """Return the outputs of another call, which draws other random numbers."""
        return self.forward(arrays)

    def gradients(self, arrays: Arrays, chosen: Chosen = None) -> Gradients:
        """Return the derivatives of each chosen output by each cell, one array (K, M, *shape) per input."""
        if not self._n_outputs:
            self.forward(arrays)
        numbers = np.arange(self._n_outputs) if chosen is None else chosen
        with self._undisturbed():
            derive = self._trace(f"gradients {len(numbers)}", partial(self._derivatives, len(numbers)), arrays, numbers)
            found = derive(*map(tf.constant, (*arrays, numbers)))
        return tuple(
            np.stack([part.numpy() for part in parts]).astype(np.float64) for parts in zip(*found, strict=True)
        )

    def _trace(self, what: str, function: Callable[..., Any], arrays: Arrays, *more: Any) -> Any:
        """Return a function traced for any number of rows of these shapes and types, and for more arrays of these shapes."""
        key = (what, *(f"{array.dtype.name}{array.shape[1:]}" for array in arrays))
        if key not in self._functions:
            signature = [tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in arrays]
            signature += [tf.TensorSpec(array.shape, array.dtype) for array in more]
            self._functions[key] = tf.function(function, input_signature=signature)
        return self._functions[key]

    def _outputs(self, *tensors: Any) -> Any:
        return self._as_matrix(self._call(tensors))

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def _as_matrix(self, made: Any) -> Any:
        """Return the outputs as (M, K); TensorFlow hides an error in one of its own, so that it is kept for the caller."""
        try:
            if not tf.is_tensor(made):
                raise InvalidInputError(f"{self._name} must return one tensor. {choose_one(made)}")
            if not (made.dtype.is_floating or made.dtype.is_integer or made.dtype.is_bool):
                raise InvalidInputError(f"{self._name} must return numbers. Got a tensor of dtype {made.dtype.name}.")
            if made.shape.rank not in (1, 2):
                raise not_rows(f"(n, {str(tuple(made.shape)[1:])[1:]}", "n", self._name)
        except InvalidInputError as error:
            self._refused = error
            raise
        return made if made.shape.rank == 2 else made[:, None]

    def _derivatives(self, n_chosen: int, *given: Any) -> Any:
        tensors, numbers = given[:-1], given[-1]
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(tensors)
            made = self._outputs(*tensors)
            columns = tf.unstack(tf.gather(made, numbers, axis=1), num=n_chosen, axis=1)
        return [
            tape.gradient(column, tensors, unconnected_gradients=tf.UnconnectedGradients.ZERO) for column in columns
        ]

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Compute on the device, in full precision, and leave the settings as they were."""
        with ExitStack() as stack:
            if self._device is not None:
                stack.enter_context(tf.device(self._device))
            if tf.config.list_physical_devices("GPU") and tf.config.experimental.tensor_float_32_execution_enabled():
                tf.config.experimental.enable_tensor_float_32_execution(False)
                stack.callback(tf.config.experimental.enable_tensor_float_32_execution, True)
            yield


def _device_of(name: str) -> str | None:
    if name == "auto":
        return None
    kind = {"cuda": "GPU"}.get(name.partition(":")[0], name.partition(":")[0].upper())
    if not tf.config.list_logical_devices(kind):
        raise InvalidInputError(
            f"The 'device' parameter must name a device of this TensorFlow, such as 'cpu' or 'cuda'. Got {name!r}; it has "
            f"{[device.name for device in tf.config.list_logical_devices()]}."
        )
    return f"/{kind}:{name.partition(':')[2] or 0}"
