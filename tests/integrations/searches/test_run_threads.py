"""Runs are explained in threads that nothing holds up: no model that does not answer, no Ctrl-C, and no disk that is full."""

import copy
import errno
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from queue import Empty, SimpleQueue

import numpy as np
import pytest
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from automl_explain import HistoryError, RunHistory
from automl_explain.integrations.history import _storing
from automl_explain.integrations.planning import _plan
from automl_explain.integrations.sealed._spool import Spool
from automl_explain.integrations.searches import _run_threads
from automl_explain.integrations.searches._memory import LEAST, model_bytes
from automl_explain.integrations.searches._run_threads import Ticket, work_off
from automl_explain.integrations.sklearn_search import ExplainingScorer

X, Y = make_classification(120, 4, random_state=0)


def grid(history, model=None, depths=(1, 2, 3), **options):
    scorer = ExplainingScorer("accuracy", X, history=history, explainability_options=options)
    search = GridSearchCV(
        model or DecisionTreeClassifier(random_state=0), {"max_depth": list(depths)}, cv=2, scoring=scorer
    )
    return scorer, search.fit(X, Y)


def work(tasks, late=None, interrupted=None, seconds=30.0):
    work_off(
        tasks, 2, seconds=lambda number, began: began + seconds - time.monotonic(), late=late or pytest.fail,
        interrupted=interrupted or pytest.fail, advance=lambda n: None,
    )  # fmt: skip


def test_tasks_are_done_in_their_order_and_the_first_error_is_raised():
    done = []
    work([lambda ticket, number=number: done.append(number) for number in range(9)])
    assert sorted(done) == list(range(9))

    def fail(ticket):
        ticket.take()
        raise KeyError(1)

    stopped, released = [], threading.Event()
    with pytest.raises(KeyError):
        work([fail, *[lambda ticket: released.wait(5)] * 3], interrupted=stopped.append)
    released.set()
    assert 3 in stopped


def test_a_task_that_does_not_answer_is_left_behind_and_its_result_does_not_count():
    said, late, done, released = [], [], [], threading.Event()

    def hangs(ticket):
        released.wait(20)
        said.append(ticket.take())

    started = time.monotonic()
    work(
        [hangs, hangs, *[lambda ticket: done.append(ticket.take())] * 3],
        late=lambda number, took: late.append((number, took)),
        seconds=0.5,
    )
    assert time.monotonic() - started < 5.0
    assert [number for number, _ in late] == [0, 1]
    assert all(0.4 < took < 3.0 for _, took in late)
    assert done == [True] * 3
    released.set()
    time.sleep(0.3)
    assert said == [False, False]
    assert Ticket().take()


class Hangs(DecisionTreeClassifier):
    """A tree that no reader knows, and that does not answer once the search has ended."""

    hung = threading.Event()

    def predict_proba(self, table):
        if len(table) != 60 and self.max_depth == 2:
            self.hung.wait(600)
        return super().predict_proba(table)


class WaitedFor:
    """A clock that stands still but for the time that the main thread waits for the end of a task, and interrupts it once."""

    def __init__(self, interrupt_at):
        self.now, self._interrupt_at = 0.0, interrupt_at

    def monotonic(self):
        return self.now

    def queue(self):
        clock, real = self, SimpleQueue()

        class Queue:
            put = real.put

            def get(self, timeout):
                try:
                    return real.get(timeout=0.02)
                except Empty:
                    clock.now += timeout
                    if clock._interrupt_at is not None and clock.now >= clock._interrupt_at:
                        clock._interrupt_at = None
                        signal.raise_signal(signal.SIGINT)
                    raise

        return Queue()


def test_an_interrupted_work_waits_less_than_a_second_for_tasks_that_do_not_answer(monkeypatch):
    clock, released, stopped = WaitedFor(interrupt_at=5.0), threading.Event(), []
    monkeypatch.setattr(_run_threads, "time", clock)
    monkeypatch.setattr(_run_threads, "SimpleQueue", clock.queue)
    with pytest.raises(KeyboardInterrupt):
        work_off(
            [lambda ticket: released.wait(60)] * 3, 2, seconds=lambda number, began: 1.0, late=pytest.fail,
            interrupted=stopped.append, advance=pytest.fail,
        )  # fmt: skip
    waited = clock.now - 5.0
    released.set()
    assert sorted(stopped) == [0, 1, 2]
    assert 0.0 < waited < 1.0  # of waiting: how fast the machine is does not count


def test_an_interrupted_work_waits_for_what_is_being_written():
    written, interrupted, began = [], [], threading.Event()

    def writing(ticket):
        assert ticket.take()
        began.set()
        time.sleep(2.0 * _run_threads.LAST_WORDS)
        written.append("whole")

    def failing(ticket):
        began.wait(30.0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work([writing, failing], interrupted=interrupted.append)
    assert written == ["whole"]
    assert interrupted == []


def test_a_model_that_hangs_is_one_failed_run(tmp_path, monkeypatch):
    monkeypatch.setattr(_plan, "LATE", (0.2, 1.0))
    monkeypatch.setattr(_plan, "MUST_LATE", (0.2, 1.0))
    scorer, search = grid(tmp_path, Hangs(random_state=0), time_budget=5.0, n_jobs=2)
    search.refit = False
    started = time.monotonic()
    runs = scorer.explain(search)
    Hangs.hung.set()
    assert time.monotonic() - started < 40.0
    by_depth = {run.config["max_depth"]: run for run in runs if run.kind == "trial"}
    assert by_depth[2].status == "failed"
    assert by_depth[2].why.startswith("did not answer in ")
    assert "captured" not in {run.status for run in runs}


def test_a_best_run_that_hangs_is_waited_for_longer_and_that_is_told(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(_plan, "LATE", (0.2, 0.3))
    monkeypatch.setattr(_plan, "MUST_LATE", (0.2, 1.0))
    monkeypatch.setattr(Hangs, "hung", threading.Event())
    scorer, search = grid(tmp_path, Hangs(random_state=0), depths=(2,), time_budget=0.2, n_jobs=2)
    runs = scorer.explain(search)
    Hangs.hung.set()
    assert [run.status for run in runs] == ["failed"] * 2
    assert all(run.why.startswith("did not answer in 1 s") for run in runs)
    told = sorted(entry.getMessage() for entry in caplog.records if "waited for" in entry.getMessage())
    for run, what, line in zip(runs, ("the best run", "a final model"), told, strict=True):
        assert re.fullmatch(f"run {run.id} has not answered in [01] s; as {what} it is waited for up to 1 s more", line)


def test_a_full_disk_is_one_runs_failure_and_is_tried_again(tmp_path, monkeypatch):
    scorer, search = grid(tmp_path, n_jobs=1)
    whole, n_written = _storing.save_values, []

    def full(path, *parts):
        n_written.append(path)
        if len(n_written) == 2:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(path, *parts)

    monkeypatch.setattr(_storing, "save_values", full)
    statuses = [run.status for run in scorer.explain(search)]
    assert sorted(statuses) == ["explained"] * 3 + ["failed"]
    (failed,) = [run for run in scorer.runs if run.status == "failed"]
    assert "No space left on device" in failed.why
    assert list(tmp_path.rglob("*.part")) == []
    assert [run.status for run in scorer.explain(search)] == ["explained"] * 4
    n_before = len(n_written)
    assert [run.status for run in scorer.explain(search)] == ["explained"] * 4
    assert len(n_written) == n_before


def test_runs_that_cannot_be_recorded_are_kept_for_another_try(tmp_path, monkeypatch):
    scorer, search = grid(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(RunHistory, "add_runs", lambda *of, **settings: (_ for _ in ()).throw(HistoryError("full")))
        with pytest.raises(HistoryError, match="full"):
            scorer.explain(search)
    assert {run.status for run in scorer.explain(search)} == {"explained"}


@pytest.mark.parametrize(
    "again",
    [clone, copy.deepcopy, copy.copy, lambda one: pickle.loads(pickle.dumps(one))],
    ids=("cloned", "deep copy", "copy", "pickled"),
)
def test_a_copied_scorer_keeps_its_background_and_has_a_folder_of_its_own(again, tmp_path):
    scorer = ExplainingScorer("accuracy", X[:7], history=tmp_path)
    search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}, cv=2, scoring=scorer)
    other = again(search)
    if again is copy.copy:
        other.scoring = copy.copy(scorer)
    assert len(other.scoring._background) == 7
    assert len({one._spool.name for one in (scorer, other.scoring)}) == 2
    assert len({one._record.search for one in (scorer, other.scoring)}) == 2
    runs = [one.scoring.explain(one.fit(X, Y)) for one in (search, other)]
    assert [[run.status for run in found] for found in runs] == [["explained"] * 3] * 2


def test_the_memory_of_every_kind_of_model_and_of_files_is_counted(tmp_path):
    rows = np.zeros((4000, 50))
    assert model_bytes(KNeighborsClassifier().fit(rows, np.arange(4000) % 2)) >= rows.nbytes
    spool = Spool(tmp_path / "spool", 1e-4)  # about 107 kB
    for number in range(3):
        spool.write((number,), np.zeros(6000), "")
    assert [bool(file.why) for file in sorted(spool.read()[0], key=lambda file: file.note)] == [False, False, True]


@pytest.mark.parametrize("learner", [LGBMClassifier, XGBClassifier, CatBoostClassifier, RandomForestClassifier])
def test_a_model_that_is_not_fitted_counts_nothing_in_a_stack_that_keeps_it(learner):
    silent = {"verbose": 0, "allow_writing_files": False} if learner is CatBoostClassifier else {}
    stack = StackingClassifier([("one", learner(n_estimators=5, **silent))], cv=2)
    before = model_bytes(stack)
    assert before == LEAST
    assert model_bytes(stack.fit(X, Y)) >= before
    assert model_bytes(stack.estimators_[0]) > 0


SLOW = """
import sys, time
from tests.integrations.searches.test_run_threads import Hangs, grid
scorer, search = grid(sys.argv[1], Hangs(random_state=0), time_budget=100.0)
print("explaining", flush=True)
scorer.explain(search)
"""


@pytest.mark.parametrize(("how", "code"), [("SIGINT", {1, -2, 130}), ("SIGTERM", {143})])
def test_a_signal_ends_a_process_whose_model_hangs(how, code, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(tmp_path / "runs")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "explaining\n"
    time.sleep(2.0)
    process.send_signal(getattr(signal, how))
    process.communicate(timeout=120)  # the model does not answer for 600 s
    assert process.returncode in code
    assert "captured" not in {run.status for run in RunHistory(tmp_path / "runs").runs()}
