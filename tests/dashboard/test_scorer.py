"""The model in the page, run in a real browser: predictions and Shapley values are those of Python for every family of models."""

import numpy as np
import pandas as pd
import pytest
import xgboost
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC, SVR

from automl_explain import KernelExplainer, TabularExplainer, scoring_explainer
from automl_explain.dashboard._page import join_modules, script_modules
from automl_explain.dashboard._subject import Parameters, read_given
from automl_explain.dashboard.data._columns import column_cells, read_column
from automl_explain.dashboard.data._page_model import StoredPageModel
from automl_explain.explainers.tables._moments import PARTS, date_numbers
from automl_explain.explainers.tables._table import as_table
from automl_explain.search.engines._preprocessing import for_trees
from tests.dashboard.scorer_page import ScorerPage, numbers_of, page_model

RANDOM = np.random.default_rng(0)
N = 240
NUMBERS = pd.DataFrame(RANDOM.normal(size=(N, 5)), columns=["age", "income", "debt", "score", "visits"])
NUMBERS["visits"] = NUMBERS["visits"].round()
MIXED = NUMBERS.assign(
    town=RANDOM.choice(["Bern", "Oslo", "O'Neill's <i>"], N),
    size=pd.Categorical(RANDOM.choice(["S", "M", "L"], N), categories=["S", "M", "L"], ordered=True),
    member=RANDOM.random(N) < 0.5,
)
MIXED.loc[::7, "income"] = np.nan
HOLES = MIXED.copy()
HOLES.loc[::11, "town"] = None
CODED = HOLES.assign(town=HOLES["town"].astype("category"), member=HOLES["member"].astype(int))
PLAIN = MIXED.assign(town=MIXED["town"].astype("category"), member=MIXED["member"].astype(int))
DATED = HOLES.assign(
    since=pd.Timestamp("1999-12-31T23:30") + pd.to_timedelta(np.random.default_rng(1).integers(0, 9000 * 24, N), "h")
)
DATED.loc[::13, "since"] = pd.NaT
SCORE = 2 * NUMBERS["age"] + NUMBERS["debt"] * NUMBERS["score"] + (MIXED["size"] == "S") + 0.3 * RANDOM.normal(size=N)
TWO = np.where(SCORE > 0, "stays", "leaves")
BITS = (SCORE > 0).astype(int)
THREE = np.digitize(SCORE, [-1.0, 1.0])
TREES = {"n_estimators": 15, "num_leaves": 7, "min_child_samples": 5, "verbose": -1, "n_jobs": 1}
FOREST = {"n_estimators": 6, "random_state": 0}
BOOSTED = {"n_estimators": 12, "max_depth": 3, "n_jobs": 1}


def prepared(model):
    """A pipeline that imputes, scales and encodes."""
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    return make_pipeline(
        make_column_transformer(
            (numbers, ["age", "income"]),
            (MinMaxScaler(clip=True), ["debt"]),
            (OneHotEncoder(handle_unknown="ignore"), ["town"]),
            (OrdinalEncoder(categories=[["S", "M", "L"]]), ["size"]),
            remainder="passthrough",
        ),
        model,
    )


CASES = {
    "lightgbm categories": (LGBMClassifier(**TREES), CODED, TWO, {}),
    "lightgbm zero as missing": (LGBMRegressor(**TREES, zero_as_missing=True), PLAIN, SCORE, {}),
    "lightgbm without missing": (LGBMClassifier(**TREES, use_missing=False), NUMBERS, THREE, {}),
    "lightgbm probability": (LGBMClassifier(**TREES), NUMBERS, TWO, {"output": "probability"}),
    "xgboost": (xgboost.XGBClassifier(**BOOSTED), NUMBERS.astype(np.float64), THREE, {}),
    "xgboost categories": (xgboost.XGBRegressor(**BOOSTED, enable_categorical=True), CODED, SCORE, {}),
    "catboost": (CatBoostClassifier(iterations=12, depth=3, verbose=False, allow_writing_files=False), NUMBERS, TWO, {}),
    "forest": (RandomForestRegressor(**FOREST), NUMBERS, SCORE, {}),
    "extra trees": (ExtraTreesClassifier(**FOREST), NUMBERS.to_numpy(), THREE, {}),
    "histogram boosting categories": (
        HistGradientBoostingClassifier(max_iter=8, min_samples_leaf=5, categorical_features="from_dtype"), CODED, TWO, {},
    ),
    "logistic": (LogisticRegression(), NUMBERS, THREE, {}),
    "svr": (SVR(), NUMBERS, SCORE, {}),
    "svc": (SVC(), NUMBERS, THREE, {}),
    "perceptron": (MLPClassifier((8,), max_iter=200, tol=0.1, random_state=0), NUMBERS, TWO, {}),
    "pipeline of trees": (prepared(LGBMClassifier(**TREES)), HOLES, TWO, {}),
    "pipeline over its own columns": (prepared(LogisticRegression()), HOLES, TWO, {"feature_space": "engineered"}),
    "pipeline probability": (prepared(LogisticRegression()), HOLES, TWO, {"output": "probability"}),
    "dates": (for_trees(DATED, LGBMClassifier(**TREES)), DATED, TWO, {}),
    "vote": (VotingRegressor([("a", LGBMRegressor(**TREES)), ("b", Ridge()), ("c", SVR())]), NUMBERS, SCORE, {}),
    "vote of pipelines": (
        VotingClassifier([("a", prepared(ExtraTreesClassifier(**FOREST))), ("b", prepared(LogisticRegression()))], voting="soft"),
        HOLES, TWO, {},
    ),
    "stack": (
        StackingRegressor([("a", LGBMRegressor(**TREES)), ("b", Ridge())], Ridge(), cv=3, passthrough=True),
        NUMBERS, SCORE, {},
    ),
    "stack under trees": (
        StackingClassifier(
            [("a", LGBMClassifier(**TREES)), ("b", ExtraTreesClassifier(**FOREST))], LGBMClassifier(**TREES), cv=3
        ),
        NUMBERS, THREE, {},
    ),
    "calibrated by sigmoids": (CalibratedClassifierCV(LGBMClassifier(**TREES), cv=2), NUMBERS, THREE, {}),
    "calibrated by steps": (CalibratedClassifierCV(prepared(LGBMClassifier(**TREES)), method="isotonic", cv=2), HOLES, TWO, {}),
    "one against the rest": (OneVsRestClassifier(prepared(LogisticRegression())), HOLES, THREE, {}),
}  # fmt: skip
"""Name -> model, rows, target, and what is explained."""

ROUNDING = {"xgboost": 5e-7, "xgboost categories": 5e-7}
"""Relative difference from a library that adds in float32; 1e-12 for all others."""
SINGLE = {"perceptron": 1e-6}
"""Relative difference of values that Python computes in float32; 1e-9 for all others."""


def edited(X, n_rows=8):
    """The first rows with cells of other rows, zeros, tiny and far numbers, and missing cells where the table has some."""
    table = pd.DataFrame(X).head(n_rows).copy()
    random = np.random.default_rng(1)
    for row in range(n_rows):
        for column in random.choice(table.shape[1], 3, replace=False):
            source = pd.DataFrame(X).iloc[:, column]
            cell = source.iloc[random.integers(len(source))]
            if pd.api.types.is_float_dtype(source.dtype):
                cell = random.choice([cell, 0.0, 1e-40, 1e6, -3.25])
            if source.isna().any() and random.random() < 0.4:
                cell = source[source.isna()].iloc[0]
            table.iloc[row, column] = cell
    return table if isinstance(X, pd.DataFrame) else table.to_numpy()


@pytest.fixture(scope="module")
def tab(browser):
    page = browser.new_page()
    page.add_init_script("performance.now = () => 0")  # a page has time for exact values, on a busy machine too
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    page.close()
    assert not said, said


def own_outputs(model, rows):
    """What the library itself predicts."""
    return model.predict_proba(rows) if hasattr(model, "predict_proba") else np.asarray(model.predict(rows))[:, None]


def check(name, tab):
    model, X, y, options = CASES[name]
    fitted = model.fit(X, BITS if "xgboost" in name and y is TWO else y)
    page = page_model(fitted, X[:30], X, **options)
    shown = ScorerPage(tab, page)
    assert shown.entry["kind"] == "scorer", shown.entry["reason"]
    rows = edited(X)
    outputs, probabilities = shown.predict(rows)
    wanted = page.predict(as_table(rows))
    rounding = ROUNDING.get(name, 1e-12)
    assert np.allclose(outputs, wanted.output, rtol=0, atol=rounding * np.abs(wanted.output).max())
    if wanted.probability is not None:
        assert np.allclose(probabilities, wanted.probability, rtol=0, atol=rounding)
    if name != "svc":
        own = own_outputs(fitted, rows)
        assert np.allclose(
            outputs if probabilities is None else probabilities, own, rtol=0, atol=rounding * np.abs(own).max()
        )
    values, errors, expected, note = shown.explain(rows)
    explanation = page.explain(as_table(rows))
    local = explanation.local_importance_values
    assert errors is None
    assert note is None
    size = max(np.abs(local).max(), 1e-3)
    assert np.allclose(values, local if local.ndim == 3 else local[None], rtol=0, atol=SINGLE.get(name, 1e-9) * size)
    assert np.allclose(
        expected, explanation.expected_values, rtol=0, atol=SINGLE.get(name, 1e-9) * np.abs(wanted.output).max()
    )


def test_trees_with_categories_and_missing_cells_equal_python(tab):
    check("lightgbm categories", tab)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if name != "lightgbm categories"])
def test_every_family_equals_python(name, tab):
    check(name, tab)


def test_parts_of_dates_equal_python(tab):
    moments = date_numbers(DATED["since"], "datetime64[us]") - 10**6 * 86400 * 365 * 40.0  # also before 1970
    moments[0] += 123456
    tab.goto("about:blank")
    probe = 'import { columnMap } from "./model/scorer_columns.js";\nglobalThis.columnMap = columnMap;\n'
    tab.add_script_tag(content=join_modules({**script_modules(), "probe.js": probe}, "probe.js"))
    count = len(PARTS)
    facts = {"outputs": count, "identity": False, "steps": [[part] for part in PARTS], "table": False}
    arrays = {
        f"m.{n}.{key}": [value] for n in range(count) for key, value in (("to", n), ("source", 0), ("numbers", 0))
    }
    cells = [None if cell != cell else cell for cell in moments]
    run = """([facts, arrays, cells]) => {
        const map = columnMap(facts, "m", arrays);
        return cells.map((cell) => Array.from(map([cell === null ? NaN : cell]), (part) => (Number.isNaN(part) ? null : part)));
    }"""
    found = np.array(tab.evaluate(run, [facts, arrays, cells]), dtype=float)
    assert np.array_equal(found, np.column_stack([take(moments) for take in PARTS.values()]), equal_nan=True)


@pytest.mark.slow
def test_probabilities_of_many_features_are_sampled_with_standard_errors(tab):
    X = pd.DataFrame(RANDOM.normal(size=(300, 14)), columns=[f"x{j}" for j in range(14)])
    model = LGBMClassifier(**TREES).fit(X, X.to_numpy() @ np.linspace(-1, 1, 14) + X["x0"] * X["x5"] > 0)
    page = page_model(model, X[:40], X, output="probability")
    shown = ScorerPage(tab, page)
    values, errors, expected, note = shown.explain(X[:3])
    outputs, _ = shown.predict(X[:3])
    assert "sampled" in note
    assert np.allclose(values.sum(axis=2).T + expected, outputs, rtol=0, atol=1e-9)
    exact = page.explain(as_table(X[:3])).local_importance_values
    assert np.all(np.abs(values - exact) <= 6 * errors + 1e-9)
    assert 0 < errors.max() < 0.05


WALKED = (
    "lightgbm probability",
    "pipeline probability",
    "vote of pipelines",
    "stack",
    "stack under trees",
    "perceptron",
    "svc",
    "calibrated by steps",
)


@pytest.mark.parametrize(
    "name", ["pipeline of trees", *(pytest.param(name, marks=pytest.mark.slow) for name in WALKED)]
)
def test_outputs_along_walks_are_those_of_the_rows_of_their_steps(name, tab):
    model, X, y, options = CASES[name]
    shown = ScorerPage(tab, page_model(model.fit(X, y), X[:6], X, **options))
    data = shown.entry["data"]
    n_players = data["n_players"] or len(data["columns"])
    orders = [RANDOM.permutation(n_players).tolist() for _ in range(6)]
    for row in numbers_of(shown.page, edited(X, 4)):
        assert tab.evaluate("([row, orders]) => differenceOfWalks(row, orders)", [row, orders]) < 1e-9


@pytest.mark.slow
def test_values_over_many_background_rows_are_those_of_a_sample(tab):
    model = RandomForestRegressor(**FOREST).fit(NUMBERS, SCORE)
    page = page_model(model, NUMBERS, NUMBERS)
    shown = ScorerPage(tab, page)
    assert shown.entry["notes"] == ["Edited rows are explained over 100 of the 240 background rows."]
    values, _, expected, _ = shown.explain(NUMBERS[:4])
    outputs, _ = shown.predict(NUMBERS[:4])
    assert np.allclose(values.sum(axis=2).T + expected, outputs, rtol=0, atol=1e-9)


def test_a_stored_scoring_explainer_reads_the_columns_of_the_page_by_name(tab):
    model = prepared(LGBMClassifier(**TREES)).fit(HOLES, TWO)
    scoring = scoring_explainer(TabularExplainer(model, HOLES[:120], feature_space="raw"), examples=HOLES)
    shuffled = HOLES[HOLES.columns[::-1]]
    table = as_table(shuffled)
    columns = tuple(read_column(name, column_cells(table, j)) for j, name in enumerate(shuffled))
    page = StoredPageModel(columns=columns, like=table, scoring=scoring)
    shown = ScorerPage(tab, page)
    assert shown.entry["notes"][0].startswith("Edited rows are explained over 100 of the 1")
    rows = edited(shuffled)
    outputs, probabilities = shown.predict(rows)
    assert np.allclose(outputs, page.predict(as_table(rows)).output, rtol=0, atol=1e-12)
    assert np.allclose(probabilities, model.predict_proba(rows[HOLES.columns]), rtol=0, atol=1e-12)
    values, _, expected, _ = shown.explain(rows)
    assert np.allclose(values.sum(axis=2).T + expected, outputs, rtol=0, atol=1e-9)
    stored = scoring.explain_local(rows)
    wanted = stored.local_importance_values[..., [stored.features.index(name) for name in shuffled]]
    assert 0 < np.abs(values - wanted).max() < 0.2, "the stored values are over 120 background rows, these over 100"


def test_a_model_of_dates_is_imitated_over_their_numbers(tab):
    start = pd.Timestamp("2020-01-01")
    rows = pd.DataFrame({"start": start + pd.to_timedelta(RANDOM.integers(0, 900, 600), unit="D")}).assign(
        town=RANDOM.choice(["Bern", "Oslo", None], 600)
    )

    def predict(table):
        days = (pd.to_datetime(table["start"]) - start).dt.days.to_numpy(float)
        return days * np.where(table["town"] == "Bern", 2.0, 1.0)

    explanation = KernelExplainer(predict, rows[:10], model_task="regression").explain_local(rows[:20])
    shown = ScorerPage(tab, read_given(explanation, Parameters(predict, rows[:20], background=rows)).model)
    assert shown.entry["kind"] == "surrogate"
    assert shown.entry["fidelity"]["r2"] > 0.95
    edited_rows = rows[300:320].assign(start=rows["start"][300:320] - pd.Timedelta(days=30))
    outputs, _ = shown.predict(edited_rows)
    assert np.corrcoef(outputs[:, 0], predict(edited_rows))[0, 1] > 0.95
    values, _, expected, _ = shown.explain(edited_rows)
    assert np.allclose(values.sum(axis=2).T + expected, outputs, rtol=0, atol=1e-9 * np.abs(outputs).max())


def test_a_cell_that_the_model_cannot_take_is_a_sentence(tab):
    model = prepared(Ridge()).fit(MIXED, SCORE)
    shown = ScorerPage(tab, page_model(model, MIXED[:20], MIXED))
    refused = tab.evaluate("row => scorer.predict([row]).then(() => null, (error) => error.message)", [None] * 8)
    assert refused.startswith('A value of "age" is needed') or "missing" in refused, refused
    assert shown.predict(MIXED[:2])[0].shape == (2, 1)


OPENED = """async ([rows, wanted]) => {
  const features = rows[0].map((_, j) => ({ values: Float64Array.from(rows, (row) => row[j] ?? NaN) }));
  const maker = pageModelMaker({ model, features, predictions: { output: [Float64Array.from(wanted)] } });
  const { available, sentence } = await maker.ready;
  const refused = await maker.predict(rows.slice(0, 1)).then(() => null, (error) => error.message);
  return { available, sentence, refused };
}"""


def test_a_page_whose_model_differs_from_python_refuses_to_answer(tab):
    model = LGBMRegressor(**TREES).fit(NUMBERS, SCORE)
    page = page_model(model, NUMBERS[:20], NUMBERS)
    shown = ScorerPage(tab, page)
    rows, own = numbers_of(page, NUMBERS), model.predict(NUMBERS)
    right = shown.tab.evaluate(OPENED, [rows, own.tolist()])
    assert right["available"]
    assert right["sentence"] == f"The model in the page predicts as in Python for all {N} rows shown."
    assert right["refused"] is None
    own[17] += 2e-6 * np.abs(own).max()
    wrong = shown.tab.evaluate(OPENED, [rows, own.tolist()])
    assert not wrong["available"]
    assert "differs from Python by at most 2.0e-6 (relative)" in wrong["sentence"]
    assert wrong["refused"] == wrong["sentence"]
    assert wrong["sentence"].endswith("What-if is off.")


SLOW_MAKER = """async () => {
  const predict = ([[answer, delay]]) => new Promise((resolve) => { setTimeout(() => resolve(answer), delay); });
  const transport = createTransport({ kind: "page", predict });
  return Promise.all([transport.predict([[1, 200]], "edit"), transport.predict([[2, 10]], "edit"), transport.predict([[3, 50]])]);
}"""


def test_of_two_questions_of_a_slow_model_the_last_is_answered(tab):
    ScorerPage(tab, page_model(Ridge().fit(NUMBERS, SCORE), NUMBERS[:5], NUMBERS))
    assert tab.evaluate(SLOW_MAKER) == [None, 2, 3]
