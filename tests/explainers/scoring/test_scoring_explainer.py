"""Scoring explainers give the values of the explainers that they are made from, also after a file."""

import json
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer

from automl_explain import (
    ColumnMismatchError,
    InvalidInputError,
    KernelScoringExplainer,
    LinearScoringExplainer,
    PFIExplainer,
    TabularExplainer,
    TreeExplainer,
    TreeScoringExplainer,
    UnsupportedModelError,
    explain_model,
    load,
    save,
    scoring_explainer,
)
from automl_explain.explainers.scoring._kinds import SCORING_RULES
from automl_explain.explainers.trees._predict import predict_trees
from tests.explainers.scoring.conftest import CASES, FRAME, X, Y

FLOAT32 = 16 * float(np.finfo(np.float32).eps)
ROUNDING = 1e-12


def same_explanation(found, wanted, rounding=ROUNDING):
    size = max(1.0, float(np.abs(wanted.predictions).max()))
    assert np.allclose(found.local_importance_values, wanted.local_importance_values, rtol=0, atol=ROUNDING * size)
    assert np.allclose(found.expected_values, wanted.expected_values, rtol=0, atol=rounding * size)
    assert np.allclose(found.predictions, wanted.predictions, rtol=0, atol=rounding * size)
    for name in ("features", "classes", "output_space", "method", "reason", "is_raw", "model_kind"):
        assert getattr(found, name) == getattr(wanted, name), name
    assert (found.standard_errors is None) == (wanted.standard_errors is None)


def same_rows(found, wanted):
    """The rows are those that were passed, with their categories and dates, and not their codes."""
    found, wanted = pd.DataFrame(found.data), pd.DataFrame(wanted.data)
    pd.testing.assert_frame_equal(found, wanted, check_names=False, check_dtype=found.dtypes.isin([object]).any())


def test_values_equal_those_of_the_explainer_before_and_after_a_file(case, tmp_path):
    explainer, rows = case
    wanted = explainer.explain_local(rows)
    scorer = scoring_explainer(explainer)
    loaded = load(save(scorer, tmp_path / "bundle.zip"))
    rounding = FLOAT32 if "XGB" in explainer.model.name else ROUNDING
    for one in (scorer, loaded):
        one.warm_up()
        found = one.explain_local(rows)
        same_explanation(found, wanted, rounding)
        same_rows(found.data, wanted.data)
    assert type(loaded) is type(scorer)
    assert loaded.fingerprint == scorer.fingerprint


@pytest.mark.parametrize("name", ["raw columns", "dates of an engine"])
def test_rows_of_json_have_the_values_of_the_frame(name):
    explainer, rows = CASES[name]()
    scorer, some = scoring_explainer(explainer), rows[:20]
    wanted = np.stack(scorer.explain(some))
    records = json.loads(some.to_json(orient="records", date_format="iso"))
    shuffled = [dict(reversed(record.items())) for record in records]
    columns = {name: [record[name] for record in records] for name in reversed(records[0])}
    for given in (records, shuffled, columns, some[some.columns[::-1]]):
        assert np.array_equal(np.stack(scorer.explain(given)), wanted)
    assert np.array_equal(np.stack(scorer.explain(records[3]))[:, 0], wanted[:, 3])


@pytest.mark.parametrize("name", ["lightgbm categories", "raw columns", "dates of an engine", "mimic of dates"])
def test_an_explanation_shows_the_rows_that_were_passed(name):
    explainer, rows = CASES[name]()
    scorer, some = scoring_explainer(explainer), rows[10:16].round(dict.fromkeys("abcdef", 6))
    other_order = some[some.columns[::-1]]
    pd.testing.assert_frame_equal(scorer.explain_local(other_order).data.data, some)  # and its row labels
    records = json.loads(some.to_json(orient="records", date_format="iso"))
    columns = {name: [record[name] for record in records] for name in reversed(records[0])}
    for given in (records, columns):
        shown = scorer.explain_local(given).data
        assert shown.names == tuple(some.columns)
        for name in some.columns:  # ISO texts of dates are shown as dates
            found, wanted = shown.data[name].tolist(), some[name].tolist()
            assert [cell for cell in found if cell == cell] == [cell for cell in wanted if pd.notna(cell)]
            assert [cell != cell or cell is None for cell in found] == [pd.isna(cell) for cell in wanted]
    assert scorer.explain_local(some, with_rows=False).data is None


@pytest.mark.parametrize("output", ["log_odds", "probability"])
def test_features_that_are_not_used_have_the_value_zero_without_a_sign(output):
    model = LGBMClassifier(n_estimators=3, verbose=-1).fit(X[:, :1] * [[1.0, 0.0]], Y)
    explainer = TabularExplainer(model, X[:20, :2], output=output)
    for values in (
        explainer.explain_local(X[:3, :2]).local_importance_values,
        scoring_explainer(explainer).score(X[:3, :2])[1],
    ):
        assert np.allclose(values[0], -values[1], rtol=0, atol=ROUNDING)
        assert not np.signbit(values[..., 1]).any()


def test_explain_has_the_form_of_the_document():
    of_regression, rows = CASES["lightgbm regression"]()
    assert scoring_explainer(of_regression).explain(rows[:4]).shape == (4, 3)
    of_classes, rows = CASES["path-dependent"]()
    values = scoring_explainer(of_classes).explain(rows[:4])
    assert [block.shape for block in values] == [(4, 6)] * 3
    engineered, rows = CASES["engineered columns"]()
    scorer = scoring_explainer(engineered)
    raw = engineered.explain_local(rows[:4]).get_raw_explanation().local_importance_values
    assert np.allclose(np.stack(scorer.explain(rows[:4], get_raw=True)), raw, rtol=0, atol=ROUNDING)


def test_predictions_and_probabilities_come_from_the_structure(pipeline):
    explainer, rows = pipeline
    scorer = scoring_explainer(explainer)
    engineered = explainer.model.transform(rows[:30])
    for space, found in (("log_odds", scorer.predict(rows[:30])), ("probability", scorer.predict_proba(rows[:30]))):
        assert np.allclose(found, explainer.model.outputs[space](engineered), rtol=0, atol=1e-12)
    outputs, values = scorer.score(rows[:30])
    assert np.array_equal(outputs, scorer.predict(rows[:30]))
    assert np.array_equal(values, np.stack(scorer.explain(rows[:30])))


def test_the_table_of_structures_chooses():
    expected = {"lightgbm": TreeScoringExplainer, "linear": LinearScoringExplainer, "kernels": KernelScoringExplainer}
    for name, kind in expected.items():
        assert type(scoring_explainer(CASES[name]()[0])) is kind
    assert len({rule.explainer.kind for rule in SCORING_RULES}) == 4


def test_a_scoring_explainer_of_another_kind_is_refused():
    with pytest.raises(UnsupportedModelError, match="TreeScoringExplainer explains models of the structure Trees"):
        TreeScoringExplainer(CASES["linear"]()[0])
    with pytest.raises(InvalidInputError, match="explainer of Shapley values"):
        scoring_explainer(PFIExplainer(LogisticRegression().fit(X, Y)))
    with pytest.raises(InvalidInputError, match="explainer of Shapley values"):
        scoring_explainer(LogisticRegression().fit(X, Y))


def test_splits_of_missing_cells_alone_keep_the_background_finite():
    rows = np.column_stack([np.where(np.arange(300) % 3, X[:, 0], np.nan), X[:, 1]])
    model = LGBMRegressor(n_estimators=5, verbose=-1).fit(rows, np.isnan(rows[:, 0]).astype(float))
    scorer = scoring_explainer(TreeExplainer(model, rows[:60]))
    background = scorer._scorer.game.background
    assert np.isnan(background).any()
    assert not np.isinf(background).any()
    mean = np.average(scorer._scorer.outputs(background), axis=0, weights=scorer._scorer.game.weights)
    assert np.allclose(mean, scorer.expected_values, rtol=0, atol=ROUNDING)


def test_a_fitted_model_and_a_model_explanation_will_do():
    model = CASES["raw columns"]()[0]
    wanted = np.stack(scoring_explainer(model).explain(FRAME[:5]))
    fitted = make_pipeline(FunctionTransformer(), LogisticRegression()).fit(X, Y)
    explained = explain_model(fitted, X[:50], X[:5])
    assert np.allclose(
        np.stack(scoring_explainer(explained).explain(X[:5])), np.stack(explained.shap_values), atol=1e-12
    )
    assert np.allclose(
        np.stack(scoring_explainer(fitted, X[:50]).explain(X[:5])), np.stack(explained.shap_values), atol=1e-12
    )
    assert wanted.shape == (2, 5, 8)


class Doubled(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X * 2


@pytest.mark.parametrize("step", [PCA(3), Normalizer(), FunctionTransformer(np.abs), Doubled()])
def test_what_has_no_form_as_data_is_not_saved_as_data_and_the_reason_is_said(step, tmp_path):
    model = make_pipeline(step, LogisticRegression()).fit(X, Y)
    scorer = scoring_explainer(TabularExplainer(model, X[:30]))
    with pytest.raises(UnsupportedModelError, match=f"{type(step).__name__}.*model='external'"):
        save(scorer, tmp_path / "bundle")


def test_a_black_box_is_not_saved_as_data_and_what_to_do_is_said(tmp_path):
    scorer = scoring_explainer(TabularExplainer(lambda rows: rows[:, 0], X[:30]))
    with pytest.raises(UnsupportedModelError, match="model='external'.*MimicExplainer"):
        save(scorer, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_background_of_trees_keeps_no_cell_of_a_row():
    scorer = scoring_explainer(CASES["lightgbm"]()[0])
    assert not np.isin(X[:80], scorer._scorer.game.background).any()


@pytest.mark.parametrize("name", ["xgboost", "forest"])
def test_distinguishable_rows_reach_the_same_leaves(name):
    explainer, rows = CASES[name]()
    full, small = explainer.model.structure, scoring_explainer(explainer)._scorer
    weights = explainer._explained.weights
    mean = np.average(predict_trees(full, rows[:80]), axis=0, weights=weights)
    assert np.allclose(
        np.average(predict_trees(small.model.structure, small.game.background), axis=0, weights=small.game.weights),
        mean,
    )


# ------------------------------------------------------------------------------ bad rows


@pytest.fixture(scope="module")
def scorer(pipeline):
    return scoring_explainer(pipeline[0])


@pytest.fixture
def row(pipeline):
    return json.loads(pipeline[1][1:2].to_json(orient="records"))[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"town": "Paris"}, "column 'town'.*known categories.*Paris.*examples=rows"),
        ({"b": "high"}, "column 'b'.*a number was expected.*high"),
        ({"c": None}, None),
        ({"size": None}, "column 'size'.*missing"),
        ({"b": {"x": 1}}, "cell of a row"),
        ({"b": [1, 2]}, "same length"),
        ({"town": 3.5}, "column 'town'.*3.5"),
        ({"b": 10**400}, "column 'b'|too large"),
    ],
)
def test_cells_that_the_model_cannot_take_name_their_column(scorer, row, change, message):
    if message is None:
        scorer.explain(row | change)
        return
    with pytest.raises(InvalidInputError, match=message):
        scorer.explain(row | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"since": 1582934400000}, "column 'since'.*'2024-01-31'.*1582934400000.*date_format='iso'"),
        ({"since": "2024-01-31T00:00:00Z"}, "column 'since'.*without a time zone"),
        ({"seen": "2024-01-31"}, "column 'seen'.*with a time zone"),
        ({"seen": None}, "column 'seen'.*missing|^$"),
        ({"since": "soon"}, "column 'since'.*soon"),
    ],
)
def test_cells_that_are_no_dates_name_their_column(change, message):
    explainer, rows = CASES["dates of a linear engine"]()
    scorer = scoring_explainer(explainer)
    row = json.loads(rows[1:2].to_json(orient="records", date_format="iso"))[0]
    scorer.explain(row)
    if change == {"seen": None}:  # the imputer has a rule
        scorer.explain(row | change)
        return
    with pytest.raises(ColumnMismatchError, match=message):
        scorer.explain(row | change)


def test_every_wrong_column_is_named(scorer, row):
    with pytest.raises(ColumnMismatchError) as caught:
        scorer.explain(row | {"town": "Paris", "b": "high"})
    assert set(caught.value.problems) == {"town", "b"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: {k: v for k, v in row.items() if k != "b"}, r"missing: \['b'\]"),
        (lambda row: row | {"zone": 1}, r"unknown columns: \['zone'\]"),
        (
            lambda row: {("towm" if k == "town" else k): v for k, v in row.items()},
            r"towm'\]\. Did you mean 'town' by 'towm'\?",
        ),
    ],
)
def test_missing_extra_and_renamed_columns_are_named(scorer, row, change, message):
    for given in (change(row), [row, change(row)], pd.DataFrame([change(row)])):
        with pytest.raises(ColumnMismatchError, match=message):
            scorer.explain(given)


@pytest.mark.parametrize("rows", [[], {}, [[1.0]], np.zeros((2, 3)), "text", None, [{}], np.zeros((0, 8)), 5])
def test_what_is_no_table_is_refused(scorer, rows):
    with pytest.raises(InvalidInputError):
        scorer.explain(rows)


def test_missing_numbers_are_refused_where_the_model_has_no_rule():
    scorer = scoring_explainer(CASES["linear"]()[0])
    with pytest.raises(ColumnMismatchError, match="column 'x2': a cell is missing"):
        scorer.explain(np.array([[0.0, 1.0, np.nan, 0.0, 0.0, 0.0]]))


# --------------------------------------------------------------------- without libraries

WITHOUT = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("sklearn", "lightgbm", "xgboost", "shap", "flaml", "torch"):
            raise ImportError(f"{name} must not be imported")
sys.meta_path.insert(0, Blocker())
import json, numpy as np
from automl_explain import load
for path, rows in json.load(sys.stdin):
    scorer = load(path)
    scorer.warm_up()
    print(json.dumps([block.tolist() for block in np.atleast_3d(np.asarray(scorer.explain(rows)))]))
"""


@pytest.mark.slow
def test_neither_scikit_learn_nor_boosters_are_imported_to_explain(tmp_path):
    asked, wanted = [], []
    names = ("raw columns", "linear", "kernels", "stack", "network", "lightgbm categories", "dates of an engine")
    for number, name in enumerate(names):
        explainer, rows = CASES[name]()
        scorer = scoring_explainer(explainer)
        path = save(scorer, tmp_path / str(number))
        given = (
            json.loads(rows[:2].to_json(orient="records", date_format="iso"))
            if isinstance(rows, pd.DataFrame)
            else rows[:2].tolist()
        )
        asked.append([str(path), given])
        wanted.append(np.atleast_3d(np.asarray(scorer.explain(rows[:2]))))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], input=json.dumps(asked), capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for line, values in zip(done.stdout.splitlines(), wanted, strict=True):
        assert np.allclose(np.asarray(json.loads(line)), values, rtol=0, atol=1e-12)


def test_warm_up_gives_no_warning():
    scorer = scoring_explainer(CASES["lightgbm"]()[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scorer.warm_up()
