"""Settings in the words of other services."""

import json

import pytest
from sklearn.datasets import load_iris

from automl_explain import AutoMLConfig, InvalidInputError

IRIS = load_iris(as_frame=True).frame
GIVEN = {"training_data": IRIS, "label_column_name": "target"}


def test_words_are_translated_and_said():
    config = AutoMLConfig.from_settings(
        **GIVEN, iterations=5, primary_metric="accuracy", experiment_timeout_minutes=0.5, enable_stack_ensemble=True,
        enable_voting_ensemble=False, iteration_timeout_minutes=None, n_cross_validations=3,
    )  # fmt: skip
    assert (config.max_iter, config.metric, config.time_budget, config.ensemble, config.cv) == (
        5,
        "accuracy",
        30,
        True,
        3,
    )
    assert list(config.X.columns) == list(IRIS.columns[:-1])
    assert "experiment_timeout_minutes is time_budget (30.0)" in config.said


@pytest.mark.parametrize(
    ("given", "ensemble"),
    [
        ({"enable_voting_ensemble": True}, "voting"),
        ({"enable_voting_ensemble": True, "enable_stack_ensemble": False}, "voting"),
        ({"enable_voting_ensemble": False, "enable_stack_ensemble": True}, True),
        ({"enable_voting_ensemble": None}, False),
    ],
    ids=str,
)
def test_either_ensemble_can_be_chosen(given, ensemble):
    config = AutoMLConfig.from_settings(**GIVEN, **given)
    assert config.ensemble == ensemble
    assert ("enable_voting_ensemble is ensemble ('voting')" in config.said) is (ensemble == "voting")


def test_validation_data_and_own_words():
    config = AutoMLConfig.from_settings(**GIVEN, validation_data=IRIS[::3], metric="accuracy")
    assert len(config.y_valid) == 50
    X, y = IRIS.drop(columns="target"), IRIS["target"]
    assert AutoMLConfig.from_settings(X=X, y=y, iterations=4).max_iter == 4


def test_a_file_takes_the_same_words(tmp_path):
    IRIS.to_csv(tmp_path / "iris.csv", index=False)
    settings = {"training_data": "iris.csv", "label_column_name": "target", "iterations": 6}
    (tmp_path / "search.json").write_text(json.dumps(settings))
    config = AutoMLConfig.from_file(tmp_path / "search.json")
    assert config.max_iter == 6
    assert "label_column_name is target ('target')" in config.said


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"iterations": 5, "max_iter": 4}, "'iterations' and 'max_iter' both set 'max_iter'"),
        ({"enable_voting_ensemble": True, "enable_stack_ensemble": True}, "both set 'ensemble'"),
        ({"iteration_timeout_minutes": 2}, "time_budget"),
        ({"iteration": 5}, "Did you mean 'iterations'"),
        ({"validation_data": 3}, "must be a data frame with the column 'target'"),
        ({"primary_metric": "acuracy"}, "Did you mean 'accuracy'"),
    ],
)
def test_words_that_cannot_be_used(more, message):
    with pytest.raises(InvalidInputError, match=message):
        AutoMLConfig.from_settings(**GIVEN, **more)


def test_rows_and_labels_are_needed():
    with pytest.raises(InvalidInputError, match="training_data and label_column_name"):
        AutoMLConfig.from_settings(training_data=IRIS, iterations=5)
