"""Random tree models on awkward numbers, and covers that are those of the libraries' own Shapley values."""

from __future__ import annotations

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import ensemble, tree
from threadpoolctl import threadpool_limits

from automl_explain.explainers.model._registry import describe
from automl_explain.integrations.readers import _catboost, _lightgbm, _xgboost
from automl_explain.integrations.readers.sklearn import _trees as _sklearn_trees
from tests import tree_reference
from tests.integrations.readers.tree_models.catboost_cases import CATBOOST_SMALL
from tests.integrations.readers.tree_models.tables import coded, labels, numbers, target
from tests.oracles import path_dependent_game, shapley_values


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(limits=1):
        yield


def _path_dependent(trees, row) -> np.ndarray:
    return shapley_values(path_dependent_game(trees, row, range(len(row))), len(row))[0]


def test_covers_are_those_of_lightgbms_shapley_values():
    X = coded()
    model = lightgbm.train(
        {"objective": "binary", "verbose": -1, "min_data_in_leaf": 10, "num_leaves": 8, "num_threads": 1},
        lightgbm.Dataset(X, labels(), categorical_feature=[1]),
        3,
    )
    expected = model.predict(X[:4], pred_contrib=True)[:, :-1]
    trees = _lightgbm.read_trees(model)
    np.testing.assert_allclose([_path_dependent(trees, row) for row in X[:4]], expected, atol=1e-9)


def test_covers_are_those_of_xgboosts_shapley_values():
    X = np.array(numbers(True))
    model = xgboost.train({"objective": "binary:logistic", "max_depth": 3}, xgboost.DMatrix(X, labels()), 3)
    expected = model.predict(xgboost.DMatrix(X[:4]), pred_contribs=True)[:, :-1]
    trees = _xgboost.read_trees(model)
    np.testing.assert_allclose([_path_dependent(trees, row) for row in X[:4]], expected, atol=1e-5)


@pytest.mark.parametrize("policy", ["SymmetricTree", "Depthwise"])
def test_covers_are_those_of_catboosts_shapley_values(policy):
    X = np.array(numbers(True))
    model = catboost.CatBoostRegressor(**{**CATBOOST_SMALL, "depth": 3, "iterations": 3}, grow_policy=policy)
    model.fit(X, target())
    expected = model.get_feature_importance(catboost.Pool(X[:4]), type="ShapValues")[:, :-1]
    trees = _catboost.read_trees(model)
    np.testing.assert_allclose([_path_dependent(trees, row) for row in X[:4]], expected, atol=1e-9)


NUMBERS = st.sampled_from(
    [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, 0.1, 1e-35, -1e-35, 1e-40, 1e6, 16777217.0, -3.3, np.nan]
)
TABLES = st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=12, max_size=40).map(np.array)
FUZZ = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def _rows_on_thresholds(trees, X: np.ndarray) -> np.ndarray:
    """Every row, with every column set to every threshold in turn."""
    rows = [X]
    for column in range(X.shape[1]):
        thresholds = trees.threshold[trees.feature == column]
        for threshold in np.unique(thresholds[np.isfinite(thresholds)]):
            moved = X.copy()
            moved[:, column] = threshold
            rows.append(moved)
    return np.concatenate(rows)


def _answer(X: np.ndarray) -> np.ndarray:
    return np.nan_to_num(X).sum(axis=1) + np.arange(len(X)) % 3


@FUZZ
@given(TABLES, st.booleans(), st.booleans())
def test_random_lightgbm_models(X, use_missing, zero_as_missing):
    model = lightgbm.LGBMRegressor(
        n_estimators=3, min_child_samples=1, min_data_in_bin=1, verbose=-1, n_jobs=1,
        use_missing=use_missing, zero_as_missing=zero_as_missing,
    ).fit(X, _answer(X))  # fmt: skip
    trees = _lightgbm.read_trees(model.booster_)
    rows = _rows_on_thresholds(trees, X)
    np.testing.assert_allclose(tree_reference.predict(trees, rows)[:, 0], model.predict(rows), rtol=1e-12, atol=1e-12)


@FUZZ
@given(TABLES, st.sampled_from(["exact", "hist", "approx"]))
def test_random_xgboost_models(X, method):
    model = xgboost.XGBRegressor(n_estimators=3, tree_method=method, n_jobs=1, min_child_weight=0)
    model.fit(X, _answer(X))
    trees = _xgboost.read_trees(model.get_booster())
    rows = _rows_on_thresholds(trees, X)
    ours = tree_reference.predict(trees, rows)[:, 0]
    np.testing.assert_allclose(ours, model.predict(rows), rtol=1e-5, atol=1e-5 * np.abs(ours).max(initial=1))


@FUZZ
@given(TABLES, st.sampled_from(["best", "random"]))
def test_random_scikit_learn_trees(X, splitter):
    model = tree.DecisionTreeRegressor(splitter=splitter, random_state=0).fit(X, _answer(X))
    trees = _sklearn_trees.read_forest(model)
    rows = _rows_on_thresholds(trees, X)
    np.testing.assert_array_equal(tree_reference.predict(trees, rows)[:, 0], model.predict(rows))


@FUZZ
@given(TABLES)
def test_random_histogram_models(X):
    model = ensemble.HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=1, early_stopping=False).fit(
        X, _answer(X)
    )
    trees = describe(model).structure
    rows = _rows_on_thresholds(trees, X)
    np.testing.assert_allclose(tree_reference.predict(trees, rows)[:, 0], model.predict(rows), rtol=1e-12, atol=1e-12)
