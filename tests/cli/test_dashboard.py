"""``automl-explain dashboard``: a page of a run, written or served."""

import json
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from automl_explain.cli import main


@pytest.mark.slow
def test_dashboard_writes_the_page_of_the_final_model(searched, capsys, tmp_path):
    result, directory, _ = searched
    out = tmp_path / "page.html"
    assert main(["dashboard", "--save", str(out), "--history", directory]) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert main(["dashboard", result["best_run"], "--save", str(out), "--history", directory, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"run": result["best_run"], "dashboard": str(out)}


def test_a_dashboard_that_cannot_be_written_or_is_of_no_run_is_refused(fails, searched, csv):
    shown = fails("dashboard", "--history", searched[1], "--save", str(csv / "page.html"))
    assert shown.count("cannot be written") == 1
    assert "no run" in fails("dashboard", "unknown-run", "--history", searched[1]).lower()


@pytest.mark.slow
def test_dashboard_serves_until_it_is_interrupted(searched):
    command = [sys.executable, "-m", "automl_explain.cli", "dashboard", "--serve", "--history", searched[1]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", address)
        with urllib.request.urlopen(address) as answer:
            assert b'id="dashboard-data"' in answer.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
