"""Trees, forests and boosters of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
import sklearn.ensemble as ensemble
import sklearn.tree as tree

from tests.integrations.readers.tree_models.case import (
    NUMBER,
    THREE,
    Case,
    Library,
    fitted,
    predicted,
    predicted_probability,
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


def _decision(model, X):
    return model.decision_function(X)


def _apply(model, X):
    return np.reshape(model.apply(X), (len(model.apply(X)), -1))


def _apply_members(model, X):
    seen = getattr(model, "estimators_features_", [slice(None)] * len(model.estimators_))
    X = np.asarray(X, dtype=np.float64)
    return np.column_stack(
        [member.apply(X[:, columns]) for member, columns in zip(model.estimators_, seen, strict=True)]
    )


FOREST = Library(_apply, 1e-12, takes_infinity=False)
MEMBERS = Library(_apply_members, 1e-12, takes_infinity=False)
HISTOGRAM = Library(None, 1e-12)


def _averages(name: str, model: Any, X: Any, y: Any, library: Library = FOREST, **extra: Any) -> Case:
    options = extra.pop("options", {})
    regression = extra.get("task") == "regression"
    space, raw = ("response", predicted) if regression else ("probability", predicted_probability)
    return Case(name, library, fitted(model, X, y, **options), space, raw, value=raw, **extra)


def _adds(
    name: str, model: Any, X: Any, y: Any, library: Library = FOREST, space: str = "log_odds", **extra: Any
) -> Case:
    if extra.get("task") == "regression":
        return Case(name, library, fitted(model, X, y), "response", predicted, value=predicted, **extra)
    return Case(name, library, fitted(model, X, y), space, _decision, value=predicted_probability, **extra)


def _path_length(model, X):
    n = model._max_samples
    return -np.log2(-model.score_samples(X)) * (2 * (np.log(n - 1) + np.euler_gamma) - 2 * (n - 1) / n)


def _log_predict(model, X):
    return np.log(model.predict(X))


def sklearn_cases() -> list[Case]:
    X, gaps, plain = numbers(), numbers(True), frame(False).drop(columns=["letter", "shade"])
    small = {"n_estimators": 6, "random_state": 0}
    stump = tree.DecisionTreeClassifier(max_depth=2, random_state=0)
    base = tree.DecisionTreeRegressor(max_depth=4, random_state=0)
    sparse = scipy.sparse.csr_matrix(X)
    return [
        _averages("tree", tree.DecisionTreeClassifier(random_state=0), X, labels()),
        _averages(
            "tree of words", tree.DecisionTreeClassifier(max_depth=4), gaps, words(3), task="multiclass", classes=WORDS3
        ),
        _averages(
            "tree regressor, best first", tree.DecisionTreeRegressor(max_leaf_nodes=20), gaps, target(), **NUMBER
        ),
        _averages("tree that is a leaf", tree.DecisionTreeClassifier(min_samples_leaf=200), X, labels()),
        _averages("extra tree", tree.ExtraTreeClassifier(random_state=0), X, labels(3), **THREE),
        _averages("extra tree regressor", tree.ExtraTreeRegressor(random_state=0), X, target(), **NUMBER),
        _averages("forest", ensemble.RandomForestClassifier(**small), gaps, labels()),
        _averages(
            "forest with names, weights",
            ensemble.RandomForestClassifier(**small, class_weight="balanced"),
            plain,
            words(),
            classes=WORDS2,
            names=tuple(plain.columns),
            options={"sample_weight": WEIGHTS},
        ),
        _averages("forest of three", ensemble.RandomForestClassifier(**small), X, labels(3), **THREE),
        _averages("forest of sparse", ensemble.RandomForestClassifier(**small), sparse, labels()),
        _averages(
            "forest regressor", ensemble.RandomForestRegressor(**small, max_leaf_nodes=30), gaps, target(), **NUMBER
        ),
        _averages("extra trees", ensemble.ExtraTreesClassifier(**small, bootstrap=True), gaps, labels(3), **THREE),
        _averages("extra trees regressor", ensemble.ExtraTreesRegressor(**small), X, target(), **NUMBER),
        _averages(
            "bagging",
            ensemble.BaggingClassifier(stump, **small, max_features=0.6),
            gaps,
            words(),
            MEMBERS,
            classes=WORDS2,
        ),
        _averages(
            "bagging that misses a class",
            ensemble.BaggingClassifier(stump, **small, max_samples=3),
            X,
            labels(3),
            MEMBERS,
            **THREE,
        ),
        _averages(
            "bagging regressor",
            ensemble.BaggingRegressor(base, **small, max_features=3),
            X,
            target(),
            MEMBERS,
            **NUMBER,
        ),
        _adds("gradient boosting", ensemble.GradientBoostingClassifier(**small), X, words(), classes=WORDS2),
        _adds(
            "gradient boosting of three",
            ensemble.GradientBoostingClassifier(**small, subsample=0.7),
            X,
            labels(3),
            **THREE,
        ),
        _adds(
            "gradient boosting, exponential",
            ensemble.GradientBoostingClassifier(**small, loss="exponential"),
            X,
            labels(),
            space="margin",
        ),
        _adds("gradient boosting from zero", ensemble.GradientBoostingClassifier(**small, init="zero"), X, labels()),
        _adds(
            "gradient boosting regressor",
            ensemble.GradientBoostingRegressor(**small, loss="huber"),
            X,
            target(),
            **NUMBER,
        ),
        _adds(
            "gradient boosting, stopped",
            ensemble.GradientBoostingRegressor(n_estimators=40, n_iter_no_change=2),
            X,
            target(),
            **NUMBER,
        ),
        _adds("adaboost", ensemble.AdaBoostClassifier(stump, **small), X, words(), MEMBERS, classes=WORDS2),
        _adds(
            "adaboost of three",
            ensemble.AdaBoostClassifier(stump, **small),
            X,
            labels(3),
            MEMBERS,
            space="margin",
            **THREE,
        ),
        Case(
            "isolation forest",
            MEMBERS,
            fitted(ensemble.IsolationForest(**small, max_features=0.6), gaps, None),
            "margin",
            _path_length,
            **NUMBER,
        ),
        Case(
            "isolation forest, all columns",
            MEMBERS,
            fitted(ensemble.IsolationForest(**small), X, None),
            "margin",
            _path_length,
            **NUMBER,
        ),
        *_histogram_cases(),
    ]


def _histogram_cases() -> list[Case]:
    table, gaps = frame(), numbers(True)
    names = tuple(table.columns)
    small = {"max_iter": 6, "random_state": 0, "early_stopping": False}
    by_type = {**small, "categorical_features": "from_dtype"}
    of_frame = {"names": names, "categories": (1, 6)}
    classifier, regressor = ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor
    codes = np.where(np.arange(N_ROWS) % 40 == 3, np.nan, coded()[:, 1] - 5.0)
    with_codes = np.column_stack([gaps[:, 0], codes, gaps[:, 2]])
    return [
        _adds("histograms", classifier(**small), gaps, words(), HISTOGRAM, classes=WORDS2),
        _adds("histograms with categories", classifier(**by_type), table, labels(), HISTOGRAM, **of_frame),
        _adds("histograms of three", classifier(**by_type), table, labels(3), HISTOGRAM, **of_frame, **THREE),
        _adds(
            "histograms of codes",
            classifier(**small, categorical_features=[1]),
            with_codes,
            labels(),
            HISTOGRAM,
            categories=(1,),
        ),
        _adds("histogram regressor", regressor(**small, max_leaf_nodes=5), gaps, target(), HISTOGRAM, **NUMBER),
        _adds(
            "histogram regressor, stopped",
            regressor(max_iter=50, early_stopping=True, random_state=0),
            gaps,
            target(),
            HISTOGRAM,
            **NUMBER,
        ),
        Case(
            "histogram regressor, Poisson",
            HISTOGRAM,
            fitted(regressor(**by_type, loss="poisson"), table, labels(3)),
            "margin",
            _log_predict,
            value=predicted,
            **of_frame,
            **NUMBER,
        ),
        Case(
            "histogram regressor, gamma",
            HISTOGRAM,
            fitted(regressor(**small, loss="gamma"), gaps, np.exp(target() / 9)),
            "margin",
            _log_predict,
            value=predicted,
            **NUMBER,
        ),
    ]
