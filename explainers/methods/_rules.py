"""The rule table: the engine for each structure. It alone decides which engine `TabularExplainer` uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from automl_explain.explainers.methods._base import Engine, Question
from automl_explain.explainers.methods._kernel import KernelEngine
from automl_explain.explainers.methods._library import OwnValuesEngine
from automl_explain.explainers.methods._linear import LinearEngine
from automl_explain.explainers.methods._mixture import MixtureEngine
from automl_explain.explainers.methods._pipeline_member import PreparedEngine
from automl_explain.explainers.methods._rbf import RadialEngine
from automl_explain.explainers.methods._tree import TreeEngine
from automl_explain.explainers.methods.neural._choice import network_engine
from automl_explain.explainers.model._fitted_model import Composite, Mixture, Prepared
from automl_explain.explainers.model._structures import Linear, Opaque, OwnValues, RadialBasis
from automl_explain.explainers.neural._network import Network
from automl_explain.explainers.trees._tree_ensemble import Trees


@dataclass(frozen=True)
class Rule:
    """One row of the table: a structure, its engine, and a description."""

    structure: type
    engine: Callable[[Question], Engine]
    meaning: str


def build_engine(question: Question) -> Engine:
    """Return the engine for the model's structure."""
    rule = next(rule for rule in RULES if isinstance(question.model.structure, rule.structure))
    return rule.engine(question)


def _mixture(question: Question) -> Engine:
    return MixtureEngine(question, build_engine)


def _prepared(question: Question) -> Engine:
    return PreparedEngine(question, build_engine)


def _network(question: Question) -> Engine:
    return network_engine(question)


def _library(question: Question) -> Engine:
    """Use the library's path-dependent values only without a background; with one, explain the predictions."""
    return OwnValuesEngine(question) if question.background is None else KernelEngine(question)


RULES: tuple[Rule, ...] = (
    Rule(Trees, TreeEngine, "a tree ensemble is explained exactly from its trees"),
    Rule(Linear, LinearEngine, "a linear model is explained exactly from its coefficients"),
    Rule(RadialBasis, RadialEngine, "a sum of Gaussian kernels is explained exactly, kernel by kernel"),
    Rule(Mixture, _mixture, "a weighted sum of models is explained member by member, exactly by linearity"),
    Rule(Composite, KernelEngine, "a function of other models is explained from coalitions, using the models' outputs"),
    Rule(Prepared, _prepared, "a pipeline in an ensemble is explained by its model, over the ensemble's columns"),
    Rule(OwnValues, _library, "trees that cannot be read are explained by their library, or from predictions"),
    Rule(Network, _network, "a neural network is explained from coalitions, or approximately from its gradients"),
    Rule(Opaque, KernelEngine, "any other model is explained from its predictions"),
)


def describe_rules() -> list[dict[str, Any]]:
    """Return the table that assigns an engine to each structure of a model.

    Returns
    -------
    list of dict
        Rows with the keys "structure", "explainer" and "meaning". The first row that applies is used.

    Examples
    --------
    >>> from automl_explain import describe_rules
    >>> describe_rules()[0]["structure"]
    'Trees'
    """
    return [
        {"structure": rule.structure.__name__, "explainer": rule.engine.__name__.strip("_"), "meaning": rule.meaning}
        for rule in RULES
    ]
