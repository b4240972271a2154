"""Reader of Keras models: Keras 3 on TensorFlow, JAX and PyTorch, and `tf_keras`.

`predict` of a Keras model builds a data pipeline at each call, which takes a hundred times as long as the model on a small
batch. Models are called instead, traced once by their backend.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any, TypeAlias

from automl_explain.explainers._errors import InvalidInputError, NotFittedError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._predict_function import describe_function
from automl_explain.explainers.model._registry import NetworkOptions
from automl_explain.explainers.neural._examples import Examples
from automl_explain.integrations.readers.neural._calls import NetworkCalls, describe_calls, names_given
from automl_explain.integrations.readers.neural._outputs import few_examples

Tensors: TypeAlias = tuple[Any, ...]
"""One tensor per input, in the order of the examples."""
LAST_LAYERS = ("Dense", "Activation", "Softmax")
"""Layers whose last function is known."""


@dataclass(frozen=True, eq=False)
class KerasCall:
    """A Keras model as a function of a tuple of tensors, without the behaviour that only training has.

    Parameters
    ----------
    model : keras.Model
    keys : tuple of str or int
        Key of each input in the mapping that the model takes; empty: it takes one tensor or a list.
    places : tuple of int
        Which of the tensors each input of the model is.
    listed : bool
        Whether the model takes a list also of one tensor.
    """

    model: Any
    keys: tuple[Any, ...]
    places: tuple[int, ...]
    listed: bool = False

    def __call__(self, tensors: Tensors) -> Any:
        """Return what the model makes of the tensors."""
        ordered = [tensors[place] for place in self.places]
        if self.keys:
            return self.model(dict(zip(self.keys, ordered, strict=True)), training=False)
        return self.model(ordered if self.listed or len(ordered) > 1 else ordered[0], training=False)


@dataclass(frozen=True, eq=False)
class ScoresCall:
    """A Keras model up to the scores before its last softmax or sigmoid.

    Parameters
    ----------
    before : keras.Model
        The model up to the input of its last layer; it takes one tensor or a list.
    last : keras.Layer
        The last layer.
    places : tuple of int
        Which of the tensors each input of the model is.
    """

    before: Any
    last: Any
    places: tuple[int, ...]

    def __call__(self, tensors: Tensors) -> Any:
        """Return the scores."""
        ordered = [tensors[place] for place in self.places]
        made = self.before(ordered if len(ordered) > 1 else ordered[0], training=False)
        if type(self.last).__name__ != "Dense":
            return made
        made = made @ _value(self.last.kernel)
        return made + _value(self.last.bias) if self.last.use_bias else made


def describe(model: Any, examples: Any = None, network: NetworkOptions | None = None) -> FittedModel:
    """Describe a Keras model.

    Raises
    ------
    NotFittedError
        If it has no weights yet.
    InvalidInputError
        If it cannot take the examples, or its outputs are random, several, or not one row per example.
    """
    name = type(model).__name__
    if not model.built:
        raise NotFittedError(f"{name} has no weights yet. Call it on training data first, then explain it.")
    few = few_examples(examples, name)
    library = importlib.import_module(_base(model).__module__.partition(".")[0])
    backend = library.backend.backend()
    if backend not in BACKENDS:
        return describe_function(model.predict_on_batch, few.flat(), name)
    call, dtypes, names = _inputs_of(model, few, name)
    few = replace(few, names=names)
    why = f"a Keras network on {backend}"
    return BACKENDS[backend](model, call, NetworkDraft(name, why, dtypes), few, network)


@dataclass(frozen=True)
class NetworkDraft:
    """What is known of a network before it is called; see `NetworkCalls`."""

    name: str
    why: str
    dtypes: tuple[str, ...] | None


def _on_tensorflow(
    model: Any, call: KerasCall, draft: NetworkDraft, few: Examples, options: NetworkOptions | None
) -> FittedModel:
    from automl_explain.integrations.readers.neural._tensorflow import TensorFlowCalls

    def made(function: Callable[[Tensors], Any]) -> TensorFlowCalls:
        return TensorFlowCalls(function, draft.name, options)

    return describe_calls(_network(model, call, draft, made), few, options)


def _on_jax(
    model: Any, call: KerasCall, draft: NetworkDraft, few: Examples, options: NetworkOptions | None
) -> FittedModel:
    import keras

    from automl_explain.integrations.readers.neural._jax import JaxCalls

    variables = [*model.trainable_variables, *model.non_trainable_variables]

    def state(step: int) -> list[Any]:
        return [variable.value + step if "seed" in variable.path else variable.value for variable in variables]

    def made(function: Callable[[Tensors], Any]) -> JaxCalls:
        def stateless(values: list[Any], tensors: Tensors) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return function(tensors)

        return JaxCalls(stateless, partial(state, 0), partial(state, 1), draft.name, options)

    return describe_calls(_network(model, call, draft, made), few, options)


def _on_torch(
    model: Any, call: KerasCall, draft: NetworkDraft, few: Examples, options: NetworkOptions | None
) -> FittedModel:
    from automl_explain.integrations.readers.neural._keras_torch import describe_module

    return describe_module(model, call, draft.name, draft.dtypes, few, options)


BACKENDS: dict[str, Callable[..., FittedModel]] = {
    "tensorflow": _on_tensorflow,
    "jax": _on_jax,
    "torch": _on_torch,
}
"""Backend of Keras -> reader of its models."""


def _network(model: Any, call: KerasCall, draft: NetworkDraft, made: Callable[..., Any]) -> NetworkCalls:
    last, scores = _last_of(model, call.places)
    return NetworkCalls(
        made(call),
        draft.name,
        draft.why,
        draft.dtypes,
        _cells(model),
        last,
        None if scores is None else made(scores),
        partial(_state, model),
    )


def _state(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield the number and the values of each weight; names depend on how many models were made before."""
    for number, values in enumerate(model.get_weights()):
        yield str(number), values


def _value(variable: Any) -> Any:
    """Return the value of a variable as a tensor of the backend: an attribute in Keras 3, a method in tf_keras."""
    value = variable.value
    return value() if callable(value) else value


def _base(model: Any) -> type:
    """Return the class `Model` of the Keras library that a model belongs to."""
    return next(cls for cls in type(model).__mro__ if cls.__name__ == "Model" and "keras" in cls.__module__)


def _inputs_of(model: Any, few: Examples, name: str) -> tuple[KerasCall, tuple[str, ...] | None, tuple[str, ...]]:
    """Return how a model is called with these examples, the dtype of each if the model tells, and their names."""
    inputs, given = getattr(model, "inputs", None), names_given(few)
    if not inputs:
        return KerasCall(model, given, tuple(range(len(few.arrays)))), None, few.names
    sequential = any(cls.__name__ == "Sequential" for cls in type(model).__mro__)
    structure = inputs[0] if sequential else model.input
    keys = tuple(structure) if isinstance(structure, Mapping) else ()
    parts = list(structure.values()) if isinstance(structure, Mapping) else list(inputs)
    names = keys or tuple(part.name for part in parts)
    if len(parts) != len(few.arrays) or (given and set(given) != set(names)):
        told = list(given) or f"{len(few.arrays)}"
        raise InvalidInputError(
            f"{name} takes {len(parts)} inputs, {list(names)}. Got {told}: pass a list in this order, or a mapping from these "
            "names to arrays."
        )
    places = tuple(given.index(each) for each in names) if given else tuple(range(len(parts)))
    for part, place, each in zip(parts, places, names, strict=True):
        wanted, found = tuple(part.shape)[1:], few.arrays[place].shape[1:]
        if len(wanted) != len(found) or any(size not in (None, own) for size, own in zip(wanted, found, strict=True)):
            raise InvalidInputError(
                f"The input {each!r} of {name} has the shape {('n', *wanted)}. Got examples of the shape {('n', *found)}."
            )
    dtypes = [str(getattr(part.dtype, "name", part.dtype)) for part in parts]
    call = KerasCall(model, keys, places, isinstance(structure, list | tuple))
    several = tuple(map(str, names)) if len(parts) > 1 else ()
    return call, tuple(dtypes[places.index(place)] for place in range(len(parts))), given or several


def _last_of(model: Any, places: tuple[int, ...]) -> tuple[str, ScoresCall | None]:
    """Return the name of the last function if it is a softmax or sigmoid, and the model before it."""
    if len(getattr(model, "outputs", None) or ()) != 1:
        return "", None
    last = model.layers[-1]
    if type(last).__name__ not in LAST_LAYERS or len(model.outputs[0].shape) != 2:
        return "", None
    function = "softmax" if type(last).__name__ == "Softmax" else getattr(last.activation, "__name__", "")
    if function not in ("softmax", "sigmoid"):
        return "", None
    try:
        taken, made = last.input, last.output
    except (AttributeError, ValueError):  # a layer that is used several times
        return "", None
    if made is not model.outputs[0]:
        return "", None
    inputs = list(model.inputs) if len(model.inputs) > 1 else model.inputs[0]
    before = _base(model)(inputs, taken, name="before_the_last_function")
    return function, ScoresCall(before, last, places)


def _cells(model: Any) -> int:
    """Return the number of cells that the layers of a model make for a row; 0 if the shapes are not known."""
    try:
        shapes = [tuple(layer.output.shape)[1:] for layer in model.layers]
    except (AttributeError, ValueError):
        return 0
    return sum(prod(size or 1 for size in shape) for shape in shapes)
