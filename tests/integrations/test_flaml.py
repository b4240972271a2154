"""FLAML searches explained: every learner, the ensemble, every kind of column."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import make_classification

from automl_explain import explain_model, retrieve_model_explanation
from automl_explain.integrations.flaml import AutoML
from tests.integrations.flaml_searches import clients, fit, labels, own_output
from tests.oracles import model_game, shapley_values

CLASSIFIERS = [
    "lgbm",
    "xgboost",
    "xgb_limitdepth",
    "rf",
    "extra_tree",
    "histgb",
    "catboost",
    "lrl1",
    "lrl2",
    "svc",
    "sgd",
    "kneighbor",
]
REGRESSORS = [
    "lgbm",
    "xgboost",
    "xgb_limitdepth",
    "rf",
    "extra_tree",
    "histgb",
    "catboost",
    "enet",
    "lassolars",
    "sgd",
    "kneighbor",
]
BLACK_BOXES = {"sgd", "kneighbor"}


@pytest.mark.parametrize("task", ["binary", "multiclass"])
@pytest.mark.parametrize("learner", CLASSIFIERS)
def test_every_classifier_adds_up_in_its_own_output(learner, task):
    X, score = clients()
    y = labels(score, 2 if task == "binary" else 3)
    automl = fit("classification", [learner], X, y)
    check_final_model(automl, X, learner)
    assert list(retrieve_model_explanation(automl.best_run).classes) == sorted(y.unique())


@pytest.mark.parametrize("learner", REGRESSORS)
def test_every_regressor_adds_up_in_its_own_output(learner):
    X, score = clients()
    automl = fit("regression", [learner], X, score)
    check_final_model(automl, X, learner)
    assert retrieve_model_explanation(automl).per_class_summary is None


def check_final_model(automl, X, learner):
    for run in automl.runs:
        assert run.status == "explained", run
        assert run.explanation.additivity_error < 1e-5
    explained = explain_model(automl, X.iloc[:30], X.iloc[30:36])
    expected = own_output(automl, X.iloc[30:36], explained.output_space)
    values = explained.explanation.local_importance_values
    total = values.sum(axis=-1)
    total = (total.T if explained.classes else total[:, None]) + explained.expected_values
    np.testing.assert_allclose(total, expected, rtol=1e-5, atol=1e-5)
    if learner not in BLACK_BOXES:
        assert explained.method in ("tree", "linear")
        mean = own_output(automl, X.iloc[:30], explained.output_space).mean(axis=0)
        np.testing.assert_allclose(explained.expected_values, mean, rtol=1e-5, atol=1e-5)
    assert set(explained.overall_imp) == set(automl.preprocess(X).columns)
    assert set(explained.raw.features) == set(X.columns)


@pytest.mark.parametrize(("task", "n_classes"), [("binary", 2), ("multiclass", 3), ("regression", 0)])
@pytest.mark.parametrize(
    "learner",
    [
        "lgbm",
        "rf",
        "lrl2",
        "enet",
        "kneighbor",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("xgboost", "histgb")),
    ],
)
def test_small_models_give_the_shapley_values_by_definition(learner, task, n_classes):
    if (learner == "enet") != (task == "regression") and learner in ("enet", "lrl2"):
        pytest.skip("no such learner for the task")
    X, score = clients(90)
    X = X[["age", "income", "job", "plan"]].assign(job=X["job"].fillna("none"), income=X["income"].fillna(50.0))
    y = labels(score, n_classes) if n_classes else score
    automl = fit(task if task == "regression" else "classification", [learner], X, y)
    background, row = X.iloc[:10], X.iloc[50:51]
    explained = explain_model(automl, background, row)
    game = model_game(lambda rows: own_output(automl, rows, explained.output_space), row, background)
    values = explained.raw.local_importance_values.reshape(-1, 4)
    np.testing.assert_allclose(values, shapley_values(game, 4), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("task", ["binary", pytest.param("multiclass", marks=pytest.mark.slow), "regression"])
@pytest.mark.parametrize("how", ["holdout", pytest.param("cv", marks=pytest.mark.slow)])
def test_the_ensemble_has_a_run_of_its_own(task, how):
    X, score = clients(120)
    X = X[["age", "income", "job", "joined"]]
    y = score if task == "regression" else labels(score, 2 if task == "binary" else 3)
    automl = fit("regression" if task == "regression" else "classification", ["lgbm", "rf", "extra_tree"], X, y,
                 ensemble=True, eval_method=how, n_splits=3, max_iter=9)  # fmt: skip
    final = automl.final_run
    assert (final.kind, final.status) == ("ensemble", "explained")
    assert "lgbm" in final.learner
    explained = retrieve_model_explanation(automl)
    assert explained.model_kind == "ensemble"
    assert explained.additivity_error < 1e-6
    again = explain_model(automl, X.iloc[:20], X.iloc[20:23])
    expected = automl.predict(X.iloc[20:23])[:, None] if task == "regression" else automl.predict_proba(X.iloc[20:23])
    np.testing.assert_allclose(again.explanation.predictions, expected, rtol=1e-9)
    assert again.additivity_error < 1e-6
    assert {run.kind for run in automl.runs} == {"trial", "ensemble"}


def test_a_scored_trial_and_the_refit_are_two_models():
    X, score = clients()
    automl = fit("regression", ["lgbm"], X, score, max_iter=4)
    assert [run.kind for run in automl.runs] == ["trial"] * 4 + ["refit"]
    assert retrieve_model_explanation(automl.best_run).model_kind == "trial"
    assert retrieve_model_explanation(automl).model_kind == "refit"
    given = fit("regression", ["lgbm"], X[:120], score[:120], X_val=X[120:], y_val=score[120:], max_iter=4)
    assert {run.kind for run in given.runs} == {"trial"}
    assert given.final_run == given.best_run


def test_a_cross_validated_run_explains_the_mean_of_its_folds():
    X, score = clients()
    automl = fit("classification", ["lgbm"], X, labels(score, 2), eval_method="cv", n_splits=4, max_iter=3)
    explanation = automl.best_run.explanation
    assert explanation.method == "mixture"
    assert "4 members" in explanation.reason
    assert explanation.additivity_error < 1e-9


def test_raw_columns_gather_dates_and_keep_dropped_columns_at_zero():
    X, score = clients()
    automl = fit("regression", ["lgbm"], X, score, explainability_options={"feature_space": "engineered"})
    explained = retrieve_model_explanation(automl)
    assert {"joined", "month_joined"} <= set(explained.overall_imp)
    raw = explained.raw
    assert raw.features == tuple(X.columns)
    importance = raw.get_feature_importance_dict()
    assert importance["country"] == importance["client"] == 0
    assert importance["age"] > 0
    np.testing.assert_allclose(raw.local_importance_values.sum(axis=1), explained.shap_values.sum(axis=1), atol=1e-9)
    assert automl.best_run.history.search(automl.best_run.search)["facts"]["dropped_columns"] == ["country", "client"]


@pytest.mark.parametrize("settings", [{}, {"eval_method": "cv", "n_splits": 3}, {"X_val": True}])
def test_the_user_s_own_rows_and_columns_are_explained(settings):
    X, score = clients()
    X = X.set_axis([f"row {i}" for i in range(len(X))])
    if "X_val" in settings:
        settings = {"X_val": X.iloc[120:], "y_val": score.iloc[120:]}
    automl = AutoML(model_explainability=True)
    automl.fit(X, score, task="regression", estimator_list=["lgbm", "kneighbor"], max_iter=2, verbose=0, **settings)
    for run in automl.runs:
        explanation = run.explanation
        assert explanation.is_raw
        assert explanation.features == tuple(X.columns)
        rows = explanation.data.data
        pd.testing.assert_frame_equal(rows, X.loc[rows.index])
    final = retrieve_model_explanation(automl)
    np.testing.assert_allclose(
        final.explanation.predictions[:, 0], automl.predict(final.explanation.data.data), rtol=1e-5
    )
    assert final.engineered is None
    own = explain_model(automl, X.iloc[:40], X.iloc[:5], feature_space="raw")
    assert own.additivity_error < 1e-9


def test_engineered_columns_are_explained_beside_raw_ones():
    X, score = clients()
    automl = fit("regression", ["lgbm"], X, score, explainability_options={"feature_space": "both"})
    explained = retrieve_model_explanation(automl)
    assert explained.explanation.features == tuple(X.columns)
    assert "month_joined" in explained.engineered.features
    np.testing.assert_allclose(explained.engineered.predictions, explained.explanation.predictions, rtol=0, atol=1e-9)
    assert explained.overall_imp[0] in dict(automl.runs[0].top)


@pytest.mark.parametrize("form", ["numpy", "csr", "dataframe and label"])
def test_other_forms_of_input(form):
    X, y = make_classification(200, 6, random_state=0)
    automl = AutoML(model_explainability=True)
    settings = {"task": "classification", "estimator_list": ["lgbm", "lrl1"], "max_iter": 3, "verbose": 0}
    if form == "dataframe and label":
        frame = pd.DataFrame(X, columns=list("abcdef")).assign(label=y)
        automl.fit(dataframe=frame, label="label", **settings)
        assert set(retrieve_model_explanation(automl).overall_imp) == set("abcdef")
    else:
        automl.fit(sparse.csr_matrix(X) if form == "csr" else X, y, **settings)
        assert set(retrieve_model_explanation(automl).overall_imp) == set(range(6))
    assert {run.status for run in automl.runs} == {"explained"}


def test_a_ranking_is_explained_by_its_margin():
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(120, 4)), [10] * 12
    y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
    automl = AutoML(model_explainability=True)
    automl.fit(X, y, task="rank", groups=groups, estimator_list=["lgbm"], max_iter=2, verbose=0)
    assert automl.best_run.status == "explained"
    assert retrieve_model_explanation(automl).overall_imp[0] in (0, 1)
