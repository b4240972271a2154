"""Every kind of tree model that is read, small, with the library's own predictions: the cases of `test_tree_readers`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import scipy.sparse
import sklearn.ensemble as ensemble
import sklearn.tree as tree
import xgboost

N_ROWS = 240
LETTERS = [f"k{number}" for number in range(40)]  # more than one word of a bit set


@dataclass(frozen=True)
class Library:
    """How a library's own predictions are asked for."""

    leaves: Callable[[Any, Any], Any] | None  # leaf of each row in each tree, whatever the numbering
    rtol: float  # of sums of leaves
    takes_infinity: bool = True
    leaves_take_infinity: bool = True


@dataclass(frozen=True)
class Case:
    """A model to fit, and what its description must say."""

    name: str
    library: Library
    fit: Callable[[], tuple[Any, Any]]  # model and table
    space: str
    raw: Callable[[Any, Any], Any]  # the library's additive prediction
    task: str = "binary"
    classes: tuple[Any, ...] | None = (0, 1)
    names: tuple[str, ...] | None = None
    value: Callable[[Any, Any], Any] | None = None  # the library's prediction after the link
    categories: tuple[int, ...] = ()  # columns not to be changed at random

    @property
    def is_linear(self) -> bool:
        return self.library is XGBOOST_LINEAR

    @property
    def has_link(self) -> bool:
        """Whether probabilities are the logistic or softmax function of the log-odds."""
        return self.space in ("log_odds", "probability") and self.value is not None and "against all" not in self.name


# ------------------------------------------------------------------------------------------------------------ tables


@cache
def numbers(missing: bool = False) -> np.ndarray:
    """Ties, zeros, tiny, huge and negative numbers, small integers."""
    random = np.random.default_rng(3)
    X = np.column_stack(
        [
            random.normal(size=N_ROWS),
            random.integers(-2, 3, N_ROWS).astype(float),
            np.round(random.normal(size=N_ROWS), 1),
            random.choice([0.0, -0.0, 1e-36, -1e-36, 0.5, 1e6, -3e-5], N_ROWS),
            random.lognormal(0, 4, N_ROWS),
        ]
    )
    if missing:
        X[random.random(X.shape) < 0.15] = np.nan
    X.setflags(write=False)
    return X


@cache
def frame(missing: bool = True) -> pd.DataFrame:
    """Numbers with names, a boolean, and two columns of category dtype, one with an order that is not sorted."""
    random = np.random.default_rng(5)
    table = pd.DataFrame(numbers(missing), columns=["ago", "count", "dose", "zeros", "spread"])
    table.insert(1, "letter", pd.Categorical(random.choice(LETTERS, N_ROWS), categories=LETTERS[::-1]))
    table["shade"] = pd.Categorical(
        random.choice(["red", "green", "blue"], N_ROWS), categories=["red", "green", "blue"]
    )
    table["flag"] = random.random(N_ROWS) < 0.5
    if missing:
        table.loc[::9, "letter"] = None
    return table


@cache
def coded() -> np.ndarray:
    """The numbers, with codes of 40 categories as second column."""
    X = np.array(numbers(True))
    X[:, 1] = np.arange(N_ROWS) * 7 % 40
    X.setflags(write=False)
    return X


@cache
def labels(n_classes: int = 2) -> np.ndarray:
    random = np.random.default_rng(7)
    X = numbers()
    letter = frame(False)["letter"].cat.codes.to_numpy()
    coded_effect = np.arange(N_ROWS) * 7 % 40 % 2
    score = X[:, 0] + X[:, 1] * (X[:, 3] > 0) + letter % 3 + coded_effect + 0.3 * random.normal(size=N_ROWS)
    return np.searchsorted(np.quantile(score, np.arange(1, n_classes) / n_classes), score)


@cache
def target() -> np.ndarray:
    X = numbers()
    return X[:, 0] * X[:, 1] + np.log(X[:, 4]) + frame(False)["letter"].cat.codes.to_numpy() % 5


def words(n_classes: int = 2) -> np.ndarray:
    return np.array(["no", "yes", "maybe"])[labels(n_classes)]


WORDS2, WORDS3 = ("no", "yes"), ("maybe", "no", "yes")
WEIGHTS = np.linspace(0.5, 2.0, N_ROWS)
THREE: dict[str, Any] = {"task": "multiclass", "classes": (0, 1, 2)}
NUMBER: dict[str, Any] = {"task": "regression", "classes": None}


# ------------------------------------------------------------------------------------------------------ scikit-learn


def _predict(model, X):
    return model.predict(X)


def _probability(model, X):
    return model.predict_proba(X)


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


def _fit(model: Any, X: Any, y: Any, **options: Any) -> Callable[[], tuple[Any, Any]]:
    return lambda: (model.fit(X, y, **options), X)


def _averages(name: str, model: Any, X: Any, y: Any, library: Library = FOREST, **extra: Any) -> Case:
    options = extra.pop("options", {})
    regression = extra.get("task") == "regression"
    space, raw = ("response", _predict) if regression else ("probability", _probability)
    return Case(name, library, _fit(model, X, y, **options), space, raw, value=raw, **extra)


def _adds(
    name: str, model: Any, X: Any, y: Any, library: Library = FOREST, space: str = "log_odds", **extra: Any
) -> Case:
    if extra.get("task") == "regression":
        return Case(name, library, _fit(model, X, y), "response", _predict, value=_predict, **extra)
    return Case(name, library, _fit(model, X, y), space, _decision, value=_probability, **extra)


def _path_length(model, X):
    n = model._max_samples
    return -np.log2(-model.score_samples(X)) * (2 * (np.log(n - 1) + np.euler_gamma) - 2 * (n - 1) / n)


def _log_predict(model, X):
    return np.log(model.predict(X))


def _sklearn_cases() -> list[Case]:
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
            _fit(ensemble.IsolationForest(**small, max_features=0.6), gaps, None),
            "margin",
            _path_length,
            **NUMBER,
        ),
        Case(
            "isolation forest, all columns",
            MEMBERS,
            _fit(ensemble.IsolationForest(**small), X, None),
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
            _fit(regressor(**by_type, loss="poisson"), table, labels(3)),
            "margin",
            _log_predict,
            value=_predict,
            **of_frame,
            **NUMBER,
        ),
        Case(
            "histogram regressor, gamma",
            HISTOGRAM,
            _fit(regressor(**small, loss="gamma"), gaps, np.exp(target() / 9)),
            "margin",
            _log_predict,
            value=_predict,
            **NUMBER,
        ),
    ]


# ---------------------------------------------------------------------------------------------------------- LightGBM


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
    value = _predict if regression else _probability
    return Case(name, LIGHTGBM, _fit(kind(**parameters), X, y, **(fit or {})), space, raw, value=value, **extra)


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


def _squares(y_true, y_pred):
    return y_pred - y_true, np.ones_like(y_pred)


def _squares_of_three(y_true, y_pred):
    return y_pred - (y_true[:, None] == np.arange(3)), np.ones_like(y_pred)


def _lightgbm_squares(prediction, data):
    return prediction - data.get_label(), np.ones_like(prediction)


def _lightgbm_cases() -> list[Case]:
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
        _lightgbm("lightgbm forest regressor", gaps, target(), "response", parameters=forest, raw=_predict, **NUMBER),
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
            "lightgbm, custom regressor", gaps, target(), "response", parameters={"objective": _squares}, **NUMBER
        ),
        Case("lightgbm, stopped", LIGHTGBM, _stopped_lightgbm, "log_odds", _lightgbm_raw, value=_predict),
        Case(
            "lightgbm of three, custom",
            LIGHTGBM,
            _fit(lightgbm.LGBMClassifier(**LIGHTGBM_SMALL, objective=_squares_of_three), gaps, labels(3)),
            "margin",
            _lightgbm_raw,
            **THREE,
        ),
        Case(
            "lightgbm, custom",
            LIGHTGBM,
            _fit(lightgbm.LGBMClassifier(**LIGHTGBM_SMALL, objective=_squares), gaps, labels()),
            "margin",
            _lightgbm_raw,
        ),
        Case(
            "lightgbm booster",
            LIGHTGBM,
            _booster(gaps, labels(), objective="binary"),
            "log_odds",
            _lightgbm_raw,
            value=_predict,
        ),
        Case(
            "lightgbm booster, custom",
            LIGHTGBM,
            _booster(gaps, target(), objective=_lightgbm_squares),
            "response",
            _lightgbm_raw,
            value=_predict,
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
            value=_predict,
        ),
        Case(
            "lightgbm booster of three, reloaded",
            LIGHTGBM,
            _reloaded(_booster(table, labels(3), objective="multiclass", num_class=3)),
            "log_odds",
            _lightgbm_raw,
            value=_predict,
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


# ----------------------------------------------------------------------------------------------------------- XGBoost


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
XGBOOST_LINEAR = Library(None, 1e-5, takes_infinity=False)
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
    value = extra.pop("value", _predict if regression else _probability)
    return Case(name, library, _fit(kind(**parameters), X, y, **(fit or {})), space, _xgboost_raw, value=value, **extra)


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


def _xgboost_cases() -> list[Case]:
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
        _xgboost("xgboost with vector leaves", gaps, labels(3), parameters=vectors, **THREE),
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
        _xgboost("xgboost, custom", gaps, labels(), "margin", parameters={"objective": _squares}, value=None),
        _xgboost(
            "xgboost of three, custom",
            gaps,
            labels(3),
            "margin",
            parameters={"objective": _squares_of_three},
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
        _xgboost("xgboost, custom regressor", gaps, target(), "response", parameters={"objective": _squares}, **NUMBER),
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
        Case("xgboost, stopped", XGBOOST, _stopped_xgboost, "log_odds", _xgboost_raw, value=_probability, **THREE),
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


# ---------------------------------------------------------------------------------------------------------- CatBoost


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
    value = _predict if regression else _probability
    raw = extra.pop("raw", _catboost_raw)
    return Case(name, CATBOOST, _fit(kind(**parameters), X, y, **options), space, raw, value=value, **extra)


def _catboost_cases() -> list[Case]:
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
            raw=_predict,
            **NUMBER,
        ),
    ]


def _catboost_any(**parameters: Any) -> Any:
    return catboost.CatBoost(parameters)


CASES = [*_sklearn_cases(), *_lightgbm_cases(), *_xgboost_cases(), *_catboost_cases()]
