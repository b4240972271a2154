"""Optuna studies of several threads and processes, and studies that go on."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from automl_explain import ExplanationNotFoundError, RunHistory, explain_model, retrieve_model_explanation
from automl_explain.integrations.optuna import TrialExplainer
from automl_explain.integrations.searches.optuna._lookup import ATTRIBUTE
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
)


@pytest.mark.slow
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
    assert "in another directory, pass the study" in str(error), error
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
    monkeypatch.setattr("automl_explain.integrations.searches.optuna._lookup.USED", {})  # as in another process
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
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from automl_explain.integrations.searches.optuna._lookup import ATTRIBUTE
from automl_explain.integrations.optuna import TrialExplainer
optuna.logging.set_verbosity(optuna.logging.ERROR)
X, y = load_diabetes(return_X_y=True)
def objective(trial):
    with explainer.trial(trial) as seen:
        model = Ridge(alpha=trial.suggest_float("alpha", 0.1, 9)).fit(X[:300], y[:300])
        seen.capture(model, X[300:])
        return model.score(X[300:], y[300:])
path = sys.argv[1]
storage = path if "://" in path else JournalStorage(JournalFileBackend(path))
study = optuna.load_study(study_name="churn", storage=storage)
with TrialExplainer(X[:300], history=sys.argv[2]) as explainer:
    study.optimize(objective, n_trials=4)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("journal", marks=pytest.mark.slow)])
def test_several_processes_record_one_search(kind, tmp_path):
    storage, runs = f"sqlite:///{tmp_path / 'study.db'}", str(tmp_path / "runs")
    if kind == "journal":
        storage = str(tmp_path / "journal.log")
    study = new_study(storage=STORAGES[kind](tmp_path))
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
