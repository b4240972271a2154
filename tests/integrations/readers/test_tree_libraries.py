"""Values of real models by every library, generated with their data, against Shapley values by definition."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import shap
import xgboost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import ensemble, tree
from threadpoolctl import threadpool_limits

from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.trees._predict import predict_trees
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.explainers.trees._tree_shap import Interventional, PathDependent
from tests.oracles import interventional_game, model_game, path_dependent_game, shapley_values

SHAP_VERSION = tuple(map(int, shap.__version__.split(".")[:2]))

N_ROWS, N_BACKGROUND = 48, 5
TASKS = ("regression", "binary", "multiclass")
NUMBERS = [0.0, -0.0, 1.0, -1.0, 0.5, 0.1, 0.3, 2.0, 3.0, 1e-36, -1e-36, 1e6, 16777217.0, -3.3]


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(limits=1):
        yield


def numbers(rng: np.random.Generator, missing: bool) -> np.ndarray:
    """Numbers with ties, zeros and neighbours in float32; perhaps with gaps."""
    X = np.where(rng.random((N_ROWS, 4)) < 0.5, rng.choice(NUMBERS, (N_ROWS, 4)), rng.normal(size=(N_ROWS, 4)))
    if missing:
        X[rng.random(X.shape) < 0.15] = np.nan
    return X


def mixed(rng: np.random.Generator, missing: bool, dtype: Any = "category") -> pd.DataFrame:
    """Numbers, and two columns of categories, one of them with more than fit in a word of bits."""
    frame = pd.DataFrame(numbers(rng, missing)[:, :2], columns=["x", "z"])
    codes = rng.permutation(np.arange(N_ROWS) % 40)
    frame["code"] = pd.Series([f"c{i}" for i in codes], dtype=dtype)
    frame["flag"] = pd.Series(rng.choice(["a", "b", "c"], N_ROWS), dtype=dtype)
    if missing and dtype == "category":
        frame.loc[rng.random(N_ROWS) < 0.15, "flag"] = None
    return frame


def answers(rng: np.random.Generator, X: Any, task: str) -> np.ndarray:
    frame = pd.DataFrame(X)
    parts = [pd.factorize(column)[0] % 3 if column.dtype.kind not in "fi" else np.clip(column.fillna(1), -2, 2)
             for _, column in frame.items()]  # fmt: skip
    score = parts[0] * parts[1] + parts[2] - parts[3] + rng.normal(scale=0.3, size=len(frame))
    if task == "regression":
        return np.asarray(score)
    order = np.argsort(np.argsort(score, kind="stable"), kind="stable")
    return order * (2 if task == "binary" else 3) // len(order)


def _sklearn(classifier: Any, regressor: Any, task: str, X: Any, y: Any, seed: int, **options: Any) -> Any:
    model = (regressor if task == "regression" else classifier)(**options)
    if "random_state" in model.get_params():
        model.set_params(random_state=seed)
    return model.fit(X, y)


def _lightgbm(task: str, X: Any, y: Any, seed: int, **options: Any) -> Any:
    kind = lightgbm.LGBMRegressor if task == "regression" else lightgbm.LGBMClassifier
    small = {"n_estimators": 3, "num_leaves": 7, "min_child_samples": 2, "min_data_in_bin": 1, "cat_smooth": 1}
    more = {"min_data_per_group": 1, "max_cat_to_onehot": 1 + seed % 4, "verbose": -1, "n_jobs": 1}
    return kind(**small, **more, **options).fit(X, y)


def _xgboost(task: str, X: Any, y: Any, seed: int, **options: Any) -> Any:
    kind = xgboost.XGBRegressor if task == "regression" else xgboost.XGBClassifier
    small = {"n_estimators": 3, "max_depth": 3, "min_child_weight": 0, "max_cat_to_onehot": 1 + seed % 4, "n_jobs": 1}
    return kind(**small, **options).fit(X, y)


def _catboost(task: str, X: Any, y: Any, seed: int, **options: Any) -> Any:
    kind = catboost.CatBoostRegressor if task == "regression" else catboost.CatBoostClassifier
    small = {"iterations": 3, "depth": 3, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
    columns = ["code", "flag"] if isinstance(X, pd.DataFrame) else None
    return kind(**small, one_hot_max_size=64, random_seed=seed, **options).fit(X, y, cat_features=columns)


FOREST = {"n_estimators": 3, "max_depth": 4}
Fit = Callable[[str, Any, Any, int], Any]
LIBRARIES: dict[str, tuple[Fit, Any, bool]] = {
    # name: fit, table, whether it takes missing values
    "tree": (partial(_sklearn, tree.DecisionTreeClassifier, tree.DecisionTreeRegressor, max_depth=5), numbers, True),
    "extra tree": (partial(_sklearn, tree.ExtraTreeClassifier, tree.ExtraTreeRegressor, max_depth=5), numbers, True),
    "forest": (
        partial(_sklearn, ensemble.RandomForestClassifier, ensemble.RandomForestRegressor, **FOREST), numbers, True,
    ),
    "extra trees": (
        partial(_sklearn, ensemble.ExtraTreesClassifier, ensemble.ExtraTreesRegressor, **FOREST), numbers, True,
    ),
    "boosting": (
        partial(_sklearn, ensemble.GradientBoostingClassifier, ensemble.GradientBoostingRegressor, **FOREST),
        numbers, False,
    ),
    "histograms": (
        partial(
            _sklearn, ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor, max_iter=3,
            min_samples_leaf=2, max_leaf_nodes=7, categorical_features="from_dtype",
        ),
        mixed, True,
    ),
    "LightGBM": (_lightgbm, mixed, True),
    "LightGBM, zero is missing": (partial(_lightgbm, zero_as_missing=True), numbers, True),
    "LightGBM without missing": (partial(_lightgbm, use_missing=False), numbers, True),
    "XGBoost": (partial(_xgboost, tree_method="hist", enable_categorical=True), mixed, True),
    "XGBoost, exact": (partial(_xgboost, tree_method="exact"), numbers, True),
    "CatBoost": (_catboost, partial(mixed, dtype="str"), True),
    "CatBoost, lossguide": (partial(_catboost, grow_policy="Lossguide", nan_mode="Max"), numbers, True),
}  # fmt: skip

GENERATED = settings(
    max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)


def on_thresholds(trees: Trees, matrix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows in which some numbers are thresholds of their column."""
    matrix = matrix.copy()
    numeric = (trees.left >= 0) & (trees.category_size == 0)
    for column in range(matrix.shape[1]):
        own = np.unique(trees.threshold[numeric & (trees.feature == column)])
        own = own[np.isfinite(own)]
        if len(own):
            replaced = rng.random(len(matrix)) < 0.4
            matrix[replaced, column] = rng.choice(own, int(replaced.sum()))
    return matrix


def scale(trees: Trees) -> float:
    return max(1.0, float(np.abs(trees.values).max()), float(np.abs(trees.base).max()))


@pytest.mark.parametrize("library", LIBRARIES)
@GENERATED
@given(seed=st.integers(0, 2**31 - 1), task=st.sampled_from(TASKS), missing=st.booleans())
def test_values_are_those_of_the_definition(library: str, seed: int, task: str, missing: bool) -> None:
    fit, make, takes_missing = LIBRARIES[library]
    rng = np.random.default_rng(seed)
    X = make(rng, missing and takes_missing)
    described = describe(fit(task, X, answers(rng, X, task), seed % 1000))
    trees = described.structure
    assert isinstance(trees, Trees)
    matrix = on_thresholds(trees, described.encode(X), rng)
    rows, background = matrix[:3], matrix[-N_BACKGROUND:]
    weights = rng.uniform(0.1, 1.0, N_BACKGROUND)
    columns = range(4)
    solvers = PathDependent(trees), Interventional(trees, background, weights)
    games = (
        [path_dependent_game(trees, row, columns) for row in rows],
        [interventional_game(trees, row, background, columns, weights) for row in rows],
    )
    outputs = predict_trees(trees, rows)
    for solver, own in zip(solvers, games, strict=True):
        values = solver.shap_values(rows)
        expected = np.stack([shapley_values(game, 4) for game in own], axis=1)
        assert np.abs(values - expected).max() <= 1e-10 * scale(trees)
        assert np.abs(solver.base_values + values.sum(axis=2).T - outputs).max() <= 1e-9 * scale(trees)


def predictions(described: FittedModel, columns: int) -> Callable[[Any], Any]:
    return lambda table: described.predict(table)[:, -columns:]


@pytest.mark.parametrize("library", LIBRARIES)
@GENERATED
@given(seed=st.integers(0, 2**31 - 1), task=st.sampled_from(TASKS), missing=st.booleans())
def test_values_are_those_of_the_librarys_predictions(library: str, seed: int, task: str, missing: bool) -> None:
    """The same game played with the library's own predict on mixed tables: no reader and no tree of ours is involved."""
    fit, make, takes_missing = LIBRARIES[library]
    rng = np.random.default_rng(seed)
    X = make(rng, missing and takes_missing)
    described = describe(fit(task, X, answers(rng, X, task), seed % 1000))
    trees = described.structure
    assert isinstance(trees, Trees)
    take = X.iloc.__getitem__ if isinstance(X, pd.DataFrame) else X.__getitem__
    rows, background = take(slice(0, 2)), take(slice(-N_BACKGROUND, None))
    values = Interventional(trees, described.encode(background)).shap_values(described.encode(rows))
    predict = predictions(described, trees.n_outputs)
    expected = [shapley_values(model_game(predict, take(slice(i, i + 1)), background), 4) for i in range(2)]
    tolerance = 1e-5 if "XGBoost" in library else 1e-10  # XGBoost adds up in float32
    assert np.abs(values - np.stack(expected, axis=1)).max() <= tolerance * scale(trees)


# ------------------------------------------------------------------------------- where shap differs, the library decides


def test_shap_rounds_thresholds_to_float32() -> None:
    X = np.array([[0.1], [0.1 + 1e-9], [0.3], [0.1 - 1e-9]])
    y = np.array([0.0, 1.0, 1.0, 0.0])
    model = lightgbm.LGBMRegressor(
        n_estimators=1, min_child_samples=1, min_data_in_bin=1, learning_rate=1.0, verbose=-1, n_jobs=1
    ).fit(X, y)
    effect = model.predict(X) - model.predict(X[:1])
    ours = Interventional(_structure(model), X[:1]).shap_values(X)[0, :, 0]
    theirs = shap.TreeExplainer(model, shap.maskers.Independent(X[:1])).shap_values(X, check_additivity=False)[:, 0]
    np.testing.assert_allclose(ours, effect, atol=1e-12)
    np.testing.assert_allclose(np.abs(theirs - effect), [0.0, 1.0, 0.0, 0.0], atol=1e-9)


def test_shap_reads_categories_of_histograms_as_numbers() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"c": pd.Categorical(rng.choice(list("abcdefgh"), 300)), "x": rng.normal(size=300)})
    codes = table["c"].cat.codes
    model = ensemble.HistGradientBoostingRegressor(max_iter=10, categorical_features="from_dtype")
    model.fit(table, codes % 3 * 2.0 + table["x"])
    described, explainer = describe(model), shap.TreeExplainer(model)
    ours = PathDependent(_structure(model))
    theirs = explainer.shap_values(table.assign(c=codes), check_additivity=False)
    outputs = model.predict(table)
    total = ours.shap_values(described.encode(table)).sum(axis=2)[0] + ours.base_values
    np.testing.assert_allclose(total, outputs, atol=1e-9)
    assert np.abs(theirs.sum(axis=1) + explainer.expected_value - outputs).max() > 0.1


@pytest.mark.skipif(SHAP_VERSION < (0, 50), reason="it reads no models of XGBoost 3.1")
def test_shap_before_0_54_leaves_the_base_score_of_a_class_out() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    model = xgboost.XGBClassifier(n_estimators=5, max_depth=3, n_jobs=1)
    model.fit(X, np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.5]))
    mean = model.predict(X[:20], output_margin=True).mean(axis=0)
    theirs = shap.TreeExplainer(model, shap.maskers.Independent(X[:20])).expected_value
    np.testing.assert_allclose(Interventional(_structure(model), X[:20]).base_values, mean, atol=1e-5)
    assert (np.abs(theirs - mean).max() > 0.1) == (SHAP_VERSION < (0, 54))


def _structure(model: Any) -> Trees:
    structure = describe(model).structure
    assert isinstance(structure, Trees)
    return structure
