"""`TabularExplainer`, which chooses a method for the model, and explainers for one method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._fallback import blamed_on_us
from automl_explain.explainers.explanation._additivity import check_additivity
from automl_explain.explainers.explanation._explanation import MemberExplanation
from automl_explain.explainers.methods._base import Engine, Question
from automl_explain.explainers.methods._explainer import (
    ShapleyExplainer,
    check_background,
    check_structure,
    question_of,
)
from automl_explain.explainers.methods._fallback import built
from automl_explain.explainers.methods._kernel import KernelEngine
from automl_explain.explainers.methods._linear import LinearEngine
from automl_explain.explainers.methods._members import share_out
from automl_explain.explainers.methods._rules import build_engine
from automl_explain.explainers.methods._settings import SamplingOptions, Settings, read_settings
from automl_explain.explainers.model._explained_model import FeatureSpace, explained_model
from automl_explain.explainers.model._names import ClassNames
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.model._structures import Linear


class TabularExplainer(ShapleyExplainer):
    """Explains any tabular model by Shapley values, with a method chosen for the structure of the model.

    Tree ensembles, linear models, Gaussian kernel machines and weighted sums of them are explained exactly. Other models
    are explained from coalitions of columns: from all relevant coalitions if there are few enough, otherwise from a sample,
    with standard errors. `reason` says which method is used and why.

    Parameters
    ----------
    model : object
        A fitted estimator, Pipeline, search, FLAML AutoML, booster, or a function from a table to predictions. For a
        callable object whose `predict` method is not the function to explain, pass ``model.__call__``.
    initialization_examples : ndarray, DataFrame or csr_matrix of shape (B, f_raw)
        The background: rows, as the model takes them, that provide the values of absent features. Tree and linear models
        use all rows. A result of `shap.kmeans` is used with its weights.
    features : sequence of str, optional
        Column names, for tables without names.
    classes : sequence or mapping, optional
        Class names to show instead of the model's labels, in the model's order, or ``{label: name}``. The model's own labels
        in another order are refused.
    output : {"auto", "probability", "log_odds", "response", "margin"}, default "auto"
        Unit of the values. "auto" is the output in which the model is additive: log-odds for boosters and logistic
        models, probability for forests, response for regressions. Values of another output are computed for that output
        itself, not by rescaling.
    feature_space : {"engineered", "raw"}, optional
        Explain the columns that the model's last step reads ("engineered"), or the columns of the table ("raw"). If the
        preprocessing mixes columns, raw columns are masked before it, and `reason` says so. Default: "engineered", or
        "raw" if `transformations` are given.
    transformations : fitted transformer, or list of (columns, fitted transformer), optional
        Preprocessing to apply before `model`, such as a ColumnTransformer. All tables are then passed without it.
    weights : array-like of shape (B,), optional
        Weights of the background rows. Default: equal weights.
    model_task : {"classification", "regression"}, optional
        Task of a black-box model with one column of predictions. By default it is a regression; as a classification, the
        column holds probabilities of the second of two classes. Other models have a task of their own, which the parameter
        must not contradict.
    explain_subset : sequence of str or int, optional
        Features to return, by name or position, in this order. Values are computed with all features;
        `Explanation.left_out` is the sum of the others. Default: all features.
    sampling : SamplingOptions, optional
        Number of coalitions and of background rows, for models that are explained from coalitions.
    random_state : int, default 0
        Seed of sampled coalitions. The global random state is not used.
    n_jobs : int, optional
        Threads of compiled kernels. Default: all cores available to the process.
    progress : bool, optional
        If True, show a progress bar; if False, show none. Default: show one after two seconds.

    Raises
    ------
    UnsupportedModelError
        If the model cannot be explained.
    InvalidInputError
        If a table or parameter does not match the model.

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

    _n_rows: int | None = None

    @checked
    def __init__(
        self,
        model: Any,
        initialization_examples: Any = None,
        *,
        features: Sequence[str] | None = None,
        classes: ClassNames | None = None,
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
        question = question_of(explained, settings, self._n_rows)
        super().__init__(explained, built(question, self._build), explain_subset, settings, question=question)

    def explain_members(self, X: Any) -> MemberExplanation:
        """Split the predictions of rows, and the values of features if possible, among the members of an ensemble.

        Feature values are split if the output is a weighted sum of the members' outputs: for votes, bagged and calibrated
        models, and stacks with a linear final estimator in the output space of its scores, which is ``output="log_odds"``
        for a logistic one. The shares add up to the values of `explain_local`, unless a `time_budget` ends the two
        computations at different numbers of coalitions. For other ensembles only the output is split.
        `MemberExplanation.reason` says which split was computed.

        Parameters
        ----------
        X : ndarray, DataFrame or csr_matrix of shape (n, f_raw)
            Rows as the model takes them; a 1-D array or Series is one row.

        Returns
        -------
        MemberExplanation
            The contribution of each member, and of each member through each feature if features are split.

        Raises
        ------
        UnsupportedModelError
            If the model has no members, as a single model or a hard vote.
        ColumnMismatchError
            If the columns differ from those of the background.
        InvalidInputError
            If `X` is not a table, or the model cannot predict its rows.
        AdditivityError
            If the contributions do not add up to the predictions.
        """
        rows = self._explained.read(X)
        predictions = predict_finite(self.model, rows.engineered.data, "X")
        question = self._question
        assert question is not None
        shares = blamed_on_us(
            "Splitting the output among the members", lambda: share_out(question, self._engine, rows.engineered)
        )
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
        check_additivity(explanation, lambda: predict_finite(self.model, rows.engineered.data, "X"))
        return explanation.select(self._subset)

    def _build(self, question: Question) -> Engine:
        """Return the engine that computes the values."""
        return build_engine(question)


class OneTableExplainer(TabularExplainer):
    """Explains one table of rows: less is computed in advance than for an explainer that is called many times.

    Parameters
    ----------
    n_rows : int
        Number of rows that will be explained.
    model, initialization_examples, options
        As in `TabularExplainer`.
    """

    def __init__(self, n_rows: int, model: Any, initialization_examples: Any, **options: Any) -> None:
        self._n_rows = n_rows
        super().__init__(model, initialization_examples, **options)


class KernelExplainer(TabularExplainer):
    """Explains any model from coalitions of its columns, regardless of its structure.

    Parameters
    ----------
    model : object
        A fitted estimator, Pipeline, search, FLAML AutoML, booster, or a function from a table to predictions. For a
        callable object whose `predict` method is not the function to explain, pass ``model.__call__``.
    initialization_examples : ndarray, DataFrame or csr_matrix of shape (B, f_raw)
        The background: rows, as the model takes them, that provide the values of absent features. Tree and linear models
        use all rows. A result of `shap.kmeans` is used with its weights.
    features : sequence of str, optional
        Column names, for tables without names.
    classes : sequence or mapping, optional
        Class names to show instead of the model's labels, in the model's order, or ``{label: name}``. The model's own labels
        in another order are refused.
    output : {"auto", "probability", "log_odds", "response", "margin"}, default "auto"
        Unit of the values. "auto" is the output in which the model is additive: log-odds for boosters and logistic
        models, probability for forests, response for regressions. Values of another output are computed for that output
        itself, not by rescaling.
    feature_space : {"engineered", "raw"}, optional
        Explain the columns that the model's last step reads ("engineered"), or the columns of the table ("raw"). If the
        preprocessing mixes columns, raw columns are masked before it, and `reason` says so. Default: "engineered", or
        "raw" if `transformations` are given.
    transformations : fitted transformer, or list of (columns, fitted transformer), optional
        Preprocessing to apply before `model`, such as a ColumnTransformer. All tables are then passed without it.
    weights : array-like of shape (B,), optional
        Weights of the background rows. Default: equal weights.
    model_task : {"classification", "regression"}, optional
        Task of a black-box model with one column of predictions. By default it is a regression; as a classification, the
        column holds probabilities of the second of two classes. Other models have a task of their own, which the parameter
        must not contradict.
    explain_subset : sequence of str or int, optional
        Features to return, by name or position, in this order. Values are computed with all features;
        `Explanation.left_out` is the sum of the others. Default: all features.
    sampling : SamplingOptions, optional
        Number of coalitions and of background rows, for models that are explained from coalitions.
    random_state : int, default 0
        Seed of sampled coalitions. The global random state is not used.
    n_jobs : int, optional
        Threads of compiled kernels. Default: all cores available to the process.
    progress : bool, optional
        If True, show a progress bar; if False, show none. Default: show one after two seconds.

    Raises
    ------
    UnsupportedModelError
        If the model cannot predict.
    InvalidInputError
        If a table or parameter does not match the model.

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
    """Explains linear models exactly: coefficient times the difference from the column mean of the background.

    Parameters
    ----------
    model : object
        A fitted linear model, or a pipeline or search that ends with one.
    initialization_examples : ndarray, DataFrame or csr_matrix of shape (B, f_raw)
        The background, from which the mean of each column is taken.
    features : sequence of str, optional
        Column names, for tables without names.
    classes : sequence or mapping, optional
        Class names to show instead of the model's labels, in the model's order, or ``{label: name}``. The model's own labels
        in another order are refused.
    output : {"auto", "probability", "log_odds", "response", "margin"}, default "auto"
        Unit of the values. "auto" is the output in which the model is additive: log-odds for boosters and logistic
        models, probability for forests, response for regressions. Values of another output are computed for that output
        itself, not by rescaling.
    feature_space : {"engineered", "raw"}, optional
        Explain the columns that the model's last step reads ("engineered"), or the columns of the table ("raw"). If the
        preprocessing mixes columns, raw columns are masked before it, and `reason` says so. Default: "engineered", or
        "raw" if `transformations` are given.
    transformations : fitted transformer, or list of (columns, fitted transformer), optional
        Preprocessing to apply before `model`, such as a ColumnTransformer. All tables are then passed without it.
    weights : array-like of shape (B,), optional
        Weights of the background rows. Default: equal weights.
    model_task : {"classification", "regression"}, optional
        Task of a black-box model with one column of predictions. By default it is a regression; as a classification, the
        column holds probabilities of the second of two classes. Other models have a task of their own, which the parameter
        must not contradict.
    explain_subset : sequence of str or int, optional
        Features to return, by name or position, in this order. Values are computed with all features;
        `Explanation.left_out` is the sum of the others. Default: all features.

    Raises
    ------
    UnsupportedModelError
        If the output is not linear in the columns.
    InvalidInputError
        If a table or parameter does not match the model.

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

    @checked
    def __init__(
        self,
        model: Any,
        initialization_examples: Any = None,
        *,
        features: Sequence[str] | None = None,
        classes: ClassNames | None = None,
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
        question = question_of(explained, Settings())
        super().__init__(explained, built(question, LinearEngine, may_refuse=True), explain_subset, question=question)
