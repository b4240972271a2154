"""Keras, TensorFlow and JAX, each in a process of its own: Keras has one backend per process, and each is large.

They are in the extra `test-frameworks`. Where one is missing its tests are skipped, except where
AUTOML_EXPLAIN_FRAMEWORKS=required, as in .ci/run.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKS = Path(__file__).parents[3] / "frameworks"
RUNS: dict[str, tuple[str, tuple[str, ...], dict[str, str]]] = {
    "Keras on PyTorch": ("check_keras.py", ("keras", "torch"), {"KERAS_BACKEND": "torch"}),
    "Keras on TensorFlow": ("check_keras.py", ("keras", "tensorflow"), {"KERAS_BACKEND": "tensorflow"}),
    "Keras on JAX": ("check_keras.py", ("keras", "jax"), {"KERAS_BACKEND": "jax"}),
    "TensorFlow": ("check_tensorflow.py", ("tensorflow",), {}),
    "tf_keras": ("check_tf_keras.py", ("tf_keras", "tensorflow"), {}),
    "JAX": ("check_jax.py", ("jax",), {}),
}
"""Name -> file of tests, the packages that it needs, and its environment."""
IGNORED = "ignore:__array__ implementation:DeprecationWarning"
"""Keras on PyTorch with NumPy 2."""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", RUNS)
def test_networks_of_a_framework(name: str, tmp_path: Path) -> None:
    file, packages, environment = RUNS[name]
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing and os.environ.get("AUTOML_EXPLAIN_FRAMEWORKS") != "required":
        pytest.skip(f"{', '.join(missing)} missing: pip install -e '.[test-frameworks]'")
    assert not missing, f"{', '.join(missing)} missing: pip install -e '.[test-frameworks]'"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-o",
        "addopts=--strict-markers",
        "-p",
        "no:cacheprovider",
        "-W",
        IGNORED,
    ]
    run = subprocess.run(
        [*command, str(CHECKS / file)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        cwd=CHECKS.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    assert " passed" in run.stdout
