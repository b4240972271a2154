"""Boosters of CatBoost."""

from __future__ import annotations

from functools import cache
from typing import Any

import catboost
import numpy as np
import pandas as pd

from tests.integrations.readers.tree_models.case import (
    NUMBER,
    THREE,
    Case,
    Library,
    fitted,
    predicted,
    predicted_probability,
)
from tests.integrations.readers.tree_models.tables import N_ROWS, WORDS2, WORDS3, frame, labels, numbers, target, words


def _catboost_leaves(model, X):
    return model.calc_leaf_indexes(X)


def _catboost_raw(model, X):
    return model.predict(X, prediction_type="RawFormulaVal")


CATBOOST = Library(_catboost_leaves, 1e-12)
CATBOOST_SMALL = {
    "iterations": 6,
    "depth": 4,
    "verbose": 0,
    "allow_writing_files": False,
    "thread_count": 1,
    "one_hot_max_size": 50,
}


@cache
def catboost_frame() -> pd.DataFrame:
    """As `frame`, with the categories as texts and as integers."""
    table = frame().astype({"letter": object, "shade": "str"})
    table["letter"] = table["letter"].fillna("none").astype("str")
    table["flag"] = np.arange(N_ROWS) * 7 % 5
    return table


def _catboost(name: str, X: Any, y: Any, space: str = "log_odds", **extra: Any) -> Case:
    parameters = {**CATBOOST_SMALL, **extra.pop("parameters", {})}
    regression = extra.get("task") == "regression"
    kind = extra.pop("kind", catboost.CatBoostRegressor if regression else catboost.CatBoostClassifier)
    options = extra.pop("fit", {})
    value = predicted if regression else predicted_probability
    raw = extra.pop("raw", _catboost_raw)
    return Case(name, CATBOOST, fitted(kind(**parameters), X, y, **options), space, raw, value=value, **extra)


def catboost_cases() -> list[Case]:
    X, gaps, table = numbers(), numbers(True), catboost_frame()
    of_frame = {"names": tuple(table.columns), "categories": (1, 6, 7), "fit": {"cat_features": [1, 6, 7]}}
    depthwise, lossguide = {"grow_policy": "Depthwise"}, {"grow_policy": "Lossguide", "max_leaves": 9}
    positive = np.abs(target()) + 0.1
    mixed = np.column_stack([np.arange(N_ROWS) * 7 % 4, X[:, 0]]).astype(object)
    mixed[:, 0] = mixed[:, 0].astype(int)
    return [
        _catboost("catboost", gaps, words(), classes=WORDS2),
        _catboost("catboost, missing last", gaps, labels(), parameters={"nan_mode": "Max"}),
        _catboost("catboost without gaps", X, labels()),
        _catboost("catboost with categories", table, labels(), **of_frame),
        _catboost("catboost of three with categories", table, words(3), task="multiclass", classes=WORDS3, **of_frame),
        _catboost("catboost of objects", mixed, labels(), categories=(0,), fit={"cat_features": [0]}),
        _catboost(
            "catboost one against all", gaps, labels(3), parameters={"loss_function": "MultiClassOneVsAll"}, **THREE
        ),
        _catboost("catboost of two as of many", gaps, labels(), parameters={"loss_function": "MultiClass"}),
        _catboost("catboost, depthwise", gaps, labels(), parameters={**depthwise, "nan_mode": "Max"}),
        _catboost("catboost, depthwise, three", table, labels(3), parameters=depthwise, **of_frame, **THREE),
        _catboost("catboost, lossguide", table, labels(), parameters=lossguide, **of_frame),
        _catboost("catboost, weights", gaps, labels(), parameters={"auto_class_weights": "Balanced"}),
        _catboost("catboost regressor", gaps, target(), "response", **NUMBER),
        _catboost(
            "catboost regressor, depthwise", table, target(), "response", parameters=depthwise, **of_frame, **NUMBER
        ),
        _catboost(
            "catboost regressor, Poisson", gaps, positive, "margin", parameters={"loss_function": "Poisson"}, **NUMBER
        ),
        _catboost(
            "catboost regressor, Tweedie",
            gaps,
            positive,
            "margin",
            parameters={"loss_function": "Tweedie:variance_power=1.5"},
            **NUMBER,
        ),
        _catboost(
            "catboost, Poisson without a class",
            gaps,
            positive,
            "response",
            parameters={"loss_function": "Poisson"},
            kind=_catboost_any,
            **NUMBER,
        ),
        _catboost(
            "catboost ranker",
            gaps,
            labels(3),
            "response",
            fit={"group_id": np.arange(N_ROWS) // 60},
            kind=catboost.CatBoostRanker,
            raw=predicted,
            **NUMBER,
        ),
    ]


def _catboost_any(**parameters: Any) -> Any:
    return catboost.CatBoost(parameters)
