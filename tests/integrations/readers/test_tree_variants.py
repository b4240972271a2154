"""What the readers of trees refuse or cannot see into, and say so; the file formats that they read."""

from __future__ import annotations

from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn import ensemble, linear_model, tree
from threadpoolctl import threadpool_limits

from automl_explain.explainers._errors import InvalidInputError, NotFittedError, UnsupportedModelError
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.model._structures import Opaque
from automl_explain.integrations.readers import _catboost, _lightgbm, _xgboost
from automl_explain.integrations.readers._ubjson import loads
from automl_explain.integrations.readers.sklearn import _trees as _sklearn_trees
from tests.integrations.readers.tree_models.catboost_cases import CATBOOST_SMALL, catboost_frame
from tests.integrations.readers.tree_models.lightgbm_cases import LIGHTGBM_SMALL
from tests.integrations.readers.tree_models.tables import N_ROWS, labels, numbers, target
from tests.integrations.readers.tree_models.xgboost_cases import XGBOOST_SMALL


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(limits=1):
        yield


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


REFUSED: dict[str, tuple[Any, Any, str]] = {
    "one class": (ensemble.RandomForestClassifier(2), lambda: np.ones(N_ROWS), "one class only"),
    "histograms of one class": (ensemble.HistGradientBoostingClassifier(), lambda: np.ones(N_ROWS), "one class only"),
    "lightgbm of one class": (lightgbm.LGBMClassifier(**LIGHTGBM_SMALL), lambda: np.ones(N_ROWS), "one class only"),
    "xgboost of one class": (
        xgboost.XGBClassifier(**XGBOOST_SMALL, base_score=0.5),
        lambda: np.zeros(N_ROWS),
        "one class only",
    ),
    "embedding": (ensemble.RandomTreesEmbedding(2), lambda: None, "predicts nothing"),
    "catboost with uncertainty": (
        catboost.CatBoostRegressor(**CATBOOST_SMALL, loss_function="RMSEWithUncertainty"),
        target,
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
        "its leaves have linear models",
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


def test_catboost_with_statistics_of_several_columns_is_opaque():
    table = catboost_frame()
    parameters = {**CATBOOST_SMALL, "one_hot_max_size": 2, "iterations": 60, "max_ctr_complexity": 4}
    model = catboost.CatBoostClassifier(**parameters, cat_features=["letter", "shade"])
    odd = sum(pd.factorize(table[name])[0] for name in ("letter", "shade")) % 2
    described = describe(model.fit(table, odd))
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
