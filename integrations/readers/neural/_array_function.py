"""Reader of functions of arrays that are not tables, such as images or several inputs: explained by coalitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._predict_function import as_columns
from automl_explain.explainers.model._registry import NetworkOptions
from automl_explain.explainers.neural._examples import Examples
from automl_explain.explainers.neural._network import Arrays, Matrix, Network
from automl_explain.integrations.readers.neural._outputs import describe_network, few_examples

ROWS_AT_ONCE = 1024
"""Rows per call of a function of unknown cost."""


def describe(function: Callable[..., Any], examples: Examples, network: NetworkOptions | None) -> FittedModel:
    """Describe a function of one array, (n, ...), or of one per input, that returns (n,) or (n, K)."""
    name = str(getattr(function, "__qualname__", type(function).__name__))
    few = few_examples(examples, name)

    def forward(arrays: Arrays) -> Matrix:
        return as_columns(lambda first: function(first, *arrays[1:]), name)(arrays[0])

    described = Network(
        forward=forward,
        inputs=few.inputs,
        why="a function of arrays",
        undifferentiable="a function of arrays has no gradients",
        rows_at_once=(network and network.batch_size) or ROWS_AT_ONCE,
    )
    return describe_network(described, few, name)
