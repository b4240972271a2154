"""How many rows of a run are explained when its time is short."""

import time

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

from automl_explain.explainers._tabular_explainer import TabularExplainer
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.tables._table import as_table
from automl_explain.integrations.searches._captured_run import ExplanationJob, RunTables
from automl_explain.integrations.searches._explain_runs import FEWEST_ROWS, explain_within
from automl_explain.integrations.searches._options import ExplainabilityOptions

X, Y = make_classification(400, 6, random_state=0)
MODELS = {"trees": RandomForestClassifier(5, random_state=0), "predictions": KNeighborsClassifier()}


@pytest.fixture
def job(tmp_path):
    tables = RunTables(background=as_table(X[:40]), rows=as_table(X[100:400]), n_validation=300)
    return ExplanationJob(None, "s", ExplainabilityOptions(), time.monotonic() + 60, tables, None)


@pytest.fixture
def slowed(monkeypatch):
    """Make every explained row take 10 ms."""
    explain = TabularExplainer.explain_local

    def slowly(self, rows):
        time.sleep(0.01 * len(rows))
        return explain(self, rows)

    monkeypatch.setattr(TabularExplainer, "explain_local", slowly)
    monkeypatch.setattr("automl_explain.integrations.searches._explain_runs.PATIENCE", 0.5)


@pytest.mark.parametrize("name", MODELS)
def test_rows_are_fewer_where_all_would_take_too_long(name, job, slowed):
    model = describe(MODELS[name].fit(X, Y))
    explanation = explain_within(model, job, 0.5)
    assert FEWEST_ROWS <= explanation.num_examples <= 50
    assert f"{explanation.num_examples} of 300 validation rows" in explanation.notes[-1]


@pytest.mark.parametrize("name", MODELS)
def test_a_run_is_skipped_where_even_few_rows_take_too_long(name, job, slowed, monkeypatch):
    monkeypatch.setattr("automl_explain.integrations.searches._explain_runs.PATIENCE", 0.01)
    model = describe(MODELS[name].fit(X, Y))
    assert "too slow for its share of the time" in explain_within(model, job, 0.01)
    assert explain_within(model, job, 0.01, must=True).num_examples == FEWEST_ROWS


def test_all_rows_of_trees_are_explained_where_that_is_fast(job):
    model = describe(MODELS["trees"].fit(X, Y))
    explanation = explain_within(model, job, 0.001)
    assert explanation.num_examples == 300
    assert not any("validation rows" in note for note in explanation.notes)
    assert np.isfinite(explanation.local_importance_values).all()
