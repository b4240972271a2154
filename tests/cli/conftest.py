"""A table, a search that has run, and a check of commands that must fail."""

import contextlib
import io
import json

import pytest

from automl_explain.cli import main
from tests.cli.searches import QUICK, people


@pytest.fixture
def csv(tmp_path):
    people().to_csv(tmp_path / "people.csv", index=False)
    return tmp_path / "people.csv"


@pytest.fixture(scope="session")
def searched(tmp_path_factory):
    """A demo that has run once for the tests that only look at what it left: (its JSON, history, out)."""
    place = tmp_path_factory.mktemp("demo")
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        assert main(["demo", *QUICK, "--json", "--history", str(place / "runs"), "--out", str(place / "out")]) == 0
    return json.loads(out.getvalue()), str(place / "runs"), place / "out"


@pytest.fixture
def fails(capsys, tmp_path, monkeypatch):
    """Run a command that must fail: one line that says why, nothing on stdout, no file and no run left behind."""

    def check(*arguments, code=2, said=0, leaves=()):
        monkeypatch.chdir(tmp_path)
        before = {path for path in tmp_path.rglob("*") if path.is_file()}
        assert main([str(argument) for argument in arguments]) == code
        captured = capsys.readouterr()
        assert captured.out == ""
        # what a terminal shows: progress that was written over is gone
        lines = [line.rpartition("\r")[2] for line in captured.err.removesuffix("\n").split("\n")]
        assert len(lines) == 1 + said, captured.err
        assert lines[-1].startswith("automl-explain: ")
        assert "Traceback" not in captured.err
        left = {path.name for path in tmp_path.rglob("*") if path.is_file()} - {path.name for path in before}
        assert left <= {*leaves, "history.sqlite"}
        return lines[-1].removeprefix("automl-explain: ")

    return check
