"""`TreeExplainer`: tree ensembles alone, with what only they can give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from automl_explain.explainers._errors import InvalidInputError, UnsupportedModelError
from automl_explain.explainers.explanation._additivity import check_gap
from automl_explain.explainers.methods._explainer import ShapleyExplainer, check_structure, question_of
from automl_explain.explainers.methods._rules import build_engine
from automl_explain.explainers.methods._settings import SamplingOptions, read_settings
from automl_explain.explainers.methods._tree import TreeEngine
from automl_explain.explainers.model._class_outputs import expand_binary
from automl_explain.explainers.model._explained_model import FeatureSpace, explained_model
from automl_explain.explainers.model._fitted_model import Composite, FittedModel, OwnValues
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.trees._tree_ensemble import Trees


class TreeExplainer(ShapleyExplainer):
    """Explains tree ensembles exactly: path-dependent without a background, interventional over all rows of one.

    CatBoost models that split on target statistics of categories or on text cannot be read as trees: without a background
    they get CatBoost's own values, checked for additivity, with one those of their predictions. `reason` says so.

    Parameters
    ----------
    model : object
        A fitted tree ensemble, or a pipeline or search that ends with one.
    initialization_examples : ndarray, DataFrame or csr_matrix of shape (B, f_raw), optional
        The background; all of its rows are used. Without it, absent features follow the splits of the training data.
    weights : array-like of shape (B,), optional
        Weights of the background rows.
    features, classes, output, feature_space, transformations, model_task, explain_subset
        As in `TabularExplainer`. The probability of a booster is explained as the game of the probability, from
        coalitions of its margins, and needs a background.
    sampling, random_state, n_jobs, progress
        As in `TabularExplainer`; the first two concern probabilities of boosters alone.

    Raises
    ------
    UnsupportedModelError
        If the model is no tree ensemble.
    InvalidInputError
        If a table or parameter does not fit the model.

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
        if not _is_function_of_trees(explained.model):
            check_structure(explained.model, (Trees, OwnValues), type(self).__name__)
        super().__init__(explained, build_engine(question_of(explained, settings)), explain_subset)

    def interaction_values(self, X: Any) -> np.ndarray:
        """Return exact Shapley interaction values.

        Off the diagonal stands half of what two features do together, on it what a feature does alone; the rows of each
        matrix sum to the feature's Shapley value. All features are in it, whatever `explain_subset` names.

        Parameters
        ----------
        X : ndarray, DataFrame or csr_matrix of shape (n, f_raw)

        Returns
        -------
        ndarray
            (n, f, f) for a regression, (C, n, f, f) for a classification.

        Raises
        ------
        UnsupportedModelError
            If the trees cannot be read.
        ColumnMismatchError
            If the columns are not those of the background.
        InvalidInputError
            If the output is not the additive one of the trees, or the model refuses the values.
        AdditivityError
            If the values do not add up to the predictions.

        References
        ----------
        Fujimoto, Kojadinovic and Marichal, "Axiomatic characterizations of probabilistic and cardinal-probabilistic
        interaction indices", doi:10.1016/j.geb.2005.03.002.
        """
        if isinstance(self.model.structure, OwnValues):
            raise UnsupportedModelError(
                f"Interaction values are known of trees that can be read; of this {self.model.name} {self.model.structure.why}."
            )
        if not isinstance(self._engine, TreeEngine):
            raise InvalidInputError(
                f"Interaction values are known of the additive output of a tree ensemble, not of its "
                f"{self.model.output_space}; leave out the 'output' parameter."
            )
        rows = self._explained.read(X).engineered
        predictions = predict_finite(self.model, rows.data, "X")
        values = expand_binary(self._engine.interactions(rows), self.model, centred=True)
        error = np.abs(self.expected_values + values.sum(axis=(2, 3)).T - predictions).max(initial=0.0)
        check_gap(float(error), predictions, "tree", self.model.output_space)
        return np.asarray(self._explained.by_class(values))


def _is_function_of_trees(model: FittedModel) -> bool:
    """Whether the output is a known function of one tree ensemble, such as the probability of a booster."""
    structure = model.structure
    return isinstance(structure, Composite) and [type(one.structure) for one, _ in structure.members] == [Trees]
