"""The kinds of scoring explainers, and the table that chooses one by the structure of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from automl_explain.explainers.methods._explainer import ShapleyExplainer
from automl_explain.explainers.model._fitted_model import Composite, Mixture, Prepared
from automl_explain.explainers.model._structures import Linear, RadialBasis
from automl_explain.explainers.neural._network import Network
from automl_explain.explainers.scoring._explainer import ScoringExplainer
from automl_explain.explainers.trees._tree_ensemble import Trees


class TreeScoringExplainer(ScoringExplainer):
    """Scoring explainer of tree ensembles: trees, and a background that holds only what they can tell apart.

    Parameters
    ----------
    explainer : explainer of Shapley values
        Such as TabularExplainer, TreeExplainer, LinearExplainer, KernelExplainer, DeepExplainer or MimicExplainer.
    examples : ndarray, DataFrame or csr_matrix, optional
        More rows whose categories are known. Categories that are in neither the background, nor its types, nor the
        preprocessing, are refused when rows are explained.

    Raises
    ------
    UnsupportedModelError
        If the explainer is of another kind of model.
    InvalidInputError
        If `examples` have other columns.

    Examples
    --------
    >>> from lightgbm import LGBMRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> from automl_explain import TreeExplainer, TreeScoringExplainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> explainer = TreeExplainer(LGBMRegressor(n_estimators=20, verbose=-1).fit(X, y), X)
    >>> TreeScoringExplainer(explainer).explain(X.iloc[:2]).shape
    (2, 10)
    """

    kind = "tree"
    structures = (Trees,)


class LinearScoringExplainer(ScoringExplainer):
    """Scoring explainer of linear models: coefficients and means.

    Parameters
    ----------
    explainer : explainer of Shapley values
        Such as TabularExplainer, TreeExplainer, LinearExplainer, KernelExplainer, DeepExplainer or MimicExplainer.
    examples : ndarray, DataFrame or csr_matrix, optional
        More rows whose categories are known. Categories that are in neither the background, nor its types, nor the
        preprocessing, are refused when rows are explained.

    Raises
    ------
    UnsupportedModelError
        If the explainer is of another kind of model.
    InvalidInputError
        If `examples` have other columns.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import LinearExplainer, LinearScoringExplainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> scorer = LinearScoringExplainer(LinearExplainer(Ridge().fit(X, y), X))
    >>> scorer.explain({name: 0.01 for name in X.columns}).shape
    (1, 10)
    """

    kind = "linear"
    structures = (Linear,)


class KernelScoringExplainer(ScoringExplainer):
    """Scoring explainer of any model: of stacks, votes and kernel machines as data, of black boxes with the fitted model.

    A black box, and preprocessing that mixes columns, have no form as data: `save` with ``model="external"`` stores
    everything else, and the fitted model is passed to `load`.

    Parameters
    ----------
    explainer : explainer of Shapley values
        Such as TabularExplainer, TreeExplainer, LinearExplainer, KernelExplainer, DeepExplainer or MimicExplainer.
    examples : ndarray, DataFrame or csr_matrix, optional
        More rows whose categories are known. Categories that are in neither the background, nor its types, nor the
        preprocessing, are refused when rows are explained.

    Raises
    ------
    UnsupportedModelError
        If preprocessing that mixes columns has no form as data.
    InvalidInputError
        If `examples` have other columns.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.svm import SVR
    >>> from automl_explain import KernelScoringExplainer, TabularExplainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> scorer = KernelScoringExplainer(TabularExplainer(SVR().fit(X.iloc[:50], y[:50]), X.iloc[:20]))
    >>> scorer.explain(X.iloc[:2]).shape
    (2, 10)
    """

    kind = "kernel"


class DeepScoringExplainer(ScoringExplainer):
    """Scoring explainer of neural networks: chains of dense layers as data, any other network with the fitted model.

    Parameters
    ----------
    explainer : explainer of Shapley values
        Such as TabularExplainer, TreeExplainer, LinearExplainer, KernelExplainer, DeepExplainer or MimicExplainer.
    examples : ndarray, DataFrame or csr_matrix, optional
        More rows whose categories are known. Categories that are in neither the background, nor its types, nor the
        preprocessing, are refused when rows are explained.

    Raises
    ------
    UnsupportedModelError
        If the explainer is of no network.
    InvalidInputError
        If `examples` have other columns.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neural_network import MLPClassifier
    >>> from automl_explain import DeepExplainer, DeepScoringExplainer
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = MLPClassifier((8,), max_iter=500, random_state=0).fit(X, y)
    >>> len(DeepScoringExplainer(DeepExplainer(model, X.iloc[::10])).explain(X.iloc[:2]))
    3
    """

    kind = "deep"
    structures = (Network,)


@dataclass(frozen=True)
class ScoringRule:
    """One row of the table from structures to scoring explainers."""

    structures: tuple[type, ...]
    explainer: type[ScoringExplainer]
    meaning: str


SCORING_RULES: tuple[ScoringRule, ...] = (
    ScoringRule(
        (Trees,), TreeScoringExplainer, "trees as arrays, with the background as far as they can tell its rows apart"
    ),
    ScoringRule((Linear,), LinearScoringExplainer, "coefficients, and the means of the background"),
    ScoringRule((Network,), DeepScoringExplainer, "weights of dense layers, and the background rows in use"),
    ScoringRule(
        (RadialBasis, Mixture, Composite, Prepared),
        KernelScoringExplainer,
        "kernels, and sums and stacks of models, with their members as arrays and the background rows in use",
    ),
    ScoringRule(
        (object,),
        KernelScoringExplainer,
        "a black box, which has no form as data: the fitted model is passed to load",
    ),
)
"""Structure -> scoring explainer. The first row that applies is used."""

KINDS = {rule.explainer.kind: rule for rule in SCORING_RULES}
"""Kind in files -> rule."""


def choose_scoring_explainer(explainer: Any, examples: Any = None) -> ScoringExplainer:
    """Return the scoring explainer for an explainer, by the structure of its model: see `SCORING_RULES`."""
    if not isinstance(explainer, ShapleyExplainer):
        return KernelScoringExplainer(explainer, examples=examples)  # which says what is expected
    structure = explainer.model.structure
    rule = next(rule for rule in SCORING_RULES if isinstance(structure, rule.structures))
    return rule.explainer(explainer, examples=examples)
