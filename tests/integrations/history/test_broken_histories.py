"""Histories that cannot be opened, read or written are refused, and left as they were."""

import signal
import sqlite3
import threading

import pytest

from automl_explain import FormatVersionError, HistoryError, InvalidInputError, RunHistory
from automl_explain.integrations.history import _run_history
from automl_explain.integrations.history.index_tables._schema import PROTOCOL
from tests.integrations.history.stored import explanation, trial


def test_a_history_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryError, match="cannot be opened for writing") as caught:
        RunHistory(tmp_path / "file" / "runs")
    assert "--history DIR" in str(caught.value)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_file_that_is_no_history_is_refused_and_left_alone(tmp_path):
    (tmp_path / "history.sqlite").write_bytes(b"something else entirely" * 100)
    with pytest.raises(HistoryError, match="not a database"):
        RunHistory(tmp_path)
    assert (tmp_path / "history.sqlite").read_bytes() == b"something else entirely" * 100


def test_a_newer_protocol_is_refused_and_left_alone(history, run):
    index = history.directory / "history.sqlite"
    with sqlite3.connect(index) as connection:
        connection.execute(f"PRAGMA user_version = {PROTOCOL + 1}")
    connection.close()
    for use in (lambda: RunHistory(history.directory), history.runs, lambda: history.store(run.id, explanation())):
        with pytest.raises(FormatVersionError, match=f"has protocol {PROTOCOL + 1}; .* Upgrade automl-explain"):
            use()
    assert list((history.directory / "explanations").iterdir()) == []


def test_an_index_that_breaks_later_is_a_history_error(history, run):
    (history.directory / "history.sqlite").write_bytes(b"overwritten by an accident" * 400)
    for use in (
        history.runs,
        lambda: history.run(run.id),
        lambda: history.set_status(run.id, "failed"),
        lambda: history.start_search("flaml", "binary", {}),
        lambda: history.add_runs(run.search, [trial(1)]),
    ):
        with pytest.raises(HistoryError, match=r"history.sqlite: file is not a database"):
            use()


def test_an_explanation_file_that_is_gone_says_which(history, run):
    stored = history.store(run.id, explanation())
    (history.directory / "explanations" / f"{stored}.zip").unlink()
    with pytest.raises(HistoryError, match=f"{stored}.zip"):
        run.explanation  # noqa: B018


def test_an_explanation_file_that_is_broken_says_which(history, run):
    stored = history.store(run.id, explanation())
    file = history.directory / "explanations" / f"{stored}.zip"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InvalidInputError, match=f"{stored}.zip is not a file that automl-explain wrote"):
        run.explanation  # noqa: B018


def test_an_explanation_that_cannot_be_written_leaves_the_run_as_it_was(history, run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("automl_explain.explainers.bundles._array_file.os.replace", full)
    with pytest.raises(HistoryError, match="No space left on device"):
        history.store(run.id, explanation())
    assert history.run(run.id).status == "captured"
    assert list((history.directory / "explanations").iterdir()) == []


@pytest.mark.parametrize("damage", ["", "{", "[1]", "null", '{"a": 1}, {"b": 2}', "[" * 100_000, "\udcff"])
@pytest.mark.parametrize("column", ["config", "top"])
def test_one_run_with_bad_json_does_not_hide_the_others(history, run, column, damage, caplog):
    history.add_runs(run.search, [trial(1, config={"depth": 3})])
    history.store(run.id, explanation())
    with sqlite3.connect(history.directory / "history.sqlite") as connection:
        connection.execute(
            f"UPDATE runs SET {column} = CAST(? AS TEXT) WHERE id = ?", (damage.encode("utf-8", "replace"), run.id)
        )
    connection.close()
    first, second = history.runs()
    assert dict(second.config) == {"depth": 3}
    assert second.top == ()
    assert (dict(first.config) == {}, first.top == ()) == (column == "config", column == "top")
    assert f"of {run.id} cannot be read from the index" in caplog.text
    assert first.explanation.num_examples == 5


def test_bad_facts_of_a_search_hide_nothing_else(history, run, caplog):
    with sqlite3.connect(history.directory / "history.sqlite") as connection:
        connection.execute("UPDATE searches SET facts = '{'")
    connection.close()
    assert history.search(run.search) | {"created": 0} == {
        "id": run.search, "engine": "flaml", "task": "binary", "created": 0, "facts": {},
    }  # fmt: skip
    assert run.search in caplog.text


def test_the_clock_going_back_changes_no_order(history, run, monkeypatch):
    times = iter([2000.0, 1000.0, 500.0])
    monkeypatch.setattr(_run_history.time, "time", lambda: next(times))
    stored = [history.store(run.id, explanation(seed=seed)) for seed in (1, 2)]
    later = history.start_search("flaml", "binary", {})
    assert [one.id for one in history.explanations(run.id)] == stored
    assert (run.explanation.local_importance_values == explanation(seed=2).local_importance_values).all()
    assert history.searches() == [run.search, later]
    (run_id,) = history.add_runs(later, [trial(0)])
    assert [one.id for one in history.runs()] == [run.id, run_id]


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals of POSIX")
def test_a_signal_is_answered_while_another_process_writes(history, run):
    locked, answered, main = threading.Event(), threading.Event(), threading.get_ident()

    def write():
        with history.alone():
            locked.set()
            answered.wait(30)

    thread = threading.Thread(target=write)
    thread.start()
    assert locked.wait(30)
    timer = threading.Timer(0.5, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            RunHistory(history.directory).set_status(run.id, "failed")
        assert thread.is_alive()  # it still writes
    finally:
        answered.set()
        thread.join()
    assert history.run(run.id).status == "captured"
