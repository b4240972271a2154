"""From the calls of a framework to the description of a network: what TensorFlow, JAX and Keras have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._registry import NetworkOptions
from automl_explain.explainers.neural._examples import Examples
from automl_explain.explainers.neural._network import (
    Arrays,
    Chosen,
    GradientFunction,
    Gradients,
    Matrix,
    Network,
    NetworkInput,
)
from automl_explain.integrations.readers.neural._outputs import describe_network

WORKING_CELLS = 1 << 20
"""Cells of the outputs of all layers for one batch, so that they stay in a cache."""
MOST_ROWS, FEWEST_ROWS = 1 << 13, 16
"""Bounds on the rows per batch: with TensorFlow and JAX, the time per image of 224 x 224 pixels falls up to 16 of them."""
CELLS_PER_INPUT = 16
"""Cells that a network of unknown layers is assumed to make per cell of its inputs."""


class Calls(Protocol):
    """The calls of a network in a framework; `Network` says what they take and return."""

    def forward(self, arrays: Arrays) -> Matrix:
        """Return the outputs."""
        ...

    def again(self, arrays: Arrays) -> Matrix:
        """Return the outputs with another random state, to find out whether they are random."""
        ...

    def gradients(self, arrays: Arrays, chosen: Chosen = None) -> Gradients:
        """Return the derivatives of the outputs."""
        ...


@dataclass(frozen=True, eq=False)
class NetworkCalls:
    """A network of a framework, ready to be described.

    Parameters
    ----------
    calls : Calls
    name : str
        Name in messages.
    why : str
        Description of the network, shown in an explanation's `reason`.
    dtypes : tuple of str or None
        The dtypes that the network declares for its inputs. None: they are found by calling it.
    cells : int
        Cells that all layers make for a row; 0 if it is not known.
    last : {"", "softmax", "sigmoid"}
        Function after the last layer.
    scores : Calls or None
        The network before that function.
    state : callable or None
        As in `Network`.
    """

    calls: Calls
    name: str
    why: str
    dtypes: tuple[str, ...] | None = None
    cells: int = 0
    last: str = ""
    scores: Calls | None = None
    state: Callable[[], Iterable[tuple[str, npt.NDArray[Any]]]] | None = None


def describe_calls(network: NetworkCalls, few: Examples, options: NetworkOptions | None) -> FittedModel:
    """Describe a network by its outputs for a few examples.

    Raises
    ------
    InvalidInputError
        If it cannot take the examples, or its outputs are random, several, or not one row per example.
    """
    inputs, arrays = _accepted(network, few)
    cells = max(network.cells, CELLS_PER_INPUT * sum(each.size for each in inputs))
    chosen = None if options is None else options.batch_size
    size = chosen or max(FEWEST_ROWS, min(MOST_ROWS, WORKING_CELLS // cells))

    def made(calls: Calls) -> Network:
        found = Network(forward=calls.forward, inputs=inputs, why=network.why, rows_at_once=size, state=network.state)
        return with_gradients(found, calls.gradients, arrays)

    found = made(network.calls)
    if network.scores is not None:
        found = replace(found, scores=("log_odds", made(network.scores)))
    few = replace(few, arrays=arrays, names=tuple(each.name for each in inputs) if inputs[0].name else ())
    return describe_network(found, few, network.name, last=network.last, again=network.calls.again(arrays))


def with_gradients(network: Network, gradients: GradientFunction, arrays: Arrays) -> Network:
    """Return a network with its gradients, or with the reason why it has none for some input."""
    whole = [each.name or "the input" for each in network.inputs if not each.dtype.startswith("float")]
    if whole:
        return replace(network, undifferentiable=f"{', '.join(whole)} holds whole numbers, which have no gradient")
    looked_up = [
        each.name or "the input"
        for number, (each, gradient) in enumerate(zip(network.inputs, gradients(arrays), strict=True))
        if not gradient.any() and _depends_on(network, arrays, number)
    ]
    if looked_up:
        return replace(
            network,
            undifferentiable=f"the network converts {', '.join(looked_up)} to whole numbers, which have no gradient",
        )
    return replace(network, gradients=gradients)


def names_given(few: Examples) -> tuple[str, ...]:
    """Return the names of the inputs if the caller gave them in a mapping, otherwise none."""
    return () if few.names == tuple(f"input{number}" for number in range(len(few.names))) else few.names


def choose_one(made: Any) -> str:
    """Return the end of a message about several outputs, which says how to choose one."""
    kind = type(made).__name__
    if not (isinstance(made, list | tuple) or hasattr(made, "keys")):
        return f"Got {kind}."
    keys = list(made.keys()) if hasattr(made, "keys") else list(range(len(made)))
    if not keys:
        return f"Got an empty {kind}."
    return (
        f"Got {kind} with {keys}. Say which of them to explain: instead of the model, pass a function of tensors, such as lambda "
        f"x: model(x)[{keys[0]!r}], and pass the examples (DeepExplainer's background, ImageExplainer's images) as tensors."
    )


def check_shape(shape: tuple[int, ...], n_rows: int, name: str) -> None:
    """Raise `InvalidInputError` unless outputs have one row of numbers per example."""
    if len(shape) not in (1, 2) or shape[0] != n_rows:
        raise not_rows(shape, n_rows, name)


def not_rows(shape: object, n_rows: object, name: str) -> InvalidInputError:
    """Return the error for outputs that are not one row of numbers per example."""
    return InvalidInputError(
        f"{name} must return one row of numbers per example, (n, K). Got the shape {shape} for {n_rows} examples: instead of the "
        "model, pass a function of tensors that chooses among them, and pass the examples as tensors."
    )


def _depends_on(network: Network, arrays: Arrays, number: int) -> bool:
    moved = tuple(np.flip(array, 0).copy() if place == number else array for place, array in enumerate(arrays))
    return bool((network.forward(moved) != network.forward(arrays)).any())


def _accepted(network: NetworkCalls, few: Examples) -> tuple[tuple[NetworkInput, ...], Arrays]:
    """Return the inputs in the types that the network takes: those it declares, real numbers, or whole ones."""
    first: Exception | None = None
    for types in _types(network, few):
        arrays = tuple(array.astype(each) for array, each in zip(few.arrays, types, strict=True))
        try:
            network.calls.forward(arrays)
        except InvalidInputError:
            raise
        except Exception as error:  # the network's own code may raise anything
            first = first or error
            continue
        return tuple(replace(each, dtype=kind) for each, kind in zip(few.inputs, types, strict=True)), arrays
    shapes = [array.shape for array in few.arrays]
    told = " ".join(str(first).split())
    raise InvalidInputError(
        f"{network.name} cannot take examples of the shapes {shapes}: {type(first).__name__}: {told}"
    ) from first


def _types(network: NetworkCalls, few: Examples) -> Iterator[tuple[str, ...]]:
    if network.dtypes is not None:
        yield network.dtypes
        return
    yield ("float32",) * len(few.arrays)
    whole = [bool((array == array.round()).all()) for array in few.arrays]
    given = [array.dtype.kind in "iub" for array in few.arrays]
    for kinds in (given, whole):
        if any(kinds):
            for integer in ("int32", "int64"):
                yield tuple(integer if each else "float32" for each in kinds)
