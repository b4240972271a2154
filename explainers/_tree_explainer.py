"""`TreeExplainer`: tree ensembles, also without a background, and their interaction values."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError, UnsupportedModelError
from automl_explain.explainers._fallback import blamed_on_us
from automl_explain.explainers.explanation._additivity import check_gaps
from automl_explain.explainers.methods._explainer import ShapleyExplainer, check_structure, question_of
from automl_explain.explainers.methods._fallback import built
from automl_explain.explainers.methods._rules import build_engine
from automl_explain.explainers.methods._settings import SamplingOptions, read_settings
from automl_explain.explainers.methods._tree import TreeEngine
from automl_explain.explainers.model._class_outputs import expand_binary
from automl_explain.explainers.model._explained_model import FeatureSpace, explained_model
from automl_explain.explainers.model._fitted_model import Composite, FittedModel
from automl_explain.explainers.model._names import ClassNames
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.model._structures import OwnValues
from automl_explain.explainers.trees._tree_ensemble import Trees


class TreeExplainer(ShapleyExplainer):
    """Explains tree ensembles exactly: interventional with a background, path-dependent without one.

    CatBoost models that split on target statistics of several columns or on text cannot be read as trees. Without a background,
    CatBoost's own values are returned, checked for additivity. With a background, the values are computed from predictions.
    `reason` says which.

    Parameters
    ----------
    model : object
        A fitted tree ensemble, or a pipeline or search that ends with one.
    initialization_examples : ndarray, DataFrame or csr_matrix of shape (B, f_raw), optional
        The background, of which all rows are used. Default: no background; absent features follow the covers of the
        branches, that is, the weights of their training rows.
    features : sequence of str, optional
        Column names, for tables without names.
    classes : sequence or mapping, optional
        Class names to show instead of the model's labels, in the model's order, or ``{label: name}``. The model's own labels
        in another order are refused.
    output : {"auto", "probability", "log_odds", "response", "margin"}, default "auto"
        Unit of the values. "auto" is the output in which the model is additive: log-odds for boosters and logistic
        models, probability for forests, response for regressions. Values of another output are computed for that output
        itself, not by rescaling. The probability of a booster is explained from coalitions, using its margins, and
        needs a background.
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
        Number of coalitions and of background rows, for models that are explained from coalitions. Such a model is the
        probability of a booster.
    random_state : int, default 0
        Seed of sampled coalitions. The global random state is not used.
    n_jobs : int, optional
        Threads of compiled kernels. Default: all cores available to the process.
    progress : bool, optional
        If True, show a progress bar; if False, show none. Default: show one after two seconds.

    Raises
    ------
    UnsupportedModelError
        If the model is not a tree ensemble.
    InvalidInputError
        If a table or parameter does not match the model.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from automl_explain import TreeExplainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = RandomForestRegressor(n_estimators=10, random_state=0).fit(X, y)
    >>> explainer = TreeExplainer(model)
    >>> explainer.explain_local(X.iloc[:3]).get_ranked_global_names(top_k=1)
    ['s5']
    >>> explainer.interaction_values(X.iloc[:3]).shape
    (3, 10, 10)
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
        sampling: SamplingOptions | None = None,
        random_state: int = 0,
        n_jobs: int | None = None,
        progress: bool | None = None,
    ) -> None:
        settings = read_settings(sampling, random_state, n_jobs, progress)
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
        if explained.background is None or not _is_function_of_trees(explained.model):
            check_structure(explained.model, (Trees, OwnValues), type(self).__name__)
        question = question_of(explained, settings)
        super().__init__(
            explained, built(question, build_engine, may_refuse=True), explain_subset, settings, question=question
        )

    def interaction_values(self, X: Any) -> np.ndarray:
        """Return exact Shapley interaction values.

        An element off the diagonal is half the interaction of two features; an element on the diagonal is the main effect
        of a feature. Each row of a matrix sums to the Shapley value of its feature. The matrices contain all features,
        regardless of `explain_subset`.

        Parameters
        ----------
        X : ndarray, DataFrame or csr_matrix of shape (n, f_raw)
            Rows as the model takes them; a 1-D array or Series is one row.

        Returns
        -------
        ndarray
            Values of shape (n, f, f) for regression, (C, n, f, f) for classification.

        Raises
        ------
        UnsupportedModelError
            If the trees cannot be read.
        ColumnMismatchError
            If the columns differ from those of the background.
        InvalidInputError
            If the output is not the one in which the trees are additive, or the model cannot predict the rows.
        AdditivityError
            If the values do not add up to the predictions.

        See Also
        --------
        automl_explain.plot_interactions : Draws the mean absolute values of all pairs as a map.

        References
        ----------
        Fujimoto, Kojadinovic and Marichal, "Axiomatic characterizations of probabilistic and cardinal-probabilistic
        interaction indices", doi:10.1016/j.geb.2005.03.002.
        """
        if isinstance(self.model.structure, OwnValues):
            raise UnsupportedModelError(
                f"Interaction values need trees that can be read. {self.model.name}: {self.model.structure.why}."
            )
        if not isinstance(self._engine, TreeEngine):
            raise InvalidInputError(
                f"Interaction values are computed only for the output in which a tree ensemble is additive, not for its "
                f"{self.model.output_space}; leave out the 'output' parameter."
            )
        rows = self._explained.read(X).engineered
        predictions = predict_finite(self.model, rows.data, "X")
        engine = self._engine
        found = blamed_on_us("The computation of interaction values", lambda: engine.interactions(rows))
        values = expand_binary(found, self.model, centred=True)
        gaps = np.abs(self.expected_values + values.sum(axis=(2, 3)).T - predictions)
        largest = np.abs(values).max(axis=(2, 3), initial=0.0).T
        message = f"The values of the tree explainer miss the prediction by up to {{:.3g}} in {self.model.output_space}"
        again = partial(predict_finite, self.model, rows.data, "X")
        check_gaps(gaps, predictions, self.expected_values, largest, message, again)
        return np.asarray(self._explained.by_class(values))


def _is_function_of_trees(model: FittedModel) -> bool:
    """Return whether the output is a known function of one tree ensemble, such as the probability of a booster."""
    structure = model.structure
    return isinstance(structure, Composite) and [type(one.structure) for one, _ in structure.members] == [Trees]
