"""scikit-learn's searches explained: every kind, in this process and in others, and the search unchanged."""

import pickle
import threading

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    LeaveOneOut,
    RandomizedSearchCV,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from automl_explain import (
    ExplanationNotFoundError,
    InvalidInputError,
    NotFittedError,
    RunHistory,
    explain_model,
    retrieve_model_explanation,
)
from automl_explain.integrations.sklearn_search import ExplainingScorer

X, Y = make_classification(240, 5, n_informative=3, random_state=0)
CV = KFold(3)
TREE = DecisionTreeClassifier(random_state=0)
SEARCHES = {
    "grid": (GridSearchCV, {"max_depth": [1, 2, 3]}, {}),
    "random": (RandomizedSearchCV, {"max_depth": [1, 2, 3, 4]}, {"n_iter": 3, "random_state": 0}),
    "halving": (HalvingGridSearchCV, {"max_depth": [1, 2, 3, 4]}, {"random_state": 0, "min_resources": 60}),
    "halving random": (HalvingRandomSearchCV, {"max_depth": [1, 2, 3, 4]}, {"random_state": 0, "min_resources": 60}),
}


def searched(kind, scoring, **more):
    cls, space, settings = SEARCHES[kind]
    return cls(TREE, space, cv=CV, scoring=scoring, **settings | more).fit(X, Y)


def without_times(results):
    return {name: value for name, value in results.items() if "time" not in name}


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("kind", SEARCHES)
def test_the_search_is_the_same_and_every_candidate_is_explained(kind, n_jobs):
    plain = searched(kind, "roc_auc")
    scorer = ExplainingScorer("roc_auc", X)
    search = searched(kind, scorer, n_jobs=n_jobs)
    np.testing.assert_equal(without_times(search.cv_results_), without_times(plain.cv_results_))
    assert search.best_params_ == plain.best_params_
    np.testing.assert_array_equal(search.predict_proba(X), plain.predict_proba(X))
    runs = scorer.explain(search)
    assert [run.kind for run in runs] == ["trial"] * len(plain.cv_results_["params"]) + ["refit"]
    assert {run.status for run in runs} == {"explained"}, [run.why for run in runs]
    assert [run.config for run in runs[:-1]] == plain.cv_results_["params"]
    np.testing.assert_allclose([run.loss for run in runs[:-1]], -plain.cv_results_["mean_test_score"])
    if kind.startswith("halving"):
        assert [run.sample_size for run in runs[:-1]] == list(plain.cv_results_["n_resources"])
    else:
        assert scorer.best_run.number == plain.best_index_
    assert list((RunHistory().directory / "spool").glob("*")) == []


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_candidate_is_the_mean_of_its_folds_with_its_spread(n_jobs):
    scorer = ExplainingScorer("accuracy", X)
    search = searched("grid", scorer, n_jobs=n_jobs)
    scorer.explain(search)
    explanation = scorer.best_run.explanation
    models = [DecisionTreeClassifier(random_state=0, **search.best_params_).fit(X[train], Y[train])
              for train, _ in CV.split(X)]  # fmt: skip
    background = X[np.sort(np.random.default_rng(0).choice(240, 200, replace=False))]
    parts = [explain_model(model, background, X).explanation for model in models]
    values = np.array([part.local_importance_values for part in parts])
    np.testing.assert_allclose(explanation.local_importance_values, values.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(explanation.standard_errors, values.std(axis=0, ddof=1) / np.sqrt(3), atol=1e-9)
    np.testing.assert_allclose(explanation.fold_importances, [part.global_importance_values for part in parts])
    np.testing.assert_allclose(
        explanation.predictions, np.mean([m.predict_proba(X) for m in models], axis=0), atol=1e-9
    )


def test_the_fitted_search_stands_for_the_model_that_it_predicts_with():
    scorer = ExplainingScorer("accuracy", X)
    search = searched("grid", scorer)
    with pytest.raises(ExplanationNotFoundError, match=r"explain\(search\) after fit"):
        retrieve_model_explanation(search)
    scorer.explain(search)
    found = retrieve_model_explanation(search)
    assert found.model_kind == "refit"
    np.testing.assert_allclose(found.explanation.predictions, search.predict_proba(X), atol=1e-9)
    stored = explain_model(search, X[:50], X[50:60], best_run=search)
    assert retrieve_model_explanation(search).shap_values[0].shape == stored.shap_values[0].shape == (10, 5)
    again = pickle.loads(pickle.dumps(search))
    assert retrieve_model_explanation(again).run_id == found.run_id


@pytest.mark.parametrize("scoring", [["accuracy", "neg_log_loss"], {"auc": "roc_auc", "acc": "accuracy"}])
def test_several_metrics_and_training_scores(scoring):
    name = list(scoring)[1]
    plain = searched("grid", scoring, refit=name, return_train_score=True)
    scorer = ExplainingScorer(scoring)
    search = searched("grid", scorer, refit=name, return_train_score=True)
    np.testing.assert_equal(without_times(search.cv_results_), without_times(plain.cv_results_))
    runs = scorer.explain(search)
    assert {run.status for run in runs} == {"explained"}
    assert runs[0].loss == -plain.cv_results_[f"mean_test_{name}"][0]
    assert runs[0].metric == {"neg_log_loss": "log_loss", "acc": "-acc"}[name]
    assert runs[0].explanation.num_examples == 240


def shallow_only(model, X, y):
    if model.max_depth == 3:
        raise ValueError("too deep to score")
    return 0.5


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.filterwarnings("ignore:Scoring failed", "ignore:One or more of the test scores")
def test_one_of_several_metrics_that_fails_leaves_the_search_as_it_is(n_jobs):
    scoring = {"accuracy": "accuracy", "shallow": shallow_only}
    plain = searched("grid", scoring, refit="accuracy", n_jobs=n_jobs)
    scorer = ExplainingScorer(scoring)
    search = searched("grid", scorer, refit="accuracy", n_jobs=n_jobs)
    np.testing.assert_equal(without_times(search.cv_results_), without_times(plain.cv_results_))
    assert search.best_params_ == plain.best_params_
    runs = scorer.explain(search)
    assert [run.status for run in runs[:3]] == ["explained", "explained", "failed"], [run.why for run in runs]
    assert "scoring failed in split 0" in runs[2].why
    with pytest.warns(UserWarning, match="(?s)Scoring failed.*set to nan.*too deep to score"):
        ExplainingScorer(scoring)(DecisionTreeClassifier(max_depth=3).fit(X, Y), X, Y)


def test_a_scored_search_keeps_its_candidates():
    scorer = ExplainingScorer("accuracy")
    search = searched("grid", scorer)
    search.score(X, Y)
    assert {run.status for run in scorer.explain(search)} == {"explained"}
    search.score(X, Y)


def test_pipelines_of_several_learners_in_other_processes():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"town": rng.choice(list("abc"), 240), "age": rng.normal(size=240), "pay": rng.normal(size=240)}
    )
    y = (table["age"] + (table["town"] == "a") > 0.3).astype(int)
    pipeline = Pipeline([
        ("prepare", ColumnTransformer([("town", OneHotEncoder(), ["town"]), ("number", StandardScaler(), ["age", "pay"])])),
        ("model", LogisticRegression()),
    ])  # fmt: skip
    space = [
        {"model": [LogisticRegression()], "model__C": [0.1, 1.0]},
        {"model": [RandomForestClassifier(n_estimators=4, random_state=0), TREE], "model__max_depth": [2]},
    ]
    scorer = ExplainingScorer("roc_auc", table)
    runs = scorer.explain(GridSearchCV(pipeline, space, cv=CV, scoring=scorer, n_jobs=2).fit(table, y))
    assert [(run.learner, run.status) for run in runs[:4]] == [
        ("LogisticRegression", "explained"), ("LogisticRegression", "explained"),
        ("RandomForestClassifier", "explained"), ("DecisionTreeClassifier", "explained"),
    ]  # fmt: skip
    spaces = [run.explanation.output_space for run in runs[:4]]
    assert spaces == ["log_odds", "log_odds", "probability", "probability"]
    assert set(runs[0].explanation.get_raw_explanation().features) == {"town", "age", "pay"}


class Locked(ClassifierMixin, BaseEstimator):
    """A model that no process can hand to another."""

    def __init__(self, depth=1):
        self.depth = depth

    def fit(self, X, y):
        self.lock_ = threading.Lock()
        self.tree_ = DecisionTreeClassifier(max_depth=self.depth).fit(X, y)
        self.classes_ = self.tree_.classes_
        return self

    def predict(self, X):
        return self.tree_.predict(X)

    def predict_proba(self, X):
        return self.tree_.predict_proba(X)


def test_a_model_that_cannot_be_pickled_is_said_not_raised():
    scorer = ExplainingScorer("accuracy", X)
    search = GridSearchCV(Locked(), {"depth": [1, 2]}, cv=CV, scoring=scorer, n_jobs=2).fit(X, Y)
    runs = scorer.explain(search)
    assert [run.status for run in runs[:2]] == ["failed", "failed"]
    assert "could not be pickled in a worker process" in runs[0].why
    assert "n_jobs=1" in runs[0].why
    here = ExplainingScorer("accuracy", X, explainability_options={"max_rows": 10})
    runs = here.explain(GridSearchCV(Locked(), {"depth": [1, 2]}, cv=CV, scoring=here).fit(X, Y))
    assert [(run.status, run.why) for run in runs] == [("explained", "")] * 3


def test_a_spool_that_cannot_be_written_leaves_the_search_as_it_is():
    scorer = ExplainingScorer("accuracy", X)
    (RunHistory().directory / "spool").write_text("a file where the folder would be")
    search = searched("grid", scorer, n_jobs=2, refit=False)
    np.testing.assert_equal(
        without_times(search.cv_results_), without_times(searched("grid", "accuracy", refit=False).cv_results_)
    )
    runs = scorer.explain(search)
    assert [run.status for run in runs] == ["failed"] * 3
    assert all("wrote no file into the history" in run.why for run in runs)
    assert scorer.history.search(runs[0].search)["task"] == "classification"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more of the test scores")
def test_a_candidate_that_fails_has_a_run_that_says_so():
    scorer = ExplainingScorer("accuracy", X)
    search = GridSearchCV(TREE, {"max_depth": [2, -5]}, cv=CV, scoring=scorer).fit(X, Y)
    good, bad, _ = scorer.explain(search)
    assert (good.status, bad.status, bad.loss) == ("explained", "failed", None)
    assert "failed in split 0" in bad.why


def test_candidates_of_equal_hyperparameters_keep_apart():
    scorer = ExplainingScorer("accuracy", X)
    search = GridSearchCV(TREE, {"max_depth": [2, 2, 3]}, cv=CV, scoring=scorer, n_jobs=2).fit(X, Y)
    runs = scorer.explain(search)
    assert {run.status for run in runs} == {"explained"}
    np.testing.assert_array_equal(*(run.explanation.local_importance_values for run in runs[:2]))


def test_memory_is_bounded():
    scorer = ExplainingScorer("accuracy", X, explainability_options={"memory_limit": 5e-4})
    search = searched("grid", scorer)
    runs = scorer.explain(search)
    assert any("memory_limit" in run.why for run in runs)


def test_a_scorer_of_another_search_or_of_none_is_refused():
    scorer = ExplainingScorer("accuracy", X)
    with pytest.raises(InvalidInputError, match="another scoring"):
        scorer.explain(searched("grid", "accuracy"))
    with pytest.raises(NotFittedError):
        scorer.explain(GridSearchCV(TREE, {}, scoring=scorer))


# ---------------------------------------------------------------- several searches, and several calls


def values_of(runs):
    return [run.explanation.local_importance_values for run in runs if run.kind == "trial"]


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_scorer_that_serves_several_searches_explains_each_as_itself(n_jobs):
    scorer = ExplainingScorer("accuracy", X)
    # Accuracies of 80 rows coincide often: what tells the searches apart is when their folds were scored.
    tables = [(X, Y), (X[:201], Y[:201]), (X[30:], Y[30:])]
    searches = [GridSearchCV(TREE, {"max_depth": [1, 2, 3]}, cv=CV, scoring=scorer, n_jobs=n_jobs).fit(*both)
                for both in tables]  # fmt: skip
    for place in (2, 0, 1):
        alone = ExplainingScorer("accuracy", X)
        expected = alone.explain(GridSearchCV(TREE, {"max_depth": [1, 2, 3]}, cv=CV, scoring=alone).fit(*tables[place]))
        runs = scorer.explain(searches[place])
        assert [run.status for run in runs] == ["explained"] * 4, [run.why for run in runs]
        for mine, theirs in zip(values_of(runs), values_of(expected), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    for search in searches:
        final = retrieve_model_explanation(search)
        assert final.run_id == scorer.runs_of(search)[-1].id
        rows = final.explanation.data.data
        np.testing.assert_allclose(final.explanation.predictions, search.predict_proba(rows), atol=1e-9)
    assert len(RunHistory().searches()) == 6
    assert list((RunHistory().directory / "spool").glob("*")) == []


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_second_call_returns_the_stored_runs(n_jobs):
    scorer = ExplainingScorer("accuracy", X)
    search = searched("grid", scorer, n_jobs=n_jobs)
    first = scorer.explain(search)
    assert scorer.explain(search) == first
    assert {run.status for run in first} == {"explained"}
    assert len(RunHistory().searches()) == 1
    search.fit(X[:200], Y[:200])  # another fit of the same object is another search
    second = scorer.explain(search)
    assert {run.status for run in second} == {"explained"}
    assert not {run.id for run in second} & {run.id for run in first}
    assert scorer.explain(search) == second == scorer.runs
    again = pickle.loads(pickle.dumps(search))
    assert retrieve_model_explanation(again).run_id == second[-1].id


def test_searches_that_cannot_be_told_apart_are_not_mixed_up():
    rows = np.repeat([[0.0], [1.0]], 30, axis=0) + np.linspace(0, 0.1, 60)[:, None]
    labels = np.repeat([0, 1], 30)
    scorer = ExplainingScorer("accuracy", rows)
    space, cv = {"max_depth": [1, 2]}, KFold(3, shuffle=True, random_state=0)
    searches = [GridSearchCV(TREE, space, cv=cv, scoring=scorer).fit(rows * sign, labels) for sign in (1, -1)]
    assert searches[0].cv_results_["mean_test_score"].tolist() == [1.0, 1.0]  # perfect on both: alike in every score
    runs = scorer.explain(searches[1])
    assert [run.status for run in runs[:2]] == ["failed"] * 2
    assert "use one scorer per search" in runs[0].why
    apart = ExplainingScorer("accuracy", rows)
    for sign in (1, -1):
        search = GridSearchCV(TREE, space, cv=cv, scoring=apart).fit(rows * sign, labels)
        assert {run.status for run in apart.explain(search)} == {"explained"}


def test_what_cannot_be_told_apart_but_is_the_same_is_explained():
    scorer = ExplainingScorer("accuracy", X)
    searches = [searched("grid", scorer) for _ in range(2)]
    runs = [scorer.explain(search) for search in searches]
    assert {run.status for run in [*runs[0], *runs[1]]} == {"explained"}
    assert scorer.runs_of(searches[0]) == runs[0] != runs[1]


class NotNine(DecisionTreeClassifier):
    """A tree that cannot be nine levels deep."""

    def fit(self, X, y):
        if self.max_depth == 9:
            raise ValueError("nine")
        return super().fit(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.parametrize("first_fails", [False, True])
def test_failed_folds_of_a_numeric_error_score_do_not_mix_searches_up(first_fails):
    """Two tables of equal scores, of which each has another column that matters: no model is given to the other."""
    carried = np.random.default_rng(0).normal(size=120)
    tables = [np.column_stack([carried, np.zeros(120)]), np.column_stack([np.zeros(120), carried])]
    scorer = ExplainingScorer("accuracy")
    searches = [GridSearchCV(NotNine(random_state=0), {"max_depth": [1, 2, 9]}, cv=CV, scoring=scorer, error_score=0.0)
                .fit(table, carried > 0) for table in tables]  # fmt: skip
    if first_fails:  # one search's captures do not add up, as where a worker wrote one file less
        scorer._captures = scorer._captures[1:-1]
    runs = scorer.explain(searches[1])
    assert [run.status for run in runs[:3]] == ["failed"] * 3
    assert all("use one scorer per search" in run.why for run in runs[:3])
    alone = ExplainingScorer("accuracy")
    search = GridSearchCV(NotNine(random_state=0), {"max_depth": [1, 2, 9]}, cv=CV, scoring=alone, error_score=0.0)
    runs = alone.explain(search.fit(tables[1], carried > 0))
    assert [run.status for run in runs] == ["explained", "explained", "failed", "explained"], [run.why for run in runs]
    assert "failed in split 0" in runs[2].why


def test_folds_of_equal_rows_are_explained():
    rows = np.vstack([X[:15], X[:1]])
    scorer = ExplainingScorer("accuracy")
    search = GridSearchCV(TREE, {"max_depth": [1, 2]}, cv=LeaveOneOut(), scoring=scorer)
    runs = scorer.explain(search.fit(rows, np.arange(16) % 2))
    assert {run.status for run in runs} == {"explained"}, [run.why for run in runs]
