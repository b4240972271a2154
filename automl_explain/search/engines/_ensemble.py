"""The ensemble at the end of a search with the optuna engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.base import clone
from sklearn.ensemble import StackingClassifier, StackingRegressor

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.integrations._vote import vote_for
from automl_explain.search.engines._base import SearchSettings


def ensemble_of(models: Sequence[Any], names: Sequence[str], config: SearchSettings, folds: Any) -> Any:
    """Return an unfitted stack of models, or with ``ensemble="voting"`` one whose final estimator weighs their votes.

    Parameters
    ----------
    models : sequence of estimator
    names : sequence of str
        Names of their learners.
    config : SearchSettings
    folds : splitter
        The folds on whose predictions the final estimator is trained.

    Raises
    ------
    InvalidInputError
        If a classifier that is to vote does not predict probabilities.
    """
    task = config.dataset.task
    members = [(f"{name}_{place}", clone(model)) for place, (name, model) in enumerate(zip(names, models, strict=True))]
    if config.ensemble != "voting":
        return (StackingRegressor if task == "regression" else StackingClassifier)(members, cv=folds)
    if task == "regression":
        return StackingRegressor(members, vote_for(task), cv=folds)
    silent = [name for name, model in zip(names, models, strict=True) if not hasattr(model, "predict_proba")]
    if silent:
        raise InvalidInputError(
            f"ensemble='voting' needs models that predict probabilities, which {silent[0]} does not: set ensemble=True."
        )
    return StackingClassifier(members, vote_for(task), cv=folds, stack_method="predict_proba")
