"""Which runs of a FLAML search are recorded and explained, and how they are found."""

import errno
import pickle

import flaml
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification

from automl_explain import (
    ExplanationNotFoundError,
    HistoryError,
    InvalidInputError,
    NotFittedError,
    RunHistory,
    UnsupportedTaskError,
    explain_model,
    retrieve_model_explanation,
)
from automl_explain.integrations.flaml import AutoML, ExplainabilityOptions
from automl_explain.integrations.history import _storing
from tests.integrations.flaml_searches import clients, fit


def test_settings_may_come_from_the_constructor_a_dict_or_fit():
    X, y = make_classification(150, 4, n_informative=3, n_redundant=0, random_state=0)
    settings = {
        "model_explainability": True,
        "task": "classification",
        "estimator_list": ["lgbm"],
        "max_iter": 2,
        "verbose": 0,
    }
    first = AutoML(**settings)
    first.fit(X, y)
    second = AutoML()
    second.fit(X, y, **settings)
    assert len(first.runs) == len(second.runs) == 3
    assert AutoML(**first.get_params()).get_params()["model_explainability"] is True
    first.fit(X, y, model_explainability=False)
    assert first.runs == []


@pytest.mark.parametrize(("which", "n_explained"), [("all", 6), ("best", 1), (2, 2), ("improving", None)])
def test_which_runs_are_explained(which, n_explained):
    X, y = make_classification(200, 5, random_state=0)
    automl = AutoML(model_explainability=True, explainability_options={"which": which})
    automl.fit(X, y, task="classification", estimator_list=["lgbm", "rf"], max_iter=6, verbose=0)
    trials = [run for run in automl.runs if run.kind == "trial"]
    explained = [run for run in trials if run.status == "explained"]
    assert automl.best_run.status == automl.final_run.status == "explained"
    if which == "improving":
        best = [run for i, run in enumerate(trials) if run.loss < min([r.loss for r in trials[:i]], default=np.inf)]
        assert explained == best
    else:
        assert len(explained) == n_explained
    for run in trials:
        if run not in explained:
            with pytest.raises(ExplanationNotFoundError, match="skipped.*not requested"):
                retrieve_model_explanation(run)


def test_a_deadline_leaves_the_worst_runs_and_says_so():
    X, y = make_classification(200, 5, random_state=0)
    automl = AutoML(model_explainability=True, explainability_options={"time_budget": 0})
    automl.fit(X, y, task="classification", estimator_list=["lgbm"], max_iter=5, X_val=X, y_val=y, verbose=0)
    assert automl.best_run.status == "explained"
    others = [run for run in automl.runs if run.id != automl.best_run.id]
    assert {run.status for run in others} == {"skipped"}
    assert "time" in others[0].why


def test_memory_is_bounded_and_the_best_models_are_kept():
    X, y = make_classification(300, 5, random_state=0)
    automl = AutoML(model_explainability=True, explainability_options={"memory_limit": 1e-5})
    automl.fit(X, y, task="classification", estimator_list=["rf"], max_iter=6, verbose=0, X_val=X, y_val=y)
    released = [run for run in automl.runs if "memory_limit" in run.why]
    assert released
    assert automl.best_run.loss <= min(run.loss for run in released)


def test_a_model_that_cannot_be_explained_is_recorded_or_raised():
    from flaml.automl.model import SKLearnEstimator
    from sklearn.naive_bayes import GaussianNB

    class Moody(GaussianNB):
        """Predicts numbers for the 300 rows of the search, and for nothing else."""

        def predict_proba(self, X):
            return super().predict_proba(X) if len(X) == 300 else np.full((len(X), 2), np.nan)

    class Strange(SKLearnEstimator):
        def __init__(self, task="binary", **config):
            super().__init__(task, **config)
            self.params, self.estimator_class = {}, Moody

    X, y = make_classification(300, 4, n_informative=3, n_redundant=0, random_state=0)
    options = {"output": "probability", "background": 100}
    for on_error in ("record", "raise"):
        automl = AutoML(model_explainability=True, explainability_options={**options, "on_error": on_error})
        automl.add_learner("strange", Strange)
        settings = {"task": "classification", "estimator_list": ["strange"], "max_iter": 2, "X_val": X, "y_val": y}
        if on_error == "raise":
            with pytest.raises(InvalidInputError, match="NaN"):
                automl.fit(X, y, verbose=0, **settings)
        else:
            automl.fit(X, y, verbose=0, **settings)
            assert automl.best_run.learner == "strange"
            assert automl.best_run.status == "failed"
            with pytest.raises(ExplanationNotFoundError, match="failed.*NaN"):
                retrieve_model_explanation(automl.best_run)


@pytest.mark.parametrize("task", ["ts_forecast", "seq-classification", "token-classification"])
def test_tasks_without_explanation_are_refused_before_the_search(task):
    with pytest.raises(UnsupportedTaskError, match=f"'{task}' cannot be explained. Supported tasks: classification"):
        AutoML(model_explainability=True).fit(pd.DataFrame({"a": [1]}), [1], task=task)


def test_an_option_that_does_not_exist_is_refused_with_the_nearest():
    with pytest.raises(InvalidInputError, match="Did you mean 'max_rows'"):
        AutoML(model_explainability=True, explainability_options={"max_row": 3}).fit(np.ones((5, 2)), np.ones(5))
    with pytest.raises(InvalidInputError, match="'which' option must be one of"):
        ExplainabilityOptions(which="some")


def test_a_history_that_cannot_be_written_is_refused_before_the_search(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryError, match="cannot be opened for writing"):
        AutoML(model_explainability=True, history=tmp_path / "file" / "history").fit(np.ones((5, 2)), np.ones(5))


def test_an_automl_object_without_runs_says_how_to_get_them():
    with pytest.raises(ExplanationNotFoundError, match="model_explainability=True"):
        retrieve_model_explanation(AutoML())
    with pytest.raises(NotFittedError, match="call its fit method"):
        explain_model(flaml.AutoML(), np.ones((5, 2)), np.ones((5, 2)))
    with pytest.raises(InvalidInputError, match="must be a Run, a run id"):
        retrieve_model_explanation(flaml.AutoML())


def test_flamls_own_automl_object_is_explained_too():
    X, score = clients()
    automl = flaml.AutoML()
    automl.fit(X, score, task="regression", estimator_list=["lgbm"], max_iter=2, verbose=0)
    explained = explain_model(automl, X.iloc[:40], X.iloc[40:45])
    np.testing.assert_allclose(
        explained.shap_values.sum(axis=1) + explained.expected_values, automl.predict(X.iloc[40:45]), atol=1e-9
    )


def test_runs_are_retrieved_by_id_from_a_named_history(tmp_path):
    X, y = make_classification(150, 4, n_informative=3, n_redundant=0, random_state=0)
    automl = AutoML(model_explainability=True, history=tmp_path / "runs")
    automl.fit(X, y, task="classification", estimator_list=["lgbm"], max_iter=2, verbose=0)
    first = retrieve_model_explanation(automl.best_run)
    again = retrieve_model_explanation(automl.best_run.id, history=RunHistory(tmp_path / "runs"))
    for mine, theirs in zip(first.shap_values, again.shap_values, strict=True):
        assert np.array_equal(mine, theirs)
    assert again.run_id == automl.best_run.id


def test_a_column_named_like_a_part_of_a_date_is_its_own():
    X, _ = clients()
    X = X[["age", "joined"]].assign(year_joined=np.random.default_rng(0).normal(size=len(X)))
    automl = fit("regression", ["lgbm"], X, X["year_joined"] * 3)
    assert retrieve_model_explanation(automl).raw.get_ranked_global_names()[0] == "year_joined"


def test_a_second_fit_on_other_columns_is_explained_by_its_own():
    X, score = clients()
    automl = fit("regression", ["lgbm"], X, score)
    other = X.rename(columns={"age": "years", "job": "work"})
    automl.fit(
        other, score, task="regression", estimator_list=["lgbm"], max_iter=2, verbose=0, model_explainability=False
    )
    assert explain_model(automl, other.iloc[:20], other.iloc[:3]).raw.features == tuple(other.columns)


def test_another_models_explanation_on_a_run_says_whose_it_is():
    X, score = clients()
    automl = fit("regression", ["lgbm"], X, score, max_iter=3)
    explain_model(automl, X, X.iloc[:7], best_run=automl.best_run)
    assert retrieve_model_explanation(automl.best_run).model_kind == "refit"


def test_an_explanation_says_which_rows_it_explains():
    X, score = clients()
    automl = AutoML(model_explainability=True, explainability_options={"max_rows": 5})
    automl.fit(X[:100], score[:100], X_val=X[100:], y_val=score[100:], task="regression", estimator_list=["lgbm"],
               max_iter=2, verbose=0)  # fmt: skip
    explanation = automl.best_run.explanation
    rows = explanation.to_local_frame().index
    assert set(rows) <= set(range(100, 160))
    assert explanation.notes == ("rows: 5 of 60 validation rows, drawn at random",)
    np.testing.assert_allclose(explanation.data.data["age"], X.loc[rows, "age"])


def test_an_interrupted_search_keeps_its_scored_trials():
    X, y = make_classification(200, 5, random_state=0)
    calls = []

    def metric(X_val, y_val, estimator, *rest):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return 1.0 / len(calls), {}

    automl = AutoML(model_explainability=True)
    with pytest.raises(KeyboardInterrupt):
        automl.fit(X, y, task="classification", metric=metric, estimator_list=["lgbm"], max_iter=5,
                   eval_method="holdout", verbose=0)  # fmt: skip
    runs = RunHistory().runs()
    assert [run.loss for run in runs] == [1.0, 0.5]
    assert {(run.status, run.why) for run in runs} == {("skipped", "the search was interrupted")}


def test_a_run_without_the_output_asked_for_is_not_explained_in_another():
    X, y = make_classification(200, 5, random_state=0)
    automl = AutoML(model_explainability=True, explainability_options={"output": "margin"})
    automl.fit(X, y, task="classification", estimator_list=["lgbm"], max_iter=2, verbose=0)
    assert {run.status for run in automl.runs} == {"skipped"}
    assert "has no output in margin" in automl.best_run.why


@pytest.mark.parametrize("options", [{"max_rows": 2.5}, {"n_jobs": 0}, {"max_rows": "5"}, {"memory_limit": 0}, "best"])
def test_options_that_cannot_work_are_refused_before_the_search(options):
    with pytest.raises(InvalidInputError):
        AutoML(model_explainability=True, explainability_options=options).fit(np.ones((5, 2)), np.ones(5))


def test_what_a_full_disk_did_not_take_is_tried_again(tmp_path, monkeypatch):
    X, y = make_classification(150, 4, n_informative=3, n_redundant=0, random_state=0)
    automl, is_full = AutoML(model_explainability=True, history=tmp_path), [True]
    given = {"task": "classification", "estimator_list": ["lgbm"], "max_iter": 2, "verbose": 0, "seed": 0}
    assert automl.explain() == []
    whole, add_runs = _storing.save_values, RunHistory.add_runs

    def save(path, *parts):
        if is_full[0]:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(path, *parts)

    def add(self, search, runs, **settings):
        if is_full[0] == "entirely":
            raise HistoryError("database or disk is full")
        return add_runs(self, search, runs, **settings)

    monkeypatch.setattr(_storing, "save_values", save)
    monkeypatch.setattr(RunHistory, "add_runs", add)
    automl.fit(X, y, **given)
    assert {run.status for run in automl.runs} == {"failed"}
    assert all("No space left on device" in run.why for run in automl.runs)
    is_full[0] = False
    assert pickle.loads(pickle.dumps(automl)).explain()[0].status == "failed"  # its process holds the models
    assert {run.status for run in automl.explain()} == {"explained"}
    is_full[0] = "entirely"
    with pytest.raises(HistoryError, match="is full"):
        automl.fit(X, y, **given)
    assert automl.predict(X[:1]) in y
    is_full[0] = False
    assert {run.status for run in automl.explain()} == {"explained"}
    assert list(tmp_path.rglob("*.part")) == []
    assert not (tmp_path / "spool").exists()
