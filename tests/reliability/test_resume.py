"""Searches that keep their models are killed while they go on and while they are explained, and explained afterwards."""

import os
import signal
import time

import numpy as np
import pytest

from automl_explain import RunHistory, resume_search
from automl_explain.cli import main
from tests.reliability import victims

LONGEST = 120.0
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def killed(start, name, folder, is_time):
    """Start a victim, kill it when its history is as wanted, and return the history."""
    process = start(name, folder, os.environ["XDG_DATA_HOME"])
    until = time.monotonic() + LONGEST
    while process.is_alive() and time.monotonic() < until:
        if (folder / "history" / "history.sqlite").exists() and is_time(RunHistory(folder / "history").runs()):
            break
        time.sleep(0.02)
    assert process.is_alive(), (process.exitcode, (folder / "said.log").read_text()[-2000:])
    os.kill(process.pid, signal.SIGKILL)
    process.join(LONGEST)
    return RunHistory(folder / "history")


def files_beside_index(history):
    return [path for path in history.directory.rglob("*") if path.is_file() and "sqlite" not in path.name]


@pytest.mark.parametrize("when", ["searching", "explaining"])
@pytest.mark.parametrize("name", list(victims.SEARCHES))
def test_what_was_not_explained_is_explained_afterwards(name, when, start, tmp_path, capsys):
    def is_time(runs):
        n_explained = sum(run.status == "explained" for run in runs)
        return len(runs) >= 4 if when == "searching" else 1 <= n_explained < len(runs)

    history = killed(start, name, tmp_path, is_time)
    before = history.runs()
    (search,) = history.searches()
    kept = {path.name.partition(".")[0] for path in (history.directory / "models" / search).glob("*.model")}
    assert kept
    done = {run.id: run.explanation for run in before if run.status == "explained"}
    assert len(done) < len(before)
    if name == "command line":
        assert main(["resume", search, "--history", str(history.directory), "--time-budget", "300"]) == 0
        assert before[0].id in capsys.readouterr().out
        after = history.runs()
    else:
        after = resume_search(search, history)
    assert [run.id for run in after] == [run.id for run in before]
    assert [run.loss for run in after] == [run.loss for run in before]
    if when == "searching":
        assert {run.id for run in after if run.status == "explained"} == set(done) | kept
    else:
        assert {run.status for run in after} == {"explained"}
        assert not (history.directory / "models" / search).exists()
    for run in after:
        if run.status == "explained":
            found = run.explanation
            assert np.isfinite(found.local_importance_values).all()
            if run.id in done:
                np.testing.assert_array_equal(done[run.id].local_importance_values, found.local_importance_values)
    if any(run.status != "explained" for run in after):  # they ended between two steps, without a model
        assert len(after) - len(kept) <= 3
    until = time.monotonic() + LONGEST
    while (left := RunHistory(history.directory).searches()) and time.monotonic() < until:
        assert list(left) == [search]  # a worker that outlives its search may record it again, and begins no other
        history.remove_search(search)
        time.sleep(0.2)
    assert not left
    assert files_beside_index(history) == []
