"""CatBoost models whose trees cannot be read: CatBoost's own values without a background, predictions with one."""

from __future__ import annotations

import pickle
from functools import cache
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

from automl_explain import TabularExplainer, TreeExplainer, explain_model
from automl_explain.explainers._errors import InvalidInputError, UnsupportedModelError
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.model._structures import Opaque, OwnValues
from tests.oracles import model_game, shapley_values

N = 400
SMALL = {"iterations": 12, "depth": 4, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
CATEGORIES = ["city", "shop"]


@cache
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    cities, shops = [f"c{i}" for i in range(9)], [f"s{i}" for i in range(14)]
    frame = {"city": rng.choice(cities, N), "x": rng.normal(size=N), "shop": rng.choice(shops, N)}
    return pd.DataFrame(frame | {"z": np.where(rng.random(N) < 0.2, np.nan, rng.normal(size=N))})


def score() -> np.ndarray:
    X = table()
    both = X["city"].isin(["c1", "c2", "c3"]).to_numpy() ^ X["shop"].isin(["s1", "s2", "s5", "s6"]).to_numpy()
    return both + X["x"].to_numpy() * X["shop"].isin(["s3", "s4"]).to_numpy() + np.nan_to_num(X["z"].to_numpy())


@cache
def fitted(kind: str, complexity: int = 4, **more: Any) -> Any:
    parameters = {**SMALL, "one_hot_max_size": 2, "max_ctr_complexity": complexity, **more}
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


def its_own(model: Any, rows: pd.DataFrame) -> np.ndarray:
    """Values and base values, (K, n, f + 1)."""
    values = model.get_feature_importance(catboost.Pool(rows, cat_features=CATEGORIES), type="ShapValues")
    return np.asarray(values)[None] if values.ndim == 2 else np.swapaxes(values, 0, 1)


def total(values: np.ndarray) -> np.ndarray:
    """Sum over features, (n, K)."""
    return np.reshape(values.sum(axis=-1), (-1, values.shape[-2])).T


@pytest.mark.parametrize("kind", ["regression", "Poisson", "binary", "multiclass"])
def test_values_without_a_background_are_catboosts_and_add_up(kind):
    model, rows = fitted(kind), table().iloc[:50]
    explainer = TreeExplainer(model)
    explanation = explainer.explain_local(rows)
    expected = its_own(model, rows)
    if kind == "binary":
        expected = np.concatenate([-expected, expected])
    values = np.asarray(explanation.local_importance_values)
    np.testing.assert_allclose(values if values.ndim == 3 else values[None], expected[:, :, :-1], atol=1e-12)
    np.testing.assert_allclose(explainer.expected_values, expected[:, 0, -1], atol=1e-12)
    raw = np.reshape(model.predict(rows, prediction_type="RawFormulaVal"), (len(rows), -1))
    np.testing.assert_allclose(
        explainer.expected_values[-raw.shape[1] :] + total(values)[:, -raw.shape[1] :], raw, atol=1e-9
    )
    assert explanation.additivity_error < 1e-9
    assert explanation.method == "library"
    assert "target statistics" in explanation.reason
    assert "CatBoost's own" in explanation.reason
    assert "divides evenly" in " ".join(explanation.notes)


def test_a_part_of_the_rows_has_the_same_values(monkeypatch):
    explainer = TreeExplainer(fitted("multiclass"), n_jobs=2)
    expected = explainer.explain_local(table()).local_importance_values
    monkeypatch.setattr("automl_explain.explainers.methods._library.CHUNK_ROWS", 33)
    np.testing.assert_allclose(explainer.explain_local(table()).local_importance_values, expected, atol=1e-12)
    again = pickle.loads(pickle.dumps(explainer)).explain_local(table()[:3]).local_importance_values
    np.testing.assert_allclose(again, np.asarray(expected)[:, :3], atol=1e-12)


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_values_with_a_background_are_those_of_the_definition(kind):
    model, rows, background = fitted(kind), table().iloc[:2], table().iloc[100:120]
    explanation = TreeExplainer(model, background).explain_local(rows)
    same = explain_model(model, background, rows).explanation
    np.testing.assert_array_equal(explanation.local_importance_values, same.local_importance_values)
    described = describe(model)
    for i in range(2):
        game = model_game(described.predict, rows.iloc[[i]], background)
        values = np.asarray(explanation.local_importance_values)[..., i, :]
        np.testing.assert_allclose(np.atleast_2d(values), shapley_values(game, 4), atol=1e-10)
    assert explanation.method == "kernel"
    assert "from the background" in explanation.reason
    assert "without a background TreeExplainer gives CatBoost's own" in explanation.reason


def test_numbers_as_categories_and_unnamed_columns():
    X = table().to_numpy(dtype=object)
    X[:, 2] = np.arange(N) * 7 % 23
    model = catboost.CatBoostRegressor(**SMALL, one_hot_max_size=2).fit(X, score(), cat_features=[0, 2])
    explanation = TreeExplainer(model).explain_local(X[:9])
    expected = model.get_feature_importance(catboost.Pool(X[:9], cat_features=[0, 2]), type="ShapValues")
    np.testing.assert_allclose(explanation.local_importance_values, expected[:, :-1], atol=1e-12)


def test_text_is_explained_by_catboost():
    words = np.resize(["a red fox", "a blue fox", "no fox", "red dog here"], N)
    X = pd.DataFrame({"x": table()["x"], "text": words})
    y = np.char.find(words.astype(str), "red") + X["x"].to_numpy()
    model = catboost.CatBoostRegressor(**SMALL).fit(X, y, text_features=["text"])
    explanation = TreeExplainer(model).explain_local(X.iloc[:5])
    expected = model.get_feature_importance(catboost.Pool(X.iloc[:5], text_features=["text"]), type="ShapValues")
    np.testing.assert_allclose(explanation.local_importance_values, expected[:, :-1], atol=1e-12)
    assert "text" in explanation.reason


def test_values_that_catboost_gets_wrong_are_not_used():
    words = np.resize(["a red fox", "a blue fox", "no fox", "red dog here"], N)
    X = pd.DataFrame({"x": table()["x"], "text": words})
    y = np.char.find(words.astype(str), "red") + X["x"].to_numpy()
    model = catboost.CatBoostRegressor(**SMALL, grow_policy="Depthwise").fit(X, y, text_features=["text"])
    own = model.get_feature_importance(catboost.Pool(X, text_features=["text"]), type="ShapValues")
    assert np.abs(own.sum(axis=1) - model.predict(X)).max() > 1e-3  # CatBoost 1.2: not additive
    structure = describe(model).structure
    assert isinstance(structure, Opaque)
    assert not isinstance(structure, OwnValues)
    assert "non-symmetric" in TabularExplainer(model, X.iloc[:20]).reason
    with pytest.raises(UnsupportedModelError, match=r"Opaque \(.*split on text.*non-symmetric trees do not add up"):
        TreeExplainer(model)


def test_what_own_values_cannot_give_is_refused():
    explainer = TreeExplainer(fitted("binary"))
    with pytest.raises(UnsupportedModelError, match=r"Interaction values .* target statistics"):
        explainer.interaction_values(table().iloc[:2])
    with pytest.raises(InvalidInputError, match="'weights' parameter"):
        TreeExplainer(fitted("binary"), weights=np.ones(5))
    with pytest.raises(UnsupportedModelError, match="in probability is Opaque"):
        TreeExplainer(fitted("binary"), output="probability")
