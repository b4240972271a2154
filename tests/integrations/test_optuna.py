"""Optuna studies explained: every storage, folds, final models, and the study unchanged."""

import numpy as np
import optuna
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_regression
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from automl_explain import explain_model, retrieve_model_explanation
from automl_explain.integrations.optuna import TrialExplainer
from tests.integrations.optuna_studies import (
    STORAGES,
    X_TRAIN,
    X_VALID,
    Y_TRAIN,
    Y_VALID,
    X,
    Y,
    explained_objective,
    model_of,
    new_study,
    plain_objective,
)


@pytest.fixture(params=STORAGES)
def study(request, tmp_path):
    return new_study(storage=STORAGES[request.param](tmp_path))


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_every_trial_is_explained_as_the_model_that_was_scored(study, n_jobs):
    with TrialExplainer(X_TRAIN) as explainer:
        study.optimize(explained_objective(explainer), n_trials=6, n_jobs=n_jobs)
    assert [run.number for run in explainer.runs] == list(range(6))
    assert {run.status for run in explainer.runs} == {"explained"}
    for trial, run in zip(study.trials, explainer.runs, strict=True):
        assert run.loss == -trial.value
        assert (run.config, run.metric, run.learner) == (trial.params, "-value", "LGBMClassifier")
    assert explainer.best_run.loss == -study.best_value
    model = LGBMClassifier(**study.best_params, n_jobs=1, verbose=-1).fit(X_TRAIN, Y_TRAIN)
    expected = explain_model(model, X_TRAIN, X_VALID)
    found = retrieve_model_explanation(study.best_trial)
    np.testing.assert_allclose(found.shap_values, expected.shap_values, atol=1e-12)
    assert (found.run_id, found.model_kind) == (explainer.runs[study.best_trial.number].id, "trial")
    assert retrieve_model_explanation(study).run_id == found.run_id
    assert [retrieve_model_explanation(trial).run_id for trial in study.trials] == [run.id for run in explainer.runs]


def test_the_study_is_the_same_with_explanations_and_without():
    plain, explained = new_study(), new_study()
    plain.optimize(plain_objective, n_trials=15)
    with TrialExplainer(X_TRAIN) as explainer:
        explained.optimize(explained_objective(explainer), n_trials=15)
    rows = [[(trial.number, trial.state, trial.params, trial.values) for trial in study.trials]
            for study in (plain, explained)]  # fmt: skip
    assert rows[0] == rows[1]
    assert explained.best_trial.number == plain.best_trial.number


def test_the_global_random_state_is_left_alone():
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    study = new_study()
    with TrialExplainer(X_TRAIN) as explainer:
        study.optimize(explained_objective(explainer), n_trials=2)
    np.testing.assert_array_equal(before, np.random.get_state()[1])


def test_folds_are_averaged_with_their_spread():
    rows, target = make_regression(120, 4, noise=3.0, random_state=0)
    study, models = new_study(direction="minimize"), []

    def objective(trial):
        with explainer.trial(trial) as seen:
            for train, valid in KFold(3).split(rows):
                models.append(Ridge(alpha=trial.suggest_float("alpha", 0.1, 5)).fit(rows[train], target[train]))
                seen.capture(models[-1], rows[valid])
            return 1.0

    with TrialExplainer(rows) as explainer:
        study.optimize(objective, n_trials=1)
    explanation = retrieve_model_explanation(study.best_trial).explanation
    parts = [explain_model(model, rows, rows).explanation for model in models]
    values = np.array([part.local_importance_values for part in parts])
    np.testing.assert_allclose(explanation.local_importance_values, values.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(explanation.standard_errors, values.std(axis=0, ddof=1) / np.sqrt(3), atol=1e-9)
    np.testing.assert_allclose(explanation.fold_importances, np.abs(values).mean(axis=1), atol=1e-9)
    np.testing.assert_allclose(explanation.predictions[:, 0], np.mean([m.predict(rows) for m in models], axis=0))
    assert explanation.additivity_error < 1e-9
    assert "3 folds" in explanation.reason
    assert explanation[:5].fold_importances is None  # they are those of all rows


def test_folds_whose_columns_differ_are_averaged_over_raw_columns():
    table = pd.DataFrame({"town": list("ab") * 30 + ["c"] + list("ab") * 29 + ["a"], "age": np.arange(120.0)})
    target = (table["town"] == "a") * 5 + table["age"] / 100
    make = make_pipeline(
        ColumnTransformer([("town", OneHotEncoder(handle_unknown="ignore"), ["town"])], remainder="passthrough"),
        Ridge(),
    )
    study = new_study(direction="minimize")

    def objective(trial):
        with explainer.trial(trial) as seen:
            for train, valid in KFold(2).split(table):
                seen.capture(clone(make).fit(table.iloc[train], target.iloc[train]), table.iloc[valid])
            return 0.0

    with TrialExplainer(table) as explainer:
        study.optimize(objective, n_trials=1)
    explanation = retrieve_model_explanation(study.best_trial).explanation
    assert explanation.features == ("town", "age")
    assert explanation.additivity_error < 1e-9


def test_memory_is_bounded_and_the_best_models_are_kept():
    study = new_study()
    with TrialExplainer(X_TRAIN, explainability_options={"memory_limit": 2e-5}) as explainer:
        study.optimize(explained_objective(explainer), n_trials=8)
    released = [run for run in explainer.runs if "memory_limit" in run.why]
    assert released
    assert explainer.best_run.loss <= min(run.loss for run in released)


@pytest.mark.parametrize("which", ["best", 2])
def test_which_trials_are_explained(which):
    study = new_study()
    with TrialExplainer(X_TRAIN, explainability_options={"which": which}) as explainer:
        study.optimize(explained_objective(explainer), n_trials=5)
    explained = [run for run in explainer.runs if run.status == "explained"]
    assert len(explained) == (1 if which == "best" else 2)
    assert explainer.best_run in explained


def test_several_objectives_are_ranked_by_the_first_or_by_a_target():
    def objective(trial):
        with explainer.trial(trial) as seen:
            model = LGBMRegressor(n_estimators=trial.suggest_int("n", 1, 9), n_jobs=1, verbose=-1).fit(X_TRAIN, Y_TRAIN)
            seen.capture(model, X_VALID)
            return model.score(X_VALID, Y_VALID), trial.params["n"]

    def size(trial):
        return trial.values[1]

    for target, metric in ((None, "-value"), (size, "size")):
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=optuna.samplers.RandomSampler(0))
        with TrialExplainer(X_TRAIN, target=target) as explainer:
            study.optimize(objective, n_trials=4)
        expected = [size(trial) if target else -trial.values[0] for trial in study.trials]
        assert [run.loss for run in explainer.runs] == expected
        assert {run.metric for run in explainer.runs} == {metric}


def test_names_may_be_given_for_tables_without():
    study = new_study()
    with TrialExplainer(X_TRAIN, features=list("abcde")) as explainer:
        study.optimize(explained_objective(explainer), n_trials=1)
    assert set(retrieve_model_explanation(study.best_trial).overall_imp) == set("abcde")


def test_the_model_that_a_study_ends_with_is_a_run_of_its_own():
    study = new_study()
    facts = {"experiment": "churn", "metric": "1-accuracy"}
    with TrialExplainer(X_TRAIN, X_VALID, facts=facts, explainability_options={"time_budget": 0}) as explainer:
        study.optimize(explained_objective(explainer), n_trials=3)
        final = model_of(optuna.trial.FixedTrial(study.best_params)).fit(X, Y)
        explainer.capture_final(study, final, learner="lgbm", config=study.best_params)
    runs = explainer.runs
    assert [run.kind for run in runs] == ["trial"] * 3 + ["refit"]
    assert (runs[3].learner, runs[3].config, runs[3].loss) == ("lgbm", study.best_params, None)
    assert runs[3].status == "explained"  # first, and whatever the time, like the best trial
    best = explainer.best_run
    assert [run.status for run in runs[:3]] == ["explained" if run.id == best.id else "skipped" for run in runs[:3]]
    np.testing.assert_allclose(
        retrieve_model_explanation(runs[3]).shap_values, explain_model(final, X_TRAIN, X_VALID).shap_values, atol=1e-12
    )
    assert explainer.best_run.loss == -study.best_value
    assert {run.metric for run in runs} == {"1-accuracy"}
    assert explainer.history.search(runs[0].search)["facts"]["experiment"] == "churn"
