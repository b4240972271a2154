"""Files that the index of a history does not know, such as those of a process that was killed, are removed."""

import multiprocessing
import os
import signal
import sqlite3
import time

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from automl_explain import ExplanationClient, HistoryError, LinearExplainer, RunHistory, RunNotFoundError
from automl_explain.explainers import _processes
from automl_explain.integrations.history import _storing
from automl_explain.integrations.history._labels import keep_labels
from automl_explain.integrations.history._run_scorers import keep_scorer
from automl_explain.integrations.history._scores import keep_scores
from automl_explain.integrations.history.index_tables import _owners
from automl_explain.integrations.recording._search_record import SearchRecord
from automl_explain.integrations.sealed._kept_models import KeptModels
from automl_explain.integrations.sealed._sealed_folder import SealedFolder
from tests.integrations.history.stored import explanation, trial

needs_signals = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of POSIX")


def search_of(history, n_runs=2):
    search = history.start_search("flaml", "binary", {})
    return search, history.add_runs(search, [trial(number) for number in range(n_runs)])


def files(history):
    return sorted(path.name for path in history.directory.rglob("*") if path.is_file() and "sqlite" not in path.name)


def killed(target, *args):
    process = multiprocessing.get_context("spawn").Process(target=target, args=args)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def killed_while_uploading(directory, run_id):
    write = _storing.Explanation.save

    def save(self, path):
        write(self, path)
        os.kill(os.getpid(), signal.SIGKILL)

    _storing.Explanation.save = save
    ExplanationClient.from_run(RunHistory(directory).run(run_id)).upload_model_explanation(explanation())


def killed_between_file_and_index(directory, search, run_id):
    _storing.put_part_losses = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    history = RunHistory(directory)
    with history.owned(search):
        history.store(run_id, explanation(seed=1), share_rows=True)


@needs_signals
def test_a_kill_between_a_file_and_its_entry_leaves_no_file(history):
    search, (first, second) = search_of(history)
    history.store(first, explanation(seed=0), share_rows=True)
    other, (elsewhere,) = search_of(history, 1)
    history.store(elsewhere, explanation(seed=2))
    before = files(history)
    killed(killed_between_file_and_index, history.directory, search, second)
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

    monkeypatch.setattr(_storing, "put_part_losses", failing)
    with pytest.raises(HistoryError if error is OSError else error, match="between"):
        history.store(second, explanation(seed=1))
    assert files(history) == before
    assert [run.status for run in history.runs(search)] == ["explained", "captured"]
    assert history.explanation(first).num_examples == 5


def test_a_run_that_is_removed_while_it_is_explained_leaves_nothing(history, monkeypatch):
    search, (first, _) = search_of(history)
    part_of = _storing.part_of

    def removed_meanwhile(path):
        RunHistory(history.directory).remove_search(search)
        return part_of(path)

    monkeypatch.setattr(_storing, "part_of", removed_meanwhile)
    with pytest.raises(RunNotFoundError, match=f"{first} was removed while"):
        history.store(first, explanation(seed=0), share_rows=True)
    assert files(history) == []
    assert history.searches() == []


def test_a_search_is_removed_with_all_of_its_files_and_no_other(history):
    searches = [search_of(history) for _ in range(2)]
    for _, ids in searches:
        stored = history.store(ids[0], explanation(seed=0))
        keep_labels(history, stored, np.arange(5))
        keep_scores(history, ids[0], {"accuracy": 0.5})
    (first, ids), (second, _) = searches
    left = history.directory / "explanations" / f"{ids[1]}-abcdef.zip"  # of an older version's process that was killed
    left.write_bytes(b"")
    history.remove_search(first)
    assert len(files(history)) == 3
    assert all(name.startswith(second) for name in files(history))


@needs_signals
def test_a_kill_while_an_explanation_is_uploaded_leaves_no_file(history):
    _, (first, _) = search_of(history)
    killed(killed_while_uploading, history.directory, first)
    assert len(files(history)) == 1
    again = RunHistory(history.directory)
    assert files(again) == []
    with again._index.open() as connection:
        assert connection.execute("SELECT * FROM owners").fetchall() == []


def dead(history, search, **changes):
    """Note that a process that has ended owns a search."""
    owner = _owners.Owner.of(search)._replace(born="0", **changes)
    with history._index.open() as connection:
        _owners.own(connection, owner)


@pytest.mark.parametrize("search", ["my.search.2", "rows", "a-b_c"])
def test_searches_with_names_of_their_own_keep_their_files(search, history):
    _, (elsewhere, _) = search_of(history)
    history.store(elsewhere, explanation(seed=0), share_rows=True)
    history.start_search("my own", "binary", {}, search=search)
    (run_id,) = history.add_runs(search, [trial(0)])
    keep_labels(history, history.store(run_id, explanation(seed=1), share_rows=True), np.arange(5))
    keep_scores(history, run_id, {"accuracy": 0.5})
    before = files(history)
    dead(history, search)
    again = RunHistory(history.directory)
    assert files(again) == before
    assert again.explanation(run_id).num_examples == 5
    again.remove_search(search)
    assert len(files(again)) == 2
    assert again.explanation(elsewhere).data is not None


def test_runs_that_were_explained_before_their_search_knew_them_are_removed_whole(history):
    """Such as those that `resume_search` explains."""
    record = SearchRecord(history, "my own", {})
    record.note("lgbm", {}, 0.5, "loss", number=0, is_part=True)
    (run,) = history.runs()
    keep_labels(history, history.store(run.id, explanation(seed=0), share_rows=True), np.arange(5))
    record.end()
    history.remove_search(record.search)
    assert files(history) == history.searches() == []
    with history._index.open() as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        left = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in tables}
    assert len(left) >= 7
    assert not any(left.values()), left


def test_nothing_is_kept_of_a_run_that_was_removed_meanwhile(history):
    search, (first, _) = search_of(history)
    stored = history.store(first, explanation(seed=0))
    history.remove_search(search)
    keep_labels(history, stored, np.arange(5))
    keep_scores(history, first, {"accuracy": 0.5})
    X = np.random.default_rng(0).normal(size=(20, 2))
    model = LinearRegression().fit(X, X[:, 0])
    for make in (lambda: _processes.no_such, lambda: LinearExplainer(model, X)):
        keep_scorer(history, first, make)
    assert files(history) == []


def part(history, number, host, born, age=0.0):
    """Write a file that a process leaves while it writes an explanation."""
    name = ".".join(
        ["", "1a2b-0000-3c4d.zip", "-".join(map(str, (number, host, born))).rstrip("-"), "0123456789abcdef", "part"]
    )
    place = history.directory / "explanations" / name
    place.write_bytes(b"")
    os.utime(place, (time.time() - age,) * 2)
    return name


def test_files_half_written_are_removed_unless_somebody_writes_them(history):
    ours, here, since = os.getpid(), _processes.machine(), _processes.born(os.getpid())
    day = _processes.ABANDONED + 60.0
    gone = [
        part(history, 2**22 + 1, here, since),
        part(history, 2**22 + 1, "", ""),  # as earlier versions named them
        part(history, ours, "00000000", since, age=day),
    ]
    gone += [part(history, ours, here, "1")] * bool(since)  # its number is now that of another process
    kept = [part(history, ours, here, since, age=day), part(history, ours, "00000000", "1")]
    kept += [part(history, ours, "", "")]
    dead(history, search_of(history)[0])
    assert set(gone + kept) == set(files(history))
    assert files(RunHistory(history.directory)) == sorted(kept)


def test_a_temporary_file_has_a_name_that_file_systems_take_and_tells_its_writer(tmp_path):
    for name in ("a.zip", "x" * 251 + ".zip", "\N{GRINNING FACE}" * 60):
        made = _processes.part_of(tmp_path / name)
        made.write_bytes(b"")
        assert _processes.writer_of(made) == os.getpid()
        assert not _processes.is_left(made)
    assert _processes.writer_of(tmp_path / "a.zip") is None
    assert not _processes.is_left(tmp_path / "a.zip")


def test_what_cannot_be_removed_is_told_and_holds_up_nothing_else(history, caplog):
    search, (first, second) = search_of(history)
    history.store(second, explanation(seed=0), share_rows=True)
    planted = history.directory / "explanations" / f"{first}-000000.zip"
    planted.mkdir()
    dead(history, search)
    RunHistory(history.directory)
    assert [entry.getMessage().count(planted.name) for entry in caplog.records] == [1]
    with pytest.raises(HistoryError, match=f"{search} is removed, but not all of its files: .*{planted.name}"):
        history.remove_search(search)
    assert files(history) == history.searches() == []


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="users of POSIX")
def test_files_that_only_another_user_can_remove_wait_for_that_user(history, monkeypatch):
    search, (first, _) = search_of(history)
    history.store(first, explanation(seed=0))
    KeptModels(SealedFolder(history.directory / "models" / search, b"key"), 1.0).put(first, "about", "a model")
    SealedFolder(history.directory / "spool" / "abc", b"key").write("a.model", b"")
    dead(history, "abc")
    before = files(history)
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 12345)
        other = RunHistory(history.directory)
        assert files(other) == before
        with pytest.raises(HistoryError, match="not removed, since its kept models cannot be.*belongs to another user"):
            other.remove_search(search)
        assert files(other) == before
        assert other.explanation(first).num_examples == 5
    again = RunHistory(history.directory)
    assert "a.model" not in files(again)
    again.remove_search(search)
    assert files(again) == []


def test_an_end_that_cannot_be_noted_loses_nothing(history, monkeypatch, caplog):
    search, (first, _) = search_of(history)
    with monkeypatch.context() as patch, history.owned(search):
        history.store(first, explanation(seed=0))
        patch.setattr(_owners, "disown", lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError("disk is full")))
    assert "end of explaining" in caplog.text
    assert history.run(first).status == "explained"
