"""`scoring_explainer`: from whatever identifies an explained model to the scoring explainer for its structure."""

from __future__ import annotations

from typing import Any

from automl_explain._model_explanation import ModelExplanation
from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._tabular_explainer import TabularExplainer
from automl_explain.explainers.methods._explainer import ShapleyExplainer
from automl_explain.explainers.model._explained_model import FeatureSpace
from automl_explain.explainers.scoring._explainer import ScoringExplainer
from automl_explain.explainers.scoring._kinds import choose_scoring_explainer
from automl_explain.integrations._run_lookup import find_run
from automl_explain.integrations.history._run import Run
from automl_explain.integrations.history._run_scorers import scorer_of


@checked
def scoring_explainer(
    explainer: Any, background: Any = None, *, examples: Any = None, feature_space: FeatureSpace = "raw"
) -> ScoringExplainer:
    """Return the scoring explainer for the structure of a model.

    Parameters
    ----------
    explainer : explainer, ModelExplanation, Run, or fitted model
        An explainer of Shapley values; the result of `explain_model`; a run of a search, of which the final model and the
        best trial are kept; or a fitted model or pipeline with a `background`. An AutoML object without one stands for the
        run of its final model.
    background : ndarray, DataFrame or csr_matrix of shape (B, f), optional
        Rows that provide the values of absent features, for a fitted model.
    examples : ndarray, DataFrame or csr_matrix, optional
        More rows whose categories are known.
    feature_space : {"raw", "engineered"}, default "raw"
        Explain the caller's columns, or those that the model's last step reads, for a fitted model.

    Returns
    -------
    TreeScoringExplainer, LinearScoringExplainer, DeepScoringExplainer or KernelScoringExplainer
        The one for the structure, as the table `SCORING_RULES` says. Of a model that has no form as data, it calls the
        fitted model, and is saved with ``save(scorer, directory, model="external")``.

    Raises
    ------
    UnsupportedModelError
        If the columns have no form as data, such as durations.
    InvalidInputError
        If a fitted model is given without a background.
    ExplanationNotFoundError
        If the history keeps no scoring explainer of a run; the message says why.

    Examples
    --------
    >>> from lightgbm import LGBMRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> from automl_explain import scoring_explainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> scoring_explainer(LGBMRegressor(n_estimators=20, verbose=-1).fit(X, y), X)
    TreeScoringExplainer(LGBMRegressor, 10 columns, response)
    """
    if isinstance(explainer, Run):
        return scorer_of(explainer)
    if isinstance(explainer, ModelExplanation):
        if explainer.explainer is None:
            raise InvalidInputError(
                "This explanation was read from a file, without its model. Pass the fitted model and its training rows: "
                "scoring_explainer(model, X_train)."
            )
        return choose_scoring_explainer(explainer.explainer(), examples).with_importance(explainer.explanation)
    if background is None and hasattr(explainer, "final_run"):
        return scorer_of(find_run(explainer))
    if isinstance(explainer, ShapleyExplainer) or background is None:
        return choose_scoring_explainer(explainer, examples)
    return choose_scoring_explainer(TabularExplainer(explainer, background, feature_space=feature_space), examples)
