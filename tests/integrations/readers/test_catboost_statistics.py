"""CatBoost's target statistics of single columns, read as sets of categories."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

from automl_explain import TabularExplainer, TreeExplainer, explain_model
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.model._structures import OwnValues
from automl_explain.explainers.trees._predict import predict_trees
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.integrations.readers import _catboost
from tests.integrations.readers.test_catboost_shap import CATEGORIES, SMALL, N, its_own, score, table
from tests.oracles import model_game, shapley_values

KINDS = ["regression", "Poisson", "binary", "multiclass"]
STATISTICS = {
    "default": {},
    "Borders": {"simple_ctr": ["Borders:TargetBorderCount=1:Prior=0.3/1:Prior=2/1"]},
    "Buckets": {"simple_ctr": ["Buckets"]},
    "means": {"simple_ctr": ["BinarizedTargetMeanValue"]},
    "Counter": {"simple_ctr": ["Counter"]},
    "all rows": {"simple_ctr": ["Counter"], "counter_calc_method": "SkipTest"},
    "one-hot, too": {"one_hot_max_size": 10},
}
"""Name -> parameters that say which statistics the trees may split on."""


@cache
def fitted(kind: str, statistics: str = "default", grow_policy: str = "SymmetricTree") -> Any:
    parameters = {**SMALL, "one_hot_max_size": 2, "max_ctr_complexity": 1, "grow_policy": grow_policy}
    parameters |= STATISTICS[statistics]
    y = score()
    if kind == "regression":
        model = catboost.CatBoostRegressor(**parameters)
    elif kind == "Poisson":
        parameters |= {"iterations": 60, "loss_function": "Poisson"}  # the first ones split on numbers alone
        model, y = catboost.CatBoostRegressor(**parameters), np.abs(y)
    elif kind == "binary":
        model, y = catboost.CatBoostClassifier(**parameters), np.where(y > 0.5, "up", "down")
    else:
        model, y = catboost.CatBoostClassifier(**parameters), np.digitize(y, [0.2, 1.0])
    return model.fit(table(), y, cat_features=CATEGORIES)


def rows_with_others() -> pd.DataFrame:
    """Rows of which some have categories that the model never saw."""
    rows = table().copy()
    rows.iloc[:30, 0], rows.iloc[20:60, 2] = "never", "nor this"
    return rows


def raw_score(model: Any, rows: pd.DataFrame) -> np.ndarray:
    return np.reshape(model.predict(rows, prediction_type="RawFormulaVal"), (len(rows), -1))


@pytest.mark.parametrize("grow_policy", ["SymmetricTree", "Depthwise", "Lossguide"])
@pytest.mark.parametrize("statistics", STATISTICS)
@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_those_of_the_library(kind, statistics, grow_policy):
    model, rows = fitted(kind, statistics, grow_policy), rows_with_others()
    described = describe(model)
    assert isinstance(described.structure, Trees)
    assert (described.structure.category_size > 0).any()
    outputs = predict_trees(described.structure, described.encode(rows))
    np.testing.assert_allclose(outputs, raw_score(model, rows), rtol=0, atol=1e-12)


@pytest.mark.parametrize("statistics", ["default", "Counter", "one-hot, too"])
@pytest.mark.parametrize("kind", KINDS)
def test_values_without_a_background_equal_catboosts_own(kind, statistics):
    model, rows = fitted(kind, statistics), rows_with_others().iloc[:80]
    explanation = TreeExplainer(model).explain_local(rows)
    values, expected = np.asarray(explanation.local_importance_values), its_own(model, rows)
    values = values if values.ndim == 3 else values[None]
    np.testing.assert_allclose(values[-len(expected) :], expected[:, :, :-1], rtol=0, atol=1e-12)
    assert explanation.method == "tree"


@pytest.mark.parametrize("grow_policy", ["SymmetricTree", "Lossguide"])
@pytest.mark.parametrize("kind", KINDS)
def test_values_with_a_background_are_those_of_the_definition(kind, grow_policy):
    model, rows, background = fitted(kind, "default", grow_policy), rows_with_others().iloc[[0, 25]], table()[100:120]
    explanation = TabularExplainer(model, background).explain_local(rows)
    assert explanation.method == "tree"
    described = describe(model)
    for i in range(2):
        game = model_game(described.predict, rows.iloc[[i]], background)
        values = np.asarray(explanation.local_importance_values)[..., i, :]
        np.testing.assert_allclose(np.atleast_2d(values), shapley_values(game, 4), rtol=0, atol=1e-10)


def test_categories_may_be_integers():
    X = pd.DataFrame({"shop": np.arange(N) * 7 % 23 - 5, "x": table()["x"]})
    y = (X["shop"] % 3).to_numpy() + X["x"].to_numpy()
    model = catboost.CatBoostRegressor(**SMALL, one_hot_max_size=2).fit(X, y, cat_features=["shop"])
    explained = explain_model(model, X[:50], X[50:90])
    assert explained.explanation.method == "tree"
    np.testing.assert_allclose(explained.explanation.predictions[:, 0], model.predict(X[50:90]), rtol=0, atol=1e-12)


def test_without_the_hash_the_values_are_catboosts_own(monkeypatch):
    monkeypatch.setitem(sys.modules, "clickhouse_cityhash.cityhash", None)
    structure = describe(fitted("binary")).structure
    assert isinstance(structure, OwnValues)
    assert "pip install 'automl-explain[catboost]'" in structure.why


def test_splits_that_the_tables_do_not_describe_are_not_read(monkeypatch):
    saved = dict(_catboost._saved(fitted("binary")))
    features = dict(saved["features_info"])
    features["ctrs"] = features["ctrs"][::-1]  # the splits name statistics by their places
    monkeypatch.setattr(_catboost, "_saved", lambda model: saved | {"features_info": features})
    structure = describe(fitted("binary")).structure
    assert isinstance(structure, OwnValues)
    assert "do not describe" in structure.why
