"""How many rows of a run are explained when its time is short."""

import math
import time

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._tabular_explainer import TabularExplainer
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.tables._table import as_table
from automl_explain.integrations.searches._captured_run import RunTables
from automl_explain.integrations.searches._options import ExplainabilityOptions
from automl_explain.integrations.searches.workers import _explain_run
from automl_explain.integrations.searches.workers._explain_run import FEWEST_ROWS, RunSettings, explain_within
from tests.hand_clock import HandClock

X, Y = make_classification(400, 6, random_state=0)
MODELS = {"trees": RandomForestClassifier(5, random_state=0), "predictions": KNeighborsClassifier()}


@pytest.fixture
def job(tmp_path):
    tables = RunTables(background=as_table(X[:40]), rows=as_table(X[100:400]), n_validation=300)
    return RunSettings(tables, ExplainabilityOptions())


@pytest.fixture
def seconds_per_row(monkeypatch):
    """Set the time that each row takes to explain, on a clock that counts nothing else."""
    clock, explain = HandClock(), TabularExplainer.explain_local
    monkeypatch.setattr(_explain_run, "time", clock)

    def set_to(seconds, fixed=0.0):
        def explained(self, rows):
            clock.move(fixed + seconds * len(rows))
            return explain(self, rows)

        monkeypatch.setattr(TabularExplainer, "explain_local", explained)

    return set_to


@pytest.fixture
def unknown_cost(monkeypatch):
    """Let no model's counts say how long it takes, so that rows are timed first."""
    monkeypatch.setattr(_explain_run, "expected_seconds", lambda *_: math.inf)


@pytest.mark.usefixtures("unknown_cost")
@pytest.mark.parametrize("name", MODELS)
def test_rows_are_fewer_where_all_would_take_too_long(name, job, seconds_per_row, monkeypatch):
    monkeypatch.setattr(_explain_run, "PATIENCE", 0.5)
    model = describe(MODELS[name].fit(X, Y))
    seconds_per_row(0.0101)
    explanation = explain_within(model, job, 0.5)
    assert explanation.num_examples == 49
    assert f"{explanation.num_examples} of 300 validation rows" in explanation.notes[-1]


@pytest.mark.usefixtures("unknown_cost")
def test_what_any_table_takes_is_not_taken_for_the_cost_of_a_row(job, seconds_per_row):
    model = describe(MODELS["predictions"].fit(X, Y))
    seconds_per_row(5e-4, fixed=0.3)
    assert explain_within(model, job, 1.0).num_examples == 300
    seconds_per_row(0.05, fixed=0.3)
    assert explain_within(model, job, 1.31).num_examples == 20
    why = explain_within(model, job, 0.5)
    assert "10 rows would take 0.8 s, and its share was 0.5 s" in why


@pytest.mark.usefixtures("unknown_cost")
@pytest.mark.parametrize("name", MODELS)
def test_a_run_is_skipped_where_even_few_rows_take_too_long(name, job, seconds_per_row, monkeypatch):
    monkeypatch.setattr(_explain_run, "PATIENCE", 0.01)
    monkeypatch.setattr(_explain_run, "LEAST_SECONDS", 0.01)
    model = describe(MODELS[name].fit(X, Y))
    seconds_per_row(0.01)
    why = explain_within(model, job, 0.01)
    assert "too slow for its share of the time: 10 rows would take 0.1 s, and its share was 0.01 s" in why
    assert explain_within(model, job, 0.01, must=True).num_examples == FEWEST_ROWS


def test_no_row_is_timed_if_counts_say_that_all_are_fast(job, monkeypatch):
    calls, explain = [], TabularExplainer.explain_local
    monkeypatch.setattr(TabularExplainer, "explain_local", lambda self, rows: calls.append(1) or explain(self, rows))
    assert explain_within(describe(MODELS["trees"].fit(X, Y)), job, 0.001).num_examples == 300
    assert len(calls) == 1
    model = describe(MODELS["predictions"].fit(X, Y))
    explain_within(model, job, 60.0, expected=0.2)
    assert len(calls) == 2
    explain_within(model, job, 60.0)
    assert len(calls) > 3  # nothing is known of such models yet


@pytest.mark.usefixtures("unknown_cost")
def test_all_rows_of_trees_are_explained_where_that_is_fast(job, seconds_per_row):
    model = describe(MODELS["trees"].fit(X, Y))
    seconds_per_row(1e-3)
    explanation = explain_within(model, job, 0.001)
    assert explanation.num_examples == 300
    assert not any("validation rows" in note for note in explanation.notes)
    assert np.isfinite(explanation.local_importance_values).all()


class Waiting(KNeighborsClassifier):
    """Predicts a row in a fifth of a millisecond: the masked rows of 10 rows would take two minutes."""

    def predict_proba(self, X):
        time.sleep(2e-4 * len(X))
        return super().predict_proba(X)


def test_a_final_model_that_predicts_slowly_ends_with_its_time():
    wide, high = make_classification(400, 300, random_state=0)
    tables = RunTables(background=as_table(wide[:40]), rows=as_table(wide[100:400]), n_validation=300)
    job = RunSettings(tables, ExplainabilityOptions())
    started = time.monotonic()
    explanation = explain_within(describe(Waiting().fit(wide, high)), job, 0.5, must=True)
    assert time.monotonic() - started < 20.0
    assert explanation.num_examples == FEWEST_ROWS
    assert explanation.standard_errors.max() > 0.0
    assert explanation.additivity_error < 1e-9


@pytest.mark.parametrize("given", [{"backend": []}, {"backend": {}}, {0: "a"}, {None: 1}])
def test_options_of_other_types_are_refused_in_words(given):
    with pytest.raises(InvalidInputError, match="option"):
        ExplainabilityOptions.read(given)
