"""Work distributed over waiting threads."""

import importlib.util
import os
import sys
import threading
import time

import numpy as np
import pytest

from automl_explain.explainers.compiled._jit import run_blocks


@pytest.mark.parametrize("n_jobs", [1, 2, 5, None])
@pytest.mark.parametrize("n_blocks", [0, 1, 2, 40])
def test_every_block_is_done_once_and_reported(n_blocks, n_jobs):
    done, reported = [], []

    def task(block):
        time.sleep(0.001)
        done.append(block)
        return block

    run_blocks(task, range(n_blocks), n_jobs, reported.append)
    assert sorted(done) == list(range(n_blocks))
    assert sum(reported) == sum(range(n_blocks))


def test_this_thread_reports():
    seen = set()
    run_blocks(lambda _: time.sleep(0.001) or 1, range(20), 2, lambda _: seen.add(threading.current_thread()))
    assert seen == {threading.current_thread()}


@pytest.mark.parametrize("failing", [0, 7, 19])
def test_an_error_ends_the_work_and_reaches_the_caller(failing):
    done = []

    def task(block):
        if block == failing:
            raise IndexError(f"block {block}")
        time.sleep(0.002)
        done.append(block)
        return 1

    with pytest.raises(IndexError, match=f"block {failing}"):
        run_blocks(task, range(20), 2)
    count = len(done)
    time.sleep(0.01)
    assert len(done) == count < 20


def test_work_within_work_and_from_several_threads_does_not_wait_for_itself():
    total = []

    def outer(_):
        run_blocks(lambda _: total.append(1) or 1, range(10), 4)
        return 1

    callers = [threading.Thread(target=run_blocks, args=(outer, range(6), 4)) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert len(total) == 4 * 6 * 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    run_blocks(lambda _: time.sleep(0.001) or 1, range(4), 2)
    child = os.fork()
    if not child:  # no way back into pytest from here
        who, both = set(), threading.Barrier(2)

        def task(_):
            both.wait(60)  # for a block of another thread
            who.add(threading.get_ident())
            return 1

        try:
            run_blocks(task, range(8), 2)
        finally:
            os._exit(0 if len(who) == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0


KERNEL = """
from typing import NamedTuple
import numpy as np
from automl_explain.explainers.compiled._jit import kernel

class {name}(NamedTuple):
    numbers: np.ndarray

@kernel
def total(rows):
    return rows.numbers.sum()
"""


def test_what_an_older_version_compiled_for_types_that_are_gone_is_compiled_again(tmp_path, monkeypatch):
    path = tmp_path / "versioned_kernels.py"

    def total_of(name):
        path.write_text(KERNEL.format(name=name))
        spec = importlib.util.spec_from_file_location("versioned_kernels", path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "versioned_kernels", module)
        spec.loader.exec_module(module)
        return module.total(getattr(module, name)(np.arange(4.0))), module.total

    assert total_of("Rows")[0] == 6.0
    assert list(tmp_path.glob("__pycache__/*.nbi"))
    assert total_of("Renamed")[0] == 6.0
    found, again = total_of("Renamed")
    assert found == 6.0
    assert sum(again.stats.cache_hits.values()) == 1
