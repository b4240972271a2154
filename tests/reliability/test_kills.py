"""Processes that are killed or told to end at random moments: no trial that has ended is lost, and nothing is left behind.

Run in full, with 200 kills and 100 ends, by ``AUTOML_EXPLAIN_RELIABILITY=full pytest -m slow tests/reliability/test_kills.py``.
"""

import os
import random
import signal
import time

import numpy as np
import pytest

from automl_explain import RunHistory
from tests.reliability import victims

FULL = os.environ.get("AUTOML_EXPLAIN_RELIABILITY") == "full"
TIMES = {"SIGKILL": 200 if FULL else 10, "SIGTERM": 100 if FULL else 5}
"""Signal -> how often a process is hit."""
LONGEST = 300.0
"""Seconds that a process may take: on a busy machine, the first one also compiles."""
ENDS = {"SIGKILL": {-signal.SIGKILL}, "SIGTERM": {143, -signal.SIGTERM}}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def seconds_of(start, name, folder):
    """How long a victim takes that is left alone, and what its history looks like then."""
    folder.mkdir()
    began = time.monotonic()
    process = start(name, folder)
    process.join(LONGEST)
    took = time.monotonic() - began
    assert process.exitcode == 0
    assert {run.status for run in checked(folder)} in ({"explained"}, {"explained", "skipped"})
    return took


def checked(folder):
    """Open the history of a process that has ended, check that it is whole, and return the runs."""
    runs = RunHistory(folder / "history").runs()
    said = (folder / "said").read_text().split() if (folder / "said").exists() else []
    trials = [run for run in runs if run.kind == "trial"]
    assert len(trials) >= (int(said[-1]) if said else 0)
    assert len({run.id for run in trials}) == len(trials)
    assert "captured" not in {run.status for run in runs}
    assert all(run.why for run in runs if run.status != "explained")
    explanations = {one.id for run in runs for one in RunHistory(folder / "history").explanations(run.id)}
    for run in runs:
        if run.status == "explained":
            assert np.isfinite(run.explanation.local_importance_values).all()
    left = {str(path.relative_to(folder / "history")) for path in (folder / "history").rglob("*") if path.is_file()}
    owned = {f"explanations/{one}.zip" for one in explanations}
    owned |= {
        f"{place}/{run.id}.{end}"
        for run in runs
        for place, end in (("scoring", "zip"), ("scoring", "json"), ("scores", "json"))
    }
    rows = {name for name in left if name.startswith("explanations/rows-")}
    assert len(rows) <= 1
    assert not rows or explanations
    assert {name for name in left if not name.startswith("history.sqlite")} <= owned | rows
    return runs


@pytest.mark.parametrize("how", list(TIMES))
@pytest.mark.parametrize("name", list(victims.SEARCHES))
def test_a_search_that_is_ended_at_any_moment_loses_nothing(how, name, start, tmp_path):
    whole = seconds_of(start, name, tmp_path / "left alone")
    moments = random.Random(f"{how} {name}")
    times = TIMES[how] // len(victims.SEARCHES)
    for number in range(times):
        folder = tmp_path / str(number)
        folder.mkdir()
        process = start(name, folder)
        process.join(moments.uniform(number, number + 1) / times * whole)  # in each part of its life
        if process.is_alive():
            os.kill(process.pid, getattr(signal, how))
        process.join(LONGEST)
        assert process.exitcode in ENDS[how] | {0}
        checked(folder)
