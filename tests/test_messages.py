"""What messages say: plain numbers, the user's column names, the latest runs, and models whose answers change."""

import warnings

import lightgbm
import numpy as np
import pandas as pd
import pytest

from automl_explain import RunHistory, explain_model
from automl_explain.explainers import TabularExplainer, TreeExplainer
from automl_explain.explainers._errors import (
    AdditivityError,
    AdditivityWarning,
    AutoMLExplainError,
    AutoMLExplainWarning,
    ColumnMismatchError,
    InvalidInputError,
    RunNotFoundError,
)

SCALARS = [
    (np.float64(1.5), "1.5"), (np.int64(-3), "-3"), (np.str_("it's (a)"), '"it\'s (a)"'), (np.True_, "True"),
    (np.datetime64("2024-01-02"), "'2024-01-02'"), (np.float32("nan"), "nan"), ([np.float64(1.0), np.str_("a")], "[1.0, 'a']"),
    ({np.int8(1): np.False_}, "{1: False}"), ("np is short", "'np is short'"),
]  # fmt: skip


def kinds(base):
    return [base, *(kind for one in base.__subclasses__() for kind in kinds(one))]


@pytest.mark.parametrize(("value", "text"), SCALARS, ids=lambda value: None)
@pytest.mark.parametrize("kind", [*kinds(AutoMLExplainError), *kinds(AutoMLExplainWarning)])
def test_no_message_shows_the_type_of_a_number(kind, value, text):
    assert str(kind(f"Expected a text. Got {value!r}.")) == f"Expected a text. Got {text}."


def test_a_message_of_the_library_shows_plain_numbers():
    X, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30.0)
    model = lightgbm.LGBMRegressor(n_estimators=2, verbose=-1).fit(X, y)
    with pytest.raises(InvalidInputError) as caught:
        TabularExplainer(model, X).explain_local(X).global_importance(confidence=np.float64(1.5))
    assert "np." not in str(caught.value)
    assert "Got 1.5" in str(caught.value)


def test_an_unknown_run_lists_the_latest(tmp_path):
    history = RunHistory(tmp_path)
    row = {"learner": "rf", "config": {}, "loss": 1.0, "metric": "mse", "kind": "trial", "status": "skipped", "why": "no",
           "sample_size": None}  # fmt: skip
    latest = []
    for _ in range(4):
        search = history.start_search("flaml", "regression", {})
        latest = history.add_runs(search, [row | {"number": number} for number in range(12)])
    ids = [run.id for run in history.runs(search)]
    assert len(ids) == 12
    with pytest.raises(RunNotFoundError, match=f"The latest are {', '.join(ids[-3:])}"):
        history.run("???")
    assert latest is not None


def with_blanks():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(80, 3)), columns=["mean area", "worst  area", "size"])
    y = X["mean area"] + X["size"]
    return lightgbm.LGBMRegressor(n_estimators=5, verbose=-1, min_child_samples=5).fit(X, y), X


def test_lightgbms_columns_have_the_users_names():
    model, X = with_blanks()
    assert model.feature_name_[0] == "mean_area"
    for explained in (
        TreeExplainer(model).explain_local(X[:3]),
        TreeExplainer(model.booster_).explain_local(X[:3]),
        TreeExplainer(model).explain_local(X[["size", "mean area", "worst  area"]][:3]),
        explain_model(model, X[:20], X[:3]).explanation,
    ):
        assert explained.features == tuple(X.columns)


def test_errors_about_lightgbms_columns_have_the_users_names():
    model, X = with_blanks()
    with pytest.raises(ColumnMismatchError, match=r"\['mean area'\]"):
        explain_model(model, X[:20], X[:3].drop(columns="mean area"))
    with pytest.raises(ColumnMismatchError, match="Did you mean 'mean area'"):
        explain_model(model, X[:20], X[:3].rename(columns={"mean area": "mean arae"}))


@pytest.mark.parametrize("n_columns", [3, 13])
def test_a_model_whose_answers_change_is_told_by_how_much(n_columns):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, n_columns))

    def stochastic(table):
        return np.asarray(table)[:, 0] + 0.5 * rng.normal(size=len(table))

    with pytest.raises(AdditivityError, match=r"differ between calls by up to \d.*random state") as caught:
        explain_model(stochastic, X[:20], X[:4])
    assert "Please report" not in str(caught.value)


def test_a_small_change_of_answers_is_a_warning_that_says_so():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))

    def nearly_steady(table):
        return np.asarray(table)[:, 0] + 2e-3 * rng.normal(size=len(table))

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        explain_model(nearly_steady, X[:20], X[:4])
    said = [str(one.message) for one in seen if issubclass(one.category, AdditivityWarning)]
    assert any("differ between calls by up to" in one for one in said)
