"""Weights of background rows: for every engine, equal to repeated rows."""

import numpy as np
import pandas as pd
import pytest
import shap
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor, VotingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from automl_explain import (
    InvalidInputError,
    SamplingOptions,
    TabularExplainer,
    TreeExplainer,
)
from automl_explain.explainers.methods._background import _first_component, means, representative
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.tables._table import Table
from tests.oracles import model_game, shapley_values

X = np.random.default_rng(0).normal(size=(150, 4))
TARGET = X[:, 0] + X[:, 1] * X[:, 2]
CLASSES = np.digitize(TARGET, [-0.5, 0.5])
SUMMARY = shap.kmeans(X, 6)
TIMES = np.round(SUMMARY.weights * 150).astype(int)
FOREST = RandomForestRegressor(5, max_depth=4, random_state=0).fit(X, TARGET)

CASES = {
    "trees": (FOREST, "auto"),
    "linear": (LinearRegression().fit(X, TARGET), "auto"),
    "opaque": (KNeighborsClassifier().fit(X, CLASSES), "auto"),
    "composite": (LogisticRegression().fit(X, CLASSES), "probability"),
    "mixture": (
        VotingRegressor(
            [("f", RandomForestRegressor(3, random_state=0)), ("l", LinearRegression()), ("n", KNeighborsRegressor())]
        ).fit(X, TARGET),
        "auto",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_weighted_row_counts_as_often_as_it_weighs(case):
    model, output = CASES[case]
    assert len(set(TIMES)) > 1
    found = TabularExplainer(model, SUMMARY, output=output).explain_local(X[:3])
    repeated = np.repeat(SUMMARY.data, TIMES, axis=0)
    classifies = hasattr(model, "predict_proba")
    predict = model.predict_proba if classifies else lambda rows: model.predict(rows)[:, None]
    np.testing.assert_allclose(found.expected_values, predict(repeated).mean(axis=0), atol=1e-9)
    for i in range(3):
        expected = shapley_values(model_game(predict, X[i : i + 1], repeated), 4)
        values = found.local_importance_values if classifies else found.local_importance_values[None]
        np.testing.assert_allclose(values[:, i], expected, atol=1e-9)


def test_fewer_rows_of_a_weighted_background_keep_its_mean():
    rng = np.random.default_rng(1)
    share = rng.dirichlet(np.full(150, 0.2))
    kept, weights, note = representative(describe(FOREST), Table(X), 60, share)
    assert len(kept) == len(weights) <= 60
    assert note.startswith(f"background: {len(kept)} of 150 rows")
    assert weights.sum() == pytest.approx(1)
    outputs = FOREST.predict(X)
    assert abs(weights @ FOREST.predict(kept.data) - share @ outputs) < 0.02 * outputs.std()


def test_weights_given_apart_are_the_same():
    apart = TreeExplainer(FOREST, SUMMARY.data, weights=SUMMARY.weights).explain_local(X[:3])
    own = TreeExplainer(FOREST, SUMMARY).explain_local(X[:3])
    np.testing.assert_allclose(apart.local_importance_values, own.local_importance_values, rtol=1e-12)


def test_probabilities_of_trees_take_weights():
    model = RandomForestClassifier(3, random_state=0).fit(X, CLASSES)
    found = TreeExplainer(model, SUMMARY.data, weights=SUMMARY.weights)
    np.testing.assert_allclose(found.expected_values, SUMMARY.weights @ model.predict_proba(SUMMARY.data), atol=1e-12)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: TreeExplainer(FOREST, SUMMARY, weights=np.ones(6)), "that include weights"),
        (lambda: TreeExplainer(FOREST, weights=np.ones(6)), "Got no background"),
        (lambda: TabularExplainer(FOREST, X, weights=np.ones(6)), "for each of the 150 background rows"),
        (lambda: TabularExplainer(FOREST, X).explain_local(SUMMARY), "X has weights of its own"),
    ],
)
def test_weights_that_would_be_lost_are_refused(make, words):
    with pytest.raises(InvalidInputError, match=words):
        make()


def test_means_are_those_of_shap_where_groups_lie_apart():
    rng = np.random.default_rng(2)
    rows = np.repeat(rng.permutation(24).reshape(6, 4) * 10.0, [40, 30, 30, 20, 20, 10], axis=0)
    rows = rows + rng.normal(scale=0.1, size=rows.shape)
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    model = describe(LinearRegression().fit(rows, rows.sum(axis=1)))
    found, weights, note = means(model, Table(rows), 6)
    theirs = shap.kmeans(rows, 6)
    mine, order = np.lexsort(found.data.T), np.lexsort(theirs.data.T)
    np.testing.assert_array_equal(found.data[mine], theirs.data[order])
    np.testing.assert_allclose(weights[mine], theirs.weights[order])
    assert note.startswith("background: 6 weighted means of 150 rows")


def mixed():
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "size": np.where(rng.random(120) < 0.3, np.nan, rng.normal(size=120)),
            "kind": pd.Categorical.from_codes(rng.integers(0, 3, 120), ["x", "y", "z"]),
            "day": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 99, 120), unit="D"),
            "flag": rng.random(120) < 0.5,
            "count": pd.array(rng.integers(0, 5, 120), dtype="Int64"),
        }
    )


def test_means_hold_values_and_types_of_their_columns():
    rows = mixed()
    model = describe(lambda table: np.asarray(table["flag"], dtype=float), rows)
    found, weights, _ = means(model, Table(rows, tuple(rows.columns)), 8)
    assert len(found) == len(weights) == 8
    assert found.data.dtypes.tolist() == rows.dtypes.tolist()
    for name in rows:
        assert set(found.data[name].dropna()) <= set(rows[name].dropna())


def test_a_summary_of_weighted_rows_weighs_what_stands_for_more():
    share = np.random.default_rng(4).dirichlet(np.ones(150))
    repeated = np.round(share * 3000).astype(int)
    kept, weights, _ = means(describe(FOREST), Table(X), 40, repeated / repeated.sum())
    assert weights.sum() == pytest.approx(1)
    assert abs(weights @ kept.data - repeated @ X / repeated.sum()).max() < 0.1


def test_explanations_say_which_summary_they_rest_on():
    model = KNeighborsClassifier().fit(X, CLASSES)
    explainer = TabularExplainer(model, X, sampling=SamplingOptions(background_size=20, background_summary="kmeans"))
    explanation = explainer.explain_local(X[:2])
    assert explanation.notes[0].startswith("background: 20 weighted means of 150 rows, by k-means")
    assert explanation.additivity_error < 1e-9
    assert abs(explanation.expected_values - model.predict_proba(X).mean(axis=0)).max() < 0.15
    with pytest.raises(InvalidInputError, match="must be one of"):
        TabularExplainer(model, X, sampling=SamplingOptions(background_summary="medoids"))
    with pytest.raises(InvalidInputError, match="needs a dense background"):
        TabularExplainer(
            KNeighborsClassifier().fit(sparse.csr_matrix(X), CLASSES),
            sparse.csr_matrix(X),
            sampling=SamplingOptions(background_summary="kmeans"),
        )


@pytest.mark.parametrize("n_outputs", [2, 5, 30, 31, 200])
def test_rows_are_ordered_along_the_first_component_however_many_classes_there_are(n_outputs):
    outputs = np.random.default_rng(n_outputs).normal(size=(30, n_outputs)) * np.linspace(3.0, 1.0, n_outputs)
    centred = outputs - outputs.mean(axis=0)
    wanted = centred @ np.linalg.svd(centred)[2][0]
    found = centred @ _first_component(centred)
    assert abs(np.corrcoef(found, wanted)[0, 1]) == pytest.approx(1.0, abs=1e-9)
