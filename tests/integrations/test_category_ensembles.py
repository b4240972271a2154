"""Ensembles over tables with categories, text, booleans, dates and gaps: exact values, for every mix of FLAML's learners.

FLAML's stacks pass text to their final estimator as an array of objects, in which each learner codes text by its rank
within the table that it is given. The oracle predicts mixed rows together with the background, which holds every value.
"""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from flaml.automl import model as flaml_models
from flaml.automl.data import DataTransformer
from flaml.automl.task.factory import task_factory
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    BaggingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from automl_explain import ExplainabilityOptions, explain_model
from automl_explain.integrations.flaml import AutoML
from tests.oracles import shapley_values

Floats = npt.NDArray[np.float64]

TASKS = ("binary", "multiclass", "regression")
LEARNERS = {
    "lgbm": (flaml_models.LGBMEstimator, {"n_estimators": 4, "min_child_samples": 5}),
    "xgboost": (flaml_models.XGBoostSklearnEstimator, {"n_estimators": 4, "max_leaves": 4, "max_depth": 0}),
    "xgb_limitdepth": (flaml_models.XGBoostLimitDepthEstimator, {"n_estimators": 4, "max_depth": 3}),
    "rf": (flaml_models.RandomForestEstimator, {"n_estimators": 4, "max_leaves": 8}),
    "extra_tree": (flaml_models.ExtraTreesEstimator, {"n_estimators": 4, "max_leaves": 8}),
    "catboost": (flaml_models.CatBoostEstimator, {"n_estimators": 4, "early_stopping_rounds": 4}),
    "kneighbor": (flaml_models.KNeighborsEstimator, {"n_neighbors": 7}),
    "lrl1": (flaml_models.LRL1Classifier, {}),
    "lrl2": (flaml_models.LRL2Classifier, {}),
    "svc": (flaml_models.SVCEstimator, {"C": 1.0}),
    "sgd": (flaml_models.SGDEstimator, {}),
    "enet": (flaml_models.ElasticNetEstimator, {"alpha": 0.01}),
    "lassolars": (flaml_models.LassoLarsEstimator, {"alpha": 0.001}),
}
"""FLAML's name -> its class, and hyperparameters of a small model."""
ONLY = {"lrl1": "classification", "lrl2": "classification", "svc": "classification"} | {
    "enet": "regression",
    "lassolars": "regression",
}
ROWS = 120


def raw_table(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Return columns of every kind that FLAML takes."""
    rng = np.random.default_rng(seed)
    gaps = rng.normal(size=rows)
    gaps[::7] = np.nan
    kinds = rng.choice(["up", "Down", "left"], rows).astype(object)
    kinds[3::9] = None
    return pd.DataFrame(
        {
            "number": rng.normal(size=rows),
            "gaps": gaps,
            "category": pd.Categorical(rng.choice(list("xyz"), rows), categories=list("zyxw")),
            "object": kinds,
            "string": pd.array(rng.choice(["a", "b"], rows), dtype="string"),
            "boolean": rng.random(rows) < 0.5,
            "date": pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 3, rows) * 40, unit="D"),
        }
    )


def target(table: pd.DataFrame, task: str) -> npt.NDArray[Any]:
    noise = np.random.default_rng(1).normal(size=len(table))
    score = table["number"] + (table["category"] == "x") * 1.5 - (table["object"] == "up") + table["boolean"] * 0.7
    score = np.asarray(score + 0.3 * noise, dtype=np.float64)
    if task == "regression":
        return score
    return np.digitize(score, np.quantile(score, [0.5] if task == "binary" else [0.33, 0.66]))


def engineered(task: str, columns: list[str]) -> tuple[pd.DataFrame, npt.NDArray[Any]]:
    """Return a table as FLAML's learners get it."""
    raw = raw_table()
    y = target(raw, task)
    made, _ = DataTransformer().fit_transform(raw[columns], pd.Series(y), task_factory(task, raw, y))
    return made, y


def fits(name: str, task: str) -> bool:
    return name not in ONLY or (ONLY[name] == "regression") == (task == "regression")


def cases(*, every: bool) -> list[Any]:
    """Return the stacks to test: each final estimator once, or with and without the table and with every pair of members."""
    found = []
    for task in TASKS:
        names = [name for name in LEARNERS if fits(name, task)]
        pairs = [(name, names[(place + 1) % len(names)]) for place, name in enumerate(names)]
        for place, final in enumerate(names):
            some = pairs if every else [pairs[(place * 5 + 2) % len(pairs)]]
            for pair, passthrough in itertools.product(some, (True, False) if every else (place % 4 != 3,)):
                name = f"{task}-{'+'.join(pair)}-{final}-{'passthrough' if passthrough else 'outputs'}"
                found.append(pytest.param(task, pair, final, passthrough, id=name))
    return found


def learner(name: str, task: str) -> Any:
    cls, config = LEARNERS[name]
    return cls(task=task_factory(task, np.zeros((4, 1)), np.arange(4) % 2), n_jobs=1, **config)


def stack(members: tuple[str, ...], final: str, task: str, table: pd.DataFrame, y: Any, *, passthrough: bool) -> Any:
    kind = StackingRegressor if task == "regression" else StackingClassifier
    estimators = [(name, learner(name, task)) for name in members]
    return kind(estimators, learner(final, task), cv=2, passthrough=passthrough).fit(table, y)


def outputs_of(model: Any, table: pd.DataFrame) -> Floats:
    is_classifier = getattr(model, "classes_", None) is not None
    found = model.predict_proba(table) if is_classifier else model.predict(table)
    return np.asarray(found, dtype=np.float64).reshape(len(table), -1)


def complete_rows(table: pd.DataFrame, n_rows: int) -> pd.DataFrame:
    """Return the shortest beginning of a table with at least some rows in which every column has all of its text."""
    text = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    while any(table[name].iloc[:n_rows].nunique(dropna=False) < table[name].nunique(dropna=False) for name in text):
        n_rows += 1
    return table.iloc[:n_rows]


def brute_force(model: Any, background: pd.DataFrame, row: pd.DataFrame) -> Floats:
    """Return the Shapley values (K, f) of one row by their definition, from predictions of mixed rows alone."""
    f, n = background.shape[1], len(background)
    coalitions = [frozenset(c) for size in range(f + 1) for c in itertools.combinations(range(f), size)]
    stacked = pd.concat([row.astype(background.dtypes), background], ignore_index=True)
    source = np.stack(
        [np.where([j in present for j in range(f)], 0, 1 + number) for present in coalitions for number in range(n)]
    )
    mixed = pd.DataFrame({name: stacked[name].array.take(source[:, j]) for j, name in enumerate(stacked.columns)})
    found = outputs_of(model, mixed).reshape(len(coalitions), n, -1).mean(axis=1)
    return shapley_values(dict(zip(coalitions, found, strict=True)).__getitem__, f)


def values_of(model: Any, background: pd.DataFrame, rows: pd.DataFrame, *, atol: float = 1e-9) -> Floats:
    """Return the values (K, n, f) after checking that they add up to the model's own predictions of these rows."""
    space = "response" if getattr(model, "classes_", None) is None else "probability"
    explanation = explain_model(model, background, rows, output=space).explanation
    found = explanation.local_importance_values
    values = np.asarray(found if explanation.is_classification else [found])
    total = explanation.expected_values[:, None] + values.sum(axis=2)
    np.testing.assert_allclose(total.T, outputs_of(model, rows), rtol=0, atol=atol)
    return values


def check(model: Any, background: pd.DataFrame, rows: pd.DataFrame, *, atol: float = 1e-9) -> None:
    """Check the values of the first row against their definition, and that those of a row by itself add up."""
    wanted = brute_force(model, background, rows.iloc[:1])
    np.testing.assert_allclose(values_of(model, background, rows, atol=atol)[:, 0], wanted, rtol=0, atol=atol)
    values_of(model, background, rows.iloc[:1], atol=atol)


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # learners about names and convergence
        yield


def check_stack(task: str, members: tuple[str, ...], final: str, passthrough: bool) -> None:
    table, y = engineered(task, ["number", "gaps", "category", "object", "string", "boolean"])
    model = stack(members, final, task, table, y, passthrough=passthrough)
    single = any("xgb" in name for name in (*members, final))  # its predictions are rounded to single precision
    check(model, complete_rows(table, 8), complete_rows(table.iloc[40:], 3), atol=1e-6 if single else 1e-9)


@pytest.mark.parametrize(("task", "members", "final", "passthrough"), cases(every=False))
def test_a_stack_of_flaml_learners_over_categories_is_explained_exactly(
    task: str, members: tuple[str, ...], final: str, passthrough: bool
) -> None:
    check_stack(task, members, final, passthrough)


@pytest.mark.slow
@pytest.mark.parametrize(("task", "members", "final", "passthrough"), cases(every=True))
def test_every_stack_of_flaml_learners_over_categories_is_explained_exactly(
    task: str, members: tuple[str, ...], final: str, passthrough: bool
) -> None:
    check_stack(task, members, final, passthrough)


@pytest.mark.parametrize("final", ["lgbm", "rf", "lrl1", "kneighbor"])
def test_each_block_of_rows_is_read_as_part_of_the_whole_table(final: str) -> None:
    """The codes of text belong to the table that the caller passes, however many rows are explained at a time."""
    table, y = engineered("binary", ["number", "category", "object"])
    model = stack(("lgbm", "rf"), final, "binary", table, y, passthrough=True)
    rows = complete_rows(table.iloc[40:], 12)
    background = complete_rows(table, 8)
    together = values_of(model, background, rows)
    for row in range(0, len(rows), 5):
        wanted = brute_force(model, background, rows.iloc[[row]])
        np.testing.assert_allclose(together[:, row], wanted, rtol=0, atol=1e-9)


def sklearn_ensembles() -> dict[str, Any]:
    text = ["category", "object", "string"]

    def member(model: Any) -> Any:
        columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), text), remainder="drop")
        return make_pipeline(columns, model)

    def over_array(model: Any) -> Any:  # numbers, and text by position behind two outputs of members
        return make_pipeline(OneHotEncoder(handle_unknown="ignore"), model)

    def bagged() -> Any:
        return make_pipeline(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), LogisticRegression())

    forest = RandomForestClassifier(5, max_depth=3, random_state=0)
    pairs = [("linear", member(LogisticRegression())), ("forest", member(forest))]
    regressors = [
        ("linear", member(Ridge())),
        ("forest", member(RandomForestRegressor(5, max_depth=3, random_state=0))),
    ]
    return {
        "binary-stack": StackingClassifier(pairs, LogisticRegression(), cv=2),
        "multiclass-stack": StackingClassifier(pairs, forest, cv=2),
        "regression-stack": StackingRegressor(regressors, Ridge(), cv=2),
        "binary-stack-passthrough": StackingClassifier(pairs, over_array(forest), cv=2, passthrough=True),
        "regression-stack-passthrough": StackingRegressor(regressors, over_array(Ridge()), cv=2, passthrough=True),
        "binary-vote": VotingClassifier(pairs, voting="soft"),
        "multiclass-vote": VotingClassifier(pairs, voting="soft"),
        "regression-vote": VotingRegressor(regressors),
        "binary-bagging": BaggingClassifier(bagged(), 3, max_features=0.8, random_state=0),
    }


@pytest.mark.parametrize("name", list(sklearn_ensembles()))
def test_a_scikit_learn_ensemble_over_categories_is_explained_exactly(name: str) -> None:
    table = raw_table()[["number", "category", "object", "string", "boolean"]]
    table["object"] = table["object"].fillna("none")
    model = sklearn_ensembles()[name].fit(table, target(table, name.split("-")[0]))
    check(model, complete_rows(table, 8), complete_rows(table.iloc[40:], 3))


@pytest.mark.parametrize("task", TASKS)
def test_the_ensemble_of_a_search_over_every_kind_of_column_is_explained_exactly(task: str, tmp_path: Any) -> None:
    table = raw_table()
    y = target(table, task)
    automl = AutoML(model_explainability=True, history=tmp_path, explainability_options=ExplainabilityOptions(which=1))
    automl.fit(
        table, y, task="regression" if task == "regression" else "classification", X_val=table, y_val=y, ensemble=True,
        estimator_list=["rf", "lgbm"], max_iter=6, time_budget=60, verbose=0, n_jobs=1,
    )  # fmt: skip
    assert automl.model.passthrough
    assert automl.final_run is not None
    assert (automl.final_run.kind, automl.final_run.status) == ("ensemble", "explained"), automl.final_run.why
    background, rows = complete_rows(table, 8), complete_rows(table.iloc[40:], 3)
    space = "response" if task == "regression" else "probability"
    explanation = explain_model(automl, background, rows, output=space, feature_space="raw").explanation
    values = np.asarray(explanation.local_importance_values).reshape(-1, len(rows), table.shape[1])
    total = explanation.expected_values[:, None] + values.sum(axis=2)
    predicted = automl.predict(rows) if task == "regression" else automl.predict_proba(rows)
    np.testing.assert_allclose(total.T, np.reshape(predicted, (len(rows), -1)), rtol=0, atol=1e-9)
    np.testing.assert_allclose(values[:, 0], brute_force(automl, background, rows.iloc[:1]), rtol=0, atol=1e-9)
