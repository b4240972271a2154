"""`ExplanationDashboard`: what it takes, what it shows and what it refuses."""

import json
import re
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from automl_explain import (
    ColumnMismatchError,
    ExplanationDashboard,
    HistoryError,
    InvalidInputError,
    MissingExtraError,
    PFIExplainer,
    RunHistory,
    RunNotFoundError,
    TabularExplainer,
    explain_model,
    retrieve_model_explanation,
)
from automl_explain.dashboard._page import bokeh_script, packed_bokeh
from automl_explain.dashboard._subject import _why_not_editable
from automl_explain.dashboard.data._columns import read_column
from automl_explain.dashboard.data._page_model import Answer, AnyPageModel
from automl_explain.dashboard.data._payload import FEWEST_ROWS, MOST_ROWS
from automl_explain.explainers.tables._table import as_table
from tests.dashboard.pages import CASES, LONG, churn_table, dashboard_of
from tests.explanation_cases import attributed


def payload_of(dashboard):
    """The payload of a saved page, as JSON."""
    return json.loads(json.dumps(dashboard._data_with_model.json, default=str))


@pytest.fixture(scope="module")
def linear():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(50, 4)), columns=list("abcd"))
    y = np.where(X["a"] + 0.5 * rng.normal(size=50) > 0, "yes", "no")
    return LogisticRegression().fit(X, y), X, y


def test_one_hot_columns_are_grouped_into_the_users_own():
    payload = payload_of(dashboard_of("churn"))
    assert [feature["name"] for feature in payload["features"]] == ["age", "income", "city", "plan", "member", LONG]
    kinds = ["integer", "number", "category", "category", "boolean", "number"]
    assert [feature["kind"] for feature in payload["features"]] == kinds
    assert payload["features"][1]["missing"] == 89
    assert payload["features"][3]["levels"] == ["S", "M", "L"]
    assert payload["model"]["kind"] == "scorer"
    assert payload["missing"] == []
    assert payload["output"] == {"space": "log_odds", "word": "log-odds"}


def test_edited_rows_are_explained_as_the_rows_that_are_shown():
    model, background, X, _ = CASES["churn"]()
    dashboard = ExplanationDashboard(explain_model(model, background, X), model, X, background=background)
    page = dashboard._given.model
    found = page.explain(page.like.take(np.arange(5)))
    expected = dashboard._given.subject.main.local_importance_values[:, :5]
    np.testing.assert_allclose(found.local_importance_values, expected, atol=1e-12)
    np.testing.assert_allclose(page.predict(page.like).probability, model.predict_proba(X), atol=1e-12)


def test_columns_in_another_order_are_found_by_name(linear):
    model, X, _ = linear
    explanation = explain_model(model, X, X)
    dashboard = ExplanationDashboard(explanation, model, X[list("dbca")])
    assert [feature["name"] for feature in payload_of(dashboard)["features"]] == list("abcd")
    assert dashboard._given.subject.table.data.columns.tolist() == list("abcd")


@pytest.mark.parametrize("rows", ["raw", "none"])
def test_columns_that_the_preprocessing_mixes_are_those_of_the_model(linear, rows):
    _, X, y = linear
    model = make_pipeline(StandardScaler(), PCA(2), LogisticRegression()).fit(X, y)
    dashboard = ExplanationDashboard(explain_model(model, X, X), model, X if rows == "raw" else None)
    payload = payload_of(dashboard)
    assert [feature["name"] for feature in payload["features"]] == ["pca0", "pca1"]
    assert payload["model"]["kind"] == "scorer"
    np.testing.assert_allclose(
        dashboard._given.model.predict(dashboard._given.subject.table).probability, model.predict_proba(X)
    )
    assert "after its preprocessing" in payload["notes"][0]
    assert ("Pass X_test" in payload["notes"][0]) == (rows == "none")


def test_the_result_of_explain_model_brings_its_model_and_background(linear):
    model, X, y = linear
    dashboard = ExplanationDashboard(explain_model(model, X, X), true_labels=y)
    payload = payload_of(dashboard)
    assert repr(dashboard) == "ExplanationDashboard(50 rows, 4 features, with a model)"
    assert payload["model"]["kind"] == "scorer"
    assert payload["missing"] == []
    assert payload["metrics"]["rows"] == 50
    assert len(dashboard._given.model.background) == 50


def test_without_model_rows_and_labels_the_page_says_what_is_missing():
    dashboard = ExplanationDashboard(attributed(np.ones((2, 5, 3)), ("a", "b")))
    payload = payload_of(dashboard)
    assert payload["features"][0]["values"] is None
    assert payload["rows"]["total"] == payload["rows"]["shown"] == 5
    said = " ".join(payload["missing"])
    for part in ("need the fitted model", "cells of the rows are not known", "true_labels="):
        assert part in said
    assert payload["model"]["kind"] == "none"
    assert payload["metrics"] is payload["search"] is payload["members"] is None


def test_an_explanation_without_local_values_shows_its_importance(linear):
    model, X, y = linear
    everything = TabularExplainer(model, X).explain_global(X, include_local=False)
    payload = payload_of(ExplanationDashboard(everything, model, X))
    first = payload["explanations"][0]
    assert first["values"] is None
    assert "no values of single rows" in payload["missing"][0]
    np.testing.assert_allclose(first["importance"]["mean_abs"], everything.per_class_values)
    permuted = PFIExplainer(model, metric="accuracy").explain_global(X, true_labels=y)
    first = payload_of(ExplanationDashboard(permuted, model, X))["explanations"][0]
    assert first["kind"] == "permutation"
    assert len(first["importance"]["mean_abs"]) == 1


def test_binary_values_are_stored_once(linear):
    model, X, _ = linear
    values = payload_of(ExplanationDashboard(explain_model(model, X, X)))["explanations"][0]["values"]
    assert values[0] == {"negative_of": 1}
    assert values[1]["column"] == "f4"
    assert values[1]["n"] == 200


def test_points_are_sampled_and_statistics_are_of_all_rows():
    table, _ = churn_table(30_000)
    X = table[["age", "income", "member"]].fillna(0.0)
    y = X["age"] + X["income"] / 1000
    model = LinearRegression().fit(X, y)
    explained = explain_model(model, X[:100], X)
    whole = payload_of(ExplanationDashboard(explained, model, X, true_labels=y))
    few = payload_of(ExplanationDashboard(explained, model, X, true_labels=y, max_rows=10))
    assert (whole["rows"]["shown"], few["rows"]["shown"]) == (MOST_ROWS, 10)
    for name in ("statistics", "metrics", "task"):
        assert few[name] == whole[name]
    assert few["explanations"][0]["importance"] == whole["explanations"][0]["importance"]
    counted = {len(feature["values"]) for feature in few["features"]}
    assert counted == {3, 4}
    assert sum(few["statistics"][1]["counts"]) == 30_000


@pytest.mark.parametrize(("n_classes", "n_features"), [(100, 30), (2, 500)])
def test_wide_pages_keep_the_fewest_rows(n_classes, n_features):
    values = np.random.default_rng(0).normal(size=(n_classes, 1100, n_features))
    explanation = attributed(values, tuple(range(n_classes)), data=np.zeros((1100, n_features)))
    dashboard = ExplanationDashboard(explanation)
    assert FEWEST_ROWS <= dashboard._data.json["rows"]["shown"] < 1100
    assert len(dashboard._data.json["classes"]) == n_classes


def test_the_same_dashboard_is_the_same_file(tmp_path, linear):
    model, X, y = linear
    explained = explain_model(model, X, X)
    first, second = (
        ExplanationDashboard(explained, model, X, true_labels=y).save(tmp_path / name).read_bytes() for name in "ab"
    )
    assert first == second


@pytest.mark.parametrize(
    ("index", "labels"),
    [
        (range(50), None),
        (range(1500, 1550), [str(1500 + i) for i in range(50)]),
        ([f"row {i}" for i in range(50)], None),
    ],
)
def test_rows_have_the_labels_of_the_users_index(linear, index, labels):
    model, X, _ = linear
    rows = X.set_axis(index)
    found = payload_of(ExplanationDashboard(explain_model(model, X, rows), model, rows))["rows"]["labels"]
    assert found == (labels if isinstance(index, range) else index)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["yes"] * 49, "a label for each of the 50 rows"),
        (["maybe"] * 50, "must hold the classes \\['no', 'yes'\\]. Got \\['maybe'\\]"),
    ],
)
def test_labels_that_do_not_fit_are_refused(linear, labels, said):
    model, X, _ = linear
    with pytest.raises(InvalidInputError, match=said):
        ExplanationDashboard(explain_model(model, X, X), true_labels=labels)


def test_labels_are_those_shown_or_the_models_own():
    X = pd.DataFrame({"a": np.arange(6.0), "b": [1.0, 0.0] * 3})
    bits = np.array([0, 1, 0, 1, 1, 1])
    model, names = LogisticRegression().fit(X, bits), ["no", "yes"]
    explained = explain_model(model, X, X, classes=names)
    for labels in (bits, bits.astype(str), np.array(names)[bits], pd.Series(bits[::-1], index=X.index[::-1])):
        assert ExplanationDashboard(explained, true_labels=labels)._given.subject.truth.tolist() == bits.tolist()
        assert explained.performance(labels).confusion.sum(axis=1).tolist() == [2, 4]
    swapped = explain_model(model, X, X, classes={0: 1, 1: 0})
    for refuse in (lambda: ExplanationDashboard(swapped, true_labels=bits), lambda: swapped.performance(bits)):
        with pytest.raises(InvalidInputError, match="also the names of other classes"):
            refuse()
    with pytest.raises(
        InvalidInputError, match=r"classes \['no', 'yes'\], or the model's own labels \[0, 1\]. Got \['2'\]"
    ):
        ExplanationDashboard(explained, true_labels=bits + 1)


def test_labels_that_were_kept_are_shown_unless_they_are_not_wanted():
    X = pd.DataFrame({"a": np.arange(6.0), "b": [1.0, 0.0] * 3})
    bits = np.array([0, 1, 0, 1, 1, 1])
    explained = explain_model(LogisticRegression().fit(X, bits), X, X, y_test=bits)
    assert payload_of(ExplanationDashboard(explained))["metrics"]["rows"] == 6
    assert payload_of(ExplanationDashboard(explained, true_labels=False))["metrics"] is None


def test_labels_may_be_missing_or_of_another_number_type():
    X = pd.DataFrame({"a": np.arange(6.0)})
    model = LogisticRegression().fit(X, [0, 0, 0, 1, 1, 1])
    labels = pd.Series([0.0, 0.0, None, 1.0, 1.0, 1.0])
    truth = ExplanationDashboard(explain_model(model, X, X), true_labels=labels)._given.subject.truth
    np.testing.assert_array_equal(truth, [0, 0, np.nan, 1, 1, 1])
    with pytest.raises(InvalidInputError, match="of a regression must be numbers"):
        ExplanationDashboard(explain_model(LinearRegression().fit(X, X["a"]), X, X), true_labels=list("abcdef"))


def test_rows_or_a_model_other_than_those_explained_are_refused(linear):
    model, X, y = linear
    explained = explain_model(model, X, X)
    with pytest.raises(
        InvalidInputError, match="X_test must hold the 50 rows that were explained, in their order. Got 9 rows"
    ):
        ExplanationDashboard(explained, model, X[:9])
    with pytest.raises(InvalidInputError, match="differ from those that were explained by up to"):
        ExplanationDashboard(explained, model, X[::-1])
    with pytest.raises(InvalidInputError, match="differ from those that were explained"):
        ExplanationDashboard(explained, LogisticRegression(C=0.01).fit(X, y), X)
    with pytest.raises(ColumnMismatchError, match="Did you mean 'a'"):
        ExplanationDashboard(explained, model, X.rename(columns={"a": "aa"}))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_rows": 0}, "'max_rows' parameter"),
        ({"max_rows": 1.5}, "'max_rows' parameter"),
        ({"max_rows": True}, "'max_rows' parameter"),
        ({"random_state": -1}, "'random_state' parameter"),
    ],
)
def test_options_that_cannot_be_used_are_refused(linear, options, said):
    model, X, _ = linear
    with pytest.raises(InvalidInputError, match=said):
        ExplanationDashboard(explain_model(model, X, X), **options)


def test_a_fitted_model_alone_is_told_what_to_do(linear):
    with pytest.raises(InvalidInputError, match=re.escape("explain_model(model, X_train, X_test), model")):
        ExplanationDashboard(linear[0])
    with pytest.raises(RunNotFoundError):
        ExplanationDashboard("unknown-0001")


def test_a_file_that_cannot_be_written_is_refused_and_an_old_one_kept(linear, tmp_path):
    model, X, _ = linear
    dashboard = ExplanationDashboard(explain_model(model, X, X))
    old = tmp_path / "old.html"
    old.write_text("old")
    with pytest.raises(HistoryError, match=r"cannot be written: .* Name another place"):
        dashboard.save(old / "page.html")
    with pytest.raises(InvalidInputError, match="is not a file"):
        dashboard.save(tmp_path)
    assert list(tmp_path.iterdir()) == [old]
    assert old.read_text() == "old"


def test_a_run_stands_for_its_search(linear, tmp_path):
    _, X, y = linear
    history = RunHistory(tmp_path)
    search = history.start_search("by hand", "binary", {"metric": "log_loss"})
    runs = [
        {"number": n, "learner": "lr", "config": {"C": c}, "loss": 0.2 + n, "metric": "log_loss", "kind": "trial"}
        | {"status": "captured", "why": "", "sample_size": None}
        for n, c in enumerate((1.0, 0.1, 0.01))
    ]
    ids = history.add_runs(search, runs)
    for run, c in zip(ids[:2], (1.0, 0.1), strict=True):
        explain_model(LogisticRegression(C=c).fit(X, y), X, X, history.run(run))
    dashboard = ExplanationDashboard(history.run(ids[1]), true_labels=y)
    payload = payload_of(dashboard)
    assert [one["id"] for one in payload["explanations"]] == [ids[1], ids[0]]
    assert all(one["values"] for one in payload["explanations"])
    assert [run["explanation"] for run in payload["search"]["runs"]] == [ids[0], ids[1], None]
    assert payload["search"]["final"] == ids[1]
    assert payload["search"]["findings"]["near_best"] == ids[:1]
    assert "config" not in payload["search"]["runs"][0]
    assert "has no scoring explainer" in payload["missing"][0]
    assert payload["metrics"]["rows"] == 50
    with_model = ExplanationDashboard(history.run(ids[1]), LogisticRegression(C=0.1).fit(X, y))
    assert payload_of(with_model)["model"]["kind"] == "scorer"
    alone = payload_of(ExplanationDashboard(retrieve_model_explanation(history.run(ids[0]))))
    assert alone["search"] is None


def test_a_saved_page_holds_of_a_search_what_it_shows(linear, tmp_path):
    _, X, y = linear
    history = RunHistory(tmp_path)
    search = history.start_search("by hand", "binary", {"metric": "log_loss"})
    told = {
        "kind": "trial",
        "status": "captured",
        "why": "",
        "sample_size": None,
        "metric": "log_loss",
        "learner": "lr",
    }
    ids = history.add_runs(
        search, [told | {"number": n, "loss": 0.1 * n, "config": {"C": 1.0, "note": "a secret"}} for n in (1, 2)]
    )
    for run, n_rows in zip(ids, (50, 20), strict=True):
        explain_model(LogisticRegression().fit(X, y), X, X[:n_rows], history.run(run))
    dashboard = ExplanationDashboard(history.run(ids[0]))
    page = dashboard.save(tmp_path / "page.html").read_text()
    assert "a secret" not in page
    _, other = payload_of(dashboard)["explanations"]
    assert other["values"] is None  # of other rows than those of the page
    assert len(other["importance"]["mean_abs"][0]) == 4


class CountsNone(AnyPageModel):
    """A model to which None is another cell than NaN."""

    def predict(self, table):
        return Answer(np.array([[float(cell is None)] for cell in table.data["gap"]]), None)

    def explain(self, table):
        raise NotImplementedError


@pytest.mark.parametrize(("gaps", "editable"), [([None, np.nan], False), ([None, None], True), ([np.nan, 1], True)])
def test_rows_that_come_back_as_others_cannot_be_edited(gaps, editable):
    table = as_table(pd.DataFrame({"gap": pd.Series(gaps, dtype=object)}))
    why = _why_not_editable(CountsNone((read_column("gap", table.data["gap"]),), table))
    assert why == "" if editable else "others to the model" in why


def test_without_bokeh_a_page_cannot_be_written(tmp_path, monkeypatch):
    dashboard = ExplanationDashboard(attributed(np.ones((5, 3))))
    bokeh_script.cache_clear()
    packed_bokeh.cache_clear()
    monkeypatch.setitem(sys.modules, "bokeh", None)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'automl-explain[dashboard]'")):
        dashboard.save(tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []
