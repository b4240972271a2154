"""Boosters of LightGBM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import scipy.sparse

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
from tests.integrations.readers.tree_models.tables import (
    N_ROWS,
    WEIGHTS,
    WORDS2,
    WORDS3,
    coded,
    frame,
    labels,
    numbers,
    target,
    words,
)


def _lightgbm_leaves(model, X):
    return np.reshape(model.predict(X, pred_leaf=True), (np.shape(X)[0], -1))


def _lightgbm_raw(model, X):
    return model.predict(X, raw_score=True)


def _lightgbm_forest_raw(model, X):
    return model.predict(X, raw_score=True) / 6


LIGHTGBM = Library(_lightgbm_leaves, 1e-12)
LIGHTGBM_SMALL = {
    "n_estimators": 6,
    "min_child_samples": 5,
    "verbose": -1,
    "n_jobs": 1,
    "min_data_per_group": 5,
    "cat_smooth": 1,
}


def _lightgbm(
    name: str,
    X: Any,
    y: Any,
    space: str = "log_odds",
    fit: dict[str, Any] | None = None,
    raw=_lightgbm_raw,
    **extra: Any,
) -> Case:
    parameters = {**LIGHTGBM_SMALL, **extra.pop("parameters", {})}
    regression = extra.get("task") == "regression"
    kind = extra.pop("kind", lightgbm.LGBMRegressor if regression else lightgbm.LGBMClassifier)
    value = predicted if regression else predicted_probability
    return Case(name, LIGHTGBM, fitted(kind(**parameters), X, y, **(fit or {})), space, raw, value=value, **extra)


def _stopped_lightgbm() -> tuple[Any, Any]:
    X, y = numbers(True), labels()
    settings = {"objective": "binary", "verbose": -1, "min_data_in_leaf": 5, "num_threads": 1, "metric": "auc"}
    train, valid = lightgbm.Dataset(X[:120], y[:120]), lightgbm.Dataset(X[120:], y[120:])
    stop = lightgbm.early_stopping(3, verbose=False)
    booster = lightgbm.train(settings, train, 60, [valid], callbacks=[stop], keep_training_booster=True)
    assert 0 < booster.best_iteration < booster.current_iteration()
    return booster, X


def _booster(X: Any, y: Any, n_rounds: int = 6, **parameters: Any) -> Callable[[], tuple[Any, Any]]:
    settings = {"verbose": -1, "min_data_in_leaf": 5, "num_threads": 1, **parameters}
    columns = settings.pop("categorical_feature", "auto")

    def fit() -> tuple[Any, Any]:
        return lightgbm.train(settings, lightgbm.Dataset(X, y, categorical_feature=columns), n_rounds), X

    return fit


def _reloaded(fit: Callable[[], tuple[Any, Any]]) -> Callable[[], tuple[Any, Any]]:
    def load() -> tuple[Any, Any]:
        booster, X = fit()
        return lightgbm.Booster(model_str=booster.model_to_string()), X

    return load


def _lightgbm_squares(prediction, data):
    return prediction - data.get_label(), np.ones_like(prediction)


def lightgbm_cases() -> list[Case]:
    X, gaps, table = numbers(), numbers(True), frame()
    names = tuple(table.columns)
    of_frame = {"names": names, "categories": (1, 6)}
    groups = {"group": [60] * 4}
    forest = {"boosting_type": "rf", "subsample": 0.6, "subsample_freq": 1}
    positive = np.abs(target()) + 0.1
    linked = ("poisson", "gamma", "tweedie", "cross_entropy", "cross_entropy_lambda")
    cases = [
        _lightgbm("lightgbm", gaps, words(), classes=WORDS2),
        _lightgbm("lightgbm with categories", table, labels(), **of_frame),
        _lightgbm(
            "lightgbm with one-hot categories", table, labels(), parameters={"max_cat_to_onehot": 50}, **of_frame
        ),
        _lightgbm("lightgbm of three with categories", table, words(3), task="multiclass", classes=WORDS3, **of_frame),
        _lightgbm("lightgbm one against all", gaps, labels(3), parameters={"objective": "multiclassova"}, **THREE),
        _lightgbm("lightgbm, sigmoid", gaps, labels(), "margin", parameters={"sigmoid": 2.0}),
        _lightgbm("lightgbm, zero as missing", gaps, labels(), parameters={"zero_as_missing": True}),
        _lightgbm("lightgbm, missing as zero", gaps, labels(), parameters={"use_missing": False}),
        _lightgbm("lightgbm without gaps", X, labels(), fit={"sample_weight": WEIGHTS}),
        _lightgbm("lightgbm of sparse", scipy.sparse.csr_matrix(X), labels()),
        _lightgbm("lightgbm, dart", gaps, labels(), parameters={"boosting_type": "dart", "drop_rate": 0.5}),
        _lightgbm("lightgbm forest", gaps, labels(), parameters=forest, raw=_lightgbm_forest_raw),
        _lightgbm("lightgbm forest of three", gaps, labels(3), parameters=forest, raw=_lightgbm_forest_raw, **THREE),
        _lightgbm("lightgbm forest regressor", gaps, target(), "response", parameters=forest, raw=predicted, **NUMBER),
        _lightgbm("lightgbm regressor", table, target(), "response", **of_frame, **NUMBER),
        _lightgbm("lightgbm regressor of a constant", X, np.ones(N_ROWS), "response", **NUMBER),
        _lightgbm(
            "lightgbm regressor, deep",
            gaps,
            target(),
            "response",
            parameters={"num_leaves": 80, "min_child_samples": 1},
            **NUMBER,
        ),
        _lightgbm("lightgbm regressor, root", gaps, positive, "margin", parameters={"reg_sqrt": True}, **NUMBER),
        _lightgbm("lightgbm regressor, median", gaps, target(), "response", parameters={"objective": "mae"}, **NUMBER),
        _lightgbm(
            "lightgbm regressor, no average",
            gaps,
            target(),
            "response",
            parameters={"boost_from_average": False},
            **NUMBER,
        ),
        _lightgbm("lightgbm ranker", gaps, labels(3), "response", groups, kind=lightgbm.LGBMRanker, **NUMBER),
        _lightgbm(
            "lightgbm, custom regressor", gaps, target(), "response", parameters={"objective": squares}, **NUMBER
        ),
        Case("lightgbm, stopped", LIGHTGBM, _stopped_lightgbm, "log_odds", _lightgbm_raw, value=predicted),
        Case(
            "lightgbm of three, custom",
            LIGHTGBM,
            fitted(lightgbm.LGBMClassifier(**LIGHTGBM_SMALL, objective=squares_of_three), gaps, labels(3)),
            "margin",
            _lightgbm_raw,
            **THREE,
        ),
        Case(
            "lightgbm, custom",
            LIGHTGBM,
            fitted(lightgbm.LGBMClassifier(**LIGHTGBM_SMALL, objective=squares), gaps, labels()),
            "margin",
            _lightgbm_raw,
        ),
        Case(
            "lightgbm booster",
            LIGHTGBM,
            _booster(gaps, labels(), objective="binary"),
            "log_odds",
            _lightgbm_raw,
            value=predicted,
        ),
        Case(
            "lightgbm booster, custom",
            LIGHTGBM,
            _booster(gaps, target(), objective=_lightgbm_squares),
            "response",
            _lightgbm_raw,
            value=predicted,
            **NUMBER,
        ),
        Case(
            "lightgbm booster of codes",
            LIGHTGBM,
            _booster(
                coded(), labels(), objective="binary", categorical_feature=[1], min_data_per_group=2, cat_smooth=1
            ),
            "log_odds",
            _lightgbm_raw,
            value=predicted,
        ),
        Case(
            "lightgbm booster of three, reloaded",
            LIGHTGBM,
            _reloaded(_booster(table, labels(3), objective="multiclass", num_class=3)),
            "log_odds",
            _lightgbm_raw,
            value=predicted,
            **of_frame,
            **THREE,
        ),
    ]
    for objective in linked:
        y = labels() if objective.startswith("cross") else positive
        cases.append(
            _lightgbm(f"lightgbm, {objective}", gaps, y, "margin", parameters={"objective": objective}, **NUMBER)
        )
    return cases
