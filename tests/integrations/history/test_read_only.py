"""A history that cannot be written can be read, and a search finds out before it starts."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from automl_explain import Explanation, RunHistory

LIKE_OTHERS = (
    ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.name == "posix" and not os.getuid() else []
)
"""What takes from root the right to write what its permissions forbid."""


@pytest.fixture
def history(tmp_path):
    history = RunHistory(tmp_path / "runs")
    search = history.start_search("my own", "regression", {})
    row = {
        "number": 1,
        "learner": "ridge",
        "config": {},
        "loss": 0.5,
        "metric": "mse",
        "kind": "trial",
        "sample_size": None,
    }
    (run_id,) = history.add_runs(search, [row | {"status": "captured", "why": ""}])
    values = np.arange(6.0).reshape(2, 3)
    history.store(run_id, Explanation(values, np.zeros(1), ("a", "b", "c"), None, "response", "tree", "test"))
    make_readable_only(history.directory)
    yield history.directory, run_id
    for folder, _, _ in os.walk(history.directory):
        os.chmod(folder, 0o755)


def make_readable_only(directory):
    for folder, _, files in os.walk(directory):
        for file in files:
            os.chmod(os.path.join(folder, file), 0o444)
        os.chmod(folder, 0o555)


@pytest.mark.skipif(os.name != "posix" or (LIKE_OTHERS and not shutil.which("setpriv")), reason="permissions of POSIX")
@pytest.mark.parametrize(
    "command",
    [
        ("runs",),
        *(pytest.param(words, marks=pytest.mark.slow) for words in (("show",), ("report", "--out"))),
        ("demo",),
    ],
)
def test_reading_works_and_a_search_says_no_at_once(history, command, tmp_path):
    directory, run_id = history
    out = tmp_path / "out"
    out.mkdir()
    more = {"show": [run_id], "report": [str(out / "r.html")]}.get(command[0], [])
    environment = os.environ | {"HOME": str(out), "MPLCONFIGDIR": str(out), "NUMBA_CACHE_DIR": str(out)}
    line = [*LIKE_OTHERS, sys.executable, "-m", "automl_explain.cli", *command, *more, "--history", str(directory)]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, cwd=out, timeout=200)
    if command[0] == "demo":
        assert done.returncode == 2
        assert "can be read, not written" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    assert run_id in done.stdout or (out / "r.html").exists()
    assert sorted(file.name for file in directory.iterdir()) == ["explanations", "history.sqlite"]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix" or (LIKE_OTHERS and not shutil.which("setpriv")), reason="permissions of POSIX")
def test_transactions_that_are_still_in_the_log_are_read(history):
    directory, run_id = history
    for folder in (directory, directory / "explanations"):
        folder.chmod(0o755)
    (directory / "history.sqlite").chmod(0o644)
    writer = RunHistory(directory)
    with writer.kept_open():
        writer.set_status(run_id, "failed", "said in the log")
        make_readable_only(directory)
        line = [*LIKE_OTHERS, sys.executable, "-m", "automl_explain.cli", "runs", "--history", str(directory)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "said in the log" in done.stdout
