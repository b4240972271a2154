"""Importing the package, by the clock and by the processor, which other processes do not change."""

import subprocess
import sys

import pytest

BAR = 0.3
pytestmark = pytest.mark.benchmark


@pytest.mark.parametrize("clock", ["perf_counter", "process_time"])
def test_importing_takes_less_than_three_tenths_of_a_second(clock):
    code = f"from time import {clock}; start = {clock}(); import automl_explain; print({clock}() - start)"
    command = [sys.executable, "-c", code]
    seconds = min(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(5))
    print(f"\nimport automl_explain: {seconds * 1000:.0f} ms by {clock}, bar {BAR * 1000:.0f} ms")
    assert seconds < BAR
