"""Runs explained elsewhere: what is sent, what comes back, and what is said if it does not. Real clusters: `test_clusters`."""

import importlib.util
import logging
import pickle
import threading

import numpy as np
import pytest
from sklearn.datasets import make_regression
from sklearn.ensemble import RandomForestRegressor
from sklearn.neighbors import KNeighborsRegressor

from automl_explain import InvalidInputError, RunHistory
from automl_explain.explainers._errors import MissingExtraError, UnsupportedModelError
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.tables._table import as_table
from automl_explain.integrations.optuna import TrialExplainer
from automl_explain.integrations.searches import _options
from automl_explain.integrations.searches._captured_run import RunTables
from automl_explain.integrations.searches._options import ExplainabilityOptions
from automl_explain.integrations.searches.workers._choice import workers_for
from automl_explain.integrations.searches.workers._explain_run import Allowance, RunSettings, explain_run
from automl_explain.integrations.searches.workers._workers import (
    Cluster,
    Engine,
    NoWorkersError,
    ThisProcess,
)
from tests.integrations.optuna_studies import X_TRAIN, explained_objective, new_study

X, Y = make_regression(120, 4, noise=1.0, random_state=0)
SETTINGS = RunSettings(RunTables(as_table(X[:10]), as_table(X[:30]), 30), ExplainabilityOptions())
ALLOWANCE = Allowance(60.0, True, 0.0, False)


class Loopback(Engine):
    """An engine whose worker is this process, which gets what a worker would get, pickled."""

    n_slots, closed = 2, False

    def start(self, task, shared):
        self.task, self.shared = task, shared

    def call(self, payload, left):
        self.sent = payload
        return self.task(pickle.loads(pickle.dumps(self.shared)), pickle.loads(pickle.dumps(payload)))

    def close(self):
        self.closed = True


@pytest.fixture
def cluster():
    return Cluster("ray", Loopback(), SETTINGS)


@pytest.mark.parametrize("model", [RandomForestRegressor(5, random_state=0), KNeighborsRegressor()])
def test_the_explanation_is_that_of_this_process(model, cluster):
    model = describe(model.fit(X, Y))
    found, _ = cluster.explain(model, SETTINGS, ALLOWANCE)
    here, _ = ThisProcess().explain(model, SETTINGS, ALLOWANCE)
    np.testing.assert_array_equal(found.local_importance_values, here.local_importance_values)
    own = RunSettings(RunTables(as_table(X[50:60]), as_table(X[60:70]), 10), SETTINGS.options)
    found, _ = cluster.explain([model, model], own, ALLOWANCE)  # with rows of its own, and a model per fold
    expected = explain_run([model, model], own, ALLOWANCE)
    np.testing.assert_array_equal(found.local_importance_values, expected.local_importance_values)


def test_rows_that_runs_share_are_sent_once(cluster):
    model = describe(RandomForestRegressor(2, random_state=0).fit(X, Y))
    cluster.explain(model, SETTINGS, ALLOWANCE)
    without = len(cluster._engine.sent)
    many = RunSettings(RunTables(as_table(X), as_table(X), len(X)), SETTINGS.options)
    cluster.explain(model, many, ALLOWANCE)
    assert len(cluster._engine.sent) > without + X.nbytes


def test_a_model_that_cannot_be_sent_is_explained_here(cluster):
    model = KNeighborsRegressor().fit(X, Y)
    model.lock = threading.Lock()  # has no pickle
    found, _ = cluster.explain(describe(model), SETTINGS, ALLOWANCE)
    assert found.num_examples == 30
    assert not hasattr(cluster._engine, "sent")


class OddError(Exception):
    """An error that cannot be unpickled."""

    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


class Failing(KNeighborsRegressor):
    error = None

    def predict(self, X):
        if self.error is not None:
            raise self.error("no rows", "today")
        return super().predict(X)


@pytest.mark.parametrize("error", [LookupError, OddError])
def test_an_error_of_the_model_comes_back(error, cluster):
    model = Failing().fit(X, Y)
    described = describe(model)
    model.error = error
    with pytest.raises(Exception, match="no rows.*today"):
        cluster.explain(described, SETTINGS, ALLOWANCE)


def test_an_engine_that_gives_up_is_named(cluster, monkeypatch):
    def lost(payload, left):
        raise OSError("worker 7 died\nlong trace")

    monkeypatch.setattr(cluster._engine, "call", lost)
    with pytest.raises(
        UnsupportedModelError, match=r"The workers of ray could not explain it \(OSError: worker 7 died\)"
    ):
        cluster.explain(describe(RandomForestRegressor(2).fit(X, Y)), SETTINGS, ALLOWANCE)


def test_runs_are_explained_here_when_no_worker_is_left(cluster, monkeypatch, caplog):
    calls = []

    def gone(payload, left):
        calls.append(payload)
        raise NoWorkersError("none for 60 seconds")

    monkeypatch.setattr(cluster._engine, "call", gone)
    model = describe(RandomForestRegressor(2, random_state=0).fit(X, Y))
    with caplog.at_level(logging.WARNING, "automl_explain"):
        for _ in range(2):
            found, _ = cluster.explain(model, SETTINGS, ALLOWANCE)
            assert found.num_examples == 30
    assert len(calls) == 1
    assert "has no workers any more" in caplog.text


def test_options_are_refused_before_the_search(monkeypatch):
    with pytest.raises(InvalidInputError, match="'backend' option must be one of"):
        ExplainabilityOptions(backend="celery")
    monkeypatch.setattr(_options, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'automl-explain\[dask\]'"):
        ExplainabilityOptions(backend="dask")
    monkeypatch.setattr(_options, "find_spec", lambda name: name)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(MissingExtraError, match="Spark needs Java"):
        ExplainabilityOptions(backend="spark")


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs Dask")
def test_a_search_whose_cluster_is_gone_is_explained_here(tmp_path, caplog):
    options = {"backend": "dask"}  # there is no client
    with caplog.at_level(logging.WARNING, "automl_explain"):
        assert isinstance(workers_for(ExplainabilityOptions(**options), None, None), ThisProcess)
    assert "the workers of dask cannot be reached" in caplog.text
    study = new_study()
    with TrialExplainer(X_TRAIN, history=tmp_path, explainability_options=options) as explainer:
        study.optimize(explained_objective(explainer), n_trials=2)
    assert [run.status for run in RunHistory(tmp_path).runs()] == ["explained"] * 2
