"""FLAML searches explained: every learner, the ensemble, every kind of column, what is refused."""

import flaml
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import make_classification

from automl_explain import (
    AutoMLExplainWarning,
    ExplanationNotFoundError,
    HistoryError,
    InvalidInputError,
    MissingExtraError,
    NotFittedError,
    RunHistory,
    UnsupportedTaskError,
    explain_model,
    retrieve_model_explanation,
)
from automl_explain.integrations.flaml import AutoML, ExplainabilityOptions
from automl_explain.integrations.searches._flaml_tap import MetricTap
from automl_explain.integrations.searches._spool import Spool
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


def clients(n=160, seed=0):
    """A table with what real ones have: categories, text, dates, gaps, a constant, an id."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n).astype(float),
            "income": rng.normal(50, 10, n),
            "job": rng.choice(["clerk", "nurse", "smith"], n),
            "plan": pd.Categorical(rng.choice(["a", "b"], n)),
            "joined": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
            "country": "NL",
            "client": [f"c{i}" for i in range(n)],
        }
    )
    frame.loc[rng.choice(n, 12, replace=False), "income"] = np.nan
    frame.loc[rng.choice(n, 9, replace=False), "job"] = None
    score = frame["age"] / 20 + frame["income"].fillna(50) / 20 + (frame["job"] == "nurse") * 2
    return frame, score + rng.normal(0, 0.3, n)


def labels(score, n_classes):
    names = np.array(["bad", "fair", "good"][:n_classes])
    return pd.Series(names[np.digitize(score, np.quantile(score, np.linspace(0, 1, n_classes + 1)[1:-1]))])


def fit(task, learners, X, y, **settings):
    automl = AutoML(model_explainability=True, explainability_options={"max_rows": 40, "background": 30, "n_jobs": 1})
    automl.fit(
        X, y, task=task, estimator_list=learners, **{"max_iter": len(learners), "verbose": 0, "seed": 1} | settings
    )
    return automl


def own_output(automl, X, space):
    """The model's output from FLAML and the library alone."""
    rows = automl.preprocess(X)
    wrapper = automl.model
    if space == "response":
        return np.asarray(automl.predict(X), dtype=float)[:, None]
    probability = wrapper.predict_proba(rows)
    if space == "probability":
        return probability
    inner, prepared = wrapper.estimator, wrapper.preprocess(rows)
    name = type(inner).__name__
    if name.startswith("LGBM"):
        margin = inner.predict(prepared, raw_score=True)
    elif name.startswith("XGB"):
        margin = inner.predict(prepared, output_margin=True)
    elif name.startswith("CatBoost"):
        margin = inner.predict(prepared, prediction_type="RawFormulaVal")
    else:
        margin = inner.decision_function(prepared)
    return np.column_stack([-margin, margin]) if np.ndim(margin) == 1 else np.asarray(margin)


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
    if learner == "catboost":
        assert "categor" in explained.reason  # its statistics of categories are not in the trees
    elif learner not in BLACK_BOXES:
        assert explained.method in ("tree", "linear")
        mean = own_output(automl, X.iloc[:30], explained.output_space).mean(axis=0)
        np.testing.assert_allclose(explained.expected_values, mean, rtol=1e-5, atol=1e-5)
    assert set(explained.overall_imp) == set(automl.preprocess(X).columns)
    assert set(explained.raw.features) == set(X.columns)


@pytest.mark.parametrize(("task", "n_classes"), [("binary", 2), ("multiclass", 3), ("regression", 0)])
@pytest.mark.parametrize("learner", ["lgbm", "rf", "lrl2", "enet", "kneighbor", "xgboost", "histgb"])
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


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("how", ["holdout", "cv"])
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
    automl = fit("regression", ["lgbm"], X, score)
    explained = retrieve_model_explanation(automl)
    assert {"joined", "month_joined"} <= set(explained.overall_imp)
    raw = explained.raw
    assert raw.features == tuple(X.columns)
    importance = raw.get_feature_importance_dict()
    assert importance["country"] == importance["client"] == 0
    assert importance["age"] > 0
    np.testing.assert_allclose(raw.local_importance_values.sum(axis=1), explained.shap_values.sum(axis=1), atol=1e-9)
    assert automl.best_run.history.search(automl.best_run.search)["facts"]["dropped_columns"] == ["country", "client"]


def test_raw_features_can_be_asked_for():
    X, score = clients()
    automl = AutoML(model_explainability=True, explainability_options=ExplainabilityOptions(feature_space="raw"))
    automl.fit(X, score, task="regression", estimator_list=["lgbm", "kneighbor"], max_iter=2, verbose=0)
    for run in automl.runs:
        assert run.explanation.is_raw
        assert run.explanation.features == tuple(X.columns)
    explained = explain_model(automl, X.iloc[:40], X.iloc[:5], feature_space="raw")
    assert explained.engineered is None
    assert explained.additivity_error < 1e-9


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
            with pytest.raises(ExplanationNotFoundError, match="skipped.*not asked for"):
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
    with pytest.raises(UnsupportedTaskError, match=f"'{task}' cannot be explained. Tasks that can: classification"):
        AutoML(model_explainability=True).fit(pd.DataFrame({"a": [1]}), [1], task=task)


def test_other_processes_are_refused_before_the_search():
    with pytest.raises(InvalidInputError, match="With Spark models stay in Spark's worker processes"):
        AutoML(model_explainability=True).fit(np.ones((5, 2)), np.ones(5), task="regression", use_spark=True)


def test_spark_that_flaml_would_take_by_itself_is_refused_too(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "ray" else object())
    with pytest.raises(InvalidInputError, match="With Spark"):
        AutoML(model_explainability=True).fit(np.ones((5, 2)), np.ones(5), task="regression", n_concurrent_trials=2)


def test_ray_that_is_not_installed_is_said_before_the_search(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'automl-explain\[ray\]'"):
        AutoML(model_explainability=True).fit(np.ones((5, 2)), np.ones(5), task="regression", use_ray=True)


@pytest.mark.parametrize("how", ["holdout", "cv"])
def test_what_workers_write_to_files_is_what_this_process_would_have_held(how, monkeypatch):
    X, y = make_classification(160, 4, random_state=0)
    settings = {"task": "classification", "estimator_list": ["lgbm", "rf"], "max_iter": 4, "seed": 1, "verbose": 0}
    found = []
    for in_worker in (False, True):
        monkeypatch.setattr("automl_explain.integrations.searches._flaml_tap.MetricTap._in_worker", in_worker)
        automl = AutoML(model_explainability=True)
        automl.fit(X, y, eval_method=how, n_splits=3, n_jobs=1, **settings)
        found.append(automl)
    here, there = found
    names = ("learner", "config", "loss", "kind", "status", "sample_size")
    assert [[getattr(run, name) for name in names] for run in there.runs] == [
        [getattr(run, name) for name in names] for run in here.runs
    ]
    facts = [automl.best_run.history.search(automl.best_run.search)["facts"] for automl in found]
    assert facts[0]["training_rows"] == facts[1]["training_rows"]
    for mine, other in zip(here.runs, there.runs, strict=True):
        np.testing.assert_allclose(
            other.explanation.local_importance_values, mine.explanation.local_importance_values, atol=1e-9
        )
    assert list((RunHistory().directory / "spool").glob("*")) == []


def test_trials_of_workers_that_wrote_nothing_are_counted(monkeypatch):
    monkeypatch.setattr("automl_explain.integrations.searches._flaml_tap.MetricTap._in_worker", True)
    monkeypatch.setattr("automl_explain.integrations.searches._spool.Spool._put", lambda *parts, **name: None)
    X, y = make_classification(160, 4, random_state=0)
    automl = AutoML(model_explainability=True)
    monkeypatch.setattr(AutoML, "_search_sequential", in_parallel(AutoML._search_sequential))
    with pytest.warns(AutoMLExplainWarning, match="3 trials of this search have no run.*history=DIR"):
        automl.fit(X, y, task="classification", estimator_list=["lgbm"], max_iter=3, verbose=0)
    assert [(run.kind, run.status) for run in automl.runs] == [("refit", "explained")]


def test_a_spool_that_cannot_be_written_leaves_the_loss_of_the_folds(tmp_path):
    (tmp_path / "spool").write_text("a file where the folder would be")
    tap = MetricTap("auto", None, False, ExplainabilityOptions(), Spool(tmp_path / "spool"))
    tap._process = -1  # as in a worker
    assert tap.end_of_folds([1.0, 3.0], [{}, {}])[0] == 2.0
    strict = MetricTap("auto", None, False, ExplainabilityOptions(on_error="raise"), Spool(tmp_path / "spool"))
    strict._process = -1
    with pytest.raises(NotADirectoryError):
        strict.end_of_folds([1.0, 3.0], [{}, {}])


def in_parallel(search):
    """As if Ray had done what a search in this process does."""

    def searched(self):
        search(self)
        self._use_ray = True

    return searched


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
    rows = explanation.to_frame().index
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
