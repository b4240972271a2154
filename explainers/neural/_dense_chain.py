"""Chains of dense layers, such as scikit-learn's multilayer perceptrons, computed in numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from automl_explain.explainers._errors import UnsupportedModelError
from automl_explain.explainers.neural._network import Arrays, Chosen, Gradients, Matrix, Network, NetworkInput

Numbers: TypeAlias = npt.NDArray[np.floating[Any]]
"""Numbers of single or double precision."""
SMALL_STEP = 1e-7
"""Change of the input of an activation, relative to its size, below which its slope replaces the quotient of changes."""


def _keep(values: Numbers) -> None:
    """Leave the values as they are."""


def _rectify(values: Numbers) -> None:
    np.maximum(values, 0, out=values)


def _to_tanh(values: Numbers) -> None:
    np.tanh(values, out=values)


def _to_logistic(values: Numbers) -> None:
    """Apply the logistic function, by way of tanh, which numpy computes with SIMD instructions."""
    values *= 0.5
    np.tanh(values, out=values)
    values += 1.0
    values *= 0.5


@dataclass(frozen=True)
class Activation:
    """An activation: a function in place, and its derivative given the result."""

    apply: Callable[[Numbers], None]
    slope: Callable[[Matrix], Matrix]


ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(_keep, np.ones_like),
    "relu": Activation(_rectify, lambda made: np.asarray(made > 0, dtype=np.float64)),
    "tanh": Activation(_to_tanh, lambda made: 1.0 - made**2),
    "logistic": Activation(_to_logistic, lambda made: made * (1.0 - made)),
}
"""Activations of hidden layers by scikit-learn's names."""


@dataclass(frozen=True)
class OutputLink:
    """The function from the last layer to the outputs.

    Parameters
    ----------
    apply : callable
        From scores (..., K) to outputs.
    slope : callable or None
        Derivative of each output by its own score, given the outputs. None: an output depends on all scores.
    space : str
        Output space of the scores.
    """

    apply: Callable[[Matrix], Matrix]
    slope: Callable[[Matrix], Matrix] | None
    space: str


LINKS: dict[str, OutputLink] = {
    "identity": OutputLink(np.asarray, np.ones_like, "response"),
    "exp": OutputLink(np.exp, np.asarray, "margin"),
    "logistic": OutputLink(expit, lambda made: made * (1.0 - made), "log_odds"),
    "softmax": OutputLink(lambda scores: np.asarray(softmax(scores, axis=-1)), None, "log_odds"),
}
"""Functions after the last layer by scikit-learn's names."""


@dataclass(frozen=True, eq=False)
class DenseChain:
    """Dense layers with the same activation between them, and a function after the last one.

    Parameters
    ----------
    weights : tuple of ndarray, each of shape (inputs, outputs)
    biases : tuple of ndarray, each of shape (outputs,)
    activation : str
        Name of the activation after each layer but the last one, a key of `ACTIVATIONS`.
    link : str, default "identity"
        Name of the function after the last layer, a key of `LINKS`.
    """

    weights: tuple[Numbers, ...]
    biases: tuple[Numbers, ...]
    activation: str
    link: str = "identity"

    @property
    def n_columns(self) -> int:
        """Number of columns of the first layer's input."""
        return int(self.weights[0].shape[0])

    @property
    def n_outputs(self) -> int:
        """Number of outputs."""
        return int(self.weights[-1].shape[1])

    @property
    def width(self) -> int:
        """Number of units of the widest layer."""
        return int(max(layer.shape[1] for layer in self.weights))

    @property
    def cost(self) -> int:
        """Number of multiplications for one row."""
        return int(sum(layer.size for layer in self.weights))

    def as_single(self) -> DenseChain:
        """Return the same layers in single precision."""
        single = [tuple(part.astype(np.float32) for part in parts) for parts in (self.weights, self.biases)]
        return replace(self, weights=single[0], biases=single[1])

    def without_link(self) -> DenseChain:
        """Return the chain up to the scores of the last layer."""
        return replace(self, link="identity")

    def over_columns(self, columns: npt.NDArray[np.intp], n_columns: int) -> DenseChain:
        """Return the chain as a function of a wider table, of which it reads some columns, a column drawn twice twice."""
        first = np.zeros((n_columns, self.weights[0].shape[1]))
        np.add.at(first, columns, self.weights[0])
        return replace(self, weights=(first, *self.weights[1:]))

    def outputs(self, table: Matrix) -> Matrix:
        """Return the outputs of rows, (M, K) float64."""
        return self.after_first(table @ self.weights[0] + self.biases[0])

    def after_first(self, values: Numbers) -> Matrix:
        """Return the outputs, given the first layer before its activation, (M, units), which is overwritten."""
        if len(self.weights) == 1:
            return self._linked(values.astype(np.float64))
        apply, last = ACTIVATIONS[self.activation].apply, self.biases[-1].astype(np.float64)
        for weights, bias in zip(self.weights[1:-1], self.biases[1:-1], strict=True):
            apply(values)
            values = values @ weights
            values += bias
        apply(values)
        return self._linked(values @ self.weights[-1] + last)  # this sum rounds as in double precision

    def forward(self, arrays: Arrays) -> Matrix:
        """Return the outputs; see `Network`."""
        return self.outputs(arrays[0])

    def gradients(self, arrays: Arrays, chosen: Chosen = None) -> Gradients:
        """Return the derivatives of the outputs by the columns; see `Network`."""
        layers = self._layers(arrays[0])
        made, slope = self._linked(layers[-1]), LINKS[self.link].slope
        numbers = np.arange(self.n_outputs) if chosen is None else chosen
        units = np.eye(self.n_outputs)[numbers]
        if slope is None:  # softmax: d p_k / d s_j = p_k (1[k = j] - p_j)
            own = made[:, numbers]
            steps = np.einsum("mk,kj->kmj", own, units) - own.T[:, :, None] * made[None]
        else:
            steps = np.einsum("mk,kj->kmj", slope(made)[:, numbers], units)
        activation = ACTIVATIONS[self.activation]
        return (self._backwards(steps, [activation.slope(layer) for layer in layers[:-1]]),)

    def pair_rule(self, n_pairs: int = 1) -> DenseRescale:
        """Return the rescale rule; see `Network`.

        Raises
        ------
        UnsupportedModelError
            If the outputs are a softmax.
        """
        if LINKS[self.link].slope is None:
            raise UnsupportedModelError(f"there is no rule for its {self.link}")
        return DenseRescale(self)

    def _layers(self, table: Matrix) -> list[Matrix]:
        """Return each hidden layer after its activation, then the scores."""
        apply, layers, values = ACTIVATIONS[self.activation].apply, [], table
        for number, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = np.asarray(values @ weights + bias)
            if number + 1 < len(self.weights):
                apply(values)
            layers.append(values)
        return layers

    def _scores(self, table: Matrix) -> list[Matrix]:
        """Return each layer before its activation."""
        made = [table, *self._layers(table)[:-1]]
        return [
            np.asarray(layer @ weights + bias)
            for layer, weights, bias in zip(made, self.weights, self.biases, strict=True)
        ]

    def _linked(self, scores: Matrix) -> Matrix:
        return np.asarray(LINKS[self.link].apply(scores))

    def _backwards(self, steps: Numbers, slopes: Sequence[Matrix]) -> Matrix:
        """Return multipliers of the columns, (K, M, f), from those of the scores (K, M, K) and of each activation."""
        for weights, slope in zip(self.weights[:0:-1], slopes[::-1], strict=True):
            steps = (steps @ weights.T) * slope
        return np.asarray(steps @ self.weights[0].T, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class DenseRescale:
    """The rescale rule for a chain of dense layers: an activation's multiplier is its change over that of its input.

    References
    ----------
    Shrikumar et al., "Learning important features through propagating activation differences", arXiv 1704.02685.
    """

    chain: DenseChain

    def contributions(self, rows: Arrays, others: Arrays, chosen: Chosen = None) -> Gradients:
        """Return the contribution of each column to the difference of each output; see `PairRule`."""
        chain, mine, theirs = self.chain, rows[0], others[0]
        activation, link = ACTIVATIONS[chain.activation], LINKS[chain.link]
        assert link.slope is not None
        before = list(zip(chain._scores(mine), chain._scores(theirs), strict=True))
        after = list(zip(chain._layers(mine), chain._layers(theirs), strict=True))
        slopes = [
            _quotients(*taken, *made, activation.slope) for taken, made in zip(before[:-1], after[:-1], strict=True)
        ]
        scores, their_scores = before[-1]
        last = _quotients(scores, their_scores, chain._linked(scores), chain._linked(their_scores), link.slope)
        numbers = np.arange(chain.n_outputs) if chosen is None else chosen
        units = np.eye(chain.n_outputs)[numbers]
        multipliers = chain._backwards(np.einsum("mk,kj->kmj", last[:, numbers], units), slopes)
        return (multipliers * (mine - theirs),)


def _quotients(
    mine: Matrix, theirs: Matrix, made: Matrix, made_theirs: Matrix, slope: Callable[[Matrix], Matrix]
) -> Matrix:
    """Return the change of the results over that of the inputs; where the inputs hardly differ, the mean slope."""
    step = mine - theirs
    small = np.abs(step) <= SMALL_STEP * (1.0 + np.abs(mine))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (made - made_theirs) / step
    return np.where(small, (slope(made) + slope(made_theirs)) / 2.0, found)


@dataclass(frozen=True, eq=False, kw_only=True)
class DenseNetwork(Network):
    """A network that is a chain of dense layers.

    Parameters
    ----------
    chain : DenseChain
        The layers. The other parameters are those of `Network`.
    """

    chain: DenseChain


def dense_network(chain: DenseChain, why: str) -> DenseNetwork:
    """Return a chain of dense layers as a network."""
    return DenseNetwork(
        forward=chain.forward,
        inputs=(NetworkInput((chain.n_columns,), "float64"),),
        why=why,
        gradients=chain.gradients,
        pair_rule=chain.pair_rule,
        scores=None
        if chain.link == "identity"
        else (LINKS[chain.link].space, dense_network(chain.without_link(), why)),
        chain=chain,
    )
