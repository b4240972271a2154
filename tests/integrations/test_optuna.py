"""Optuna studies explained: every storage, threads and processes, pruned and failed trials, and the study unchanged."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import optuna
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification, make_regression
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from automl_explain import (
    ExplanationNotFoundError,
    HistoryError,
    InvalidInputError,
    RunHistory,
    explain_model,
    retrieve_model_explanation,
)
from automl_explain.integrations.optuna import TrialExplainer
from automl_explain.integrations.searches._optuna_lookup import ATTRIBUTE

optuna.logging.set_verbosity(optuna.logging.ERROR)
X, Y = make_classification(200, 5, n_informative=3, random_state=0)
X_TRAIN, X_VALID, Y_TRAIN, Y_VALID = X[:150], X[150:], Y[:150], Y[150:]

STORAGES = {
    "memory": lambda folder: None,
    "sqlite": lambda folder: f"sqlite:///{folder / 'study.db'}",
    "journal": lambda folder: JournalStorage(JournalFileBackend(str(folder / "journal.log"))),
}


@pytest.fixture(params=STORAGES)
def study(request, tmp_path):
    return new_study(storage=STORAGES[request.param](tmp_path))


def new_study(**settings):
    settings = {"direction": "maximize", "sampler": optuna.samplers.TPESampler(seed=0, n_startup_trials=3)} | settings
    return optuna.create_study(study_name="churn", **settings)


def model_of(trial):
    return LGBMClassifier(n_estimators=trial.suggest_int("n_estimators", 2, 12),
                          num_leaves=trial.suggest_int("num_leaves", 2, 6), n_jobs=1, verbose=-1)  # fmt: skip


def explained_objective(explainer):
    def objective(trial):
        with explainer.trial(trial) as seen:
            model = model_of(trial).fit(X_TRAIN, Y_TRAIN)
            seen.capture(model, X_VALID)
            return model.score(X_VALID, Y_VALID)

    return objective


def plain_objective(trial):
    return model_of(trial).fit(X_TRAIN, Y_TRAIN).score(X_VALID, Y_VALID)


# ------------------------------------------------------------------ what comes


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


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_a_new_process_retrieves_the_best_trial(kind, tmp_path):
    study = new_study(storage=STORAGES[kind](tmp_path))
    with TrialExplainer(X_TRAIN) as explainer:
        study.optimize(explained_objective(explainer), n_trials=2)
    storage = {"sqlite": f"'sqlite:///{tmp_path / 'study.db'}'",
               "journal": f"JournalStorage(JournalFileBackend({str(tmp_path / 'journal.log')!r}))"}[kind]  # fmt: skip
    code = f"""
import shutil
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from automl_explain import ExplanationNotFoundError, RunHistory, retrieve_model_explanation
study = optuna.load_study(study_name="churn", storage={storage})
found = retrieve_model_explanation(study.best_trial)
assert retrieve_model_explanation(study).run_id == found.run_id
print(float(found.shap_values[1].sum()))
RunHistory("{tmp_path / "empty"}")
elsewhere = shutil.copytree(RunHistory().directory, "{tmp_path / "elsewhere"}")
shutil.rmtree(RunHistory().directory)
try:
    retrieve_model_explanation(study.best_trial)
except ExplanationNotFoundError as error:
    assert "kept elsewhere: pass the study" in str(error), error
else:
    raise AssertionError
assert retrieve_model_explanation(study.best_trial, history=RunHistory(elsewhere)).run_id == found.run_id
"""
    expected = retrieve_model_explanation(study.best_trial).shap_values[1].sum()
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(expected, rel=1e-12)


def test_a_history_elsewhere_is_found_by_its_process_and_by_the_study(tmp_path, monkeypatch):
    study = new_study()
    with TrialExplainer(X_TRAIN, history=tmp_path / "runs") as explainer:
        study.optimize(explained_objective(explainer), n_trials=2)
    assert retrieve_model_explanation(study.best_trial).run_id == explainer.best_run.id
    monkeypatch.setattr("automl_explain.integrations.searches._optuna_lookup.USED", {})  # as in another process
    with pytest.raises(ExplanationNotFoundError, match="pass the study"):
        retrieve_model_explanation(study.best_trial)
    assert retrieve_model_explanation(study).run_id == explainer.best_run.id


def test_a_trial_costs_its_storage_nothing(tmp_path):
    """A database takes a transaction for each attribute, which may last longer than a short trial's fit."""
    study = new_study(storage=STORAGES["sqlite"](tmp_path))
    with TrialExplainer(X_TRAIN) as explainer:
        study.optimize(explained_objective(explainer), n_trials=2)
    assert [trial.user_attrs for trial in study.trials] == [{}, {}]
    assert set(study.user_attrs) == {ATTRIBUTE}


WORKER = """
import sys
import optuna
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from automl_explain.integrations.searches._optuna_lookup import ATTRIBUTE
from automl_explain.integrations.optuna import TrialExplainer
optuna.logging.set_verbosity(optuna.logging.ERROR)
X, y = load_diabetes(return_X_y=True)
def objective(trial):
    with explainer.trial(trial) as seen:
        model = Ridge(alpha=trial.suggest_float("alpha", 0.1, 9)).fit(X[:300], y[:300])
        seen.capture(model, X[300:])
        return model.score(X[300:], y[300:])
study = optuna.load_study(study_name="churn", storage=sys.argv[1])
with TrialExplainer(X[:300], history=sys.argv[2]) as explainer:
    study.optimize(objective, n_trials=4)
"""


def test_several_processes_record_one_search(tmp_path):
    storage, runs = f"sqlite:///{tmp_path / 'study.db'}", str(tmp_path / "runs")
    study = new_study(storage=storage)
    command = [sys.executable, "-W", "ignore", "-c", WORKER, storage, runs]
    workers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for worker in workers:
        _, said = worker.communicate(timeout=200)
        assert worker.returncode == 0, said
    history = RunHistory(runs)
    assert len(history.searches()) == 1
    assert [run.number for run in history.runs()] == list(range(12))
    assert {run.status for run in history.runs()} == {"explained"}
    assert len({retrieve_model_explanation(trial, history=history).run_id for trial in study.trials}) == 12


def test_a_study_that_goes_on_keeps_its_search():
    study = new_study()
    for _ in range(2):
        with TrialExplainer(X_TRAIN) as explainer:
            study.optimize(explained_objective(explainer), n_trials=2)
    assert [run.number for run in explainer.runs] == [0, 1, 2, 3]
    assert len(RunHistory().searches()) == 1


def test_ask_and_tell_and_explain_by_hand():
    study, explainer = new_study(), TrialExplainer(X_TRAIN, X_VALID)
    trial = study.ask()
    with explainer.trial(trial) as seen:
        model = model_of(trial).fit(X_TRAIN, Y_TRAIN)
        seen.capture(model)
    study.tell(trial, model.score(X_VALID, Y_VALID))
    (run,) = explainer.explain()
    assert (run.status, run.loss) == ("explained", -study.best_value)
    assert explainer.explain() == []


def test_a_trial_that_still_runs_is_left_for_the_next_call():
    study, explainer = new_study(), TrialExplainer(X_TRAIN)
    entered, go_on = threading.Event(), threading.Event()

    def objective(trial):
        with explainer.trial(trial) as seen:
            model = model_of(trial).fit(X_TRAIN, Y_TRAIN)
            if trial.number == 1:
                entered.set()
                assert go_on.wait(60)
            seen.capture(model, X_VALID)
            return model.score(X_VALID, Y_VALID)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(study.optimize, objective, n_trials=2)
        assert entered.wait(60)
        assert [run.number for run in explainer.explain()] == [0]
        assert explainer.explain() == []
        go_on.set()
        running.result()
    (run,) = explainer.explain()
    assert (run.number, run.status, run.loss) == (1, "explained", -study.trials[1].value)
    assert [run.number for run in explainer.runs] == [0, 1]


def test_explaining_again_and_again_while_threads_work_loses_no_trial():
    study, explainer = new_study(), TrialExplainer(X_TRAIN, explainability_options={"max_rows": 5})
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(study.optimize, explained_objective(explainer), n_trials=24, n_jobs=3)
        calls = []
        while not running.done():
            calls.append(explainer.explain())
        running.result()
        calls.append(explainer.explain())
    assert sorted(run.number for runs in calls for run in runs) == list(range(24))
    assert {run.status for run in explainer.runs} == {"explained"}
    assert [run.loss for run in explainer.runs] == [-trial.value for trial in study.trials]


def test_a_trial_that_is_told_after_the_block_ended_has_its_loss():
    study, explainer = new_study(), TrialExplainer(X_TRAIN, X_VALID)
    trial = study.ask()
    with explainer.trial(trial) as seen:
        seen.capture(model_of(trial).fit(X_TRAIN, Y_TRAIN))
    assert explainer.explain() == []  # the study does not know yet how it ended
    with explainer.trial(trial) as seen:
        pass  # entered once more, it is the same trial
    study.tell(trial, 0.5)
    assert [(run.status, run.loss) for run in explainer.explain()] == [("explained", -0.5)]


# ------------------------------------------------------------------------ folds


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


# ------------------------------------------------------- what cannot be explained


def test_pruned_failed_and_empty_trials_have_a_status():
    study = new_study()

    def objective(trial):
        with explainer.trial(trial) as seen:
            model = model_of(trial).fit(X_TRAIN, Y_TRAIN)
            if trial.number == 3:
                return 0.1
            seen.capture(model, X_VALID)
            if trial.number == 1:
                trial.report(0.2, 7)
                raise optuna.TrialPruned
            if trial.number == 2:
                raise ValueError("no such leaf")
            return float("nan") if trial.number == 4 else 0.5

    with TrialExplainer(X_TRAIN) as explainer:
        study.optimize(objective, n_trials=5, catch=ValueError)
    assert [run.status for run in explainer.runs] == ["explained", "skipped", "failed", "skipped", "failed"]
    reasons = [run.why for run in explainer.runs]
    assert "pruned the trial at step 7" in reasons[1]
    assert "ValueError: no such leaf" in reasons[2]
    assert "captured no model" in reasons[3]
    assert "returned no number" in reasons[4]
    with pytest.raises(ExplanationNotFoundError, match="skipped.*pruned"):
        retrieve_model_explanation(study.trials[1])


@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: make_pipeline(StandardScaler(), model)])
def test_a_model_object_that_is_fitted_again_is_not_explained_as_something_else(wrap):
    study, shared = new_study(), LogisticRegression()

    def objective(trial):
        with explainer.trial(trial) as seen:
            model = wrap(shared.set_params(C=trial.suggest_float("C", 0.1, 2))).fit(X_TRAIN, Y_TRAIN)
            seen.capture(model, X_VALID)
            if trial.number == 2:
                seen.capture(wrap(shared), X_VALID)
            return 0.5

    with TrialExplainer(X_TRAIN) as explainer:
        study.optimize(objective, n_trials=3)
    assert [run.status for run in explainer.runs] == ["failed"] * 3
    assert "trial 1 fitted the same model object again" in explainer.runs[0].why
    assert "captured twice" in explainer.runs[2].why


def test_folds_that_are_not_all_there_are_not_explained_as_the_trial():
    study = new_study()

    def objective(trial):
        with explainer.trial(trial) as seen:
            for rows in (X_VALID, None, X_VALID):
                seen.capture(model_of(trial).fit(X_TRAIN, Y_TRAIN), rows)
            return 0.5

    with TrialExplainer(X_TRAIN) as explainer:
        study.optimize(objective, n_trials=1)
    (run,) = explainer.runs
    assert run.status == "failed"
    assert "no rows to explain" in run.why


@pytest.mark.parametrize("on_error", ["record", "raise"])
def test_a_capture_that_cannot_work_stays_out_of_the_search(on_error):
    study = new_study()

    def objective(trial):
        with explainer.trial(trial) as seen:
            seen.capture(Ridge().fit(X_TRAIN, Y_TRAIN))
            return 0.5

    explainer = TrialExplainer(X_TRAIN, explainability_options={"on_error": on_error})
    if on_error == "raise":
        with pytest.raises(InvalidInputError, match="no rows to explain"), explainer:
            study.optimize(objective, n_trials=1)
    else:
        with explainer:
            study.optimize(objective, n_trials=1)
        assert study.best_value == 0.5
    (run,) = explainer.runs
    assert run.status == "failed"
    assert "no rows to explain" in run.why


def test_an_interrupted_study_keeps_its_trials():
    study = new_study()

    def objective(trial):
        if trial.number == 2:
            raise KeyboardInterrupt
        return explained_objective(explainer)(trial)

    explainer = TrialExplainer(X_TRAIN)
    with pytest.raises(KeyboardInterrupt), explainer:
        study.optimize(objective, n_trials=4)
    assert [(run.status, run.loss is not None) for run in explainer.runs] == [("skipped", True)] * 2
    assert "interrupted" in explainer.runs[0].why


def test_a_trial_that_no_explainer_saw_or_recorded_says_so(tmp_path):
    study = new_study()
    study.optimize(plain_objective, n_trials=1)
    with pytest.raises(ExplanationNotFoundError, match="COMPLETE.*not seen by a TrialExplainer"):
        retrieve_model_explanation(study.best_trial)
    with pytest.raises(ExplanationNotFoundError, match="not seen by a TrialExplainer"):
        retrieve_model_explanation(study)
    study = new_study()
    explainer = TrialExplainer(X_TRAIN, history=tmp_path / "runs")
    study.optimize(explained_objective(explainer), n_trials=1)
    for source in (study, study.best_trial):
        with pytest.raises(ExplanationNotFoundError, match="has not come to"):
            retrieve_model_explanation(source)
    explainer.explain()
    (tmp_path / "runs").rename(tmp_path / "moved")
    with pytest.raises(HistoryError, match="is not there.*RunHistory"):
        retrieve_model_explanation(study)
    moved = RunHistory(tmp_path / "moved")
    assert retrieve_model_explanation(study.best_trial, history=moved).run_id
    assert retrieve_model_explanation(study, history=moved).run_id


def test_a_trial_that_is_still_running_finds_its_run_by_its_study():
    study = new_study()
    with TrialExplainer(X_TRAIN, X_VALID) as explainer:
        trial = study.ask()
        with explainer.trial(trial) as seen:
            seen.capture(model_of(trial).fit(X_TRAIN, Y_TRAIN))
    assert retrieve_model_explanation(trial).run_id == explainer.runs[0].id


def test_trials_that_cannot_be_told_apart_are_listed(monkeypatch):
    studies = [new_study() for _ in range(2)]
    monkeypatch.setattr("automl_explain.integrations.optuna.name_of", lambda trial: f"at {trial.number}")
    for study in studies:
        with TrialExplainer(X_TRAIN) as explainer:
            study.optimize(explained_objective(explainer), n_trials=1)
    monkeypatch.setattr(
        "automl_explain.integrations.searches._optuna_lookup.name_of", lambda trial: f"at {trial.number}"
    )
    with pytest.raises(ExplanationNotFoundError, match=f"may be any of .*{explainer.runs[0].id}"):
        retrieve_model_explanation(studies[0].best_trial)
    assert retrieve_model_explanation(studies[1]).run_id == explainer.runs[0].id


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
    assert runs[3].status == "explained"  # first, and whatever the time
    assert [run.status for run in runs[:3]] == ["skipped"] * 3
    np.testing.assert_allclose(
        retrieve_model_explanation(runs[3]).shap_values, explain_model(final, X_TRAIN, X_VALID).shap_values, atol=1e-12
    )
    assert explainer.best_run.loss == -study.best_value
    assert {run.metric for run in runs} == {"1-accuracy"}
    assert explainer.history.search(runs[0].search)["facts"]["experiment"] == "churn"


def test_a_study_that_goes_on_after_its_final_models_loses_no_trial():
    study = new_study()
    with TrialExplainer(X_TRAIN, X_VALID) as explainer:
        study.optimize(explained_objective(explainer), n_trials=2)
        refit, ensemble = Ridge().fit(X, Y), Ridge(5.0).fit(X, Y)
        explainer.capture_final(study, refit)
        explainer.capture_final(study, ensemble, kind="ensemble")
        study.optimize(explained_objective(explainer), n_trials=2)
    runs = explainer.runs
    assert [(run.number, run.kind) for run in runs] == [
        *((i, "trial") for i in range(4)),
        (4, "refit"),
        (5, "ensemble"),
    ]
    assert [run.loss for run in runs] == [*(-trial.value for trial in study.trials), None, None]
    assert {run.status for run in runs} == {"explained"}
    for run, model in zip(runs[4:], (refit, ensemble), strict=True):
        expected = explain_model(model, X_TRAIN, X_VALID).shap_values
        np.testing.assert_allclose(retrieve_model_explanation(run).shap_values, expected, atol=1e-12)


def test_a_resumed_study_may_end_with_one_more_final_model(tmp_path):
    models = []
    for alpha in (1.0, 50.0, 100.0):
        study = new_study(storage=STORAGES["sqlite"](tmp_path), load_if_exists=True)
        with TrialExplainer(X_TRAIN, X_VALID) as explainer:
            study.optimize(explained_objective(explainer), n_trials=1)
            models.append(Ridge(alpha).fit(X, Y))
            explainer.capture_final(study, models[-1])
    runs = explainer.runs
    assert sorted(run.number for run in runs if run.kind == "trial") == [0, 1, 2]
    finals = [run for run in runs if run.kind == "refit"]
    assert [run.id for run in finals] == [f"{runs[0].search}-{kind}" for kind in ("refit", "refit-2", "refit-3")]
    assert {run.status for run in runs} == {"explained"}
    for run, model in zip(finals, models, strict=True):
        expected = explain_model(model, X_TRAIN, X_VALID).shap_values
        np.testing.assert_allclose(retrieve_model_explanation(run).shap_values, expected, atol=1e-12)


def test_a_model_that_is_not_fitted_is_the_reason_of_its_run():
    study = new_study()

    def objective(trial):
        with explainer.trial(trial) as seen:
            model = [LGBMClassifier(), Ridge(), Ridge().fit(X_TRAIN, Y_TRAIN)][trial.number]
            seen.capture(model, X_VALID)
            return 0.5

    with TrialExplainer(X_TRAIN) as explainer:
        study.optimize(objective, n_trials=3)
    assert [run.status for run in explainer.runs] == ["failed", "failed", "explained"]
    assert all("fit" in run.why for run in explainer.runs[:2])


@pytest.mark.parametrize("directions", [["minimize"], ["minimize", "maximize"]])
def test_a_study_without_a_best_trial_says_so(directions):
    study = optuna.create_study(directions=directions)
    if len(directions) > 1:
        study.add_trial(optuna.trial.create_trial(values=[1.0, 2.0]))
    with pytest.raises(ExplanationNotFoundError, match="has no best trial.*Pass one of its trials"):
        retrieve_model_explanation(study)


def test_a_target_that_raises_is_the_reason_of_its_run():
    def target(trial):
        return {0: 0.25, 2: 0.5}[trial.number]

    study = new_study()
    with TrialExplainer(X_TRAIN, target=target) as explainer:
        study.optimize(explained_objective(explainer), n_trials=3)
    assert [(run.status, run.loss) for run in explainer.runs] == [
        ("explained", 0.25),
        ("failed", None),
        ("explained", 0.5),
    ]
    assert explainer.runs[1].why == "its target raised KeyError: 1"
