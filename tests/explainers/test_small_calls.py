"""Calls for one or two rows after an ordinary call: the same explanations, and the same errors."""

import gc
import pickle
import weakref
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.ensemble import RandomForestClassifier
from xgboost import XGBClassifier

from automl_explain import AdditivityError, ColumnMismatchError, Explanation, InvalidInputError, TreeExplainer
from automl_explain.explainers.model._explained_model import ExplainedModel
from automl_explain.explainers.tables._table import Table

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 4))
FRAME = pd.DataFrame(X, columns=["a", "b", "c", "d"])
NUMBERS = X[:, 0] * X[:, 1] + X[:, 2]
CLASSES = np.digitize(NUMBERS, [-0.5, 0.5])

MODELS = {
    "LightGBM": (LGBMRegressor(n_estimators=20, num_leaves=7, verbose=-1), NUMBERS),
    "binary LightGBM": (LGBMClassifier(n_estimators=20, num_leaves=7, verbose=-1), CLASSES > 1),
    "LightGBM of classes": (LGBMClassifier(n_estimators=10, num_leaves=7, verbose=-1), CLASSES),
    "XGBoost": (XGBClassifier(n_estimators=10, max_depth=3), CLASSES),
    "forest": (RandomForestClassifier(10, max_depth=4, random_state=0), CLASSES),
}


def fitted(name="LightGBM", table=X):
    model, y = MODELS[name]
    return type(model)(**model.get_params()).fit(table, y)


def assert_same(one, other):
    for field in fields(Explanation):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, Table):
            assert left.names == right.names
            assert type(left.data) is type(right.data)
            np.testing.assert_array_equal(left.data, right.data)
        elif isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right)
            assert left.dtype == right.dtype
        else:
            assert left == right, field.name


@pytest.fixture
def only_small(monkeypatch):
    """Return a function after which an ordinary call fails."""

    def fail(*_):
        raise AssertionError("an ordinary call")

    return lambda: monkeypatch.setattr(ExplainedModel, "read", fail)


@pytest.mark.parametrize("table", [X, FRAME], ids=["array", "frame"])
@pytest.mark.parametrize("background", [None, 50])
@pytest.mark.parametrize("name", MODELS)
def test_a_small_call_returns_what_an_ordinary_one_does(name, background, table, only_small):
    model = fitted(name, table)
    explainers = [TreeExplainer(model, None if background is None else table[:background]) for _ in range(2)]
    for explainer in explainers:
        explainer.explain_local(table[:100])
    expected = [explainers[0].explain_local(table[i : i + n]) for i, n in ((7, 1), (9, 2))]
    explainers[1]._small_calls = None
    ordinary = [explainers[1].explain_local(table[:100][i : i + n]) for i, n in ((7, 1), (9, 2))]
    for small, made in zip(expected, ordinary, strict=True):
        assert_same(small, made)
        assert small.additivity_error < 1e-10
    only_small()
    assert_same(explainers[0].explain_local(table[7:8]), expected[0])


@pytest.mark.parametrize("background", [None, X[:20]], ids=["none", "array"])
def test_a_row_of_one_dimension_is_a_small_call(background, only_small):
    explainer = TreeExplainer(fitted(), background)
    first = explainer.explain_local(X[:100])[3]
    only_small()
    made = explainer.explain_local(X[3])
    np.testing.assert_array_equal(made.data.data, X[3:4])
    np.testing.assert_allclose(made.local_importance_values, first.local_importance_values, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("row", "error"),
    [
        (X[:1, :3], ColumnMismatchError),
        (np.full((1, 4), np.inf), None),
        (np.full((1, 4), "a"), InvalidInputError),
        (X[None, :1], InvalidInputError),
        (X[:0], InvalidInputError),
    ],
    ids=["columns", "infinite", "text", "dimensions", "no rows"],
)
def test_unusual_rows_are_left_to_an_ordinary_call(row, error):
    used, fresh = (TreeExplainer(fitted("forest"), X[:20]) for _ in range(2))
    used.explain_local(X[:100])
    with pytest.raises(error or InvalidInputError) as ours:
        used.explain_local(row)
    with pytest.raises(error or InvalidInputError) as theirs:
        fresh.explain_local(row)
    assert str(ours.value) == str(theirs.value)


def test_columns_in_another_order_are_read_by_name():
    explainer = TreeExplainer(fitted(table=FRAME), FRAME[:20])
    expected = explainer.explain_local(FRAME[:100])[5]
    made = explainer.explain_local(FRAME[["d", "a", "c", "b"]][5:6])
    np.testing.assert_allclose(made.local_importance_values, expected.local_importance_values, rtol=0, atol=1e-12)
    assert made.features == ("a", "b", "c", "d")


@pytest.mark.parametrize("background", [None, 30])
def test_frames_with_categories_are_explained_as_before(background):
    frame = FRAME.assign(d=pd.Categorical(np.where(X[:, 3] > 0, "high", "low")))
    model, examples = fitted(table=frame), None if background is None else frame[:background]
    used, fresh = TreeExplainer(model, examples), TreeExplainer(model, examples)
    used.explain_local(frame[:100])
    plain = frame.assign(d=frame["d"].astype(object)) if background else frame
    for row in (frame[4:5], plain[4:5]):
        np.testing.assert_array_equal(
            used.explain_local(row).local_importance_values, fresh.explain_local(row).local_importance_values
        )


def test_a_model_that_was_fitted_again_is_noticed():
    model = fitted("forest")
    explainer = TreeExplainer(model, X[:50])
    explainer.explain_local(X[:1])
    model.fit(X, CLASSES[::-1])

    def explain_all():
        for i in range(300):
            explainer.explain_local(X[i % 200 : i % 200 + 1])

    with pytest.raises(AdditivityError):
        explain_all()


def test_an_explanation_of_many_rows_is_not_kept():
    explainer = TreeExplainer(fitted(), X[:20])
    made = explainer.explain_local(X)
    values = weakref.ref(made.local_importance_values)
    del made
    gc.collect()
    assert values() is None


def test_the_explanation_is_the_callers_own():
    explainer = TreeExplainer(fitted("binary LightGBM"), X[:20])
    first = explainer.explain_local(X[:1])
    second = explainer.explain_local(X[:1])
    second.expected_values[:] = 0.0
    assert_same(explainer.explain_local(X[:1]), first)
    assert pickle.loads(pickle.dumps(second)).method == "tree"
    restored = pickle.loads(pickle.dumps(explainer))
    assert_same(restored.explain_local(X[:1]), first)
