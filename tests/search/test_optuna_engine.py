"""The optuna engine in its own space: in folds or not, with the same search whether explained or not."""

import json
import logging
import pickle
import subprocess
import sys

import numpy as np
import optuna
import pandas as pd
import pytest
from flaml.automl.ml import sklearn_metric_loss_score
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from automl_explain import (
    AutoMLConfig,
    AutoMLExplainError,
    ColumnMismatchError,
    Experiment,
    InvalidInputError,
    RunHistory,
    SearchExplanation,
    explain_model,
    retrieve_model_explanation,
    write_report,
)
from automl_explain.cli import main
from automl_explain.search.engines import _optuna
from automl_explain.search.engines._metrics import METRICS, loss_of_rows
from automl_explain.search.engines._preprocessing import Cells
from automl_explain.search.engines._space import LabelledXGBClassifier
from tests.search.people_searches import BOUGHT, DATA, PEOPLE, QUICK, no_model, submit

LEARNERS = {"classification": ["lgbm", "xgboost", "rf", "lrl2"], "regression": ["lgbm", "xgboost", "rf", "ridge"]}


def outputs_of(model, space, X):
    if space == "response":
        return model.predict(X)[:, None]
    probabilities = model.predict_proba(X)
    if space == "probability":
        return probabilities
    logs = np.log(probabilities)
    return logs - logs[:, ::-1] if logs.shape[1] == 2 else logs - logs.mean(axis=1, keepdims=True)


FOLDS, STACK, VOTE = {"cv": 3}, {"ensemble": True}, {"ensemble": "voting"}


@pytest.mark.parametrize(
    ("name", "how"),
    [
        *((name, {}) for name in DATA),
        *(
            pytest.param(name, how, marks=pytest.mark.slow)
            for name, how in (
                ("binary", FOLDS),
                ("multiclass", STACK),
                ("regression", FOLDS | STACK),
                ("numbers", FOLDS),
                ("multiclass", VOTE),
                ("regression", FOLDS | VOTE),
            )
        ),
        ("binary", STACK),
    ],
    ids=str,
)
def test_every_trial_and_the_final_model_are_explained_as_they_predict(name, how):
    X, y = DATA[name]
    run = submit(X, y, **how)
    best_run, model = run.get_output()
    task = "regression" if name in ("regression", "numbers") else "classification"
    assert [one.learner for one in run.runs[:4]] == LEARNERS[task]
    assert [(one.status, one.why) for one in run.runs] == [("explained", "")] * 6
    assert best_run.loss == min(one.loss for one in run.runs if one.kind == "trial")
    assert {one.metric for one in run.runs} == {{"binary": "roc_auc", "multiclass": "log_loss"}.get(name, "r2")}
    final = run.final_run
    assert final.kind == ("ensemble" if "ensemble" in how else "refit")
    explanation = final.explanation
    rows = run.config.dataset.X_valid if "cv" not in how else run.config.dataset.X_train
    rows = rows if isinstance(X, pd.DataFrame) else rows.to_numpy()
    shown = explanation.predictions
    expected = outputs_of(model, explanation.output_space, rows)
    if explanation.output_space == "log_odds" and expected.shape[1] > 2:
        shown = shown - shown.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(shown, expected, rtol=1e-4, atol=1e-5)
    values = explanation.local_importance_values.sum(axis=-1)
    total = values + (explanation.expected_values if values.ndim == 1 else explanation.expected_values[:, None])
    np.testing.assert_allclose(np.atleast_2d(total).T, explanation.predictions, atol=1e-3)
    again = explain_model(model, X[:40], X[40:45], feature_space="raw", best_run=final)
    assert again.additivity_error < 1e-3
    assert list(again.explanation.feature_labels) == list(map(str, pd.DataFrame(X).columns))
    if "cv" in how:
        assert best_run.explanation.fold_importances.shape[0] == 3


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("binary", {}),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in (("regression", FOLDS), ("multiclass", STACK))),
    ],
    ids=str,
)
def test_the_search_is_the_same_with_explanations_and_without(name, how, monkeypatch):
    studies, create = [], optuna.create_study
    monkeypatch.setattr(_optuna.optuna, "create_study", lambda **kw: studies.append(create(**kw)) or studies[-1])
    X, y = DATA[name]
    runs = [submit(X, y, max_iter=9, model_explainability=explain, **how) for explain in (True, False)]
    rows = [[(trial.number, trial.state, trial.params, trial.values) for trial in study.trials] for study in studies]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 9
    assert studies[0].best_params == studies[1].best_params
    np.testing.assert_array_equal(runs[0].get_output()[1].predict(X), runs[1].get_output()[1].predict(X))
    assert runs[1].get_output()[0] is None
    assert [run.loss for run in runs[0].runs[:-1]] == [values[0] for *_, values in rows[0]]


@pytest.mark.slow
def test_a_seed_gives_the_same_search_again():
    losses = [[run.loss for run in submit(PEOPLE, BOUGHT, max_iter=7, seed=seed).runs] for seed in (3, 3, 4)]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_random_state_log_and_settings_of_the_caller_are_left_alone(caplog, capsys):
    np.random.seed(3)
    before, level = np.random.get_state()[1].copy(), optuna.logging.get_verbosity()
    optuna.logging.enable_propagation()
    try:
        submit(PEOPLE, BOUGHT, max_iter=2)
    finally:
        optuna.logging.disable_propagation()
    np.testing.assert_array_equal(before, np.random.get_state()[1])
    assert optuna.logging.get_verbosity() == level
    assert [record.name for record in caplog.records if record.name.startswith("optuna")] == []
    assert all(logging.getLogger(name).filters == [] for name in _optuna.LOGGERS)
    assert capsys.readouterr().out == ""


def metric_loss(metric, model, X, y):
    return loss_of_rows(metric, model, X, y)(np.arange(len(y)))


@pytest.mark.parametrize("kind", METRICS)
def test_losses_are_those_of_flaml(kind):
    X, y = load_iris(return_X_y=True) if kind == "multiclass" else DATA["numbers"]
    labels = np.array(["x", "y", "z"])[y] if kind == "multiclass" else np.where(y > 140, "yes", "no")
    model = (
        LGBMRegressor(n_estimators=5, verbose=-1).fit(X, y)
        if kind == "regression"
        else LGBMClassifier(n_estimators=5, verbose=-1).fit(X, labels)
    )
    for metric in METRICS[kind]:
        if kind == "regression":
            expected = sklearn_metric_loss_score(metric, model.predict(X), y)
            assert metric_loss(metric, model, X, y) == pytest.approx(expected, rel=1e-12)
            continue
        codes, proba = np.unique(labels, return_inverse=True)[1], model.predict_proba(X)
        reads_one = kind == "binary" and metric in ("roc_auc", "roc_auc_weighted", "ap")
        reads_all = metric == "log_loss" or "_ov" in metric
        predicted = proba[:, 1] if reads_one else proba if reads_all else proba.argmax(axis=1)
        expected = sklearn_metric_loss_score(metric, predicted, codes, labels=np.unique(codes))
        assert metric_loss(metric, model, X, labels) == pytest.approx(expected, rel=1e-12)


def test_a_metric_of_probabilities_needs_them():
    model = RidgeClassifier().fit(*load_iris(return_X_y=True))
    with pytest.raises(InvalidInputError, match="log_loss needs probabilities, which RidgeClassifier does not predict"):
        metric_loss("log_loss", model, *load_iris(return_X_y=True))


@pytest.mark.slow
def test_an_ensemble_is_made_of_the_best_of_each_learner_first():
    run = submit(PEOPLE, BOUGHT, max_iter=6, ensemble=True)
    trials = sorted((one for one in run.runs if one.kind == "trial"), key=lambda one: (one.loss, one.number))
    assert run.final_run.learner == f"stack of {', '.join(list(dict.fromkeys(one.learner for one in trials))[:3])}"
    one_learner = submit(PEOPLE, BOUGHT, max_iter=4, ensemble=True, estimators=["lrl2"])
    assert one_learner.final_run.learner == "stack of lrl2, lrl2, lrl2"


@pytest.mark.slow
def test_the_best_learners_vote():
    X, y = load_wine(return_X_y=True, as_frame=True)
    run = submit(X, y, max_iter=4, ensemble="voting", estimators=["lgbm", "rf"])
    final, model = run.final_run, run.get_output()[1]
    assert (final.kind, final.learner[:8]) == ("ensemble", "vote of ")
    explanation, weights = final.explanation, final.config["weights"]
    assert list(explanation.members.members) == list(weights)
    assert sum(weights.values()) == pytest.approx(1, abs=1e-3)
    assert explanation.output_space == "probability"
    mean = sum(w * one.predict_proba(X) for one, w in zip(model.estimators_, weights.values(), strict=True))
    np.testing.assert_allclose(model.predict_proba(X), mean, atol=1e-3)


def test_classifiers_without_probabilities_cannot_vote():
    def of_labels(trial, loss_of):
        return loss_of(RidgeClassifier(alpha=trial.suggest_float("alpha", 0.1, 1.0)))

    X, y = load_iris(return_X_y=True, as_frame=True)
    with pytest.raises(InvalidInputError, match="needs models that predict probabilities, which RidgeClassifier does"):
        submit(X, y, objective=of_labels, ensemble="voting", metric="accuracy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objective": 3}, "'objective' must be a function. Got int"),
        ({"objective": no_model, "estimators": ["rf"]}, "leave 'estimators' out"),
        ({"objective": no_model, "engine": "flaml"}, "FLAML does not take a custom objective"),
        ({"estimators": ["ridge"]}, "'estimators' has no 'ridge' for a binary classification"),
        ({"estimators": ["lgb"]}, "Did you mean 'lgbm'"),
        ({"metric": "roc_auc_ovr"}, "'metric' has no 'roc_auc_ovr' for a binary.*Did you mean 'roc_auc'"),
        ({"metric": "r2"}, "'metric' has no 'r2' for a binary"),
        ({"cv": 1}, "'cv' must be a whole number, 2 or more"),
        ({"cv": 81}, "needs 81 rows of each class of 'y'. The fewest are 80"),
        ({"cv": 3, "X_valid": PEOPLE, "y_valid": BOUGHT}, "on validation rows or by cv: leave one"),
        ({"time_budget": 0}, "'time_budget' must be seconds"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_the_search(change, message):
    with pytest.raises(InvalidInputError, match=message):
        AutoMLConfig(**{"X": PEOPLE, "y": BOUGHT, **QUICK, **change})


def test_a_learner_that_fails_is_a_failed_run_and_the_search_goes_on(monkeypatch):
    def refuse(self, X, y, **settings):
        raise ValueError("out of leaves")

    monkeypatch.setattr(LGBMClassifier, "fit", refuse)
    run = submit(PEOPLE, BOUGHT, max_iter=4)
    assert [(one.learner, one.status) for one in run.runs][:2] == [("lgbm", "failed"), ("xgboost", "explained")]
    assert "ValueError: out of leaves" in run.runs[0].why
    with pytest.raises(
        AutoMLExplainError, match="None of the 2 trials could be scored by roc_auc.*ValueError: out of leaves"
    ):
        submit(PEOPLE, BOUGHT, max_iter=2, estimators=["lgbm"])


def test_the_time_budget_ends_the_search(monkeypatch):
    asked, optimize = [], optuna.Study.optimize

    def noted(study, objective, **limits):
        asked.append((limits["n_trials"], limits["timeout"]))
        optimize(study, objective, **limits)

    monkeypatch.setattr(optuna.Study, "optimize", noted)
    run = submit(PEOPLE, BOUGHT, max_iter=None, time_budget=1.5, estimators=["lrl2"], model_explainability=False)
    assert asked == [(None, 1.5)]
    assert run.get_output()[1].predict(PEOPLE[:3]).shape == (3,)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["toml", pytest.param("json", marks=pytest.mark.slow)])
def test_a_file_and_the_command_line(form, tmp_path, capsys):
    PEOPLE.assign(bought=BOUGHT).to_csv(tmp_path / "people.csv", index=False)
    settings = {"data": "people.csv", "target": "bought", "engine": "optuna", "max_iter": 3, "cv": 2, "history": "kept"}
    text = (
        json.dumps(settings) if form == "json" else "\n".join(f"{key} = {value!r}" for key, value in settings.items())
    )
    (tmp_path / f"a.{form}").write_text(text)
    out = ["--out", str(tmp_path / "out"), "--json"]
    assert main(["run", "--config", str(tmp_path / f"a.{form}"), *out]) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert "validation: 2 folds of the 160 rows (seed 0)" in captured.err
    assert "Trial " not in captured.err
    assert [run["learner"] for run in result["runs"][:3]] == LEARNERS["classification"][:3]
    assert "lgbm" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    search = ["--engine", "optuna", "--max-iter", "3", "--cv", "2"]
    assert main(["run", str(tmp_path / "people.csv"), "--target", "bought", *search, *out]) == 0
    again = json.loads(capsys.readouterr().out)
    assert [run["loss"] for run in again["runs"]] == [run["loss"] for run in result["runs"]]
    assert main(["runs", "--insight", "--json"]) == 0
    assert {line["feature"] for line in json.loads(capsys.readouterr().out)["importance"]} == set(PEOPLE)


@pytest.mark.slow
def test_a_new_process_finds_the_best_run(tmp_path):
    run = submit(PEOPLE, BOUGHT, max_iter=3, history=tmp_path / "runs")
    best_run, model = run.get_output()
    assert [one.id for one in Experiment("people").runs(history=tmp_path / "runs")] == [one.id for one in run.runs]
    code = f"""
import sys
from automl_explain import RunHistory, retrieve_model_explanation
found = retrieve_model_explanation({best_run.id!r}, history=RunHistory({str(tmp_path / "runs")!r}))
print(float(found.shap_values[1].sum()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    expected = retrieve_model_explanation(best_run).shap_values[1].sum()
    assert float(done.stdout) == pytest.approx(expected, rel=1e-12)
    assert retrieve_model_explanation(run).run_id == run.final_run.id
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(PEOPLE), model.predict(PEOPLE))


def test_what_a_search_teaches_and_its_report(tmp_path):
    run = submit(PEOPLE, BOUGHT, max_iter=6)
    taught = SearchExplanation.from_runs(run.runs)
    assert set(taught.features) == set(PEOPLE)
    assert len(taught.runs) >= 6
    write_report(tmp_path / "report.html", run.runs)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(name in text for name in LEARNERS["classification"])
    facts = RunHistory().search(run.runs[0].search)["facts"]
    assert (facts["metric"], facts["evaluation"], facts["training_rows"]) == ("roc_auc", "holdout", 128)


def test_cells_are_numbers_or_text():
    cells = Cells().fit(PEOPLE)
    assert cells.is_text_.tolist() == [False, True, False, False, False, True]
    found = cells.transform(PEOPLE[::-1][list(reversed(PEOPLE.columns))])  # columns in another order
    assert list(found.columns) == list(PEOPLE.columns)
    assert found["since"].iloc[-1:].isna().all()
    days = (PEOPLE["since"].iloc[1] - pd.Timestamp(0)) / pd.Timedelta(days=1)
    assert found["since"].iloc[-2] == days
    np.testing.assert_array_equal(found["visits"].isna(), PEOPLE["visits"][::-1].isna())
    assert set(found["kind"].dropna()) == {"1", "2", "3"}
    assert found["town"].isna().sum() == PEOPLE["town"].isna().sum()
    array = Cells().fit(np.arange(6.0).reshape(3, 2))
    assert array.transform(np.ones((2, 2))).columns.tolist() == ["x0", "x1"]
    with pytest.raises(ColumnMismatchError, match="lacks 1 of the training data's columns"):
        cells.transform(PEOPLE.drop(columns="age"))
    with pytest.raises(InvalidInputError, match="Column 'age' had numbers in the training data"):
        cells.transform(PEOPLE.assign(age="old"))


def test_xgboost_takes_labels_of_any_kind():
    X, y = load_iris(return_X_y=True)
    model = LabelledXGBClassifier(n_estimators=3).fit(X, np.array(["a", "b", "c"])[y])
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert set(model.predict(X)) == {"a", "b", "c"}
    assert clone(model).get_params()["n_estimators"] == 3
    for labels, shown in ((y[y < 2].astype(bool), [False, True]), (y[y < 2] + 5, [5, 6])):
        again = LabelledXGBClassifier(n_estimators=3).fit(X[y < 2], y[y < 2]).fit(X[y < 2], labels)
        assert again.classes_.tolist() == shown
        np.testing.assert_array_equal(again.predict(X[y < 2]), labels)


def test_new_categories_and_all_missing_columns_are_predicted():
    for learner in LEARNERS["classification"]:
        _, model = submit(PEOPLE, BOUGHT, max_iter=2, estimators=[learner], model_explainability=False).get_output()
        rows = PEOPLE[:4].assign(town="Trier", age=np.nan)
        assert np.isfinite(model.predict_proba(rows)).all()
        assert (model.predict(PEOPLE) == BOUGHT).mean() > 0.8
    assert isinstance(model[-1], LogisticRegression)
