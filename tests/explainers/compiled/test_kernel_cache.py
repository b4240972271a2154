"""Compiled kernels are kept where they can be written, and read from where they cannot."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from automl_explain.explainers.compiled import _kernel_cache
from automl_explain.explainers.compiled._jit import kernel
from automl_explain.explainers.compiled._kernel_cache import KernelCache

ROOT = Path(__file__).parents[3]
MODULE = """
import numpy as np
from automl_explain.explainers.compiled._jit import kernel


@kernel
def double(x):
    for i in range(len(x)):
        x[i] *= 2.0
"""
RUN = """
import logging, sys
import numpy as np
logging.basicConfig(level=logging.INFO)
import kernels
x = np.ones(3)
kernels.double(x)
assert (x == 2.0).all()
"""
pytestmark = pytest.mark.skipif(os.name == "nt", reason="folders that cannot be written are made in a POSIX way")


class Place:
    """A module with a kernel, in a folder of its own, with a home and temporary files of their own."""

    def __init__(self, folder):
        self.source, self.home, self.temporary = folder / "source", folder / "home", folder / "temporary"
        for path in (self.source, self.home, self.temporary):
            path.mkdir()
        (self.source / "kernels.py").write_text(MODULE)

    def make_unwritable(self, *, home=False):
        """Put a file where the folder would be made, which not even root can write to."""
        (self.source / "__pycache__").write_text("")
        if home:
            self.home = self.source / "kernels.py"

    def run(self, **changed):
        """Use the kernel in a new process; return whether it was compiled, and all that was said."""
        variables = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(self.source), str(ROOT)]),
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "TMPDIR": str(self.temporary),
            **changed,
        }
        done = subprocess.run([sys.executable, "-c", RUN], env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return "compiling double" in done.stderr, done.stderr

    def kept(self, folder):
        return [path for path in folder.rglob("*.nbc") if "double" in path.name]


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_the_code_is_kept_beside_a_source_that_can_be_written(place):
    assert [place.run()[0] for _ in range(2)] == [True, False]
    assert place.kept(place.source)


def test_a_read_only_installation_uses_the_users_cache(place):
    place.make_unwritable()
    assert [place.run()[0] for _ in range(2)] == [True, False]
    assert place.kept(place.home)
    assert not place.kept(place.source)


@pytest.mark.slow
def test_without_a_home_temporary_files_are_used_that_are_private(place):
    place.make_unwritable(home=True)
    assert [place.run()[0] for _ in range(2)] == [True, False]
    (root,) = place.temporary.glob("automl-explain-*")
    assert root.stat().st_mode & 0o777 == 0o700
    assert place.kept(root)


@pytest.mark.slow
def test_a_folder_that_others_may_write_is_not_trusted(place):
    place.make_unwritable(home=True)
    root = place.temporary / f"automl-explain-{os.getuid()}"
    root.mkdir()
    root.chmod(0o777)
    compiled, said = zip(*(place.run() for _ in range(2)), strict=True)
    assert compiled == (False, False)  # no cache is asked
    assert all("kernels are compiled in each process" in one for one in said)
    assert not list(root.iterdir())


@pytest.mark.slow
def test_code_beside_the_source_is_read_where_another_folder_is_written(place, tmp_path):
    assert place.run()[0]
    assert not place.run(NUMBA_CACHE_DIR=str(tmp_path / "empty"))[0]


def test_a_full_disk_costs_only_time(monkeypatch, caplog):
    def full(*_):
        raise OSError("No space left on device")

    def triple(x):
        x[0] *= 3.0

    monkeypatch.setattr(_kernel_cache.caching.FunctionCache, "save_overload", full)
    x = np.ones(1)
    with caplog.at_level(logging.INFO, "automl_explain"):
        kernel(triple)(x)
    assert x[0] == 3.0
    assert "could not be kept: No space left on device" in caplog.text


def test_somebody_who_waits_sees_what_is_compiled(monkeypatch, capsys):
    def quadruple(x):
        x[0] *= 4.0

    monkeypatch.setattr(_kernel_cache, "_is_watched", lambda: True)
    monkeypatch.setattr(KernelCache, "_seconds", 2.0)
    monkeypatch.setattr(KernelCache, "_load", lambda *_: None)
    kernel(quadruple)(np.ones(1))
    assert "compiling quadruple, once on this machine" in capsys.readouterr().err
