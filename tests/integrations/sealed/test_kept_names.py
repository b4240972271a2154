"""Modules that kept models name: a search that an earlier version recorded can be resumed only while they stay where they are."""

import re

import optuna
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from automl_explain.integrations.flaml import AutoML
from automl_explain.integrations.optuna import TrialExplainer
from automl_explain.integrations.sealed._sealed_folder import SealedFolder
from automl_explain.integrations.sklearn_search import ExplainingScorer

X, Y = load_iris(return_X_y=True, as_frame=True)
OF_ALL = {
    "automl_explain.explainers.tables._table",
    "automl_explain.integrations.searches._captured_run",
    "automl_explain.integrations.searches._options",
}


def flaml(settings):
    AutoML(model_explainability=True, **settings).fit(X, Y, estimator_list=["lgbm"], max_iter=2, verbose=0)


def sklearn(settings):
    scorer = ExplainingScorer("accuracy", **settings)
    scorer.explain(GridSearchCV(LogisticRegression(max_iter=200), {"C": [1.0]}, scoring=scorer, cv=2).fit(X, Y))


def optuna_study(settings):
    with TrialExplainer(X, X, **settings) as explainer:

        def objective(trial):
            with explainer.trial(trial) as seen:
                seen.capture(LogisticRegression(C=trial.suggest_float("C", 0.1, 1.0), max_iter=200).fit(X, Y))
                return 1.0

        optuna.create_study().optimize(objective, n_trials=1)


@pytest.mark.parametrize(
    ("search", "own"),
    [
        (flaml, {"automl_explain.integrations.flaml", "automl_explain.integrations.searches.flaml._kept"}),
        (
            sklearn,
            {
                "automl_explain.explainers.model._registry",
                "automl_explain.integrations",
                "automl_explain.integrations.searches._sklearn_candidates",
                "automl_explain.integrations.sklearn_search",
            },
        ),
        (
            optuna_study,
            {"automl_explain.integrations.searches.optuna", "automl_explain.integrations.searches.optuna._trial"},
        ),
    ],
)
def test_modules_that_kept_models_name(search, own, tmp_path, monkeypatch):
    named, write = set(), SealedFolder.write

    def written(folder, name, *parts):
        named.update(found.decode() for part in parts for found in re.findall(rb"automl_explain(?:\.\w+)+", part))
        write(folder, name, *parts)

    monkeypatch.setattr(SealedFolder, "write", written)
    search({"history": tmp_path, "explainability_options": {"keep_models": True, "which": "best"}})
    assert named == OF_ALL | own
