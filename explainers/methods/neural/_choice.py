"""The engine of a neural network: coalitions, the rescale rule, or gradients along a path."""

from __future__ import annotations

from automl_explain.explainers.methods._base import Engine, Question
from automl_explain.explainers.methods._kernel import KernelEngine
from automl_explain.explainers.neural._network import Network


def network_engine(question: Question) -> Engine:
    """Return the engine for a neural network."""
    network = question.model.structure
    assert isinstance(network, Network)
    engine = KernelEngine(question)
    engine.method = "coalitions"
    engine.reason = f"{network.why}: values computed from the outputs of coalitions"
    return engine
