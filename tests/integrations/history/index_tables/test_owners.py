"""Runs of processes that died are marked as interrupted when the history is opened next; those of live ones are left."""

import contextlib
import os
import subprocess
import sys

import pytest

from automl_explain import RunHistory
from automl_explain.integrations.history.index_tables import _owners

ROW = {
    "number": 1, "learner": "a", "config": {}, "loss": 0.5, "metric": "loss", "kind": "trial", "sample_size": None, "why": "",
}  # fmt: skip


def captured(directory, **owner):
    history = RunHistory(directory)
    search = history.start_search("my own", "binary", {})
    rows = [ROW | {"status": "captured"}, ROW | {"number": 2, "status": "skipped", "why": "slow"}]
    ids = history.add_runs(search, rows)
    with history._index.open() as connection:
        connection.execute(_owners.OWNERS)
        known = {
            "host": _owners.socket.gethostname(),
            "process": os.getpid(),
            "born": _owners.born(os.getpid()),
        } | owner
        connection.execute("INSERT INTO owners VALUES (?, ?, ?, ?)", (search, *known.values()))
    return ids


def ended_process():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_a_process_that_ended_leaves_interrupted_runs(tmp_path):
    captured(tmp_path, process=ended_process())
    runs = RunHistory(tmp_path).runs()
    assert [(run.status, run.why) for run in runs] == [("interrupted", _owners.WHY), ("skipped", "slow")]
    assert [run.status for run in RunHistory(tmp_path).runs()] == ["interrupted", "skipped"]


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="the start of a process is not known here")
def test_another_process_of_the_same_number_is_told_apart(tmp_path):
    captured(tmp_path, born="1")
    assert RunHistory(tmp_path).runs()[0].status == "interrupted"


@pytest.mark.parametrize("owner", [{}, {"host": "another machine", "process": 1}])
def test_a_process_that_lives_or_cannot_be_seen_keeps_its_runs(tmp_path, owner):
    captured(tmp_path, **owner)
    assert RunHistory(tmp_path).runs()[0].status == "captured"


def test_a_search_that_two_processes_explain_waits_for_the_last(tmp_path):
    (first, _) = captured(tmp_path)
    history = RunHistory(tmp_path)
    with history._index.open() as connection:
        dead = (history.run(first).search, _owners.socket.gethostname(), ended_process(), "1")
        connection.execute("INSERT INTO owners VALUES (?, ?, ?, ?)", dead)
    assert RunHistory(tmp_path).run(first).status == "captured"


def test_a_block_that_ends_leaves_no_owner(tmp_path):
    history = RunHistory(tmp_path)

    def count():
        with history._index.open() as connection:
            return connection.execute("SELECT COUNT(*) FROM owners").fetchone()[0]

    with contextlib.suppress(KeyError), history.owned("a"):
        assert count() == 1
        raise KeyError
    assert count() == 0
