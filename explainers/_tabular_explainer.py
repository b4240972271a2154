"""The explainers of tabular models: `TabularExplainer`, which chooses, and those of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from automl_explain.explainers.explanation._additivity import check_additivity
from automl_explain.explainers.explanation._explanation import MemberExplanation
from automl_explain.explainers.methods._base import Engine, Question
from automl_explain.explainers.methods._explainer import (
    ShapleyExplainer,
    check_background,
    check_structure,
    question_of,
)
from automl_explain.explainers.methods._kernel import KernelEngine
from automl_explain.explainers.methods._linear import LinearEngine
from automl_explain.explainers.methods._members import share_out
from automl_explain.explainers.methods._rules import build_engine
from automl_explain.explainers.methods._settings import SamplingOptions, Settings, read_settings
from automl_explain.explainers.model._explained_model import FeatureSpace, explained_model
from automl_explain.explainers.model._fitted_model import Linear
from automl_explain.explainers.model._predict import predict_finite


class TabularExplainer(ShapleyExplainer):
    """Explains any fitted model over a table, by the method that its structure asks for.

    Tree ensembles and linear models, and weighted sums of them, are explained exactly. Other models are explained from
    coalitions of their columns, with standard errors. `explain_local(...).reason` says which method was used and why.

    Parameters
    ----------
    model : object
        A fitted estimator, Pipeline, search, FLAML AutoML, booster, or a function from a table to predictions. To call an
        object that has a `predict` method of another meaning, pass ``model.__call__``.
    initialization_examples : ndarray, DataFrame or csr_matrix of shape (B, f_raw)
        The background: rows that stand for absent features, as the model takes them. Tree and linear models use all of
        them. A result of `shap.kmeans` is taken with its weights.
    features : sequence of str, optional
        Column names, for tables without names.
    classes : sequence, optional
        Class names to show in place of the model's labels, in the model's order.
    output : {"auto", "probability", "log_odds", "response", "margin"}, default "auto"
        Unit of the values. "auto" is the one in which the model is additive: log-odds for boosters and logistic
        models, probability for forests, response for regressions. Another space is explained in its own right, as the
        game of that output, never by rescaling.
    feature_space : {"engineered", "raw"}, optional
        Explain the columns that the model's last step reads, or the table's own columns. Raw columns that the
        preprocessing mixes are masked before it, and `reason` says so. Default: "engineered", or "raw" when
        `transformations` are given.
    transformations : fitted transformer, or list of (columns, fitted transformer), optional
        Preprocessing that stands before `model`, such as a ColumnTransformer; tables are then those before it.
    weights : array-like of shape (B,), optional
        Weights of the background rows; default: all alike.
    model_task : {"classification", "regression"}, optional
        Default: what the model says itself, which may not be contradicted. A function or model known by one column of
        predictions is taken for a regression; as a classification, they are probabilities of the second of two classes.
    explain_subset : sequence of str or int, optional
        Features, by name or position, whose values among all features are returned, in that order; the sum of the others'
        is `Explanation.left_out`.
    sampling : SamplingOptions, optional
        How many coalitions are evaluated, and against which background rows, where a model is explained from coalitions.
    random_state : int, default 0
        Seed of sampled coalitions; the global random state is never touched.
    n_jobs : int, optional
        Threads of compiled kernels; default: all cores of the process.
    progress : bool, optional
        True: a progress bar; False: none; default: one that appears after two seconds.

    Raises
    ------
    UnsupportedModelError
        If the model cannot be explained.
    InvalidInputError
        If a table or parameter does not fit the model.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from automl_explain import TabularExplainer
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = RandomForestClassifier(n_estimators=20, random_state=0).fit(X, y)
    >>> explanation = TabularExplainer(model, X).explain_local(X.iloc[:5])
    >>> explanation.local_importance_values.shape
    (2, 5, 30)
    >>> explanation.output_space
    'probability'
    """

    def __init__(
        self,
        model: Any,
        initialization_examples: Any = None,
        *,
        features: Sequence[str] | None = None,
        classes: Sequence[Any] | None = None,
        output: str = "auto",
        feature_space: FeatureSpace | None = None,
        transformations: Any = None,
        weights: Any = None,
        model_task: str | None = None,
        explain_subset: Sequence[Any] | None = None,
        sampling: SamplingOptions | None = None,
        random_state: int = 0,
        n_jobs: int | None = None,
        progress: bool | None = None,
    ) -> None:
        settings = read_settings(sampling, random_state, n_jobs, progress)
        check_background(initialization_examples, type(self).__name__)
        explained = explained_model(
            model,
            initialization_examples,
            features=features,
            classes=classes,
            output=output,
            feature_space=feature_space,
            transformations=transformations,
            weights=weights,
            model_task=model_task,
        )
        self._question = question_of(explained, settings)
        super().__init__(explained, self._build(self._question), explain_subset)

    def explain_members(self, X: Any) -> MemberExplanation:
        """Say what each member of an ensemble brings to the predictions of rows, and to the value of every feature.

        Features are split among the members where the output is a weighted sum of the members' outputs: votes, bagged and
        calibrated models, and stacks with a linear final estimator in the space of its scores. For a logistic final
        estimator that space is ``output="log_odds"``. The shares add up to the values of `explain_local`, unless a
        `time_budget` ends the two at different numbers of coalitions. For other ensembles the output is split as a whole.
        `MemberExplanation.reason` says which of the two was done.

        Parameters
        ----------
        X : ndarray, DataFrame or csr_matrix of shape (n, f_raw)
            Rows as the model takes them; a 1-D array or Series is one row.

        Returns
        -------
        MemberExplanation

        Raises
        ------
        UnsupportedModelError
            If the model has no members: it is a single model, or a hard vote.
        ColumnMismatchError
            If the columns are not those of the background.
        AdditivityError
            If the contributions do not add up to the predictions.
        """
        rows = self._explained.read(X)
        predictions = predict_finite(self.model, rows.engineered.data, "X")
        shares = share_out(self._question, self._engine, rows.engineered)
        by_class = self._explained.by_class
        explanation = MemberExplanation(
            members=shares.names,
            local_member_values=by_class(shares.totals, 1),
            local_importance_values=by_class(shares.values, 1),
            member_expected_values=shares.base_values,
            reason=shares.reason,
            predictions=predictions,
            standard_errors=by_class(shares.errors, 1),
            notes=(*self.notes, *shares.notes),
            **self._about(rows),
        )
        check_additivity(explanation)
        return explanation.select(self._subset)

    def _build(self, question: Question) -> Engine:
        """Return the engine that computes the values."""
        return build_engine(question)


class KernelExplainer(TabularExplainer):
    """Explains any model from coalitions of its columns, whatever its structure.

    Parameters are those of `TabularExplainer`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> from automl_explain import KernelExplainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = KNeighborsRegressor().fit(X, y)
    >>> explanation = KernelExplainer(model.predict, X.iloc[:20]).explain_local(X.iloc[:2])
    >>> explanation.local_importance_values.shape, explanation.method
    ((2, 10), 'kernel')
    """

    def _build(self, question: Question) -> Engine:
        return KernelEngine(question)


class LinearExplainer(ShapleyExplainer):
    """Explains models that are linear in their columns, exactly.

    Parameters
    ----------
    model : object
        A fitted linear model, or a pipeline or search that ends with one.
    initialization_examples : ndarray, DataFrame or csr_matrix of shape (B, f_raw)
        The background, from which the mean of each column is taken.
    features, classes, output, feature_space, transformations, weights, model_task, explain_subset
        As in `TabularExplainer`.

    Raises
    ------
    UnsupportedModelError
        If the output is not linear in the columns.
    InvalidInputError
        If a table or parameter does not fit the model.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import LinearExplainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> explainer = LinearExplainer(Ridge().fit(X, y), X)
    >>> explainer.explain_global(X).get_ranked_global_names(top_k=2)
    ['bmi', 's5']
    """

    def __init__(
        self,
        model: Any,
        initialization_examples: Any = None,
        *,
        features: Sequence[str] | None = None,
        classes: Sequence[Any] | None = None,
        output: str = "auto",
        feature_space: FeatureSpace | None = None,
        transformations: Any = None,
        weights: Any = None,
        model_task: str | None = None,
        explain_subset: Sequence[Any] | None = None,
    ) -> None:
        check_background(initialization_examples, type(self).__name__)
        explained = explained_model(
            model,
            initialization_examples,
            features=features,
            classes=classes,
            output=output,
            feature_space=feature_space,
            transformations=transformations,
            weights=weights,
            model_task=model_task,
        )
        check_structure(explained.model, (Linear,), type(self).__name__)
        super().__init__(explained, LinearEngine(question_of(explained, Settings())), explain_subset)
