"""`TreeExplainer`: tree ensembles alone, with what only they can give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError, UnsupportedModelError
from automl_explain.explainers._tabular_explainer import FeatureSpace, TabularExplainer
from automl_explain.explainers.methods._base import Engine, Question
from automl_explain.explainers.methods._rules import build_engine
from automl_explain.explainers.methods._tree import TreeEngine
from automl_explain.explainers.model._class_outputs import expand_binary
from automl_explain.explainers.model._fitted_model import Composite, FittedModel, OwnValues
from automl_explain.explainers.tables._table import as_table, check_same_columns
from automl_explain.explainers.tables._weights import as_weights
from automl_explain.explainers.trees._tree_ensemble import Trees


class TreeExplainer(TabularExplainer):
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
    features, classes, output, feature_space, random_state, n_jobs, progress, explain_subset
        As in `TabularExplainer`. The probability of a booster is explained as the game of the probability, from
        coalitions of its margins, and needs a background.

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

    _structures = (Trees, OwnValues)
    _needs_background = False

    def __init__(
        self,
        model: Any,
        initialization_examples: Any = None,
        *,
        weights: npt.ArrayLike | None = None,
        features: Sequence[str] | None = None,
        classes: Sequence[Any] | None = None,
        output: str = "auto",
        feature_space: FeatureSpace | None = None,
        random_state: int = 0,
        n_jobs: int | None = None,
        progress: bool | None = None,
        explain_subset: Sequence[Any] | None = None,
    ) -> None:
        self._weights = weights
        super().__init__(
            model,
            initialization_examples,
            features=features,
            classes=classes,
            output=output,
            feature_space=feature_space,
            random_state=random_state,
            n_jobs=n_jobs,
            progress=progress,
            explain_subset=explain_subset,
        )

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
        rows = self._engineer(check_same_columns(as_table(X), self._input_names, self._n_inputs, "X"))
        values = expand_binary(self._engine.interactions(rows), self.model, centred=True)
        return values[0] if self.model.classes is None else values

    def _check_structure(self, model: FittedModel) -> None:
        structure = model.structure
        if isinstance(structure, Composite) and [type(one.structure) for one, _ in structure.members] == [Trees]:
            return
        super()._check_structure(model)

    def _build(self, question: Question) -> Engine:
        if self._weights is None:
            return build_engine(question)
        if question.background is None or question.weights is not None:
            raise InvalidInputError(
                "The 'weights' parameter weighs the rows of a background without weights of its own. Got "
                + ("no background." if question.background is None else "one that has some.")
            )
        return build_engine(replace(question, weights=as_weights(self._weights, len(question.background))))
