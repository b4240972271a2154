"""Sealed folders while other processes write to them and remove from them."""

import os
import threading

import pytest

from automl_explain.explainers._errors import HistoryError
from automl_explain.integrations.sealed._sealed_folder import SealedFolder

KEY = b"k" * 32


def test_parts_come_back_in_their_order(tmp_path):
    folder = SealedFolder(tmp_path / "files", KEY)
    folder.write("one", b"first", b"second")
    assert [folder.read("one", number) for number in (0, 1)] == [b"first", b"second"]
    assert folder.names() == ["one"]
    with pytest.raises(HistoryError, match="is not the file that this search wrote"):
        SealedFolder(tmp_path / "files", b"other" * 6).read("one", 0)


def test_files_that_go_while_they_are_counted_are_left_out(tmp_path, monkeypatch):
    folder = SealedFolder(tmp_path / "files", KEY)
    folder.write("stays", b"12345")
    size = folder.size()
    monkeypatch.setattr(folder, "names", lambda: [".7f.part", "stays"])  # as listed before the part got its name
    assert folder.size() == size


def test_a_folder_that_goes_is_an_empty_one(tmp_path, monkeypatch):
    folder, opened = SealedFolder(tmp_path / "files", KEY), os.open

    def open_late(path, *arguments, **options):
        if path in (folder.path, folder.path.name):
            folder.path.rmdir()  # by another process, at the last moment
        return opened(path, *arguments, **options)

    for use, expected in ((folder.names, []), (lambda: folder.remove(["one"]), None)):
        folder.path.mkdir()
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", open_late)
            assert use() == expected


def test_many_writers_are_counted_without_an_error(tmp_path):
    folder, errors = SealedFolder(tmp_path / "files", KEY), []

    def write(number):
        try:
            for turn in range(40):
                folder.write(f"{number}-{turn}", b"x" * 100)
                folder.size()
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(folder.names()) == 160
