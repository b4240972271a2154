"""Histories that cannot be opened, read or written are refused, and left as they were."""

import sqlite3

import pytest

from automl_explain import FormatVersionError, HistoryError, InvalidInputError, RunHistory
from automl_explain.integrations.history._schema import PROTOCOL
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
