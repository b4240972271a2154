"""What the outputs of a network are: one or several, probabilities or scores, steady or not; the same for all frameworks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._links import normalised_exponential
from automl_explain.explainers.model._model_call import model_call
from automl_explain.explainers.model._predict_function import PROBE_ROWS
from automl_explain.explainers.model._structures import Matrix, OutputSpace, Predict, Task
from automl_explain.explainers.neural._examples import Examples, as_examples, cell_names
from automl_explain.explainers.neural._network import Network
from automl_explain.explainers.tables._table import as_table
from automl_explain.integrations.readers._matrix import to_matrix

BACKGROUND = "initialization_examples"
STEADY = 1e-3
"""Change of an output, relative to the spread of the outputs, up to which it is the rounding of the framework."""


def few_examples(examples: Any, name: str) -> Examples:
    """Return a few of the examples, which show the shapes of inputs and outputs.

    Raises
    ------
    InvalidInputError
        If there are none, or they are not numbers.
    """
    if examples is None:
        raise InvalidInputError(f"A neural network needs example rows; pass {BACKGROUND!r} with {name}.")
    if not isinstance(examples, Examples):
        table = as_table(examples, BACKGROUND)
        few = table.take(np.arange(min(PROBE_ROWS, len(table))))
        with model_call(name, BACKGROUND):
            return as_examples(_keep_whole(few.data), BACKGROUND)
    return replace(examples, arrays=tuple(array[:PROBE_ROWS] for array in examples.arrays))


def describe_network(
    network: Network,
    examples: Examples,
    name: str,
    *,
    last: str = "",
    again: Matrix | None = None,
    encode: Callable[[Any], Matrix] = to_matrix,
) -> FittedModel:
    """Describe a network by its outputs for a few examples.

    Several outputs that are not negative and sum to 1 are probabilities of classes; several outputs of sigmoids are targets of
    their own. One output is a regression, unless it comes from a sigmoid: then it is the probability of the second of two
    classes. Any other outputs are responses.

    Parameters
    ----------
    network : Network
        `scores` is set if `last` is "softmax" or "sigmoid".
    examples : Examples
    name : str
        Name in messages.
    last : {"", "softmax", "log_softmax", "sigmoid"}
        Last operation of the network, if it is one of these.
    again : ndarray of shape (n, K), optional
        Outputs for the same examples with another random state. Default: those of a second call.
    encode : callable
        From the caller's table to float64.

    Raises
    ------
    InvalidInputError
        If the network cannot take the examples, or its outputs are random or depend on the other rows.
    """
    table = examples.flat()
    with model_call(name, examples.what):
        outputs = network.outputs(table)
        check_steady(network, table, outputs, network.outputs(table) if again is None else again, name)
    n_outputs = outputs.shape[1]
    task, space = _meaning(outputs, last)
    predict = network.predict(encode)
    spaces: dict[OutputSpace, Predict] = {
        space: _TwoColumns(predict, space) if _is_single(task, n_outputs) else predict
    }
    if network.scores is not None:
        scores = network.scores[1].predict(encode)
        spaces["log_odds"] = _TwoColumns(scores, "log_odds") if _is_single(task, n_outputs) else scores
    if last == "log_softmax" and space == "log_odds":
        spaces["probability"] = _SoftmaxOf(predict)
    classes = None if task == "regression" else tuple(range(2 if task == "binary" else n_outputs))
    shaped = len(network.inputs) > 1 or len(network.inputs[0].shape) > 1 or bool(network.inputs[0].name)
    return FittedModel(
        spaces,
        space,
        task,
        network if "log_odds" in spaces else replace(network, scores=None),
        classes=classes,
        feature_names=cell_names(network.inputs) if shaped else None,
        n_features=network.n_columns,
        encode=encode,
        name=name,
    )


def check_steady(network: Network, table: Matrix, outputs: Matrix, again: Matrix, name: str) -> None:
    """Raise `InvalidInputError` if the outputs change from call to call, or with the other rows of the batch."""
    if not np.isfinite(outputs).all():
        return
    scale = max(float(np.ptp(outputs)), 1e-3 * float(np.abs(outputs).max()), 1e-12)
    change = float(np.abs(again - outputs).max())
    if change > STEADY * scale:
        raise InvalidInputError(
            f"{name} returns other outputs for the same rows each time, by up to {change:.3g}, in evaluation mode. Only outputs "
            "that stay the same can be explained: switch off what draws random numbers, such as dropout in functional form."
        )
    alone = float(np.abs(network.outputs(table[:1]) - outputs[:1]).max())
    if alone > STEADY * scale:
        raise InvalidInputError(
            f"{name} returns other outputs for a row depending on the other rows of the batch, by up to {alone:.3g}, such as "
            "with normalisation over the batch. Masked rows are evaluated in batches: keep running statistics in training, or "
            "make the outputs of a row depend on this row only."
        )


def _meaning(outputs: Matrix, last: str) -> tuple[Task, OutputSpace]:
    n_outputs = outputs.shape[1]
    several: Task = "binary" if n_outputs == 2 else "multiclass"
    if n_outputs == 1:
        return ("binary", "probability") if last == "sigmoid" else ("regression", "response")
    if last == "sigmoid":
        return "multitarget", "probability"
    if last == "log_softmax":
        return several, "log_odds"
    adds_up = bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-5))
    return several, "probability" if adds_up else "response"


def _is_single(task: Task, n_outputs: int) -> bool:
    return task == "binary" and n_outputs == 1


@dataclass(frozen=True)
class _TwoColumns:
    """The outputs of two classes, given that of the second one."""

    predict: Predict
    space: str

    def __call__(self, table: Any) -> Matrix:
        second = self.predict(table)
        return np.hstack([1.0 - second if self.space == "probability" else -second, second])


@dataclass(frozen=True)
class _SoftmaxOf:
    """The probabilities of classes, given their scores."""

    predict: Predict

    def __call__(self, table: Any) -> Matrix:
        return normalised_exponential(self.predict(table))


def _keep_whole(data: Any) -> Any:
    """Return a table as an array that keeps whole numbers, so that a network may take them as such."""
    array = np.asarray(data) if not hasattr(data, "toarray") else data.toarray()
    return array if array.dtype.kind in "biuf" else to_matrix(data)
