"""Boosters of XGBoost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
import xgboost

from tests.integrations.readers.tree_models.case import (
    NUMBER,
    THREE,
    Case,
    Library,
    fitted,
    predicted,
    predicted_probability,
    squares,
    squares_of_three,
)
from tests.integrations.readers.tree_models.tables import N_ROWS, WEIGHTS, coded, frame, labels, numbers, target

VECTORS = tuple(map(int, xgboost.__version__.split(".")[:2])) >= (3, 2)
"""Whether models with vector leaves keep the weights of their nodes, without which they are refused."""


def _xgboost_leaves(model, X):
    if isinstance(model, xgboost.Booster):
        return np.reshape(
            model.predict(xgboost.DMatrix(X, enable_categorical=True), pred_leaf=True), (np.shape(X)[0], -1)
        )
    return np.reshape(model.apply(X), (np.shape(X)[0], -1))


def _xgboost_raw(model, X):
    if isinstance(model, xgboost.Booster):
        return model.predict(xgboost.DMatrix(X, enable_categorical=True), output_margin=True)
    return model.predict(X, output_margin=True)


def _xgboost_value(model, X):
    return model.predict(xgboost.DMatrix(X, enable_categorical=True))


XGBOOST = Library(_xgboost_leaves, 1e-5, leaves_take_infinity=False)
XGBOOST_BOOSTER = Library(_xgboost_leaves, 1e-5, takes_infinity=False)
XGBOOST_LINEAR = Library(None, 1e-5, takes_infinity=False, is_linear=True)
XGBOOST_SMALL = {"n_estimators": 6, "max_depth": 4, "n_jobs": 1, "enable_categorical": True}


def _xgboost(
    name: str,
    X: Any,
    y: Any,
    space: str = "log_odds",
    fit: dict[str, Any] | None = None,
    library: Library = XGBOOST,
    **extra: Any,
) -> Case:
    parameters = {**XGBOOST_SMALL, **extra.pop("parameters", {})}
    regression = extra.get("task") == "regression"
    kind = extra.pop("kind", xgboost.XGBRegressor if regression else xgboost.XGBClassifier)
    value = extra.pop("value", predicted if regression else predicted_probability)
    return Case(
        name, library, fitted(kind(**parameters), X, y, **(fit or {})), space, _xgboost_raw, value=value, **extra
    )


def _stopped_xgboost() -> tuple[Any, Any]:
    X, y = numbers(True), labels(3)
    model = xgboost.XGBClassifier(
        **{**XGBOOST_SMALL, "n_estimators": 60}, learning_rate=0.5, early_stopping_rounds=3, num_parallel_tree=2
    )
    model.fit(X[:120], y[:120], eval_set=[(X[120:], y[120:])], verbose=False)
    assert 0 < model.best_iteration < model.get_booster().num_boosted_rounds() - 1
    return model, X


def _xgboost_booster(
    X: Any, y: Any, types: list[str] | None = None, **parameters: Any
) -> Callable[[], tuple[Any, Any]]:
    def fit() -> tuple[Any, Any]:
        data = xgboost.DMatrix(X, y, feature_types=types, enable_categorical=True)
        if parameters.get("objective") == "survival:aft":
            data.set_float_info("label_lower_bound", y)
            data.set_float_info("label_upper_bound", y + 1)
        return xgboost.train({"max_depth": 3, "nthread": 1, **parameters}, data, 5), X

    return fit


def xgboost_cases() -> list[Case]:
    X, gaps, table = numbers(), numbers(True), frame()
    names = tuple(table.columns)
    of_frame = {"names": names, "categories": (1, 6)}
    one_hot = {"max_cat_to_onehot": 50}
    ranks = {"qid": np.arange(N_ROWS) // 60}
    vectors = {"multi_strategy": "multi_output_tree"}
    dart = {"booster": "dart", "rate_drop": 0.5}
    linear = {"booster": "gblinear", "enable_categorical": False, "updater": "coord_descent", "max_depth": None}
    tame = X[:, :4] / [1, 1, 1, 1e6]
    tame_gaps = gaps[:, :3]
    positive = np.abs(target()) + 0.1
    linked = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "reg:logistic")
    types = ["q", "c", "q", "q", "q"]
    cases = [
        _xgboost("xgboost", gaps, labels()),
        _xgboost("xgboost with categories", table, labels(), **of_frame),
        _xgboost("xgboost with one-hot categories", table, labels(), parameters=one_hot, **of_frame),
        _xgboost("xgboost of three with categories", table, labels(3), **of_frame, **THREE),
        _xgboost("xgboost, softmax", gaps, labels(3), parameters={"objective": "multi:softmax"}, **THREE),
        *([_xgboost("xgboost with vector leaves", gaps, labels(3), parameters=vectors, **THREE)] if VECTORS else []),
        _xgboost("xgboost, dart", gaps, labels(), parameters=dart),
        _xgboost("xgboost, base score", gaps, labels(), parameters={"base_score": 0.9}),
        _xgboost("xgboost, -1 is missing", gaps, labels(), parameters={"missing": -1.0}),
        _xgboost("xgboost, 0 is missing", X, labels(), parameters={"missing": 0.0}),
        _xgboost("xgboost of sparse", scipy.sparse.csr_matrix(X), labels()),
        _xgboost(
            "xgboost, exact",
            gaps,
            labels(),
            fit={"sample_weight": WEIGHTS},
            parameters={"tree_method": "exact", "enable_categorical": False},
        ),
        _xgboost(
            "xgboost, pruned",
            gaps,
            labels(),
            parameters={"tree_method": "exact", "gamma": 3.0, "enable_categorical": False},
        ),
        _xgboost(
            "xgboost, lossguide",
            gaps,
            labels(),
            parameters={"grow_policy": "lossguide", "max_leaves": 9, "max_depth": 0},
        ),
        _xgboost("xgboost, raw", gaps, labels(), parameters={"objective": "binary:logitraw"}, value=None),
        _xgboost("xgboost, hinge", gaps, labels(), "margin", parameters={"objective": "binary:hinge"}),
        _xgboost("xgboost, custom", gaps, labels(), "margin", parameters={"objective": squares}, value=None),
        _xgboost(
            "xgboost of three, custom",
            gaps,
            labels(3),
            "margin",
            parameters={"objective": squares_of_three},
            value=None,
            **THREE,
        ),
        _xgboost("xgboost forest", gaps, labels(3), kind=xgboost.XGBRFClassifier, **THREE),
        _xgboost("xgboost forest regressor", gaps, target(), "response", kind=xgboost.XGBRFRegressor, **NUMBER),
        _xgboost("xgboost regressor", table, target(), "response", **of_frame, **NUMBER),
        _xgboost(
            "xgboost regressor, median",
            gaps,
            target(),
            "response",
            parameters={"objective": "reg:absoluteerror"},
            **NUMBER,
        ),
        _xgboost("xgboost ranker", gaps, labels(3), "response", ranks, kind=xgboost.XGBRanker, **NUMBER),
        _xgboost("xgboost, custom regressor", gaps, target(), "response", parameters={"objective": squares}, **NUMBER),
        _xgboost("xgboost, linear", tame, labels(), library=XGBOOST_LINEAR, parameters=linear),
        _xgboost("xgboost, linear of three", tame_gaps, labels(3), library=XGBOOST_LINEAR, parameters=linear, **THREE),
        _xgboost(
            "xgboost, linear regressor",
            tame_gaps,
            target(),
            "response",
            library=XGBOOST_LINEAR,
            parameters=linear,
            **NUMBER,
        ),
        Case(
            "xgboost, stopped",
            XGBOOST,
            _stopped_xgboost,
            "log_odds",
            _xgboost_raw,
            value=predicted_probability,
            **THREE,
        ),
        Case(
            "xgboost booster",
            XGBOOST_BOOSTER,
            _xgboost_booster(gaps, labels(), objective="binary:logistic"),
            "log_odds",
            _xgboost_raw,
            value=_xgboost_value,
        ),
        Case(
            "xgboost booster of three",
            XGBOOST_BOOSTER,
            _xgboost_booster(table, labels(3), objective="multi:softprob", num_class=3),
            "log_odds",
            _xgboost_raw,
            value=_xgboost_value,
            **of_frame,
            **THREE,
        ),
        Case(
            "xgboost booster of codes",
            XGBOOST_BOOSTER,
            _xgboost_booster(coded(), labels(), types, objective="binary:logistic"),
            "log_odds",
            _xgboost_raw,
        ),
        Case(
            "xgboost booster, survival",
            XGBOOST_BOOSTER,
            _xgboost_booster(gaps, positive, objective="survival:aft"),
            "margin",
            _xgboost_raw,
            value=_xgboost_value,
            **NUMBER,
        ),
    ]
    for objective in linked:
        y = labels() if objective == "reg:logistic" else positive
        cases.append(
            _xgboost(f"xgboost, {objective}", gaps, y, "margin", parameters={"objective": objective}, **NUMBER)
        )
    return cases
