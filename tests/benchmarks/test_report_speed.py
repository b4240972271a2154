"""Writing reports: time of the process, which other processes do not change."""

import time

import pytest

from automl_explain import write_report
from tests.report.test_report import large, search

BAR = 5.0
pytestmark = pytest.mark.benchmark


def test_a_report_of_300_runs_is_written_in_five_seconds(tmp_path):
    runs = search(tmp_path, large(), n_trials=300, kind="refit")
    started = time.process_time()
    write_report(tmp_path / "report.html", runs)
    seconds = time.process_time() - started
    print(f"\n300 runs: report written in {seconds:.2f} s of process time, bar {BAR} s")
    assert seconds < BAR
