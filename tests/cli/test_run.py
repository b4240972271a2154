"""``automl-explain run``: tables, tasks and settings, and what is refused before the search."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from automl_explain import RunHistory
from automl_explain.cli import main
from automl_explain.integrations.flaml import AutoML
from tests.cli.searches import QUICK, people


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


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("a,b\n", ("--target", "b"), "data.csv is empty: it has 2 columns and no rows."),
        ("", ("--target", "b"), "data.csv is empty: it has no columns."),
        ("a,b\n1,2\n1,2,3\n", ("--target", "b"), "data.csv cannot be read as a table: Error tokenizing data."),
        ("age,b\n" + "1,x\n" * 20, ("--target", "b"), "The target 'b' has only one class, 'x': there is nothing to learn."),
        ("age,b\n" + ",x\n,y\n" * 20, ("--target", "b"), "These columns have no values: ['age']. Leave them out: --drop age"),
        ("age,b\n" + "1,\n" * 20, ("--target", "b"), "The target 'b' has no values in data.csv."),
        ("age,b\n1,x\n2,y\n", ("--target", "b"), "A search needs at least 10 rows, some of them for validation. Got 2."),
        ("age,bought\n1,x\n2,y\n", ("--target", "bougth"), "data.csv has no column 'bougth'. Did you mean 'bought'?"),
        ("age,b\n1,x\n2,y\n", ("--target", "b", "--drop", "agee"), "data.csv has no column 'agee'. Did you mean 'age'?"),
        ("age,b\n" + "1,x\n2,y\n" * 9, ("--target", "b", "--task", "regression"), "needs a numeric target. 'b' has"),
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


def test_an_output_directory_that_cannot_be_made_is_refused_before_the_search(fails, csv):
    message = fails("run", csv, "--target", "bought", "--out", csv / "below", said=4)
    assert f"The directory {csv / 'below'} cannot be written: " in message
    assert "--out DIR" in message
    assert RunHistory().runs() == []


def test_a_search_without_time_for_one_trial_says_so(fails, csv):
    message = fails("run", csv, "--target", "bought", "--time-budget", "0.001", code=1, said=4)
    assert message == "No trial finished within 0.001 seconds: give the search a longer time_budget."
    assert RunHistory().runs() == []
