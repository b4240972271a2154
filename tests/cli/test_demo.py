"""``automl-explain demo``: its values, its files, its runs, and the commands that it suggests."""

import contextlib
import shlex
from pathlib import Path

import numpy as np
import pytest

from automl_explain import RunHistory
from automl_explain.cli import main
from tests.cli.searches import QUICK


def test_demo_prints_the_six_values_as_json(searched):
    result, _, out = searched
    six = result["explanation"]
    n_valid, n_features = 113, 30
    assert np.shape(six["shap_values"]) == (2, n_valid, n_features)
    assert np.shape(six["expected_values"]) == (2,)
    assert six["overall_summary"] == sorted(six["overall_summary"], reverse=True)
    assert len(six["overall_summary"]) == len(set(six["overall_imp"])) == n_features
    assert np.shape(six["per_class_summary"]) == np.shape(six["per_class_imp"]) == (2, n_features)
    assert six["classes"] == ["benign", "malignant"]
    assert six["method"] == "tree"
    assert six["additivity_error"] < 1e-6
    importance = np.abs(six["shap_values"]).mean(axis=(0, 1))
    assert six["overall_summary"] == pytest.approx(sorted(importance, reverse=True))
    assert [(run["status"], run["why"]) for run in result["runs"]] == [("explained", "")] * len(result["runs"])
    best = next(run for run in result["runs"] if run["id"] == result["best_run"])
    assert best["loss"] == min(run["loss"] for run in result["runs"] if run["kind"] == "trial")
    assert [name for name, _ in best["top_features"]] == six["overall_imp"][:5]
    assert result["report"] == str(out / "report.html")


def test_demo_writes_the_report_and_the_plots(searched):
    result, _, out = searched
    assert (out / "report.html").read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html")
    assert result["plots"]
    for path in map(Path, result["plots"]):
        assert path.parent == out
        assert path.read_bytes().startswith(b"\x89PNG")
    assert result["dashboard"] == str(out / "dashboard.html")
    assert {path.name for path in out.iterdir()} == {
        "report.html",
        "dashboard.html",
        *(Path(path).name for path in result["plots"]),
    }


def test_the_report_of_demo_links_to_the_dashboard(searched):
    assert '<a href="dashboard.html">' in (searched[2] / "report.html").read_text(encoding="utf-8")


def test_the_report_of_demo_needs_no_other_file_and_no_network(searched):
    text = (searched[2] / "report.html").read_text(encoding="utf-8")
    for reference in ('src="http', "src='http", '<link rel="stylesheet"', "@import", "fetch("):
        assert reference not in text


def test_demo_stores_its_runs_in_the_history(searched):
    result, directory, _ = searched
    runs = RunHistory(directory).runs()
    assert [run.as_dict() for run in runs] == result["runs"]
    assert RunHistory(directory).searches() == [result["search"]]
    explained = next(run for run in runs if run.id == result["best_run"]).explanation
    assert explained.local_importance_values.tolist() == result["explanation"]["shap_values"]


def test_demo_prints_tables_and_what_to_do_next(capsys, tmp_path):
    history, out = tmp_path / "my runs", tmp_path / "out"
    assert main(["demo", *QUICK, "--history", str(history), "--out", str(out), "--seed", "1"]) == 0
    captured = capsys.readouterr()
    best = min(
        (run for run in RunHistory(history).runs() if run.loss is not None), key=lambda run: (run.loss, run.number)
    )
    for word in (best.id, "lgbm", "explained", best.top[0][0], "report.html", f"show --history '{history}' {best.id}"):
        assert word in captured.out
    assert "569 tumours" in captured.err
    assert "seed 1" in captured.err
    suggested = [line.strip().partition("  ")[0] for line in captured.out.partition("next:\n")[2].splitlines()]
    shown = {shlex.split(command)[-1] for command in suggested if command.startswith("automl-explain show")}
    assert best.id in shown
    assert len(suggested) == 2 + len(shown)  # no run twice
    with contextlib.chdir(tmp_path):  # the commands that it names work as they are printed
        for command in suggested:
            assert main(shlex.split(command)[1:]) == 0
