"""The six values, for binary, multiclass and regression."""

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from automl_explain import (
    ColumnMismatchError,
    InvalidInputError,
    NotFittedError,
    RunHistory,
    RunNotFoundError,
    UnsupportedModelError,
    explain_model,
    retrieve_model_explanation,
)

LGBM = {"n_estimators": 20, "num_leaves": 7, "verbose": -1, "n_jobs": 1}


def binary():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    return LGBMClassifier(**LGBM).fit(X, y), X, [0, 1]


def multiclass():
    X, y = load_iris(return_X_y=True, as_frame=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    return LGBMClassifier(**LGBM).fit(X, names), X, ["setosa", "versicolor", "virginica"]


def regression():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    return LGBMRegressor(**LGBM).fit(X, y), X, None


@pytest.mark.parametrize("case", [binary, multiclass])
def test_six_values_of_a_classification(case):
    model, X, classes = case()
    rows = X.iloc[::10]
    n, f, n_classes = len(rows), X.shape[1], len(classes)
    explained = explain_model(model, X, rows)
    shap_values, expected_values, overall_summary, overall_imp, per_class_summary, per_class_imp = explained
    assert isinstance(shap_values, list)
    assert [values.shape for values in shap_values] == [(n, f)] * n_classes
    assert expected_values.shape == (n_classes,)
    assert overall_summary.shape == (f,)
    assert len(overall_imp) == f
    assert per_class_summary.shape == per_class_imp.shape == (n_classes, f)
    assert list(explained.classes) == classes

    margin = model.predict(X, raw_score=True)
    margin = np.column_stack([-margin, margin]) if n_classes == 2 else margin
    for c, values in enumerate(shap_values):
        np.testing.assert_allclose(values.sum(axis=1) + expected_values[c], margin[::10, c], atol=1e-9)
    np.testing.assert_allclose(expected_values, margin.mean(axis=0), atol=1e-9)

    mean = np.mean([np.abs(values).mean(axis=0) for values in shap_values], axis=0)
    np.testing.assert_allclose(overall_summary, np.sort(mean)[::-1])
    assert [mean[X.columns.get_loc(name)] for name in overall_imp] == pytest.approx(overall_summary.tolist())
    for c in range(n_classes):
        own = np.abs(shap_values[c]).mean(axis=0)
        assert [own[X.columns.get_loc(name)] for name in per_class_imp[c]] == pytest.approx(
            per_class_summary[c].tolist()
        )
        assert (np.diff(per_class_summary[c]) <= 0).all()


def test_six_values_of_a_regression():
    model, X, _ = regression()
    shap_values, expected_values, overall_summary, overall_imp, per_class_summary, per_class_imp = explain_model(
        model, X, X[:9]
    )
    assert shap_values.shape == (9, 10)
    assert expected_values.shape == (1,)
    assert expected_values[0] == pytest.approx(model.predict(X).mean())
    np.testing.assert_allclose(shap_values.sum(axis=1) + expected_values, model.predict(X[:9]))
    np.testing.assert_allclose(overall_summary, np.sort(np.abs(shap_values).mean(axis=0))[::-1])
    assert per_class_summary is None
    assert per_class_imp is None
    assert set(overall_imp) == set(X.columns)


def test_tables_without_names_give_column_numbers_unless_names_are_given():
    model, X, _ = regression()
    model = LGBMRegressor(**LGBM).fit(X.to_numpy(), model.predict(X))
    assert set(explain_model(model, X.to_numpy(), X.to_numpy()[:3]).overall_imp) == set(range(10))
    assert set(explain_model(model, X.to_numpy(), X.to_numpy()[:3], features=list(X.columns)).overall_imp) == set(
        X.columns
    )


def test_labels_come_from_y_train_or_classes_for_models_that_know_numbers():
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = RandomForestClassifier(5, random_state=0).fit(X, y)
    names = np.array(["setosa", "versicolor", "virginica"])
    assert explain_model(model, X, X[:2], None, None, names[y]).classes == tuple(names)
    assert explain_model(model, X, X[:2], classes=["a", "b", "c"]).classes == ("a", "b", "c")
    assert explain_model(model, X, X[:2]).classes == (0, 1, 2)


def test_one_row_may_be_a_series_or_an_array():
    model, X, _ = regression()
    row = explain_model(model, X, X.iloc[[4]]).shap_values
    np.testing.assert_array_equal(explain_model(model, X, X.iloc[4]).shap_values, row)
    np.testing.assert_array_equal(explain_model(model, X, X.iloc[4].to_numpy()).shap_values, row)


def test_what_stands_behind_the_six_values():
    model, X, _ = multiclass()
    explained = explain_model(model, X, X[:5])
    assert explained.method == "tree"
    assert explained.output_space == "log_odds"
    assert explained.additivity_error < 1e-9
    assert "150 background rows" in explained.reason
    assert explained.raw is explained.explanation
    assert explained.engineered is None
    frame = explained.to_frame()
    assert frame.columns.tolist() == ["overall", "setosa", "versicolor", "virginica"]
    assert frame.index.tolist() == explained.overall_imp
    assert "<table" in explained._repr_html_()
    assert len(explained) == 6
    assert tuple(explained)[3] == explained.overall_imp


def test_an_explanation_is_stored_on_a_run(tmp_path):
    model, X, _ = binary()
    history = RunHistory(tmp_path)
    search = history.start_search("flaml", "binary", {})
    row = {"number": 0, "learner": "lgbm", "config": {}, "loss": 0.1, "metric": "auc", "kind": "trial"}
    (run_id,) = history.add_runs(search, [row | {"status": "captured", "why": "", "sample_size": None}])
    explained = explain_model(model, X, X[:4], history.run(run_id))
    again = retrieve_model_explanation(history.run(run_id))
    assert np.array_equal(again.shap_values[1], explained.shap_values[1])
    assert again.overall_imp == explained.overall_imp
    assert history.run(run_id).status == "explained"
    assert history.run(run_id).top[0][0] == explained.overall_imp[0]


def test_probabilities_are_explained_as_probabilities():
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = LogisticRegression(max_iter=1000).fit(X, y)
    explained = explain_model(model, X[::10], X[:3], output="probability")
    total = np.column_stack([values.sum(axis=1) for values in explained.shap_values]) + explained.expected_values
    np.testing.assert_allclose(total, model.predict_proba(X[:3]), atol=1e-9)


def test_names_given_for_raw_columns_do_not_rename_reordered_ones():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 4)), columns=list("abcd"))
    encode = ColumnTransformer([("n", StandardScaler(), ["d", "c"]), ("o", StandardScaler(), ["b", "a"])])
    model = make_pipeline(encode, LogisticRegression()).fit(X, X["a"] > 0)
    named = explain_model(model, X, X[:5], features=list("abcd"))
    assert named.explanation.features == ("n__d", "n__c", "o__b", "o__a")
    assert explain_model(model, X, X[:5], features=list("abcd"), feature_space="raw").explanation.features == tuple(
        "abcd"
    )


def test_mixed_columns_are_not_passed_off_as_raw_ones():
    X, y = load_iris(return_X_y=True, as_frame=True)
    explained = explain_model(make_pipeline(PCA(2), LogisticRegression()).fit(X, y), X, X[:5])
    assert not explained.explanation.is_raw
    assert explained.engineered is explained.explanation
    with pytest.raises(InvalidInputError, match="No feature map is known"):
        _ = explained.raw


def test_rows_in_another_format_are_brought_to_that_of_the_background():
    X = pd.DataFrame({"n": np.arange(60.0), "k": pd.Categorical(list("abc") * 20)})
    model = LGBMRegressor(min_child_samples=2, n_estimators=10, verbose=-1).fit(X, X["n"] + (X["k"] == "b") * 30)
    expected = explain_model(model, X, X[:3]).shap_values
    np.testing.assert_array_equal(explain_model(model, X, X[:3].astype({"k": object})).shap_values, expected)
    np.testing.assert_array_equal(explain_model(model, X, X.iloc[0]).shap_values, expected[:1])
    numbers, y = load_diabetes(return_X_y=True, as_frame=True)
    model = LGBMRegressor(**LGBM).fit(numbers.to_numpy(), y)
    expected = explain_model(model, numbers.to_numpy(), numbers.to_numpy()[:3]).shap_values
    np.testing.assert_array_equal(explain_model(model, numbers.to_numpy(), numbers[:3]).shap_values, expected)


class TestRefused:
    X, y = load_diabetes(return_X_y=True, as_frame=True)

    def test_other_columns_in_the_test_rows(self):
        model = LGBMRegressor(**LGBM).fit(self.X, self.y)
        with pytest.raises(ColumnMismatchError, match=r"X lacks 1 of the training data's columns: \['bmi'\]"):
            explain_model(model, self.X, self.X.drop(columns="bmi"))

    def test_an_unfitted_model(self):
        with pytest.raises(NotFittedError):
            explain_model(LGBMRegressor(), self.X, self.X)

    def test_a_model_without_predict(self):
        with pytest.raises(UnsupportedModelError):
            explain_model(pd.DataFrame, self.X, self.X)

    def test_values_that_the_model_cannot_take(self):
        model = LogisticRegression(max_iter=50).fit(self.X, self.y > 100)
        holes = self.X.copy()
        holes.iloc[0, 0] = np.nan
        with pytest.raises(InvalidInputError, match="LogisticRegression cannot take the values of X"):
            explain_model(model, self.X, holes)
        with pytest.raises(InvalidInputError, match="cannot take the values of X"):
            explain_model(model, self.X, self.X[:2].assign(bmi="wide"))
        with pytest.raises(UnsupportedModelError, match="pass a fitted instance"):
            explain_model(LogisticRegression, self.X, self.X)

    def test_a_run_that_cannot_be_stored_on_is_refused_first(self):
        with pytest.raises(InvalidInputError, match="must be a Run, a run id.* Got builtins.int"):
            explain_model(None, None, None, best_run=3)
        with pytest.raises(RunNotFoundError):
            explain_model(None, None, None, best_run="nope")

    def test_no_rows_and_no_table(self):
        model = LGBMRegressor(**LGBM).fit(self.X, self.y)
        with pytest.raises(InvalidInputError, match="X_test must have rows"):
            explain_model(model, self.X, self.X[:0])
        with pytest.raises(InvalidInputError, match="must be a table"):
            explain_model(model, self.X, "rows")
        with pytest.raises(InvalidInputError, match="2-D table"):
            explain_model(model, self.X, np.ones((2, 2, 2)))
