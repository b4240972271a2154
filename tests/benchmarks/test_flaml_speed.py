"""What explanations cost a FLAML search on Adult: ``pytest -m benchmark -n 0 -s tests/benchmarks/test_flaml_speed.py``."""

import time

import flaml
import pytest
from sklearn.model_selection import train_test_split

from automl_explain.integrations.flaml import AutoML
from automl_explain.integrations.searches import _options
from automl_explain.integrations.searches.flaml import _tap
from tests.benchmarks.adult import adult

BUDGET = 60


@pytest.fixture(scope="module")
def data():
    X, y, source = adult()
    print(f"\n{source}: {X.shape[0]:,} rows x {X.shape[1]} columns")
    return train_test_split(X, y, test_size=0.2, random_state=0, stratify=y)


@pytest.mark.benchmark
@pytest.mark.timeout(400)
def test_the_tap_and_the_explanations_of_a_search(data, monkeypatch):
    X_train, X_valid, y_train, y_valid = data
    spent = []
    note = _tap.MetricTap._note

    def timed(self, *arguments):
        started = time.perf_counter()
        note(self, *arguments)
        spent.append(time.perf_counter() - started)

    monkeypatch.setattr(_tap.MetricTap, "_note", timed)
    monkeypatch.setattr(_options, "SHORTEST_BUDGET", 10.0)  # as it is outside of tests
    settings = {"task": "classification", "X_val": X_valid, "y_val": y_valid, "time_budget": BUDGET, "verbose": 0}
    plain = flaml.AutoML()
    plain.fit(X_train, y_train, **settings)
    explained = AutoML(model_explainability=True)
    started = time.monotonic()
    explained.fit(X_train, y_train, **settings)
    total = time.monotonic() - started
    facts = explained.best_run.history.search(explained.best_run.search)["facts"]
    search_seconds = facts["search_seconds"]
    runs = [run for run in explained.runs if run.kind == "trial"]
    done = sum(run.status == "explained" for run in runs)
    n_plain = sum(state.total_iter for state in plain._search_states.values())
    print(f"trials in {BUDGET} s: {n_plain} without, {len(runs)} with explanations")
    print(f"tap: {sum(spent):.3f} s of {search_seconds:.1f} s of search = {sum(spent) / search_seconds:.3%}")
    print(f"explaining: {total - search_seconds:.1f} s for {done} of {len(runs)} runs on 2,000 rows "
          f"= {(total - search_seconds) / search_seconds:.1%} of the search")  # fmt: skip
    assert sum(spent) / search_seconds < 0.02
    assert total - search_seconds < 0.25 * search_seconds + 5
    assert all(run.status == "explained" or run.why for run in runs)
    losses = [run.loss for run in sorted(runs, key=lambda run: run.loss) if run.status == "explained"]
    assert losses[0] == min(run.loss for run in runs)
