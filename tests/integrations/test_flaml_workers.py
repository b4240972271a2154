"""Trials of FLAML in other processes: what is refused, and what workers write to files."""

import pickle
import sys

import numpy as np
import pytest
from sklearn.datasets import make_classification

from automl_explain import AutoMLExplainWarning, MissingExtraError, RunHistory
from automl_explain.integrations.flaml import AutoML, ExplainabilityOptions
from automl_explain.integrations.sealed._spool import Spool
from automl_explain.integrations.searches import _options
from automl_explain.integrations.searches.flaml._tap import MetricTap


def test_ray_that_is_not_installed_is_said_before_the_search(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'automl-explain\[ray\]'"):
        AutoML(model_explainability=True).fit(*numbers(), task="regression", use_ray=True, verbose=0)


def test_spark_without_java_is_said_before_the_search(monkeypatch):
    monkeypatch.setattr(_options, "find_spec", lambda name: name)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(MissingExtraError, match="Spark needs Java"):
        AutoML(model_explainability=True, use_spark=True).fit(*numbers(), task="regression", verbose=0)


def numbers():
    return np.arange(40.0).reshape(20, 2), np.arange(20.0)


@pytest.mark.parametrize("how", ["holdout", "cv"])
def test_what_workers_write_to_files_is_what_this_process_would_have_held(how, monkeypatch):
    X, y = make_classification(160, 4, random_state=0)
    settings = {"task": "classification", "estimator_list": ["lgbm", "rf"], "max_iter": 4, "seed": 1, "verbose": 0}
    found = []
    for in_worker in (False, True):
        monkeypatch.setattr("automl_explain.integrations.searches.flaml._tap.MetricTap._in_worker", in_worker)
        automl = AutoML(model_explainability=True)
        automl.fit(X, y, eval_method=how, n_splits=3, n_jobs=1, **settings)
        found.append(automl)
    here, there = found
    names = ("learner", "config", "loss", "kind", "status", "sample_size")
    assert [[getattr(run, name) for name in names] for run in there.runs] == [
        [getattr(run, name) for name in names] for run in here.runs
    ]
    facts = [automl.best_run.history.search(automl.best_run.search)["facts"] for automl in found]
    assert facts[0]["training_rows"] == facts[1]["training_rows"]
    parts = [automl.best_run.history.part_losses(automl.best_run.search) for automl in found]
    assert [len(losses) for losses in parts[0].values()] == [3 if how == "cv" else 0] * len(parts[0])
    assert list(parts[0].values()) == list(parts[1].values())
    for mine, other in zip(here.runs, there.runs, strict=True):
        np.testing.assert_allclose(
            other.explanation.local_importance_values, mine.explanation.local_importance_values, atol=1e-9
        )
    assert list((RunHistory().directory / "spool").glob("*")) == []


def test_a_copy_of_the_tap_in_the_same_process_writes_to_files_too(tmp_path):
    tap = MetricTap("auto", None, False, ExplainabilityOptions(), Spool(tmp_path / "spool"))
    copied = pickle.loads(pickle.dumps(tap))
    assert copied.end_of_folds([1.0, 3.0], [{}, {}])[0] == 2.0
    assert list(tap._spool.read()[1].values()) == [(2.0, (1.0, 3.0))]


def test_trials_of_workers_that_wrote_nothing_are_counted(monkeypatch):
    monkeypatch.setattr("automl_explain.integrations.searches.flaml._tap.MetricTap._in_worker", True)
    monkeypatch.setattr("automl_explain.integrations.sealed._spool.Spool._put", lambda *parts, **name: None)
    X, y = make_classification(160, 4, random_state=0)
    automl = AutoML(model_explainability=True)
    monkeypatch.setattr(AutoML, "_search_sequential", in_parallel(AutoML._search_sequential))
    with pytest.warns(AutoMLExplainWarning, match="3 trials of this search have no run.*history=DIR"):
        automl.fit(X, y, task="classification", estimator_list=["lgbm"], max_iter=3, verbose=0)
    assert [(run.kind, run.status) for run in automl.runs] == [("refit", "explained")]


def test_a_spool_that_cannot_be_written_leaves_the_loss_of_the_folds(tmp_path):
    (tmp_path / "spool").write_text("a file where the folder would be")
    tap = MetricTap("auto", None, False, ExplainabilityOptions(), Spool(tmp_path / "spool"))
    tap._process = -1  # as in a worker
    assert tap.end_of_folds([1.0, 3.0], [{}, {}])[0] == 2.0
    strict = MetricTap("auto", None, False, ExplainabilityOptions(on_error="raise"), Spool(tmp_path / "spool"))
    strict._process = -1
    with pytest.raises(FileExistsError):
        strict.end_of_folds([1.0, 3.0], [{}, {}])


def in_parallel(search):
    """As if Ray had done what a search in this process does."""

    def searched(self):
        search(self)
        self._use_ray = True

    return searched
