"""Studies whose trials run in worker processes, and are explained by the process that made the explainer."""

import logging
import multiprocessing
import os
import pickle
import threading
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import optuna
import pytest
from sklearn.linear_model import LinearRegression

from automl_explain import InvalidInputError, RunHistory, explain_model, resume_search, retrieve_model_explanation
from automl_explain.integrations.optuna import TrialExplainer
from automl_explain.integrations.searches.optuna import _worker_trials
from tests.integrations.optuna_studies import (
    STORAGES,
    X_TRAIN,
    X_VALID,
    Y_TRAIN,
    Y_VALID,
    explained_objective,
    model_of,
    new_study,
    search_in_worker,
)


def in_worker(explainer):
    """What a worker process gets."""
    return pickle.loads(pickle.dumps(explainer))


@pytest.fixture
def study(tmp_path):
    return new_study(storage=STORAGES["journal"](tmp_path))


def spools(history):
    return list(history.directory.glob("spool/*/*"))


def run_of(explainer, objective, study):
    study.optimize(objective, n_trials=1, catch=(ValueError,))
    (run,) = explainer.explain()
    return run


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_one_process_explains_the_trials_of_two_workers(kind, tmp_path):
    study = new_study(storage=STORAGES[kind](tmp_path))
    with TrialExplainer(X_TRAIN, history=tmp_path / "runs") as explainer:
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
            workers = [pool.submit(search_in_worker, explainer, kind, tmp_path, 3) for _ in range(2)]
            assert os.getpid() not in {worker.result(timeout=200) for worker in workers}
        assert explainer.runs == []
    runs = explainer.runs
    assert [(run.number, run.status, run.why) for run in runs] == [(number, "explained", "") for number in range(6)]
    assert len(explainer.history.searches()) == 1
    assert [run.loss for run in runs] == [-trial.value for trial in study.trials]
    assert [run.config for run in runs] == [trial.params for trial in study.trials]
    assert explainer.best_run.loss == -study.best_value
    assert not spools(explainer.history)
    for trial in study.trials:
        model = model_of(optuna.trial.FixedTrial(trial.params)).fit(X_TRAIN, Y_TRAIN)
        found = retrieve_model_explanation(trial, history=explainer.history)
        np.testing.assert_allclose(
            found.shap_values, explain_model(model, X_TRAIN, X_VALID).shap_values, rtol=0, atol=1e-12
        )


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_only_the_trial_that_it_ran(tmp_path):
    study = new_study(storage=STORAGES["journal"](tmp_path))
    explainer = TrialExplainer(X_TRAIN, history=tmp_path / "runs")
    worker = multiprocessing.get_context("spawn").Process(
        target=search_in_worker, args=(explainer, "journal", tmp_path, 5), kwargs={"dies_in": 2}
    )
    worker.start()
    worker.join(timeout=200)
    assert worker.exitcode == 9
    assert [run.status for run in explainer.history.runs()] == ["captured"] * 2  # this process will explain them
    with explainer:
        pass
    assert [(run.number, run.status) for run in explainer.runs] == [(0, "explained"), (1, "explained")]
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE", "RUNNING"]


def test_a_copy_passes_its_models_on_and_explains_nothing(study):
    explainer = TrialExplainer(X_TRAIN, X_VALID, features=list("abcde"))
    with in_worker(explainer) as copy:
        study.optimize(explained_objective(copy), n_trials=2)
        assert copy.explain() == []
    assert spools(explainer.history)
    assert [run.number for run in explainer.explain()] == [0, 1]
    assert [(run.status, run.loss, run.learner) for run in explainer.runs] == [
        ("explained", -trial.value, "LGBMClassifier") for trial in study.trials
    ]
    best = retrieve_model_explanation(study.best_trial)
    model = model_of(optuna.trial.FixedTrial(study.best_params)).fit(X_TRAIN, Y_TRAIN)
    np.testing.assert_allclose(best.shap_values, explain_model(model, X_TRAIN, X_VALID).shap_values, atol=1e-12)
    assert set(best.overall_imp) == set("abcde")
    assert explainer.explain() == []
    with explainer:
        study.optimize(explained_objective(copy), n_trials=1)
        study.optimize(explained_objective(explainer), n_trials=1)  # beside those of its own process
        explainer.capture_final(study, model)
    assert [(run.number, run.kind, run.status) for run in explainer.runs] == [
        *((number, "trial", "explained") for number in range(4)),
        (4, "refit", "explained"),
    ]
    assert not spools(explainer.history)
    assert explainer.history.owners(explainer.runs[0].search) == []


def test_a_trial_that_the_study_was_not_told_waits_for_the_next_call(study):
    explainer = TrialExplainer(X_TRAIN, X_VALID)
    copy, trial = in_worker(explainer), study.ask()
    with copy.trial(trial) as seen:
        seen.capture(model_of(trial).fit(X_TRAIN, Y_TRAIN))
    assert explainer.explain() == []
    study.tell(trial, 0.5)
    assert [(run.status, run.loss) for run in explainer.explain()] == [("explained", -0.5)]
    assert explainer.explain() == []


def test_folds_of_a_worker_are_averaged(study):
    rows = {0: slice(0, 75), 1: slice(75, 150)}

    def objective(trial, explainer):
        with explainer.trial(trial) as seen:
            for fold, valid in rows.items():
                model = LinearRegression().fit(X_TRAIN[rows[1 - fold]], Y_TRAIN[rows[1 - fold]])
                seen.capture(model, X_TRAIN[valid], X_TRAIN[:20])
            return 1.0

    explainer, alone = TrialExplainer(X_TRAIN), TrialExplainer(X_TRAIN)
    run = run_of(explainer, lambda trial: objective(trial, in_worker(explainer)), study)
    known = run_of(alone, lambda trial: objective(trial, alone), new_study())
    found, expected = (retrieve_model_explanation(one).explanation for one in (run, known))
    np.testing.assert_allclose(found.local_importance_values, expected.local_importance_values, atol=1e-12)
    np.testing.assert_allclose(found.standard_errors, expected.standard_errors, atol=1e-12)
    assert "2 folds" in found.reason


def test_losses_of_rows_come_with_the_model(study):
    def objective(trial, explainer):
        with explainer.trial(trial) as seen:
            model = LinearRegression().fit(X_TRAIN, Y_TRAIN)
            losses = (model.predict(X_VALID) - Y_VALID) ** 2
            seen.capture(model, X_VALID, row_losses=losses)
            return losses.mean()

    explainer, alone = TrialExplainer(X_TRAIN), TrialExplainer(X_TRAIN)
    run = run_of(explainer, lambda trial: objective(trial, in_worker(explainer)), study)
    known = run_of(alone, lambda trial: objective(trial, alone), new_study())
    found = [explainer.history.part_losses(one.search)[one.id] for one in (run, known)]
    assert found[0]
    assert found[0] == found[1]


class Unpicklable(LinearRegression):
    def __reduce__(self):
        raise TypeError("it holds a file")


def pruned(trial, seen):
    seen.capture(LinearRegression().fit(X_TRAIN, Y_TRAIN), X_VALID)
    raise optuna.TrialPruned


def raising(trial, seen):
    seen.capture(LinearRegression().fit(X_TRAIN, Y_TRAIN), X_VALID)
    raise ValueError("no such solver")


ENDS = {
    "pruned": (pruned, "skipped", "the study pruned the trial"),
    "raising": (raising, "failed", "the objective raised ValueError: no such solver"),
    "no model": (lambda trial, seen: None, "skipped", "the objective captured no model"),
    "unpicklable": (
        lambda trial, seen: seen.capture(Unpicklable().fit(X_TRAIN, Y_TRAIN), X_VALID),
        "failed",
        "could not be passed on by a worker process (TypeError: it holds a file). Create a TrialExplainer in each process",
    ),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_trial_without_a_model_says_why(how, study):
    acts, status, why = ENDS[how]
    explainer = TrialExplainer(X_TRAIN)
    copy = in_worker(explainer)

    def objective(trial):
        with copy.trial(trial) as seen:
            acts(trial, seen)
            return 0.5

    run = run_of(explainer, objective, study)
    assert run.status == status
    assert why in run.why


def test_files_take_no_more_than_the_memory_limit(study):
    explainer = TrialExplainer(X_TRAIN, explainability_options={"memory_limit": 1e-6})
    run = run_of(explainer, explained_objective(in_worker(explainer)), study)
    assert run.status == "failed"
    assert "memory_limit=1e-06 GiB is reached" in run.why


def test_a_study_in_memory_is_not_known_to_other_processes(caplog):
    study, explainer = new_study(), TrialExplainer(X_TRAIN)
    with caplog.at_level(logging.WARNING):
        study.optimize(explained_objective(in_worker(explainer)), n_trials=1)
    assert study.best_value > 0.5  # the search goes on
    assert "Give the study a storage" in caplog.text
    assert explainer.explain() == []
    strict = TrialExplainer(X_TRAIN, explainability_options={"on_error": "raise"})
    with pytest.raises(InvalidInputError, match="is in the memory of process"):
        study.optimize(explained_objective(in_worker(strict)), n_trials=1)


def test_a_study_that_cannot_be_loaded_is_named(tmp_path):
    study, explainer = new_study(storage=STORAGES["sqlite"](tmp_path)), TrialExplainer(X_TRAIN)
    study.optimize(explained_objective(in_worker(explainer)), n_trials=1)
    optuna.delete_study(study_name="churn", storage=study._storage)
    with pytest.raises(InvalidInputError, match="The study 'churn' of worker processes cannot be loaded"):
        explainer.explain()


def test_final_models_are_captured_where_they_are_explained(study):
    explainer = TrialExplainer(X_TRAIN, X_VALID)
    with pytest.raises(InvalidInputError, match=f"process {os.getpid()} made this TrialExplainer"):
        in_worker(explainer).capture_final(study, LinearRegression().fit(X_TRAIN, Y_TRAIN))


def test_files_that_others_planted_are_not_read(study):
    explainer, other = TrialExplainer(X_TRAIN), TrialExplainer(X_TRAIN)
    for one in (explainer, other):
        study.optimize(explained_objective(in_worker(one)), n_trials=1)
    (own, foreign) = sorted({path.parent for path in spools(explainer.history)}, key=lambda path: path.stat().st_ctime)
    models = [path for path in foreign.iterdir() if "-0001." in path.name]
    assert len(models) == 1
    (own / models[0].name).write_bytes(models[0].read_bytes())
    with pytest.raises(Exception, match="is not the file that this search wrote"):
        explainer.explain()


def test_nobody_waits_for_the_trials_of_a_worker_that_outlives_its_search(study, monkeypatch):
    explainer = TrialExplainer(X_TRAIN)
    copy = in_worker(explainer)
    monkeypatch.setattr(_worker_trials, "has_died", lambda owner: True)
    study.optimize(explained_objective(copy), n_trials=1)
    assert study.best_value > 0.5
    assert not spools(explainer.history)
    assert explainer.history.runs() == []


def test_models_that_are_kept_are_those_of_workers_too(study):
    explainer = TrialExplainer(X_TRAIN, explainability_options={"keep_models": True})
    study.optimize(explained_objective(in_worker(explainer)), n_trials=2)
    (search,) = explainer.history.searches()
    kept = RunHistory().directory / "models" / search
    assert len(list(kept.glob("*.model"))) == 2
    assert [run.status for run in explainer.explain()] == ["explained"] * 2
    assert not kept.exists()
    assert [run.status for run in resume_search(search)] == ["explained"] * 2


def test_workers_search_while_trials_are_explained(study):
    explainer, stop = TrialExplainer(X_TRAIN, explainability_options={"max_rows": 5}), threading.Event()
    copies = [in_worker(explainer) for _ in range(2)]
    threads = [
        threading.Thread(target=lambda copy=copy: study.optimize(explained_objective(copy), n_trials=4))
        for copy in copies
    ]
    for thread in threads:
        thread.start()
    found = []
    while any(thread.is_alive() for thread in threads):
        found += explainer.explain()
        stop.wait(0.05)
    found += explainer.explain()
    assert sorted(run.number for run in found) == list(range(8))
    assert {run.status for run in explainer.runs} == {"explained"}
