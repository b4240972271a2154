"""Tables that the readers of trees must encode as the libraries do: categories, missing cells, names, numbers."""

from __future__ import annotations

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import xgboost
from sklearn import ensemble
from threadpoolctl import threadpool_limits

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._registry import describe
from automl_explain.integrations.readers import _xgboost
from tests import tree_reference
from tests.integrations.readers.tree_models.catboost_cases import CATBOOST_SMALL, catboost_frame
from tests.integrations.readers.tree_models.lightgbm_cases import LIGHTGBM_SMALL
from tests.integrations.readers.tree_models.tables import frame, labels, numbers, target
from tests.integrations.readers.tree_models.xgboost_cases import XGBOOST_SMALL


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(limits=1):
        yield


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
