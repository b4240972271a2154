"""The command line: every command, every output form, every bad input."""

import contextlib
import io
import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes

from automl_explain import AutoMLExplainError, RunHistory, __version__
from automl_explain.cli import main
from automl_explain.integrations.flaml import AutoML
from tests.integrations.history.test_run_history import trial

ROOT = Path(__file__).parents[1]
QUICK = ("--estimators", "lgbm", "--max-iter", "3", "--time-budget", "60")
"""A search of three trials."""


def people(n_rows=60, seed=0):
    """Rows with a category, dates, missing cells and text labels."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, n_rows).astype(float)
    return pd.DataFrame({
        "age": np.where(rng.random(n_rows) < 0.1, np.nan, age), "city": rng.choice(["a", "b", None], n_rows),
        "since": pd.date_range("2020-01-01", periods=n_rows, freq="9D"),
        "bought": np.where(age + rng.normal(0, 9, n_rows) > 45, "yes", "no"),
    })  # fmt: skip


@pytest.fixture
def csv(tmp_path):
    people().to_csv(tmp_path / "people.csv", index=False)
    return tmp_path / "people.csv"


@pytest.fixture(scope="module", autouse=True)
def patient():
    """Time enough to explain every run, however busy the machine is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("automl_explain.integrations.searches._options.SHORTEST_BUDGET", 600.0)
        yield


@pytest.fixture(scope="module")
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


# ------------------------------------------------------------------------ demo


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
    assert [run["status"] for run in result["runs"]] == ["explained"] * len(result["runs"])
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
    assert {path.name for path in out.iterdir()} == {"report.html", *(Path(path).name for path in result["plots"])}


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
    suggested = [line.strip().partition("    ")[0] for line in captured.out.partition("next:\n")[2].splitlines()]
    assert len(suggested) == 4
    with contextlib.chdir(tmp_path):  # the commands that it names work as they are printed
        for command in suggested:
            assert main(shlex.split(command)[1:]) == 0


# ------------------------------------------------------------------------- run


def test_run_explains_a_csv_file_with_text_dates_and_missing_cells(capsys, csv, tmp_path):
    code = main(["run", str(csv), "--target", "bought", *QUICK, "--json", "--out", str(tmp_path / "out")])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    result = json.loads(captured.out)
    assert result["explanation"]["classes"] == ["no", "yes"]
    assert {"age", "city"} <= set(result["explanation"]["overall_imp"])
    assert "task: classification, since the target has 2 labels" in captured.err
    assert "validation: 12 of 60 rows" in captured.err
    assert (tmp_path / "out" / "report.html").is_file()
    assert [run.id for run in RunHistory().runs()] == [run["id"] for run in result["runs"]]


def test_run_infers_a_regression_from_parquet(capsys, tmp_path):
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    X.assign(progress=y).to_parquet(tmp_path / "d.parquet")
    code = main(
        [
            "run",
            str(tmp_path / "d.parquet"),
            "--target",
            "progress",
            *QUICK,
            "--json",
            "--out",
            str(tmp_path / "out"),
            "--drop",
            "sex",
        ]
    )
    captured = capsys.readouterr()
    assert code == 0, captured.err
    six = json.loads(captured.out)["explanation"]
    assert "task: regression" in captured.err
    assert np.shape(six["shap_values"]) == (89, 9)
    assert np.shape(six["expected_values"]) == (1,)
    assert six["per_class_summary"] is six["per_class_imp"] is six["classes"] is None
    assert "sex" not in six["overall_imp"]


def test_run_takes_validation_rows_from_a_file(capsys, csv, tmp_path):
    people(30, seed=1).to_csv(tmp_path / "more.csv", index=False)
    code = main(["run", str(csv), "--target", "bought", *QUICK, "--validation", str(tmp_path / "more.csv"), "--json",
                 "--drop", "since", "--out", str(tmp_path / "out")])  # fmt: skip
    captured = capsys.readouterr()
    assert code == 0, captured.err
    assert np.shape(json.loads(captured.out)["explanation"]["shap_values"]) == (2, 30, 2)
    assert "validation: 30 rows of" in captured.err


def test_run_takes_a_metric_and_learners_and_an_ensemble(capsys, tmp_path, monkeypatch):
    asked, fit = {}, AutoML.fit
    monkeypatch.setattr(
        AutoML, "fit", lambda self, *args, **settings: (asked.update(settings), fit(self, *args, **settings))[1]
    )
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    X.assign(progress=y).to_csv(tmp_path / "d.csv", index=False)
    code = main(["run", str(tmp_path / "d.csv"), "--target", "progress", "--task", "regression", "--metric", "mae",
                 "--estimators", "lgbm, rf", "--max-iter", "6", "--time-budget", "120", "--ensemble", "--json",
                 "--seed", "5", "--out", str(tmp_path / "out")])  # fmt: skip
    captured = capsys.readouterr()
    assert code == 0, captured.err
    expected = {"estimator_list": ["lgbm", "rf"], "max_iter": 6, "time_budget": 120.0, "ensemble": True, "seed": 5}
    assert asked.items() >= expected.items()
    result = json.loads(captured.out)
    assert {run["metric"] for run in result["runs"]} == {"mae"}
    # Which learners get a turn, and whether enough of them did for a stack, depends on the clock: FLAML weighs cost.
    final = next(run for run in result["runs"] if run["id"] == result["final_run"])
    assert (final["status"], final["why"]) == ("explained", "")
    assert main(["show", result["final_run"], "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["model_kind"] == final["kind"]
    assert shown["additivity_error"] < 1e-3


# --------------------------------------------------------- runs, show, report


def test_runs_lists_as_text_and_as_json(searched, capsys):
    result, directory, _ = searched
    assert main(["runs", "--history", directory, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == result["runs"]
    assert main(["runs", "--history", directory, "--search", result["search"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == result["runs"]
    assert main(["runs", "--history", directory]) == 0
    text = capsys.readouterr().out
    assert all(run["id"] in text and run["top_features"][0][0] in text for run in result["runs"])


def test_runs_of_an_empty_history(capsys, own_history):
    assert main(["runs"]) == 0
    assert capsys.readouterr().out == f"no runs yet in {own_history}; make some with: automl-explain demo\n"
    assert main(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_show_prints_one_explanation(searched, capsys):
    result, directory, _ = searched
    best = result["best_run"]
    assert main(["show", best, "--history", directory, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown.pop("run")["id"] == best
    assert shown == result["explanation"]
    assert main(["show", best, "--history", directory, "--top", "2"]) == 0
    text = capsys.readouterr().out
    first, second, third = shown["overall_imp"][:3]
    six_values = text.partition("\n\n")[2]
    assert first in six_values
    assert second in six_values
    assert third not in six_values


def test_report_writes_the_latest_search_again(searched, capsys, tmp_path):
    result, directory, _ = searched
    out = tmp_path / "again.html"
    assert main(["report", "--history", directory, "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    assert result["best_run"] in out.read_text(encoding="utf-8")
    out.unlink()
    assert main(["report", result["search"], "--history", directory, "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"search": result["search"], "report": str(out)}
    assert out.is_file()


def test_version_and_help(capsys):
    for arguments, word in (
        (["--version"], __version__),
        (["--help"], "exit codes: 0 done, 1 failed, 2 usage or bad input"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
        assert word in " ".join(capsys.readouterr().out.split())


# -------------------------------------------------------------- as a program


def program(*arguments, **settings):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        [sys.executable, "-m", "automl_explain.cli", *map(str, arguments)],
        capture_output=True, text=True, timeout=200, env=environment, **settings,
    )  # fmt: skip


def test_as_a_program_stdout_is_json_alone_and_progress_goes_to_stderr(csv, tmp_path):
    done = program("run", csv, "--target", "bought", *QUICK, "--json", "--out", tmp_path / "out", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["runs"]) >= 3
    assert done.stdout.count("\n") == 1
    assert "explaining runs" in done.stderr
    assert "warning" not in done.stderr.lower()


def test_as_a_program_bad_input_ends_with_code_2_and_one_line(csv):
    done = program("run", csv, "--target", "bougth", cwd=ROOT)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"automl-explain: {csv} has no column 'bougth'. Did you mean 'bought'?\n"


def test_as_a_program_it_ends_quietly_when_nobody_reads_on(searched):
    command = f"{sys.executable} -m automl_explain.cli runs --json --history {searched[1]}"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; exit ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, timeout=100, cwd=ROOT, env=environment,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_the_installed_command_is_this_program():
    from importlib.metadata import entry_points

    (command,) = entry_points(group="console_scripts", name="automl-explain")
    assert command.load() is main


# ------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("a,b\n", ("--target", "b"), "data.csv is empty: it has 2 columns and no rows."),
        ("", ("--target", "b"), "data.csv is empty: it has no columns."),
        ("a,b\n1,2\n1,2,3\n", ("--target", "b"), "data.csv cannot be read as a table: Error tokenizing data."),
        ("age,b\n" + "1,x\n" * 20, ("--target", "b"), "The target 'b' has one class only, 'x': there is nothing to learn."),
        ("age,b\n" + ",x\n,y\n" * 20, ("--target", "b"), "cannot be learned from: ['age']. Leave out: --drop age"),
        ("age,b\n" + "1,\n" * 20, ("--target", "b"), "The target 'b' has no values in data.csv."),
        ("age,b\n1,x\n2,y\n", ("--target", "b"), "A search needs at least 10 rows, to keep some for validation. Got 2."),
        ("age,bought\n1,x\n2,y\n", ("--target", "bougth"), "data.csv has no column 'bougth'. Did you mean 'bought'?"),
        ("age,b\n1,x\n2,y\n", ("--target", "b", "--drop", "agee"), "data.csv has no column 'agee'. Did you mean 'age'?"),
        ("age,b\n" + "1,x\n2,y\n" * 9, ("--target", "b", "--task", "regression"), "needs a numeric target; 'b' holds"),
        ("age,b\n" + "1,x\n2,y\n" * 9, ("--target", "b", "--validation", "other.csv"), "There is no file other.csv."),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused_in_one_line(fails, tmp_path, content, arguments, message):
    (tmp_path / "data.csv").write_text(content)
    assert message in fails("run", "data.csv", *arguments, "--out", "out")
    assert not (tmp_path / "out").exists()
    assert RunHistory().runs() == []


def test_a_file_that_is_not_there_is_refused(fails):
    assert fails("run", "nothing.csv", "--target", "y") == "There is no file nothing.csv."


def test_a_file_of_another_kind_is_refused(fails, tmp_path):
    (tmp_path / "sheet.xlsx").write_bytes(b"PK")
    assert "must be a .csv, .tsv (also compressed) or .parquet file" in fails("run", "sheet.xlsx", "--target", "y")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--estimators", "lgmb", "'estimators' has no 'lgmb' for a binary classification. Did you mean 'lgbm'?"),
        (
            "--estimators",
            "lgbm,enet",
            "'estimators' has no 'enet' for a binary classification. There are: lgbm, xgboost,",
        ),
        ("--metric", "accurracy", "'metric' has no 'accurracy' for a binary classification. Did you mean 'accuracy'?"),
        ("--metric", "rmse", "'metric' has no 'rmse' for a binary classification. There are: auto, log_loss,"),
        ("--engine", "flam", "The engine must be one of flaml, optuna. Got 'flam'. Did you mean 'flaml'?"),
    ],
)
def test_what_the_engine_does_not_know_is_refused_before_the_search(fails, csv, tmp_path, option, value, message):
    assert message in fails("run", csv, "--target", "bought", option, value, "--out", "out")
    assert not (tmp_path / "out").exists()
    assert RunHistory().runs() == []


def test_a_learner_whose_library_is_missing_says_the_command(fails, csv, monkeypatch):
    monkeypatch.setattr("automl_explain.search.engines._flaml.find_spec", lambda name: None)
    message = fails("run", csv, "--target", "bought", "--estimators", "catboost")
    assert message == "The catboost learner needs catboost: pip install 'automl-explain[catboost]'"


@pytest.mark.parametrize(
    "command", [("demo",), ("runs",), ("show", "abc"), ("report",), ("run", "people.csv", "--target", "bought")]
)
def test_a_history_that_cannot_be_written_is_refused(fails, csv, tmp_path, command):
    (tmp_path / "file").write_text("")
    said = {"demo": 2, "run": 3}.get(command[0], 0)
    message = fails(*command, "--history", "file/runs", said=said)
    assert message.startswith("The run history file/runs cannot be opened for writing: ")
    assert "Name another directory with --history DIR" in message
    assert not (tmp_path / "automl-explain-demo").exists()
    assert not (tmp_path / "automl-explain-out").exists()


@pytest.mark.parametrize(
    "command", [("demo",), ("runs",), ("show", "abc"), ("report",), ("run", "people.csv", "--target", "bought")]
)
def test_a_history_of_a_newer_protocol_is_refused(fails, csv, tmp_path, command):
    connection = sqlite3.connect(RunHistory(tmp_path / "runs").directory / "history.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    message = fails(*command, "--history", "runs", said={"demo": 2, "run": 3}.get(command[0], 0))
    assert "has protocol 99; this version of automl-explain reads up to 1. Upgrade automl-explain" in message
    assert not (tmp_path / "automl-explain-demo").exists()
    assert not (tmp_path / "automl-explain-out").exists()


def test_an_output_directory_that_cannot_be_made_is_refused_before_the_search(fails, csv):
    message = fails("run", csv, "--target", "bought", "--out", csv / "below", said=3)
    assert f"The directory {csv / 'below'} cannot be made: " in message
    assert "--out DIR" in message
    assert RunHistory().runs() == []


def test_a_report_that_cannot_be_written_is_refused(fails, searched, csv):
    assert "cannot be written" in fails("report", "--history", searched[1], "--out", csv / "report.html")


def test_an_unknown_run_names_the_nearest(fails, searched):
    result, directory, _ = searched
    assert fails("show", result["best_run"] + "x", "--history", directory).endswith(
        f"Did you mean {result['best_run']!r}?"
    )
    assert "runs begin with" in fails("show", result["search"], "--history", directory)


def test_a_run_without_explanation_says_why(fails):
    history = RunHistory()
    search = history.start_search("flaml", "binary", {})
    (run_id,) = history.add_runs(search, [trial(0, status="skipped", why="the time for explanations was over")])
    message = fails("show", run_id)
    assert "its status is skipped (the time for explanations was over)" in message
    assert "explain_model(" in message


def test_an_unknown_search_is_refused(fails, searched):
    for command in (("runs", "--search", "nope"), ("report", "nope")):
        assert "There is no search 'nope'" in fails(*command, "--history", searched[1])


def test_a_report_of_an_empty_history_says_how_to_begin(fails, tmp_path):
    assert "make one with: automl-explain demo" in fails("report")
    assert not (tmp_path / "report.html").exists()


def test_a_search_without_time_for_one_trial_says_so(fails, csv):
    message = fails("run", csv, "--target", "bought", "--time-budget", "0.001", code=1, said=3)
    assert message == "No trial finished within 0.001 seconds: give the search a longer time_budget."
    assert RunHistory().runs() == []


@pytest.mark.parametrize(
    "arguments",
    [
        (), ("nothing",), ("run",), ("run", "x.csv"), ("show",), ("demo", "--time-budget", "0"),
        ("demo", "--time-budget", "-1"),
        ("demo", "--time-budget", "nan"), ("demo", "--time-budget", "inf"), ("demo", "--time-budget", "soon"),
        ("demo", "--max-iter", "1"), ("demo", "--max-iter", "few"), ("show", "abc", "--top", "0"),
        ("run", "x.csv", "--target", "y", "--task", "ranking"),
    ],
)  # fmt: skip
def test_wrong_usage_ends_with_code_2(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: automl-explain")


# ------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (AutoMLExplainError("cannot"), 1, "automl-explain: cannot\n"),
        (RuntimeError("two\nlines"), 1, "automl-explain: RuntimeError: two lines (--debug shows where)\n"),
        (KeyboardInterrupt(), 130, "automl-explain: interrupted; runs recorded so far stay in the history\n"),
    ],
)
def test_whatever_goes_wrong_is_one_line_and_a_code(capsys, monkeypatch, error, code, message):
    def fail(options):
        raise error

    monkeypatch.setattr("automl_explain.cli._runs", fail)
    assert main(["runs"]) == code
    assert capsys.readouterr().err == message


def test_debug_shows_where(monkeypatch):
    def fail(options):
        raise RuntimeError("here")

    monkeypatch.setattr("automl_explain.cli._runs", fail)
    with pytest.raises(RuntimeError, match="here"):
        main(["runs", "--debug"])


def test_an_explanation_whose_file_is_broken_is_one_line(fails, searched, tmp_path):
    result, directory, _ = searched
    copy = tmp_path / "copy"
    shutil.copytree(directory, copy)
    for path in (copy / "explanations").iterdir():
        path.write_bytes(b"")
    assert "is not a file that automl-explain wrote" in fails("show", result["best_run"], "--history", copy)
    shutil.rmtree(copy / "explanations")
    assert "cannot be read" in fails("show", result["best_run"], "--history", copy)
