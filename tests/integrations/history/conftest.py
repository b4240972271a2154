"""A history of the test, and a run in it."""

import pytest

from automl_explain import RunHistory
from tests.integrations.history.stored import trial


@pytest.fixture
def history(tmp_path):
    return RunHistory(tmp_path / "runs")


@pytest.fixture
def run(history):
    search = history.start_search("flaml", "binary", {"metric": "auto"})
    (run_id,) = history.add_runs(search, [trial(0)])
    return history.run(run_id)
