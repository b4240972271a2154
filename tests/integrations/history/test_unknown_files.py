"""Files that the index of a history does not know, such as those of a process that was killed, are removed."""

import multiprocessing
import os
import signal

import numpy as np
import pytest

from automl_explain import HistoryError, RunHistory, RunNotFoundError
from automl_explain.integrations.history import _run_history
from automl_explain.integrations.history._labels import keep_labels
from automl_explain.integrations.history._scores import keep_scores
from tests.integrations.history.stored import explanation, trial


def search_of(history, n_runs=2):
    search = history.start_search("flaml", "binary", {})
    return search, history.add_runs(search, [trial(number) for number in range(n_runs)])


def files(history):
    return sorted(path.name for path in history.directory.rglob("*") if path.is_file() and "sqlite" not in path.name)


def killed_between_file_and_index(directory, search, run_id):
    _run_history.put_part_losses = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    history = RunHistory(directory)
    with history.owned(search):
        history.store(run_id, explanation(seed=1), share_rows=True)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of POSIX")
def test_a_kill_between_a_file_and_its_entry_leaves_no_file(history):
    search, (first, second) = search_of(history)
    history.store(first, explanation(seed=0), share_rows=True)
    other, (elsewhere,) = search_of(history, 1)
    history.store(elsewhere, explanation(seed=2))
    before = files(history)
    process = multiprocessing.get_context("spawn").Process(
        target=killed_between_file_and_index, args=(history.directory, search, second)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert [name for name in files(history) if name not in before and name.startswith(second)]
    again = RunHistory(history.directory)
    assert files(again) == before
    assert [run.status for run in again.runs(search)] == ["explained", "interrupted"]
    again.remove_search(search)
    again.remove_search(other)
    assert files(again) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError, RuntimeError])
def test_an_error_between_a_file_and_its_entry_leaves_neither(error, history, monkeypatch):
    search, (first, second) = search_of(history)
    history.store(first, explanation(seed=0))
    before = files(history)

    def failing(*_):
        raise error("between")

    monkeypatch.setattr(_run_history, "put_part_losses", failing)
    with pytest.raises(HistoryError if error is OSError else error, match="between"):
        history.store(second, explanation(seed=1))
    assert files(history) == before
    assert [run.status for run in history.runs(search)] == ["explained", "captured"]
    assert history.explanation(first).num_examples == 5


def test_a_run_that_is_removed_while_it_is_explained_leaves_nothing(history, monkeypatch):
    search, (first, _) = search_of(history)
    part_of = _run_history.part_of

    def removed_meanwhile(path):
        RunHistory(history.directory).remove_search(search)
        return part_of(path)

    monkeypatch.setattr(_run_history, "part_of", removed_meanwhile)
    with pytest.raises(RunNotFoundError, match=f"{first} was removed while"):
        history.store(first, explanation(seed=0), share_rows=True)
    assert files(history) == []
    assert history.searches() == []


def test_a_search_is_removed_with_all_of_its_files_and_no_other(history):
    searches = [search_of(history) for _ in range(2)]
    for _, ids in searches:
        stored = history.store(ids[0], explanation(seed=0))
        keep_labels(history.directory, stored, np.arange(5))
        keep_scores(history.directory, ids[0], {"accuracy": 0.5})
    (first, ids), (second, _) = searches
    left = history.directory / "explanations" / f"{ids[1]}-abcdef.zip"  # of an older version's process that was killed
    left.write_bytes(b"")
    history.remove_search(first)
    assert len(files(history)) == 3
    assert all(name.startswith(second) for name in files(history))


def test_a_search_that_ended_early_is_removed_with_its_explanations(history):
    search, _ = search_of(history, 0)
    progress = history.progress(search)
    progress.begin("flaml", "binary", {})
    facts = {name: value for name, value in trial(0).items() if name not in ("kind", "status", "why")}
    progress.record(f"{search}-0000", facts | {"is_part": False})
    progress.end()
    history.store(f"{search}-0000", explanation(seed=0), share_rows=True)
    history.remove_search(search)
    assert files(history) == []
    assert history.explanations(f"{search}-0000") == []
    assert history.searches() == []
