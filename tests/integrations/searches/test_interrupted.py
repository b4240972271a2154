"""What is in the history when a process ends while it explains the runs of a search."""

import signal
import subprocess
import sys

import pytest

from automl_explain import RunHistory

N_RUNS = 12
SEARCH = f"""
import sys
import time

import numpy as np
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

from automl_explain.explainers._tabular_explainer import TabularExplainer
from automl_explain.integrations.sklearn_search import ExplainingScorer

explain, n_done = TabularExplainer.explain_local, 0

def slowed(self, rows):
    global n_done
    n_done += 1
    if n_done == 5:
        print("explaining", flush=True)
    time.sleep(0.3 if n_done >= 5 else 0.0)
    return explain(self, rows)

TabularExplainer.explain_local = slowed
X, y = make_classification(200, 5, random_state=0)
scorer = ExplainingScorer("accuracy", X, history=sys.argv[1], explainability_options={{"n_jobs": 1}})
grid = GridSearchCV(DecisionTreeClassifier(random_state=0), {{"max_depth": list(range(1, {N_RUNS + 1}))}},
                    scoring=scorer, cv=[(np.arange(150), np.arange(150, 200))], refit=False).fit(X, y)
scorer.explain(grid)
"""


@pytest.mark.parametrize("how", ["SIGINT", "SIGKILL"])
def test_what_was_explained_is_kept_and_the_rest_says_what_happened(how, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SEARCH, str(tmp_path / "runs")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = process.stdout.readline()
    assert said == "explaining\n", process.communicate()
    process.send_signal(getattr(signal, how))
    _, problems = process.communicate(timeout=30)
    history = RunHistory(tmp_path / "runs")
    runs = history.runs()
    assert len(runs) == N_RUNS
    explained = [run for run in runs if run.status == "explained"]
    assert 4 <= len(explained) <= 7
    assert all(run.explanation.num_examples == 50 for run in explained)
    assert all(run.explanation.data.data.shape == (50, 5) for run in explained)
    rest = [run for run in runs if run.status != "explained"]
    if how == "SIGKILL":
        assert {run.status for run in rest} == {"interrupted"}
        assert {run.why for run in rest} == {
            "the process that explained the search ended before this run was explained"
        }
    else:
        assert process.returncode != 0
        assert "KeyboardInterrupt" in problems
        assert {(run.status, run.why) for run in rest} == {("skipped", "explaining the runs was interrupted")}
    assert len(list((tmp_path / "runs" / "explanations").glob("rows-*.zip"))) == 1
