"""The engine of a neural network: coalitions, the rescale rule, or gradients along a path."""

from __future__ import annotations

from automl_explain.explainers._arguments import check_choice
from automl_explain.explainers._errors import UnsupportedModelError
from automl_explain.explainers.methods._base import Engine, Question
from automl_explain.explainers.methods._kernel import KernelEngine
from automl_explain.explainers.methods.neural._gradients import PathEngine, RescaleEngine
from automl_explain.explainers.neural._network import Network

METHODS = ("auto", "coalitions", "rescale", "path")
FEW_PLAYERS = 64
"""Players up to which coalitions are nearer to the Shapley values than gradients are, in the same time."""


def network_engine(question: Question, method: str = "auto") -> Engine:
    """Return the engine for a neural network.

    By default it is the coalitions for at most 64 players; for more, the rescale rule if all operations have one, otherwise
    gradients along a path; and coalitions again for networks without gradients.

    Parameters
    ----------
    question : Question
        Of a model whose structure is a `Network`.
    method : {"auto", "coalitions", "rescale", "path"}

    Raises
    ------
    InvalidInputError
        If the method is unknown.
    UnsupportedModelError
        If the network does not allow the method.
    """
    check_choice("method", method, METHODS)
    network = question.model.structure
    assert isinstance(network, Network)
    if method == "coalitions":
        return _coalitions(question, "from the outputs of coalitions, as requested")
    if method == "rescale":
        return _requested_rescale(question, network)
    if method == "path":
        return _path(question, network, "from gradients along a path, as requested")
    assert question.background is not None
    n_players = question.n_players or question.background.n_columns
    if n_players <= FEW_PLAYERS:
        return _coalitions(question, f"from the outputs of coalitions of {n_players} players")
    if network.gradients is None and network.pair_rule is None:
        return _coalitions(question, f"from the outputs of coalitions, since {network.undifferentiable}")
    many = f"more than {FEW_PLAYERS} players"
    try:
        return _rescale(question, network, f"by the rescale rule, since it has {many} and only simple operations")
    except UnsupportedModelError as error:
        why = str(error)
    if network.gradients is None:
        return _coalitions(question, f"from the outputs of coalitions, since {why}; {network.undifferentiable}")
    return _path(question, network, f"from gradients along a path, since it has {many} and {why}")


def _coalitions(question: Question, why: str) -> Engine:
    engine = KernelEngine(question)
    network = question.model.structure
    assert isinstance(network, Network)
    engine.method, engine.reason = "coalitions", f"{network.why}: values computed {why}"
    return engine


def _rescale(question: Question, network: Network, why: str) -> Engine:
    if network.pair_rule is None:
        raise UnsupportedModelError(f"{network.why} does not list its operations")
    return RescaleEngine(question, f"values computed {why}")


def _requested_rescale(question: Question, network: Network) -> Engine:
    try:
        return _rescale(question, network, "by the rescale rule, as requested")
    except UnsupportedModelError as error:
        scores = network.scores if question.model.output_space == "probability" else None
        before = (
            "" if scores is None else f"pass output={scores[0]!r} to explain the scores before its last operation, or "
        )
        raise UnsupportedModelError(
            f"The rescale rule is not available for {question.model.name}, since {error}: {before}use method='path' or "
            "method='coalitions', which allow any operation."
        ) from error


def _path(question: Question, network: Network, why: str) -> Engine:
    if network.gradients is None:
        raise UnsupportedModelError(
            f"Gradients along a path are not available: {network.undifferentiable}. Use method='coalitions'."
        )
    return PathEngine(question, f"values computed {why}")
