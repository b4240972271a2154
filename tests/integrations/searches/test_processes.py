"""Runs explained in processes of their own: what hangs is ended, what crashes is one failed run."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from automl_explain import ExplainabilityOptions, InvalidInputError, RunHistory
from automl_explain.integrations.planning import _plan
from automl_explain.integrations.sklearn_search import ExplainingScorer

X, Y = make_classification(120, 5, random_state=0)
ONE_FOLD = [(np.arange(80), np.arange(80, 120))]
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")


class Misbehaves(DecisionTreeClassifier):
    """A tree that no reader knows, and that hangs or ends its process where it is explained, by its depth."""

    def predict_proba(self, table):
        if len(table) != 40 and str(os.getpid()) != os.environ["SEARCH"]:
            if self.max_depth == 2:
                Path(os.environ["HUNG"]).write_text(str(os.getpid()))
                time.sleep(600)
            if self.max_depth == 3:
                os.write(1, b"not an answer\n")
                os.kill(os.getpid(), signal.SIGSEGV)
        os.write(1, b"said by the model\n")
        return super().predict_proba(table)


def grid(folder, estimator, **options):
    options = ExplainabilityOptions(isolation="process", keep_scoring=False, **options)
    scorer = ExplainingScorer("accuracy", X, history=folder, explainability_options=options)
    return scorer, GridSearchCV(estimator, {"max_depth": [1, 2, 3, 4]}, scoring=scorer, cv=ONE_FOLD, refit=False)


def ours():
    return [one.name for one in threading.enumerate() if one.name in ("automl-explain run", "automl-explain pipe")]


def ends(process):
    until = time.monotonic() + 30.0
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
def test_what_hangs_is_ended_and_what_crashes_is_one_failed_run(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("SEARCH", str(os.getpid()))
    monkeypatch.setenv("HUNG", str(tmp_path / "hung"))
    monkeypatch.setattr(_plan, "LATE", (0.2, 5.0))
    monkeypatch.setattr(_plan, "MUST_LATE", (0.2, 5.0))
    scorer, search = grid(tmp_path / "runs", Misbehaves(random_state=0), time_budget=30.0, n_jobs=2)
    runs = {run.config["max_depth"]: run for run in scorer.explain(search.fit(X, Y))}
    assert [runs[depth].status for depth in (1, 2, 3, 4)] == ["explained", "failed", "failed", "explained"]
    assert runs[2].why.startswith("did not answer in ")
    assert "exit code -11" in runs[3].why
    assert ends(int((tmp_path / "hung").read_text()))
    out, err = capfd.readouterr()
    assert "not an answer" not in out
    assert "not an answer" in err
    until = time.monotonic() + 30.0
    while (left := ours()) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == []


@pytest.mark.slow
def test_the_values_are_those_of_this_process(tmp_path):
    options = {"max_rows": 30, "n_jobs": 1, "time_budget": 600.0}
    found = []
    for isolation in ("process", "thread"):
        given = ExplainabilityOptions(isolation=isolation, **options)
        scorer = ExplainingScorer("accuracy", X, history=tmp_path / isolation, explainability_options=given)
        search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [2, 3]}, scoring=scorer, cv=2)
        found.append(scorer.explain(search.fit(X, Y)))
    for one, other in zip(*found, strict=True):
        assert one.status == "explained"
        np.testing.assert_array_equal(
            one.explanation.local_importance_values, other.explanation.local_importance_values
        )


def test_a_model_that_cannot_be_sent_is_a_failed_run(tmp_path):
    class Locked(KNeighborsClassifier):
        def fit(self, X, y):
            self.lock = threading.Lock()
            return super().fit(X, y)

    options = ExplainabilityOptions(isolation="process")
    scorer = ExplainingScorer("accuracy", X, history=tmp_path, explainability_options=options)
    search = GridSearchCV(Locked(), {"n_neighbors": [3]}, scoring=scorer, cv=ONE_FOLD, refit=False).fit(X, Y)
    (run,) = scorer.explain(search)
    assert run.status == "failed"
    assert "cannot be sent to another process" in run.why


def test_a_cluster_and_isolation_exclude_each_other():
    with pytest.raises(InvalidInputError, match="leave isolation out"):
        ExplainabilityOptions(backend="dask", isolation="process")
    with pytest.raises(InvalidInputError, match="'isolation' option must be one of"):
        ExplainabilityOptions(isolation="fork")


SCRIPT = """
import os, sys
from tests.integrations.searches.test_processes import Misbehaves, X, Y, grid
os.environ["SEARCH"] = str(os.getpid())
scorer, search = grid(sys.argv[1], Misbehaves(random_state=0), time_budget=600.0, n_jobs=1)
search.param_grid = {"max_depth": [2]}
search.fit(X, Y)
scorer.explain(search)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
def test_no_process_outlives_the_search(how, tmp_path):
    hung = tmp_path / "hung"
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "runs")],
        env=os.environ | {"HUNG": str(hung)},
        stderr=subprocess.PIPE,
    ) as process:
        until = time.monotonic() + 120.0
        while not (hung.exists() and hung.read_text()) and time.monotonic() < until:
            time.sleep(0.1)
        process.send_signal(getattr(signal, how))
        process.communicate(timeout=60)
    assert ends(int(hung.read_text()))
    assert {run.status for run in RunHistory(tmp_path / "runs").runs()} <= {"interrupted", "skipped"}
