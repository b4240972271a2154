"""Searches of many classes: budgets, what is left out for them, and what the user is told."""

import itertools
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from automl_explain import AutoMLConfig, Experiment, RunHistory
from automl_explain.cli._main import main
from automl_explain.display._text_tables import MOST_CLASSES, six_values_tables
from automl_explain.explainers._errors import AutoMLExplainWarning, InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.search.engines import _time_left
from automl_explain.search.engines._space import LEARNERS, MOST_TREES

MANY = 155
TABLE = pd.DataFrame(np.random.default_rng(0).normal(size=(MANY, 3)), columns=list("abc"))


def classes(n_classes, n_rows=600):
    y = np.arange(n_rows) % n_classes
    return pd.DataFrame(np.random.default_rng(1).normal(size=(n_rows, 2)) + y[:, None], columns=["a", "b"]), y


@pytest.mark.parametrize(
    ("target", "match"),
    [
        ([f"{i},5" for i in range(MANY)], "such as '0,5': numbers with a decimal comma. Pass task='regression'"),
        ([f"id{i}" for i in range(MANY)], "155 distinct values in 155 rows.*too many to be labels"),
        (pd.date_range("2026-01-01", periods=MANY).strftime("%Y-%m-%d").tolist(), "dates. Turn them into a number"),
        (pd.date_range("2026-01-01", periods=MANY, tz="UTC"), "dates. Turn them into a number"),
    ],
)
def test_tables_are_asked_about_targets_that_are_unlikely_to_be_labels(target, match):
    with pytest.raises(InvalidInputError, match=match):
        AutoMLConfig(X=TABLE, y=target)


def test_numbers_with_a_decimal_comma_of_a_table_are_read_as_numbers():
    text = [f"1.{i:03d},5" for i in range(MANY)]
    config = AutoMLConfig(X=TABLE, y=text, X_valid=TABLE[:20], y_valid=text[:20], task="regression")
    assert config.dataset.y_train.tolist() == [1000.5 + i for i in range(MANY)]
    assert config.dataset.y_valid.tolist() == [1000.5 + i for i in range(20)]
    assert "decimal comma" in config.said[0]


def test_many_classes_are_said_to_take_long():
    assert "100 classes: one trial alone may take longer" in AutoMLConfig(X=TABLE[:110], y=[*range(100), *range(10)],
                                                                          X_valid=TABLE[:100], y_valid=range(100),
                                                                          task="classification").said[-1]  # fmt: skip
    assert not any("longer" in line for line in AutoMLConfig(X=TABLE, y=np.arange(MANY) % 5).said)


@pytest.mark.parametrize("name", ["lgbm", "xgboost"])
def test_boosted_learners_have_fewer_rounds_for_many_classes(name):
    learner = LEARNERS[name]
    many = AutoMLConfig(X=classes(300)[0], y=classes(300)[1], task="classification").dataset
    few = AutoMLConfig(X=classes(20)[0], y=classes(20)[1], task="classification").dataset
    most = MOST_TREES // 300
    assert learner.shortened(many).ranges["n_estimators"] == (20, most, True)
    assert learner.shortened(many).first["n_estimators"] == most
    assert learner.shortened(few) is learner
    assert LEARNERS["rf"].shortened(many) is LEARNERS["rf"]


def submit(tmp_path, **settings):
    X, y = classes(3, 200)
    given = {"engine": "optuna", "estimators": ["lgbm", "rf"], "max_iter": 3, "history": RunHistory(tmp_path)}
    return Experiment("late").submit(AutoMLConfig(X=X, y=y, **{**given, **settings}))


@pytest.fixture
def late(monkeypatch):
    """A clock that passes 1000 seconds between two looks at it."""
    clock = itertools.count(0, 1000)
    monkeypatch.setattr(_time_left, "time", SimpleNamespace(monotonic=lambda: next(clock)))


def test_a_late_search_leaves_out_the_refit_and_says_so(tmp_path, late):
    with pytest.warns(
        AutoMLExplainWarning, match="leaves out the refit on all rows, .* 940 s over its time_budget of 60 s"
    ):
        run = submit(tmp_path, time_budget=60)
    best, model = run.get_output()
    assert run.final_run.id == best.id
    assert best.status == "explained"
    assert len(model.predict(classes(3, 200)[0])) == 200


def test_a_late_search_leaves_out_the_ensemble_too(tmp_path, late):
    with pytest.warns(AutoMLExplainWarning) as caught:
        run = submit(tmp_path, ensemble=True, time_budget=60)
    said = [str(one.message) for one in caught if issubclass(one.category, AutoMLExplainWarning)]
    assert ["the ensemble" in said[0], "the refit" in said[1]] == [True, True]
    assert run.final_run.id == run.get_output()[0].id


def test_folds_leave_no_model_so_that_one_is_fitted_however_late(tmp_path, late):
    assert submit(tmp_path, cv=2, time_budget=60).final_run.kind == "refit"


def test_a_search_in_time_is_fitted_again(tmp_path):
    assert submit(tmp_path, time_budget=60).final_run.kind == "refit"


def test_the_command_line_prints_what_users_are_warned_of_and_no_advice_to_programmers(monkeypatch, capsys, tmp_path):
    def look(self, *args, **kwargs):
        warnings.warn("a warning of the library", AutoMLExplainWarning, stacklevel=1)
        warnings.warn("advice to programmers", DeprecationWarning, stacklevel=1)
        return []

    monkeypatch.setattr(RunHistory, "runs", look)
    main(["runs", "--history", str(RunHistory(tmp_path).directory)])
    assert capsys.readouterr().err.count("warning: a warning of the library\n") == 1


def test_the_terminal_shows_the_classes_with_the_largest_values():
    n_classes = 1000
    values = np.random.default_rng(0).normal(size=(n_classes, 4, 2))
    values[700] *= 100
    explanation = Explanation(
        local_importance_values=values,
        expected_values=np.zeros(n_classes),
        features=("a", "b"),
        classes=tuple(f"c{i}" for i in range(n_classes)),
        method="tree",
        reason="",
        output_space="log_odds",
    )
    text = six_values_tables(explanation)
    assert text.count("\nclass c") >= MOST_CLASSES
    assert "class c700" in text
    assert text.count("... and 980 more classes, with smaller values") == 3
    assert len(text.splitlines()) < 400
