"""Reader of scikit-learn's multilayer perceptrons: chains of dense layers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._structures import Matrix, OutputSpace, Predict
from automl_explain.explainers.neural._dense_chain import DenseChain, DenseNetwork, dense_network
from automl_explain.integrations.readers._checks import require_classes, require_fitted
from automl_explain.integrations.readers._matrix import to_matrix
from automl_explain.integrations.readers.sklearn._estimators import (
    classifier,
    classifier_outputs,
    names_of,
    regressor,
    two_sided,
)
from automl_explain.integrations.readers.sklearn._targets import classifier_of_targets, labels_of


def describe_regressor(model: Any) -> FittedModel:
    """Describe an MLPRegressor of one or several targets."""
    require_fitted(model)
    network = _network(model)
    described = regressor(model, network, network.chain.n_outputs)
    return described if network.scores is None else _with_scores(described, network)


def describe_classifier(model: Any) -> FittedModel:
    """Describe an MLPClassifier of classes or labels by its probabilities, or by the scores before the last function."""
    require_fitted(model)
    network = _network(model)
    labels = labels_of(model)
    if labels is not None:
        return _with_scores(classifier_of_targets(model, labels, network, names_of(model)), network)
    require_classes(type(model).__name__, model.classes_)
    return _with_scores(classifier(model, *classifier_outputs(model), network), network)


def _network(model: Any) -> DenseNetwork:
    weights, biases = (
        tuple(np.asarray(part, dtype=np.float64) for part in parts) for parts in (model.coefs_, model.intercepts_)
    )
    chain = DenseChain(weights, biases, model.activation, model.out_activation_)
    sizes = " x ".join(str(part.shape[1]) for part in weights[:-1])
    return dense_network(chain, f"dense layers ({sizes} hidden units, {model.activation})")


def _with_scores(described: FittedModel, network: DenseNetwork) -> FittedModel:
    """Return the description with the scores before the last function as outputs."""
    assert network.scores is not None
    space: OutputSpace = network.scores[0]  # type: ignore[assignment]  # the spaces of `LINKS`
    two = described.task == "binary"
    scores: Predict = partial(_scores, network.chain.without_link(), two)
    return replace(described, outputs={**described.outputs, space: scores})


def _scores(chain: DenseChain, two: bool, table: Any) -> Matrix:
    made = chain.outputs(to_matrix(table))
    return two_sided(made[:, 0]) if two else made
