"""The demo's search in places that are no developer's laptop: it is explained, or one line says why not."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from automl_explain import RunHistory
from tests.integrations.history.test_read_only import LIKE_OTHERS
from tests.reliability.others import needs_users

ROOT = Path(__file__).parents[2]
SMALL = ["--time-budget", "30", "--max-iter", "3", "--estimators", "lgbm"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.name != "posix", reason="places of POSIX"),
]


def demo(*more, before=(), cwd, **variables):
    """Run the demo, and return its exit code and what it said."""
    line = [*before, sys.executable, "-m", "automl_explain.cli", "demo", *SMALL, *more]
    environment = {name: value for name, value in os.environ.items() if name != "AUTOML_EXPLAIN_HISTORY"} | variables
    done = subprocess.run(line, capture_output=True, cwd=cwd, env=environment, timeout=1500, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def why(err):
    """Return the line that says why a command ended."""
    lines = [line for line in err.replace("\r", "\n").splitlines() if line.startswith("automl-explain: ")]
    assert len(lines) == 1, err
    assert "Error: " not in lines[0], lines  # the name of an error is no reason
    assert "Traceback" not in err
    return lines[0]


@pytest.fixture
def container(tmp_path):
    """A read-only installation without kernels, and a user without a home who has folders to work in."""
    site = tmp_path / "site"
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "automl_explain", site / "automl_explain", ignore=leave, symlinks=False)
    for folder, _, files in os.walk(site, topdown=False):
        for name in files:
            os.chmod(os.path.join(folder, name), 0o444)
        os.chmod(folder, 0o555)
    for name in ("work", "tmp"):
        (tmp_path / name).mkdir()
    yield {"before": LIKE_OTHERS, "cwd": tmp_path / "work", "PYTHONPATH": str(site), "HOME": "/proc/nobody",
           "TMPDIR": str(tmp_path / "tmp"), "XDG_DATA_HOME": "", "XDG_CACHE_HOME": "", "MPLCONFIGDIR": str(tmp_path / "tmp"),
           "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
    for folder, _, _ in os.walk(site):
        os.chmod(folder, 0o755)


def test_a_container_that_is_read_only_and_has_no_home(container, tmp_path):
    code, _, err = demo(**container)
    assert code == 2
    assert re.search(r"The run history /proc/nobody/.* cannot be opened for writing: .*--history DIR", why(err))
    code, out, err = demo("--history", "runs", **container)
    assert code == 0, err
    assert "explained" in out
    assert {run.status for run in RunHistory(tmp_path / "work" / "runs").runs()} == {"explained"}
    (tmp_path / "bare").mkdir(mode=0o555)  # nowhere to write but the temporary files
    code, _, err = demo("--history", str(tmp_path / "tmp" / "h"), **container | {"cwd": tmp_path / "bare"})
    assert code == 2
    assert "automl-explain-demo" in why(err)


@pytest.mark.parametrize("kilobytes", [64, 512])
def test_a_disk_that_is_full(kilobytes, tmp_path):
    """No file may grow beyond a size: writing fails as on a full disk, wherever that happens to be."""
    limit = ["sh", "-c", f'ulimit -f {2 * kilobytes}; exec "$@"', "sh"]
    code, out, err = demo("--history", "runs", before=limit, cwd=tmp_path)
    if code == 0:
        assert "explained" in out
    else:
        assert code in (1, 2, 4)
        assert re.search("too large|space|disk|written|full|not explained", err), err
    assert "Traceback" not in err
    assert list(tmp_path.rglob("*.part")) == []
    runs = RunHistory(tmp_path / "runs").runs()
    assert all(run.why for run in runs if run.status != "explained")


@needs_users
@pytest.mark.parametrize("megabytes", [1, 3])
def test_a_file_system_that_is_full(megabytes, tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    size = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "small", str(place)]
    if not shutil.which("mount") or subprocess.run(size, capture_output=True, check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        code, _, err = demo("--history", str(place / "runs"), cwd=tmp_path)
        assert code in (0, 1, 2, 4), err
        assert "Traceback" not in err
        if code:
            assert re.search("No space left|full", err), err
        assert list(place.rglob("*.part")) == []
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_terminal_that_lacks_letters(encoding, tmp_path):
    code, out, err = demo("--history", "runs", cwd=tmp_path, PYTHONIOENCODING=encoding)
    assert code == 0, err
    assert "explained" in out


def test_a_report_that_cannot_be_written_is_found_before_the_search(tmp_path):
    (tmp_path / "taken").write_text("")
    code, _, err = demo("--history", "runs", "--out", "taken", cwd=tmp_path)
    assert code == 2
    assert "taken" in why(err)
    assert not (tmp_path / "runs").exists() or RunHistory(tmp_path / "runs").runs() == []
