"""Configurations are checked when they are made; an experiment searches them and finds its runs again."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_iris

from automl_explain import AutoMLConfig, Experiment, InvalidInputError, explain_model, retrieve_model_explanation
from automl_explain.cli import main

X, Y = load_iris(return_X_y=True, as_frame=True)
QUICK = {"max_iter": 3, "estimators": ["lgbm"], "time_budget": 20}
TOML = """
data = "iris.csv"
target = "target"
max_iter = 3
estimators = ["lgbm"]
time_budget = 20
history = "kept"

[explainability_options]
which = "improving"
"""
AS_DICT = {
    "data": "iris.csv",
    "target": "target",
    "history": "kept",
    **QUICK,
    "explainability_options": {"which": "improving"},
}
YAML = """
data: iris.csv
target: target
max_iter: 3
estimators: [lgbm]
time_budget: 20
history: kept
explainability_options: {which: improving}
"""


@pytest.fixture
def folder(tmp_path):
    X.assign(target=Y).to_csv(tmp_path / "iris.csv", index=False)
    return tmp_path


def test_submit_gives_the_best_run_and_a_fitted_model():
    run = Experiment("iris").submit(AutoMLConfig(task="classification", X=X, y=Y, **QUICK))
    best_run, fitted_model = run.get_output()
    assert best_run.loss == min(one.loss for one in run.runs if one.loss is not None)
    assert (fitted_model.predict(X) == Y).mean() > 0.9
    six = tuple(retrieve_model_explanation(best_run))
    assert len(six) == 6
    assert six[0][0].shape == (30, 4)
    explained = explain_model(fitted_model, X, X[:5], best_run=best_run)
    assert retrieve_model_explanation(best_run).shap_values[0].tobytes() == explained.shap_values[0].tobytes()
    again = Experiment("iris").submit(AutoMLConfig(X=X, y=Y, **QUICK))
    assert [one.id for one in Experiment("iris").runs()] == [one.id for one in [*run.runs, *again.runs]]
    assert Experiment("another").runs() == []


def test_without_explainability_it_is_a_search_alone():
    config = AutoMLConfig(X=X, y=Y, model_explainability=False, **QUICK)
    run = Experiment("iris").submit(config)
    best_run, fitted_model = run.get_output()
    assert best_run is None
    assert run.runs == []
    assert (fitted_model.predict(X) == Y).mean() > 0.9


def test_validation_rows_are_those_given_or_split_and_said():
    rng = np.random.default_rng(0)
    valid = rng.permutation(len(Y)) < 40
    given = AutoMLConfig(X=X[~valid], y=Y[~valid], X_valid=X[valid], y_valid=Y[valid])
    assert given.dataset.X_valid.equals(X[valid])
    assert given.said[-1] == "validation: 40 rows that were given"
    split = AutoMLConfig(X=X.to_numpy(), y=Y.to_numpy(), seed=3)
    assert (len(split.dataset.X_train), len(split.dataset.X_valid)) == (120, 30)
    assert split.said[0].startswith("task: classification")
    assert "validation: 30 of 150 rows" in split.said[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "forecast"}, "'task' must be one of"),
        ({"engine": "magic"}, "engine must be one of"),
        ({"time_budget": 0}, "'time_budget' must be seconds"),
        ({"time_budget": "60"}, "'time_budget' must be seconds"),
        ({"max_iter": 1}, "'max_iter' must be a whole number, 2 or more"),
        ({"seed": -1}, "'seed' must be"),
        ({"seed": 2**32}, "'seed' must be at most 4294967295"),
        ({"history": 5}, "'history' must be a folder"),
        ({"estimators": 5}, "'estimators' must be a list"),
        ({"explainability_options": {"random_state": "x"}}, "'random_state' parameter must be an integer"),
        ({"explainability_options": {"progress": "no"}}, "'progress' option must be"),
        ({"ensemble": "yes"}, "'ensemble' must be True or False"),
        ({"metric": "acuracy"}, "Did you mean 'accuracy'"),
        ({"estimators": "lgbm"}, "'estimators' must be a list"),
        ({"estimators": ["lgbn"]}, "Did you mean 'lgbm'"),
        ({"explainability_options": {"wich": "all"}}, "Did you mean 'which'"),
        ({"y": Y[:9]}, "y must have a value for each row: 150. Got 9"),
        ({"y": Y.where(Y > 0)}, "y has 50 missing values"),
        ({"X_valid": X}, "both X_valid and y_valid"),
        ({"X_valid": X.iloc[:, :3], "y_valid": Y}, "X_valid must have the columns of X"),
        ({"X": [1, 2]}, "X must be a DataFrame"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_the_search(change, message):
    with pytest.raises(InvalidInputError, match=message):
        AutoMLConfig(**{"X": X, "y": Y, **change})


@pytest.mark.parametrize(("name", "text"), [("a.toml", TOML), ("a.yaml", YAML), ("a.json", json.dumps(AS_DICT))])
def test_a_configuration_file(folder, name, text):
    (folder / name).write_text(text)
    config = AutoMLConfig.from_file(folder / name, seed=5)
    assert (config.max_iter, list(config.estimators), config.time_budget, config.seed) == (3, ["lgbm"], 20, 5)
    assert config.explainability_options.which == "improving"
    assert config.history == folder / "kept"
    assert list(config.dataset.X_train.columns) == list(X.columns)
    assert "150 rows x 4 columns" in config.said[0]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.toml",
            TOML.replace("max_iter", "max_itr"),
            "the unknown configuration key 'max_itr'. Did you mean 'max_iter'",
        ),
        ("a.toml", "data = ", "cannot be read"),
        ("a.yaml", "a: [", "cannot be read"),
        ("a.json", "[]", "must hold names and values"),
        ("a.toml", "data = 'iris.csv'", "must have the key 'target'"),
        ("a.ini", "", "must be a file of .toml"),
        ("a.toml", TOML.replace("iris.csv", "no.csv"), "There is no file"),
    ],
)
def test_a_file_that_cannot_be_used(folder, name, text, message):
    (folder / name).write_text(text)
    with pytest.raises(InvalidInputError, match=message):
        AutoMLConfig.from_file(folder / name)


def test_the_command_line_searches_a_configuration(folder, capsys):
    (folder / "a.toml").write_text(TOML)
    arguments = ["run", "--config", str(folder / "a.toml"), "--out", str(folder / "out"), "--json"]
    assert main(arguments) == 0
    result = json.loads(capsys.readouterr().out)
    assert (folder / "out" / "report.html").exists()
    assert (folder / "kept" / "history.sqlite").exists()
    assert len(result["explanation"]["overall_imp"]) == 4
    assert main([*arguments, "--seed", "4"]) == 2
    assert "leave out seed" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["run"])
    assert "--config FILE" in capsys.readouterr().err


def test_an_experiment_needs_a_name_and_a_configuration():
    with pytest.raises(InvalidInputError, match="needs a name"):
        Experiment(" ")
    with pytest.raises(InvalidInputError, match="takes an AutoMLConfig"):
        Experiment("iris").submit({})
