"""What the readers refuse or cannot see into, and say so; tables they must encode; covers; random models."""

from __future__ import annotations

from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import xgboost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import ensemble, linear_model, tree
from threadpoolctl import threadpool_limits

from automl_explain.explainers._errors import InvalidInputError, NotFittedError, UnsupportedModelError
from automl_explain.explainers.model._fitted_model import Opaque
from automl_explain.explainers.model._registry import describe
from automl_explain.integrations.readers import _catboost, _lightgbm, _xgboost
from automl_explain.integrations.readers._ubjson import loads
from automl_explain.integrations.readers.sklearn import _trees as _sklearn_trees
from tests import tree_reference
from tests.integrations.readers.tree_models import (
    CATBOOST_SMALL,
    LIGHTGBM_SMALL,
    N_ROWS,
    XGBOOST_SMALL,
    catboost_frame,
    coded,
    frame,
    labels,
    numbers,
    target,
)
from tests.oracles import path_dependent_game, shapley_values


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(limits=1):
        yield


# ------------------------------------------------------------------------------------------- refused, and why it is

UNFITTED = [
    tree.DecisionTreeClassifier(),
    tree.ExtraTreeRegressor(),
    ensemble.RandomForestClassifier(),
    ensemble.ExtraTreesRegressor(),
    ensemble.GradientBoostingClassifier(),
    ensemble.HistGradientBoostingClassifier(),
    ensemble.HistGradientBoostingRegressor(),
    ensemble.IsolationForest(),
    ensemble.AdaBoostClassifier(),
    ensemble.AdaBoostRegressor(),
    ensemble.BaggingRegressor(),
    lightgbm.LGBMClassifier(),
    lightgbm.LGBMRanker(),
    xgboost.XGBClassifier(),
    xgboost.XGBRFRegressor(),
    catboost.CatBoostClassifier(),
    catboost.CatBoostRegressor(),
]


@pytest.mark.parametrize("model", UNFITTED, ids=lambda model: type(model).__name__)
def test_unfitted_models_are_refused(model):
    with pytest.raises(NotFittedError, match=rf"This {type(model).__name__} is not fitted yet\. Call its 'fit' method"):
        describe(model)


def _two_targets() -> np.ndarray:
    return np.column_stack([target(), -target()])


def _two_labels() -> np.ndarray:
    return np.column_stack([labels(), 1 - labels()])


REFUSED: dict[str, tuple[Any, Any, str]] = {
    "forest of two targets": (ensemble.RandomForestRegressor(2), _two_targets, "2 targets at once"),
    "forest of two labels": (ensemble.RandomForestClassifier(2), _two_labels, "2 targets at once"),
    "tree of two targets": (tree.DecisionTreeRegressor(), _two_targets, "2 targets at once"),
    "bagging of two targets": (ensemble.BaggingRegressor(tree.DecisionTreeRegressor(), 2), _two_targets, "2 targets"),
    "one class": (ensemble.RandomForestClassifier(2), lambda: np.ones(N_ROWS), "one class only"),
    "histograms of one class": (ensemble.HistGradientBoostingClassifier(), lambda: np.ones(N_ROWS), "one class only"),
    "lightgbm of one class": (lightgbm.LGBMClassifier(**LIGHTGBM_SMALL), lambda: np.ones(N_ROWS), "one class only"),
    "xgboost of one class": (
        xgboost.XGBClassifier(**XGBOOST_SMALL, base_score=0.5),
        lambda: np.zeros(N_ROWS),
        "one class only",
    ),
    "embedding": (ensemble.RandomTreesEmbedding(2), lambda: None, "predicts nothing"),
    "xgboost of two targets": (xgboost.XGBRegressor(**XGBOOST_SMALL), _two_targets, "2 targets at once"),
    "xgboost of two labels": (xgboost.XGBClassifier(**XGBOOST_SMALL), _two_labels, "2 targets at once"),
    "catboost with uncertainty": (
        catboost.CatBoostRegressor(**CATBOOST_SMALL, loss_function="RMSEWithUncertainty"),
        target,
        "2 targets at once",
    ),
    "catboost of two labels": (
        catboost.CatBoostClassifier(**CATBOOST_SMALL, loss_function="MultiLogloss"),
        _two_labels,
        "2 targets at once",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_variants_without_a_description_are_refused_with_a_reason(name):
    model, make_target, reason = REFUSED[name]
    model.fit(numbers(), make_target())
    with pytest.raises(UnsupportedModelError, match=reason):
        describe(model)


def _regression_init() -> Any:
    return ensemble.GradientBoostingRegressor(n_estimators=3, init=linear_model.LinearRegression())


OPAQUE: dict[str, tuple[Any, Any, str]] = {
    "adaboost regressor": (ensemble.AdaBoostRegressor(n_estimators=3), target, "weighted median"),
    "adaboost of linear models": (
        ensemble.AdaBoostClassifier(linear_model.LogisticRegression(), n_estimators=3),
        labels,
        "its members are LogisticRegression models",
    ),
    "bagging of linear models": (
        ensemble.BaggingClassifier(linear_model.RidgeClassifier(), 3),
        labels,
        "its members are RidgeClassifier models",
    ),
    "gradient boosting from a model": (_regression_init(), target, "its initial estimator"),
    "lightgbm, linear trees": (
        lightgbm.LGBMRegressor(**LIGHTGBM_SMALL, linear_tree=True),
        target,
        "linear models in its leaves",
    ),
}


@pytest.mark.parametrize("name", OPAQUE)
def test_models_that_are_no_sum_of_trees_are_opaque_with_a_reason(name):
    model, make_target, reason = OPAQUE[name]
    X = numbers()[:, :3]
    described = describe(model.fit(X, make_target()))
    assert isinstance(described.structure, Opaque)
    assert reason in described.structure.why
    assert described.predict(X).shape == (N_ROWS, described.n_outputs)


def test_catboost_with_target_statistics_is_opaque():
    table = catboost_frame()
    model = catboost.CatBoostClassifier(**{**CATBOOST_SMALL, "one_hot_max_size": 2}, cat_features=["letter", "shade"])
    described = describe(model.fit(table, labels()))
    assert isinstance(described.structure, Opaque)
    assert "target statistics" in described.structure.why
    assert described.encode(table) is table
    np.testing.assert_array_equal(described.outputs["probability"](table), model.predict_proba(table))
    with pytest.raises(UnsupportedModelError, match="target statistics"):
        _catboost.read_trees(model)


def test_catboost_with_text_is_opaque():
    table = pd.DataFrame({"x": numbers()[:, 0], "text": np.resize(["a red fox", "a blue fox", "no fox"], N_ROWS)})
    model = catboost.CatBoostClassifier(**CATBOOST_SMALL, text_features=["text"]).fit(table, labels())
    described = describe(model)
    assert isinstance(described.structure, Opaque)
    assert "text" in described.structure.why


def test_boosting_from_a_model_is_not_read_as_trees():
    model = _regression_init().fit(numbers(), target())
    with pytest.raises(UnsupportedModelError, match="initial estimator"):
        _sklearn_trees.read_boosting(model)


def test_boosters_without_trees_are_refused():
    data = lightgbm.Dataset(numbers(), labels())
    with pytest.raises(UnsupportedModelError, match="no trees"):
        _lightgbm.read_trees(lightgbm.Booster({"objective": "binary", "verbose": -1}, data))
    with pytest.raises(UnsupportedModelError, match="no trees"):
        _xgboost.read_trees(xgboost.train({}, xgboost.DMatrix(numbers(), labels()), 0))


# ------------------------------------------------------------------------------------------------- tables and names


def test_lightgbm_reads_other_orders_of_categories_and_unseen_ones():
    table = frame()
    model = lightgbm.LGBMClassifier(**LIGHTGBM_SMALL).fit(table, labels())
    other = table.head(60).copy()
    other["letter"] = pd.Categorical(["never seen", *other["letter"][1:]])
    described = describe(model)
    matrix = described.encode(other)
    assert np.isnan(matrix[0, 1])
    margin = tree_reference.predict(described.structure, matrix)[:, 0]
    np.testing.assert_allclose(margin, model.predict(other, raw_score=True), rtol=1e-12)
    with pytest.raises(InvalidInputError, match=r"2 columns of category dtype. Got 1: \['letter'\]"):
        described.encode(other.astype({"shade": "str"}))


def test_xgboost_reads_other_orders_of_categories_and_refuses_unseen_ones():
    table = frame()
    model = xgboost.XGBClassifier(**XGBOOST_SMALL).fit(table, labels())
    described = describe(model)
    other = table.head(60).copy()
    other["letter"] = pd.Categorical(other["letter"], categories=sorted(table["letter"].cat.categories))
    margin = tree_reference.predict(described.structure, described.encode(other))[:, 0]
    np.testing.assert_allclose(margin, model.predict(other, output_margin=True), rtol=1e-5)
    other["letter"] = pd.Categorical(["never seen", *other["letter"][1:]])
    with pytest.raises(
        InvalidInputError, match="'letter' has the category 'never seen', which was not in the training"
    ):
        described.encode(other)


def test_xgboost_takes_what_a_sparse_table_does_not_store_as_missing():
    X = numbers()
    model = xgboost.XGBClassifier(**XGBOOST_SMALL).fit(X, labels())
    described, sparse = describe(model), scipy.sparse.csr_matrix(X)
    assert np.isnan(described.encode(sparse)).any()
    margin = tree_reference.predict(described.structure, described.encode(sparse))[:, 0]
    np.testing.assert_allclose(margin, model.predict(sparse, output_margin=True), rtol=1e-5, atol=1e-6)


def test_histograms_read_unknown_categories_as_missing():
    table = frame()
    model = ensemble.HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype").fit(table, labels())
    other = table.head(60).copy()
    other["letter"] = pd.Categorical(["never seen", *other["letter"][1:]])
    described = describe(model)
    assert np.isnan(described.encode(other)[0, 1])
    margin = tree_reference.predict(described.structure, described.encode(other))[:, 0]
    np.testing.assert_allclose(margin, model.decision_function(other), rtol=1e-12)


def test_catboost_reads_unknown_categories_and_refuses_numbers_with_fractions():
    table = catboost_frame()
    model = catboost.CatBoostClassifier(**CATBOOST_SMALL, cat_features=["letter", "shade", "flag"])
    described = describe(model.fit(table, labels()))
    other = table.head(60).copy()
    other.loc[::2, "letter"] = "never seen"
    margin = tree_reference.predict(described.structure, described.encode(other))[:, 0]
    np.testing.assert_array_equal(margin, model.predict(other, prediction_type="RawFormulaVal"))
    with pytest.raises(
        InvalidInputError, match=r"CatBoost takes integers and strings as categories\. Column 'flag' has 0\.5"
    ):
        described.encode(other.assign(flag=0.5))


def test_tables_without_their_names_are_taken_without_a_warning():
    table = frame().drop(columns=["letter", "shade"]).astype(float).fillna(0)
    named = describe(ensemble.RandomForestClassifier(3, random_state=0).fit(table, labels()))
    unnamed = describe(ensemble.RandomForestClassifier(3, random_state=0).fit(table.to_numpy(), labels()))
    expected = named.predict(table)
    for described in (named, unnamed):
        np.testing.assert_array_equal(described.predict(table), expected)
        np.testing.assert_array_equal(described.predict(table.to_numpy()), expected)
        np.testing.assert_array_equal(described.encode(table), table.to_numpy())


def test_missing_values_are_allowed_where_the_library_allows_them():
    X, y = numbers(), labels()
    allowed = {
        type(model).__name__: describe(model.fit(X, y)).structure.allows_missing
        for model in (
            ensemble.RandomForestClassifier(2),
            ensemble.GradientBoostingClassifier(n_estimators=2),
            ensemble.AdaBoostClassifier(n_estimators=2),
            ensemble.HistGradientBoostingClassifier(max_iter=2),
            lightgbm.LGBMClassifier(**LIGHTGBM_SMALL),
        )
    }
    assert allowed == {
        "RandomForestClassifier": True,
        "GradientBoostingClassifier": False,
        "AdaBoostClassifier": False,
        "HistGradientBoostingClassifier": True,
        "LGBMClassifier": True,
    }


def test_numbers_of_any_kind_are_encoded_exactly():
    table = pd.DataFrame(
        {
            "integer": pd.array([1, None, 2**52 + 1], dtype="Int64"),
            "truth": pd.array([True, False, None], dtype="boolean"),
            "single": np.array([0.1, np.inf, -0.0], dtype=np.float32),
            "object": np.array([1, 2.5, None], dtype=object),
        }
    )
    described = describe(lightgbm.LGBMRegressor(**LIGHTGBM_SMALL).fit(numbers()[:, :4], target()))
    expected = [[1, 1, np.float32(0.1), 1], [np.nan, 0, np.inf, 2.5], [2**52 + 1, np.nan, -0.0, np.nan]]
    np.testing.assert_array_equal(described.encode(table), expected)
    np.testing.assert_array_equal(described.encode([[1, 2, 3, 4]]), [[1, 2, 3, 4]])
    with pytest.raises(InvalidInputError, match=r"two dimensions.*reshape\(1, -1\)"):
        described.encode([1, 2, 3, 4])


def test_boosters_in_a_forest_keep_their_classes_in_order():
    names = np.array(["b", "a", "c"])[labels(3)]
    for model in (lightgbm.LGBMClassifier(**LIGHTGBM_SMALL), catboost.CatBoostClassifier(**CATBOOST_SMALL)):
        described = describe(model.fit(numbers(), names))
        assert described.classes == ("a", "b", "c")
        np.testing.assert_allclose(described.outputs["probability"](numbers()), model.predict_proba(numbers()))


def test_catboost_reads_sums_of_models_and_loaded_models(tmp_path):
    X = np.array(numbers())
    model = catboost.CatBoostRegressor(**CATBOOST_SMALL, loss_function="Poisson").fit(X, np.abs(target()))
    model.save_model(str(tmp_path / "model.cbm"))
    loaded = describe(catboost.CatBoostRegressor().load_model(str(tmp_path / "model.cbm")))
    assert loaded.output_space == "margin"
    np.testing.assert_array_equal(loaded.outputs["response"](X)[:, 0], model.predict(X))
    both = catboost.sum_models([model, model], weights=[1.0, 0.5])
    described = describe(both)
    np.testing.assert_allclose(tree_reference.predict(described.structure, X)[:, 0], both.predict(X), rtol=1e-12)


def test_xgboost_reads_the_first_rounds_of_a_booster():
    booster = xgboost.train({"max_depth": 3}, xgboost.DMatrix(numbers(), labels()), 8)
    trees = _xgboost.read_trees(booster, 3)
    margin = booster.inplace_predict(numbers(), iteration_range=(0, 3), predict_type="margin")
    assert trees.n_trees == 3
    np.testing.assert_allclose(tree_reference.predict(trees, np.array(numbers()))[:, 0], margin, rtol=1e-5)


# ----------------------------------------------------------------------------------------------------- file formats


def test_category_hashes_are_catboosts():
    random = np.random.default_rng(0)
    letters = list("abcXYZ019 _é漢")
    texts = ["".join(random.choice(letters, size)) for size in [*range(1, 70), 100, 128, 129, 200]]
    table = pd.DataFrame({"text": texts, "x": np.arange(len(texts))})
    y = np.arange(len(texts)) % 2
    model = catboost.CatBoostClassifier(**{**CATBOOST_SMALL, "one_hot_max_size": 200, "iterations": 60, "depth": 6})
    model.fit(table, y, cat_features=["text"])
    [known] = _catboost._read(model)[1].values()
    assert len(known) > 20
    assert set(known) <= {_catboost.category_hash(text) for text in texts}


@pytest.mark.parametrize(
    ("document", "value"),
    [
        (b"Z", None),
        (b"T", True),
        (b"F", False),
        (b"i\xff", -1),
        (b"U\xff", 255),
        (b"I\x01\x00", 256),
        (b"l\x00\x01\x00\x00", 65536),
        (b"L\x00\x00\x00\x01\x00\x00\x00\x00", 2**32),
        (b"d\x3f\x80\x00\x00", 1.0),
        (b"D\xbf\xf0\x00\x00\x00\x00\x00\x00", -1.0),
        (b"Cx", "x"),
        (b"SU\x03\xc3\xa91", "é1"),
        (b"[i\x01Z]", [1, None]),
        (b"[#i\x02i\x01T", [1, True]),
        (b"[$Z#i\x02", [None, None]),
        (b"{i\x01ai\x05i\x01b[]}", {"a": 5, "b": []}),
        (b"{#i\x01i\x01aT", {"a": True}),
        (b"{$i#i\x01i\x01a\x07", {"a": 7}),
    ],
)
def test_binary_json_is_read(document, value):
    assert loads(document) == value


def test_typed_arrays_of_binary_json_become_arrays():
    array = loads(b"[$I#i\x02\x01\x00\xff\xff")
    assert array.dtype == np.int16
    assert array.tolist() == [256, -1]
    with pytest.raises(InvalidInputError, match="Expected a UBJSON value at byte 0"):
        loads(b"?")


# ------------------------------------------------------------------------------------ covers: the libraries' own SHAP


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


# ---------------------------------------------------------------------------------------------------- random models

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
