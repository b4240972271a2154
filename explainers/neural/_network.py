"""`Network`: a neural network as a few functions of arrays, which each framework supplies.

The contract of a framework's reader
------------------------------------
Arrays that go in and come out are numpy's. An *input* is an array of shape (M, ...) for M examples, in the dtype that
`NetworkInput` gives; a network with several inputs takes a tuple of them. Explainers see one table, (M, f) float64: the
inputs, flattened and put side by side. `Network.arrays` converts a table to inputs, `Network.flat` inputs to a table.

A reader supplies:

- ``forward(inputs) -> (M, K) float64``: the outputs. Nothing of the caller's may change: modes, gradients, random state,
  devices, threads. An output for a row must not depend on the other rows. Networks with one output return (M, 1).
- ``gradients(inputs, chosen=None) -> tuple of (K, M, *shape) float64``, one array per input: derivatives of each output by
  each cell, or of the outputs with the numbers `chosen` alone, which takes as much less time as there are fewer of them.
  None if the network has none, such as with whole numbers as inputs; `undifferentiable` then says why.
- ``pair_rule(n_pairs) -> PairRule``: rules for single operations, if the framework can list the operations of the network;
  otherwise None. The argument is the number of pairs that are usually passed at once. It is called when the rescale rule is
  first needed, and may take seconds. It raises
  `UnsupportedModelError` with the operation that has no rule.
- ``mixer(rows, background, players) -> MixedForward``: forwards of mixed rows without making them in numpy, such as on a
  GPU, or with the first layer computed once per pair. None: rows are mixed in numpy.
- ``rows_at_once``: rows per call of `forward` that fit in memory, and best in a cache.
- ``cost``: multiplications per row, which the default number of coalitions depends on.
- ``scores``: the output space and the network before the last softmax or sigmoid, if there is one.
- ``state() -> pairs of a name and an array``: the weights, by which another network can be told from this one. None: the
  framework does not list them.
- ``layers``: the outputs of single layers and the derivatives by them. None: the framework does not give them.

The reader puts the `Network` in `FittedModel.structure`, and in `FittedModel.outputs` one function per output space, made
with `Network.predict`. A `Network` of a binary model may have one output, that of the second class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError

Arrays: TypeAlias = tuple[npt.NDArray[Any], ...]
"""One array per input, (M, *shape)."""
Matrix: TypeAlias = npt.NDArray[np.float64]
"""A float64 matrix, one row per example."""
Gradients: TypeAlias = tuple[npt.NDArray[np.float64], ...]
"""One array per input, (K, M, *shape)."""
MixedForward: TypeAlias = Callable[[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.bool_]], Matrix]
"""Outputs (m, K) of m mixed rows, given the row (m,), the background row (m,) and the present players (m, P) of each.

Mixed rows of the same pair follow each other."""
Mixer: TypeAlias = Callable[[Matrix, Matrix, npt.NDArray[np.intp]], MixedForward]
"""From rows (n, f), background rows (B, f) and the player of each column (f,) to the outputs of mixed rows."""


Chosen: TypeAlias = npt.NDArray[np.intp] | None
"""Numbers of the outputs that are asked for, (C,); None: all."""


class GradientFunction(Protocol):
    """Derivatives of outputs by the inputs."""

    def __call__(self, arrays: Arrays, chosen: Chosen = None) -> Gradients:
        """Return the derivatives of each chosen output by each cell."""
        ...


class PairRule(Protocol):
    """Contributions of inputs by rules for single operations, for pairs of a row and a background row."""

    def contributions(self, rows: Arrays, others: Arrays, chosen: Chosen = None) -> Gradients:
        """Return the contribution of each cell to the difference of each chosen output between M rows and M others."""
        ...


class Layers(Protocol):
    """The outputs of the layers of a network."""

    def shapes(self, arrays: Arrays) -> Mapping[str, tuple[int, ...]]:
        """Return the shape of the output of each layer that makes one tensor, by name, in the order of the calls."""
        ...

    def activations(self, arrays: Arrays, layer: str, output: int) -> tuple[Matrix, Matrix]:
        """Return the output of a layer, (M, ...), and the derivatives of one of the network's outputs by it."""
        ...


@dataclass(frozen=True)
class NetworkInput:
    """One input of a network.

    Parameters
    ----------
    shape : tuple of int
        Shape of one example, such as (3, 32, 32). A table of f columns is (f,).
    dtype : str
        Name of the numpy dtype that the network takes.
    name : str
        Name in the names of features, for networks with several inputs.

    Examples
    --------
    >>> from automl_explain import NetworkInput
    >>> NetworkInput((3, 32, 32)).size
    3072
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    name: str = ""

    @property
    def size(self) -> int:
        """Number of cells of one example."""
        return prod(self.shape)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Network:
    """A neural network; the module's docstring says what its functions take and return.

    Parameters
    ----------
    forward : callable
        Outputs of inputs, (M, K) float64.
    inputs : tuple of NetworkInput
        Shape and dtype of each input.
    why : str
        Description of the network, shown in an explanation's `reason`, such as "a torch module on cpu".
    gradients : callable or None
        Derivatives of the outputs by the inputs. None: it has none.
    undifferentiable : str
        Why `gradients` is None.
    pair_rule : callable or None
        Makes the rules for single operations. None: the framework does not list the operations.
    mixer : callable or None
        Makes the function that evaluates mixed rows. None: they are made in numpy.
    rows_at_once : int
        Most rows per call of `forward`.
    cost : float
        Multiplications per row, or what takes as long; the default number of coalitions depends on it.
    device : str
        Device on which the outputs are computed.
    scores : tuple of (output space, Network), or None
        The network before the last softmax or sigmoid, and the space of its outputs.
    state : callable or None
        Names and arrays of the weights. None: they are not known.
    layers : Layers or None
        Outputs of single layers. None: the framework does not give them.

    Examples
    --------
    >>> import numpy as np
    >>> from automl_explain import Network, NetworkInput
    >>> weights = np.array([[1.0], [2.0]])
    >>> inputs = (NetworkInput((2,), "float64"),)
    >>> network = Network(forward=lambda given: np.tanh(given[0] @ weights), inputs=inputs, why="mine")
    >>> network.n_columns, network.outputs(np.zeros((3, 2))).shape
    (2, (3, 1))
    """

    forward: Callable[[Arrays], Matrix]
    inputs: tuple[NetworkInput, ...]
    why: str
    gradients: GradientFunction | None = None
    undifferentiable: str = ""
    pair_rule: Callable[[int], PairRule] | None = None
    mixer: Mixer | None = None
    rows_at_once: int = 4096
    cost: float = 1e5
    device: str = "cpu"
    scores: tuple[str, Network] | None = None
    state: Callable[[], Iterable[tuple[str, npt.NDArray[Any]]]] | None = None
    layers: Layers | None = None

    @property
    def n_columns(self) -> int:
        """Number of cells of one example over all inputs, f."""
        return sum(each.size for each in self.inputs)

    def arrays(self, table: Matrix) -> Arrays:
        """Return a table (M, f) as inputs.

        Parameters
        ----------
        table : ndarray of shape (M, f)
            Cells of all inputs, one after the other.

        Returns
        -------
        tuple of ndarray
            One array per input, of its shape and dtype.

        Raises
        ------
        InvalidInputError
            If the number of columns differs, or a cell of an input of whole numbers is not one.
        """
        if table.shape[1] != self.n_columns:
            shapes = [each.shape for each in self.inputs]
            raise InvalidInputError(
                f"The network takes {self.n_columns} numbers per row, in the shapes {shapes}. Got {table.shape[1]}."
            )
        made, start = [], 0
        for each in self.inputs:
            cells = table[:, start : start + each.size].reshape(len(table), *each.shape)
            made.append(_converted(cells, each.dtype))
            start += each.size
        return tuple(made)

    def flat(self, arrays: Gradients) -> Matrix:
        """Return arrays of cells, ``(..., M, *shape)`` per input, as one array (..., M, f).

        Parameters
        ----------
        arrays : tuple of ndarray
            One array per input.

        Returns
        -------
        ndarray of shape (..., M, f)
            Cells of all inputs, one after the other.
        """
        parts = [
            array.reshape(*array.shape[: array.ndim - len(each.shape)], each.size)
            for array, each in zip(arrays, self.inputs, strict=True)
        ]
        return np.concatenate(parts, axis=-1)

    def outputs(self, table: Matrix) -> Matrix:
        """Return the outputs of a table (M, f), a batch at a time, (M, K).

        Parameters
        ----------
        table : ndarray of shape (M, f)
            Cells of all inputs, one after the other.

        Returns
        -------
        ndarray of shape (M, K)
            In float64.
        """
        parts = [
            self.forward(self.arrays(table[start : start + self.rows_at_once]))
            for start in range(0, len(table), self.rows_at_once)
        ]
        return np.concatenate(parts) if len(parts) != 1 else parts[0]

    def only(self, chosen: npt.NDArray[np.intp]) -> Network:
        """Return the network with some of its outputs: derivatives are computed for these alone.

        Parameters
        ----------
        chosen : ndarray of int of shape (c,)
            Positions of the outputs.

        Returns
        -------
        Network
            A network of c outputs, in the order of `chosen`.
        """
        forward, mixer, rule = self.forward, self.mixer, self.pair_rule
        return Network(
            forward=lambda arrays: forward(arrays)[:, chosen],
            inputs=self.inputs,
            why=self.why,
            gradients=None if self.gradients is None else partial(self.gradients, chosen=chosen),
            undifferentiable=self.undifferentiable,
            pair_rule=None if rule is None else lambda n_pairs: _ChosenRule(rule(n_pairs), chosen),
            mixer=None if mixer is None else lambda *given: _picking(mixer(*given), chosen),
            rows_at_once=self.rows_at_once,
            cost=self.cost,
            device=self.device,
            scores=None if self.scores is None else (self.scores[0], self.scores[1].only(chosen)),
        )

    def predict(self, encode: Callable[[Any], Matrix]) -> Callable[[Any], Matrix]:
        """Return the outputs as a function of a user's table; `encode` converts it to a float64 matrix.

        Parameters
        ----------
        encode : callable
            Function from a user's table to a float64 matrix.

        Returns
        -------
        callable
            Function from a table to outputs, (n, K).
        """
        return partial(_predict, self, encode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.why}, inputs {[each.shape for each in self.inputs]})"


@dataclass(frozen=True, eq=False)
class _ChosenRule:
    """The rules of a network for some of its outputs."""

    rule: PairRule
    numbers: npt.NDArray[np.intp]

    def contributions(self, rows: Arrays, others: Arrays, chosen: Chosen = None) -> Gradients:
        return self.rule.contributions(rows, others, self.numbers if chosen is None else self.numbers[chosen])


def _picking(forward: MixedForward, chosen: npt.NDArray[np.intp]) -> MixedForward:
    return lambda row, other, present: forward(row, other, present)[:, chosen]


def _predict(network: Network, encode: Callable[[Any], Matrix], table: Any) -> Matrix:
    return network.outputs(encode(table))


def _converted(cells: Matrix, dtype: str) -> npt.NDArray[Any]:
    made = np.ascontiguousarray(cells, dtype=dtype) if np.dtype(dtype).kind == "f" else np.round(cells).astype(dtype)
    if np.dtype(dtype).kind != "f" and not (made == cells).all():
        raise InvalidInputError(f"The network takes whole numbers ({dtype}). Got {cells[made != cells].ravel()[0]!r}.")
    return made
