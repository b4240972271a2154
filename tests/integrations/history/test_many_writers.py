"""Several processes write into one history, and some are killed."""

import signal
import sqlite3
import subprocess
import sys
import threading

import numpy as np
import pytest

from automl_explain import RunHistory
from tests.integrations.history.stored import explanation, trial

WRITER = """
import sys
import numpy as np
from automl_explain import Explanation, RunHistory
from tests.integrations.history.stored import explanation, trial

history = RunHistory(sys.argv[1])
search = history.start_search("flaml", "binary", {"process": sys.argv[2]})
for number in range(int(sys.argv[3])):
    (run_id,) = history.add_runs(search, [trial(number)])
    history.store(run_id, explanation(seed=number), seconds=0.0)
    print(run_id, flush=True)
"""


def writer(directory, name, n_runs):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", WRITER, str(directory), str(name), str(n_runs)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(("n_processes", "n_runs"), [(2, 5), pytest.param(8, 125, marks=pytest.mark.slow)])
def test_processes_write_at_once_and_no_run_is_lost_while_another_is_killed(n_processes, n_runs, tmp_path):
    processes = [writer(tmp_path / "runs", name, n_runs) for name in range(n_processes)]
    victim = writer(tmp_path / "runs", "killed", 100_000)
    for _ in range(20):
        assert victim.stdout.readline()
    victim.send_signal(signal.SIGKILL)
    told = 20 + len(victim.stdout.read().splitlines())
    victim.stdout.close()
    victim.stderr.close()
    victim.wait(timeout=60)
    written = []
    for process in processes:
        out, problems = process.communicate(timeout=240)
        assert process.returncode == 0, problems
        written += out.split()
    history = RunHistory(tmp_path / "runs")
    assert len(history.searches()) == n_processes + 1
    runs = {run.id: run for run in history.runs()}
    assert len(written) == n_processes * n_runs
    assert len(runs) >= n_processes * n_runs + told
    for run_id in written:
        assert runs[run_id].status == "explained"
        expected = explanation(seed=runs[run_id].number).expected_values
        assert np.array_equal(runs[run_id].explanation.expected_values, expected)
    explained = [run for run in runs.values() if run.status == "explained"]
    assert len(explained) >= n_processes * n_runs + told
    with sqlite3.connect(history.directory / "history.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_writer_that_is_killed_leaves_a_history_that_opens(tmp_path):
    process = writer(tmp_path / "runs", "killed", 100_000)
    for _ in range(10):
        assert process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    told = 10 + len(process.stdout.read().splitlines())
    process.stderr.close()
    process.stdout.close()
    assert process.wait(timeout=60) == -signal.SIGKILL
    history = RunHistory(tmp_path / "runs")
    runs = history.runs()
    assert len(runs) >= told
    explained = [run for run in runs if run.status == "explained"]
    assert len(explained) >= told
    assert all(run.explanation.num_examples == 5 for run in explained)
    search = history.start_search("flaml", "binary", {})
    (again,) = history.add_runs(search, [trial(0)])
    history.store(again, explanation())
    assert history.run(again).explanation.num_examples == 5


def test_a_history_that_another_process_makes_just_now_is_waited_for(tmp_path):
    """SQLite itself does not wait while another connection to a new index is about to write."""
    other = sqlite3.connect(tmp_path / "history.sqlite", check_same_thread=False, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.3, other.execute, ("COMMIT",))
    timer.start()
    try:
        assert RunHistory(tmp_path).runs() == []
    finally:
        timer.join()
        other.close()
