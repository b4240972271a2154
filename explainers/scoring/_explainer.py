"""Scoring explainers: what is needed to explain rows at inference time, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._pickling import Picklable
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.methods._explainer import ShapleyExplainer, check_structure
from automl_explain.explainers.model._fitted_model import (
    Composite,
    FittedModel,
    Linear,
    Mixture,
    Prepared,
    RadialBasis,
)
from automl_explain.explainers.neural._network import Network
from automl_explain.explainers.parts._partial_importance import without_rows
from automl_explain.explainers.scoring._from_explainer import make_scorer
from automl_explain.explainers.scoring._schema import Schema
from automl_explain.explainers.scoring._scorer import Scorer
from automl_explain.explainers.trees._tree_ensemble import Trees


class ScoringExplainer(Picklable):
    """Base class of the scoring explainers: an explainer as data, which explains and predicts rows.

    The model is data too, and its library is not imported, unless it has no form as data; then the fitted model is called.

    The values are those of the explainer. The predictions are computed from the structure of the model in float64; a library
    that computes in float32, such as XGBoost, differs from them by its rounding.

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
        If the columns have no form as data, such as dates; the message says what to do.
    InvalidInputError
        If `explainer` is not one of those explainers.
    """

    kind = "kernel"
    structures: tuple[type, ...] = (object,)
    """Structures of models that this scoring explainer is for."""

    def __init__(self, explainer: Any, *, examples: Any = None) -> None:
        if not isinstance(explainer, ShapleyExplainer):
            raise InvalidInputError(
                f"A scoring explainer is made from an explainer of Shapley values, such as TabularExplainer. Got "
                f"{type(explainer).__name__}."
            )
        if self.structures != (object,):
            check_structure(explainer.model, self.structures, type(self).__name__)
        self._scorer = make_scorer(explainer, self.kind, examples)
        self._importance: Explanation | None = None

    @classmethod
    def _of(cls, scorer: Scorer, importance: Explanation | None = None) -> ScoringExplainer:
        """Return the scoring explainer of loaded data."""
        made: ScoringExplainer = object.__new__(KINDS[scorer.kind].explainer)
        made._scorer, made._importance = scorer, importance
        return made

    def with_importance(self, explanation: Explanation | None) -> ScoringExplainer:
        """Return the same scoring explainer with the global importance of an explanation, such as that of training rows.

        Parameters
        ----------
        explanation : Explanation or None
            Its global importance is kept; its rows are not.

        Returns
        -------
        ScoringExplainer
        """
        return self._of(self._scorer, None if explanation is None else without_rows(explanation))

    @property
    def importance(self) -> Explanation | None:
        """Global importance in training, without rows, which `ExplanationDiff` compares with that in production.

        It comes from a run, from the result of `explain_model`, or from `with_importance`; None if there is none.
        """
        return self._importance

    @property
    def model(self) -> FittedModel:
        """Description of the model over coded tables."""
        return self._scorer.model

    @property
    def schema(self) -> Schema:
        """The columns that rows must have: names, types, categories, and whether cells may be missing."""
        return self._scorer.schema

    @property
    def features(self) -> tuple[str, ...] | None:
        """Names of the explained features; None if they have no names."""
        return self._scorer.features

    @property
    def feature_labels(self) -> tuple[str, ...]:
        """Names of the explained features that are returned; x0, x1, ... if they have no names."""
        return self._scorer.feature_labels

    @property
    def is_raw(self) -> bool:
        """Whether the features are the caller's columns, as opposed to columns that a preprocessing made."""
        return self._scorer.is_raw

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """Names of the classes; None for regression."""
        return self._scorer.classes

    @property
    def output_space(self) -> str:
        """Unit of the values: probability, log_odds, response or margin."""
        return str(self._scorer.model.output_space)

    @property
    def method(self) -> str:
        """Name of the method that computes the values."""
        return self._scorer.method

    @property
    def expected_values(self) -> npt.NDArray[np.float64]:
        """Mean output over the background, of shape (C,), or (1,) for regression."""
        return self._scorer.expected_values

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the model's data; equal for equal models."""
        return self._scorer.fingerprint

    @property
    def identity(self) -> str:
        """SHA-256 of everything that the values depend on; equal for explainers that give the same values."""
        return self._scorer.identity

    def explain(self, X: Any, *, get_raw: bool = False) -> Any:
        """Return the local values of rows.

        Parameters
        ----------
        X : ndarray, DataFrame, csr_matrix, mapping, or sequence of mappings
            Rows: a mapping of columns to cells is one row. The order of named columns does not matter.
        get_raw : bool, default False
            Sum the values of engineered columns over the raw column that they were made from.

        Returns
        -------
        ndarray of shape (n, f) for regression; list of such arrays, one for each class, otherwise

        Raises
        ------
        ColumnMismatchError
            If columns are missing or unknown, or cells have other types or unknown categories.
        InvalidInputError
            If `X` is not a table, or an output is not finite.
        AdditivityError
            If the values do not add up to the predictions.
        """
        explanation = self.explain_local(X)
        if get_raw:
            explanation = explanation.get_raw_explanation()
        values = explanation.local_importance_values
        assert values is not None
        return values if explanation.classes is None else list(values)

    def explain_local(self, X: Any) -> Explanation:
        """Explain each row; parameters and errors as in `explain`."""
        return self._scorer.explanation(X)

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the outputs of rows in `output_space`, (n, C), or (n,) for regression; errors as in `explain`."""
        outputs = self._scorer.outputs(self._scorer.read(X))
        return outputs if self.classes is not None else outputs[:, 0]

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the probabilities of the classes, (n, C).

        Raises
        ------
        InvalidInputError
            If the model has none, or `X` is not valid as in `explain`.
        """
        if "probability" not in self.model.outputs:
            raise InvalidInputError(f"{self.model.name} has no probabilities, only {sorted(self.model.outputs)}.")
        return self._scorer.outputs(self._scorer.read(X), "probability")

    def score(self, X: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return outputs, (n, C), and values, (C, n, f), of rows, reading them once.

        This is the shortest way to both: no Explanation is made, features are neither selected nor summed, and the sum of
        the values is not compared with the outputs. Parameters and errors are those of `explain`; regressions have C = 1.
        """
        matrix = self._scorer.read(X)
        return self._scorer.outputs(matrix), self._scorer.attribution(matrix).values

    def warm_up(self) -> None:
        """Prepare everything that the first rows would wait for: tables of values are made, kernels are compiled or loaded."""
        scorer = self._scorer
        rows = scorer.some_row
        with np.errstate(all="ignore"):
            for matrix in (rows, np.repeat(rows, 2, axis=0)):
                scorer.outputs(matrix)
                scorer.attribution(matrix)

    def __repr__(self) -> str:
        classes = "" if self.classes is None else f", {len(self.classes)} classes"
        return f"{type(self).__name__}({self.model.name}, {len(self.schema.columns)} columns{classes}, {self.output_space})"


class TreeScoringExplainer(ScoringExplainer):
    """Scoring explainer of tree ensembles: trees, and a background that holds only what they can tell apart.

    Parameters are those of `ScoringExplainer`.

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

    Parameters are those of `ScoringExplainer`.

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

    Parameters are those of `ScoringExplainer`.

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

    Parameters are those of `ScoringExplainer`.

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
