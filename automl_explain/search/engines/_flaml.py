"""The engine "flaml": FLAML's search over its learners."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy import sparse

from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError, MissingExtraError
from automl_explain.integrations._vote import vote_for
from automl_explain.integrations.searches._word_columns import text_columns
from automl_explain.search.engines._base import FinishedSearch, SearchSettings
from automl_explain.search.engines._metrics import check_known, check_metric

LEARNERS = {
    "classification": ("lrl1", "lrl2", "svc"),
    "regression": ("enet", "lassolars"),
    "both": ("lgbm", "xgboost", "xgb_limitdepth", "rf", "extra_tree", "histgb", "catboost", "sgd", "kneighbor"),
}
"""Task -> FLAML's names for its learners."""


def check(config: SearchSettings) -> None:
    """Raise an error for a metric or learner that FLAML does not have for this task, and would ignore or fail on.

    Raises
    ------
    InvalidInputError
        If FLAML does not have a name for the task; the message suggests the nearest.
    MissingExtraError
        If the catboost learner is named and catboost is not installed.
    """
    dataset, names = config.dataset, list(config.estimators or [])
    if config.objective is not None:
        raise InvalidInputError("FLAML does not take a custom objective: leave it out, or search with engine='optuna'.")
    if sparse.issparse(dataset.X_train) and dataset.task == "classification":
        labels = np.unique(dataset.y_train.to_numpy())
        if not np.array_equal(labels, np.arange(len(labels))):
            raise InvalidInputError(
                f"With sparse rows, FLAML takes only the labels 0, 1, ... Got {labels[:3].tolist()}: encode y with "
                "sklearn.preprocessing.LabelEncoder, or search with engine='optuna'."
            )
    check_metric(config.metric, dataset)
    check_known("estimators", names, [*LEARNERS["both"], *LEARNERS[dataset.task]], dataset.kind)
    if "catboost" in names and find_spec("catboost") is None:
        raise MissingExtraError("The catboost learner needs catboost: pip install 'automl-explain[catboost]'")


def search(config: SearchSettings, experiment: str | None = None) -> FinishedSearch:
    """Search with FLAML, on validation rows or in folds, and explain the runs.

    Raises
    ------
    AutoMLExplainError
        If no model could be trained or scored.
    """
    from automl_explain.integrations.flaml import AutoML
    from automl_explain.integrations.searches._plain_names import LEARNERS as PLAIN_LEARNERS
    from automl_explain.integrations.searches._plain_names import needs_plain_names

    data, explain = config.dataset, config.model_explainability
    automl = AutoML(
        model_explainability=explain,
        history=config.history,
        explainability_options=config.explainability_options,
        experiment=experiment,
    )
    if needs_plain_names(data.X_train):
        for name, learner in PLAIN_LEARNERS.items():
            automl.add_learner(name, learner)
    settings: dict[str, Any] = {"time_budget": config.time_budget, "metric": config.metric, "seed": config.seed}
    settings |= {"estimator_list": list(config.estimators)} if config.estimators else {}
    settings |= {"max_iter": config.max_iter} if config.max_iter else {}
    settings |= {"eval_method": "cv", "n_splits": config.cv} if config.cv else {}
    texts = text_columns(data.X_train)
    settings |= {"text_columns": texts} if texts else {}
    automl.fit(
        data.X_train,
        data.y_train,
        task=data.task,
        X_val=data.X_valid,
        y_val=data.y_valid,
        ensemble=_ensemble(config),
        verbose=0,
        **settings,
    )
    if automl.best_run is None if explain else automl.model is None:
        tried = len(automl.runs)
        raise AutoMLExplainError(
            f"None of the {tried} models could be scored by {config.metric}: try another metric."
            if tried
            else f"No trial finished within {config.time_budget:g} seconds: give the search a longer time_budget."
        )
    return FinishedSearch(automl, automl.runs)


def _ensemble(config: SearchSettings) -> Any:
    """Return the ensemble as FLAML takes it: whether there is one, or the settings of its stack."""
    if config.ensemble != "voting":
        return config.ensemble
    return {"final_estimator": vote_for(config.dataset.task), "passthrough": False}
