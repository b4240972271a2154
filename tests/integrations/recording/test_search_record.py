"""Trials are recorded as they end, and what a process that died left is found out and removed."""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading

import pytest

from automl_explain import RunHistory
from automl_explain.integrations.history.index_tables import _owners
from automl_explain.integrations.recording._search_record import SearchRecord
from automl_explain.integrations.recording._termination import EXIT_CODE, Terminated, terminated_as_interrupted
from tests.integrations.history.stored import explanation, trial


def note(record, **changes):
    record.note("lgbm", {"leaves": 3}, 0.5, "loss", **changes)


def test_a_trial_is_there_before_its_search_ends_and_is_replaced_then(tmp_path):
    history = RunHistory(tmp_path)
    record = SearchRecord(history, "my own", {"a": 1})
    assert history.searches() == []
    note(record, number=0, task="binary")
    note(record, number=1)
    assert [(run.id, run.status, run.loss) for run in RunHistory(tmp_path).runs()] == [
        (f"{record.search}-000{number}", "captured", 0.5) for number in range(2)
    ]
    found = history.search(record.search)
    assert (found["engine"], found["task"], found["facts"]) == ("my own", "binary", {"a": 1})
    history.start_search("my own", "multiclass", {"a": 2}, search=record.search)
    history.add_runs(record.search, [trial(1, status="skipped", why="slow")])
    assert [run.status for run in history.runs()] == ["captured", "skipped"]
    history.add_runs(record.search, [trial(5)], complete=True)
    assert [(run.number, run.status) for run in history.runs()] == [(1, "skipped"), (5, "captured")]
    assert history.search(record.search)["facts"] == {"a": 2}
    record.end()


def test_parts_of_a_trial_are_one_run_with_their_mean_also_from_copies(tmp_path):
    record = SearchRecord(RunHistory(tmp_path), "my own", {})
    copied = pickle.loads(pickle.dumps(record))
    for loss, one in zip((0.2, 0.4, 0.9), (record, copied, record), strict=True):
        one.note("tree", {}, loss, "loss", key="abcdefghi", is_part=True)
    note(copied, key="other")
    first, second = RunHistory(tmp_path).runs()
    assert (first.number, first.loss, second.number) == (0, pytest.approx(0.5), 1)
    assert RunHistory(tmp_path).part_losses(record.search) == {first.id: (0.2, 0.4, 0.9)}
    RunHistory(tmp_path).remove_search(record.search)
    assert RunHistory(tmp_path).runs() == []


def test_a_search_that_is_left_says_so(tmp_path):
    record = SearchRecord(RunHistory(tmp_path), "my own", {})
    note(record, number=0)
    record.end()
    (run,) = RunHistory(tmp_path).runs()
    assert (run.status, run.why) == ("interrupted", _owners.WHY_LEFT)
    RunHistory(tmp_path).add_runs(record.search, [trial(0)])  # it was explained after all
    assert RunHistory(tmp_path).runs()[0].status == "captured"


def test_a_history_that_cannot_be_written_does_not_disturb_the_search(tmp_path, monkeypatch, caplog):
    record = SearchRecord(RunHistory(tmp_path / "runs"), "my own", {})
    (tmp_path / "runs" / "history.sqlite").write_bytes(b"not a history" * 1000)
    note(record, number=0)
    note(record, number=1)
    record.end()
    assert [entry.getMessage()[:52] for entry in caplog.records] == [
        "the trials of a search cannot be recorded as they en"
    ]


LEAVER = """
import os, sys
from pathlib import Path
from automl_explain import RunHistory
from automl_explain.integrations.recording._search_record import SearchRecord
from automl_explain.integrations.sealed._spool import Spool
from tests.integrations.history.stored import explanation

history = RunHistory(sys.argv[1])
spool = Spool(history.directory / "spool")
record = SearchRecord(history, "my own", {}, spool=spool.name)
record.note("lgbm", {}, 0.5, "loss", number=0)
spool.write((1,), "a model", "")
replace = Path.replace

def dying(self, target):
    whole = target.name.endswith(".zip") and not target.name.startswith("rows-")
    return os._exit(9) if whole else replace(self, target)

Path.replace = dying
history.store(f"{record.search}-0000", explanation(), share_rows=True)
"""


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    ours = RunHistory(tmp_path)
    (kept,) = ours.add_runs(ours.start_search("my own", "binary", {}), [trial(0)])
    ours.store(kept, explanation(), share_rows=True)
    before = {path for path in tmp_path.rglob("*") if "sqlite" not in path.name}
    assert subprocess.run([sys.executable, "-c", LEAVER, str(tmp_path)], check=False).returncode == 9
    assert len(list(tmp_path.rglob("*.model"))) == len(list(tmp_path.rglob("explanations/.*.part"))) == 1
    runs = RunHistory(tmp_path).runs()
    assert [run.status for run in runs] == ["explained", "interrupted"]
    assert {path for path in tmp_path.rglob("*") if "sqlite" not in path.name} == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_sigterm_is_like_an_interrupt_and_its_handler_is_taken_away():
    def work():
        with terminated_as_interrupted():
            with contextlib.suppress(Terminated):
                os.kill(os.getpid(), signal.SIGTERM)
                pytest.fail("the signal came too late")
            os.kill(os.getpid(), signal.SIGTERM)  # what is known is being recorded

    with pytest.raises(SystemExit) as caught:
        work()
    assert caught.value.code == EXIT_CODE == 143
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_a_handler_of_the_caller_is_kept():
    told = []
    signal.signal(signal.SIGTERM, lambda *of: told.append(of[0]))
    try:
        own = signal.getsignal(signal.SIGTERM)
        with terminated_as_interrupted():
            assert signal.getsignal(signal.SIGTERM) is own
            os.kill(os.getpid(), signal.SIGTERM)
        assert (signal.getsignal(signal.SIGTERM), told) == (own, [signal.SIGTERM])
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_in_a_thread_no_handler_is_set():
    found = []

    def work():
        with terminated_as_interrupted():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]
