"""What `TreeExplainer` is given and cannot use: one error each, which says what was expected and what came."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn import ensemble, tree
from sklearn.linear_model import LinearRegression

from automl_explain import TreeExplainer
from automl_explain.explainers._errors import (
    ColumnMismatchError,
    InvalidInputError,
    NotFittedError,
    UnsupportedModelError,
)

SMALL = {"n_estimators": 3, "n_jobs": 1}
QUIET = {**SMALL, "verbose": -1}


@cache
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "c"])
    return X.assign(letter=pd.Categorical(rng.choice(list("xyz"), 200)))


def numbers() -> pd.DataFrame:
    return frame()[["a", "b", "c"]]


def y() -> np.ndarray:
    X = frame()
    return np.asarray(X["a"] * X["b"] + (X["letter"] == "x"))


def gap() -> pd.DataFrame:
    X = numbers().head(5).copy()
    X.iloc[1, 2] = np.nan
    return X


def unseen() -> pd.DataFrame:
    X = frame().head(5).copy()
    return X.assign(letter=pd.Categorical(["new", *X["letter"][1:].astype(str)]))


def boosted() -> Any:
    return ensemble.GradientBoostingRegressor(n_estimators=3).fit(numbers(), y())


def lgbm() -> Any:
    return lightgbm.LGBMRegressor(**QUIET).fit(numbers(), y())


def xgb_with_categories() -> Any:
    return xgboost.XGBRegressor(**SMALL, enable_categorical=True).fit(frame(), y())


def explain(model: Any, rows: Any, background: Any = None, **options: Any) -> None:
    TreeExplainer(model, background, **options).explain_local(rows)


Attempt = Callable[[], object]
REFUSED: dict[str, tuple[Attempt, type[Exception], str]] = {
    "a variant that is not read": (
        lambda: TreeExplainer(lightgbm.LGBMRegressor(**QUIET, linear_tree=True).fit(numbers(), y())),
        UnsupportedModelError, r"Opaque \(its leaves have linear models \(linear_tree=True\)",
    ),
    "a model that is no sum of trees": (
        lambda: TreeExplainer(ensemble.AdaBoostRegressor(n_estimators=2).fit(numbers(), y())),
        UnsupportedModelError, r"Opaque \(it predicts a weighted median.*Use TabularExplainer",
    ),
    "a model without trees": (
        lambda: TreeExplainer(LinearRegression().fit(numbers(), y())),
        UnsupportedModelError, "LinearRegression in response is Linear",
    ),
    "no fit": (lambda: TreeExplainer(ensemble.RandomForestRegressor()), NotFittedError, "not fitted yet"),
    "a probability without a background": (
        lambda: TreeExplainer(
            lightgbm.LGBMClassifier(**QUIET).fit(numbers(), y() > 0), output="probability"
        ),
        UnsupportedModelError, "additive in log_odds, not in probability.*TabularExplainer with a background",
    ),
    "missing values without a rule": (
        lambda: explain(boosted(), gap()), InvalidInputError, "GradientBoostingRegressor cannot take .* X.*NaN",
    ),
    "missing values without a rule, in the background": (
        lambda: explain(boosted(), numbers()[:2], gap()), InvalidInputError, "no missing values: .* no rule.*column 2",
    ),
    "a category that training lacked": (
        lambda: explain(xgb_with_categories(), unseen()), InvalidInputError, "['`]new['`]",
    ),
    "a category that training lacked, in the background": (
        lambda: explain(xgb_with_categories(), frame()[:2], unseen()), InvalidInputError, "['`]new['`]",
    ),
    "too few columns": (
        lambda: explain(lgbm(), numbers()[["a", "b"]]), ColumnMismatchError, "'c'",
    ),
    "too many columns": (
        lambda: explain(lgbm(), np.zeros((2, 4))),
        ColumnMismatchError,
        "must have 3 columns.*Got 4",
    ),
    "too few columns, without names": (
        lambda: explain(lgbm(), np.zeros((2, 2))), ColumnMismatchError, "3 columns.*2",
    ),
    "a background with other columns": (
        lambda: explain(lgbm(), numbers()[:2], numbers().rename(columns={"c": "other"})),
        ColumnMismatchError, "'other'",
    ),
    "a background with fewer columns": (
        lambda: explain(lgbm(), numbers()[:2], np.zeros((4, 2))), ColumnMismatchError, "3 columns.*2",
    ),
    "an empty background": (
        lambda: explain(lgbm(), numbers()[:2], numbers()[:0]), InvalidInputError, "rows and columns",
    ),
    "weights of another length": (
        lambda: explain(lgbm(), numbers()[:2], numbers()[:5], weights=np.ones(4)), InvalidInputError, "'weights'",
    ),
    "text instead of numbers": (
        lambda: explain(lgbm(), numbers().head(3).astype({"a": str}).assign(a="much")), InvalidInputError, "a: (?:str|object)",
    ),
    "no threads": (lambda: explain(lgbm(), numbers()[:2], n_jobs=0), InvalidInputError, "'n_jobs'"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused(name: str) -> None:
    attempt, error, message = REFUSED[name]
    with pytest.raises(error, match=rf"(?s){message}"):
        attempt()


def test_columns_are_found_by_their_names() -> None:
    explainer = TreeExplainer(lgbm())
    expected = explainer.explain_local(numbers()[:9]).local_importance_values
    turned = explainer.explain_local(numbers()[["c", "a", "b"]][:9]).local_importance_values
    np.testing.assert_array_equal(turned, expected)
    more = explainer.explain_local(numbers().assign(d="unused")[:9]).local_importance_values
    np.testing.assert_array_equal(more, expected)


@pytest.mark.parametrize("background", [False, True])
def test_a_grown_tree_of_more_nodes_than_16_bits_can_count(background: bool) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 3))
    model = tree.DecisionTreeRegressor(random_state=0).fit(X, rng.normal(size=20_000))
    assert model.tree_.node_count > 32_767
    explanation = TreeExplainer(model, X[:40] if background else None).explain_local(X[:20])
    assert explanation.additivity_error < 1e-9


def test_an_isolation_forest_is_explained_in_path_lengths() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    model = ensemble.IsolationForest(n_estimators=20, random_state=0).fit(X)
    explanation = TreeExplainer(model, X[:50]).explain_local(X[:20])
    assert explanation.output_space == "margin"
    length = np.asarray(explanation.expected_values) + np.asarray(explanation.local_importance_values).sum(axis=1)
    n = model.max_samples_
    usual = 2 * (np.log(n - 1) + np.euler_gamma) - 2 * (n - 1) / n
    scores = -(2 ** (-length / usual))
    np.testing.assert_allclose(scores, model.score_samples(X[:20]), rtol=1e-12)
    np.testing.assert_allclose(scores - model.offset_, model.decision_function(X[:20]), rtol=1e-9, atol=1e-12)
