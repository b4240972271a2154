"""Scoring explainers: what is needed to explain rows at inference time, as data."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._pickling import Picklable
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.methods._explainer import ShapleyExplainer, check_structure
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.parts._partial_importance import without_rows
from automl_explain.explainers.scoring._from_explainer import make_scorer
from automl_explain.explainers.scoring._scorer import Scorer
from automl_explain.explainers.scoring.columns._schema import Schema


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
        If the columns have no form as data, such as durations; the message says what to do.
    InvalidInputError
        If `explainer` is not one of those explainers.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import TabularExplainer, scoring_explainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> scorer = scoring_explainer(TabularExplainer(Ridge().fit(X, y), X))
    >>> scorer
    LinearScoringExplainer(Ridge, 10 columns, response)
    >>> scorer.predict(X.iloc[:2]).shape, scorer.explain(X.iloc[:2]).shape
    ((2,), (2, 10))
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
        """Return the scoring explainer of loaded data of this kind."""
        made = object.__new__(cls)
        made._scorer, made._importance = scorer, importance
        return made

    @checked
    def with_importance(self, explanation: Explanation | None) -> ScoringExplainer:
        """Return the same scoring explainer with the global importance of an explanation, such as that of training rows.

        Parameters
        ----------
        explanation : Explanation or None
            Its global importance is kept; its rows are not.

        Returns
        -------
        ScoringExplainer
            A new one; this one stays as it is.

        Raises
        ------
        InvalidInputError
            If it is no explanation, or has other features.
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
        return self._scorer.labels.features

    @property
    def feature_labels(self) -> tuple[str, ...]:
        """Names of the explained features that are returned; x0, x1, ... if they have no names."""
        return self._scorer.feature_labels

    @property
    def is_raw(self) -> bool:
        """Whether the features are the caller's columns, as opposed to columns that a preprocessing made."""
        return self._scorer.labels.is_raw

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """Names of the classes; None for regression."""
        return self._scorer.labels.classes

    @property
    def output_space(self) -> str:
        """Unit of the values: probability, log_odds, response or margin."""
        return str(self._scorer.model.output_space)

    @property
    def method(self) -> str:
        """Name of the method that computes the values."""
        return self._scorer.account.method

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

    @checked
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
            In units of `output_space`.

        Raises
        ------
        ColumnMismatchError
            If columns are missing or unknown, or cells have other types or unknown categories.
        InvalidInputError
            If `X` is not a table, or an output is not finite.
        AdditivityError
            If the values do not add up to the predictions.
        """
        explanation = self.explain_local(X, with_rows=False)
        if get_raw:
            explanation = explanation.get_raw_explanation()
        values = explanation.local_importance_values
        assert values is not None
        return values if explanation.classes is None else list(values)

    @checked
    def explain_local(self, X: Any, *, with_rows: bool = True) -> Explanation:
        """Explain each row.

        Parameters
        ----------
        X : ndarray, DataFrame, csr_matrix, mapping, or sequence of mappings
            Rows, as in `explain`.
        with_rows : bool, default True
            Whether the explanation keeps the rows, as they were passed. Without them it is made faster.

        Returns
        -------
        Explanation
            With values, predictions and the rows.

        Raises
        ------
        ColumnMismatchError
            If columns are missing or unknown.
        InvalidInputError
            If the rows cannot be read.
        """
        return self._scorer.explanation(X, with_rows=with_rows)

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the outputs of rows in `output_space`, (n, C), or (n,) for regression.

        Parameters
        ----------
        X : ndarray, DataFrame, csr_matrix, mapping, or sequence of mappings
            Rows, as in `explain`.

        Returns
        -------
        ndarray of shape (n, C) or (n,)
            In units of `output_space`.

        Raises
        ------
        ColumnMismatchError
            If columns are missing or unknown.
        InvalidInputError
            If the rows cannot be read.
        """
        outputs = self._scorer.outputs(self._scorer.read(X))
        return outputs if self.classes is not None else outputs[:, 0]

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the probabilities of the classes, (n, C).

        Parameters
        ----------
        X : ndarray, DataFrame, csr_matrix, mapping, or sequence of mappings
            Rows, as in `explain`.

        Returns
        -------
        ndarray of shape (n, C)
            In the order of `classes`.

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

        This is the shortest way to both: trees are passed through once for both, no Explanation is made, features are neither
        selected nor summed, and the sum of the values is not compared with the outputs. Parameters and errors are those of
        `explain`; regressions have C = 1.

        Parameters
        ----------
        X : ndarray, DataFrame, csr_matrix, mapping, or sequence of mappings
            Rows, as in `explain`.

        Returns
        -------
        tuple of ndarray
            Outputs, (n, C), and values, (C, n, f).

        Raises
        ------
        ColumnMismatchError
            If columns are missing or unknown.
        InvalidInputError
            If the rows cannot be read.
        """
        outputs, made = self._scorer.score(self._scorer.read(X))
        return outputs, made.values

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


def probabilities_of(explainer: ScoringExplainer, X: Any, outputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what `predict_proba` does for rows whose outputs in `output_space` are known, without predicting twice."""
    known = explainer._scorer.linked(outputs, "probability")
    return explainer.predict_proba(X) if known is None else known
