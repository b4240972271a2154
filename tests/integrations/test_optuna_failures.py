"""What of an Optuna study cannot be explained, and what is said of it."""

import optuna
import pytest
from lightgbm import LGBMClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from automl_explain import (
    ExplanationNotFoundError,
    HistoryError,
    InvalidInputError,
    RunHistory,
    retrieve_model_explanation,
)
from automl_explain.integrations.optuna import TrialExplainer
from tests.integrations.optuna_studies import (
    X_TRAIN,
    X_VALID,
    Y_TRAIN,
    explained_objective,
    model_of,
    new_study,
    plain_objective,
)


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
        with pytest.raises(ExplanationNotFoundError, match="(?i)runs are explained at the end of the"):
            retrieve_model_explanation(source)
    explainer.explain()
    (tmp_path / "runs").rename(tmp_path / "moved")
    with pytest.raises(HistoryError, match="does not exist.*RunHistory"):
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
    monkeypatch.setattr(
        "automl_explain.integrations.searches.optuna._study.name_of", lambda trial: f"at {trial.number}"
    )
    for study in studies:
        with TrialExplainer(X_TRAIN) as explainer:
            study.optimize(explained_objective(explainer), n_trials=1)
    monkeypatch.setattr(
        "automl_explain.integrations.searches.optuna._lookup.name_of", lambda trial: f"at {trial.number}"
    )
    with pytest.raises(ExplanationNotFoundError, match=f"matches several runs of .*{explainer.runs[0].id}"):
        retrieve_model_explanation(studies[0].best_trial)
    assert retrieve_model_explanation(studies[1]).run_id == explainer.runs[0].id


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
