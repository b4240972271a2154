"""Objectives of the user that the optuna engine searches."""

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMRegressor
from sklearn.base import clone
from sklearn.datasets import load_diabetes

from automl_explain import AutoMLConfig, AutoMLExplainError, InvalidInputError
from tests.search.people_searches import BOUGHT, PEOPLE, no_model, submit


def of_loss(trial, loss_of):
    return loss_of(LGBMRegressor(n_estimators=trial.suggest_int("n", 2, 9), n_jobs=1, verbose=-1))


def by_hand(trial, loss_of):
    data = loss_of.data
    model = LGBMRegressor(n_estimators=trial.suggest_int("n", 2, 9), n_jobs=1, verbose=-1).fit(
        data.X_train, data.y_train
    )
    loss_of.capture(model)
    rows, target = (data.X_train, data.y_train) if data.X_valid is None else (data.X_valid, data.y_valid)
    return float(np.abs(model.predict(rows) - target).mean())


@pytest.mark.parametrize("how", [{}, {"cv": 3}], ids=str)
@pytest.mark.parametrize("objective", [of_loss, by_hand])
def test_an_objective_of_the_users(objective, how):
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    run = submit(X, y, objective=objective, **how)
    best_run, model = run.get_output()
    assert {one.status for one in run.runs} == {"explained"}
    assert {one.learner for one in run.runs} == {"LGBMRegressor"}
    assert {one.metric for one in run.runs} == {objective.__name__}
    best = clone(model).set_params(n_estimators=best_run.config["n"])
    if objective is by_hand:
        assert len(run.runs) == 5
        assert run.final_run == best_run
        best.fit(run.config.dataset.X_train, run.config.dataset.y_train)
    else:
        assert (run.final_run.kind, len(run.runs)) == ("refit", 6)
        parts = [run.config.dataset.X_train, run.config.dataset.X_valid]
        rows = pd.concat([part for part in parts if part is not None])
        best.fit(rows, y[rows.index])
    np.testing.assert_array_equal(model.predict(X), best.predict(X))
    explanation = run.final_run.explanation
    rows = run.config.dataset.X_train if how else run.config.dataset.X_valid
    np.testing.assert_allclose(explanation.predictions[:, 0], model.predict(rows), atol=1e-9)


def test_an_ensemble_of_a_users_models():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    run = submit(X, y, objective=of_loss, ensemble=True)
    assert run.final_run.learner == "stack of LGBMRegressor, LGBMRegressor, LGBMRegressor"
    assert run.final_run.status == "explained"
    with pytest.raises(InvalidInputError, match="ensemble=True stacks models that the search fits"):
        submit(X, y, objective=by_hand, ensemble=True)


def fails(trial, loss_of):
    raise KeyError("no such column")


def no_number(trial, loss_of):
    return float("nan")


def two_models(trial, loss_of):
    return min(of_loss(trial, loss_of), of_loss(trial, loss_of))


def two_captures(trial, loss_of):
    return min(by_hand(trial, loss_of), by_hand(trial, loss_of))


def one_of_each(trial, loss_of):
    return min(of_loss(trial, loss_of), by_hand(trial, loss_of))


@pytest.mark.parametrize(
    ("objective", "error", "message"),
    [
        (two_models, InvalidInputError, "Trial 0 already has a model"),
        (two_captures, InvalidInputError, "Trial 0 already has a model"),
        (one_of_each, InvalidInputError, "Trial 0 already has a model"),
        (fails, KeyError, "no such column"),
        (no_model, AutoMLExplainError, "has no model: the objective must return loss_of.model."),
        (no_number, AutoMLExplainError, "None of the 5 trials could be scored by r2"),
    ],
)
def test_an_objective_that_cannot_be_searched_says_why(objective, error, message):
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    with pytest.raises(error, match=message):
        submit(X, y, objective=objective)


def test_an_objective_in_a_file_is_refused(tmp_path):
    PEOPLE.assign(bought=BOUGHT).to_csv(tmp_path / "people.csv", index=False)
    (tmp_path / "a.toml").write_text(
        "data = 'people.csv'\ntarget = 'bought'\nengine = 'optuna'\nobjective = 'mine.f'\n"
    )
    with pytest.raises(InvalidInputError, match="must be a Python function.*from_file.path, objective=function."):
        AutoMLConfig.from_file(tmp_path / "a.toml")
    (tmp_path / "b.toml").write_text("data = 'people.csv'\ntarget = 'bought'\nengine = 'optuna'\n")
    assert AutoMLConfig.from_file(tmp_path / "b.toml", objective=of_loss).objective is of_loss
