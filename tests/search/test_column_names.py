"""Columns whose names LightGBM or XGBoost refuse are searched and explained under the user's names."""

import json

import numpy as np
import pandas as pd
import pytest

from automl_explain import AutoMLConfig, Experiment, explain_model
from automl_explain.cli import main

NAMES = ["Unnamed: 0", "a[b]", "x,{y}", "mean area", "mean_area", 'say "<7>"', "größe", "column_0"]


def awkward(n_rows=120, categories=True):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(n_rows, len(NAMES))), columns=NAMES)
    if categories:
        X["größe"] = pd.Categorical(rng.choice(["s", "m", "l"], n_rows))
    return X, pd.Series(np.where(X["a[b]"] + X["mean area"] > 0, "yes", "no"), name="y")


@pytest.mark.filterwarnings("ignore:FLAML built no ensemble")  # few trials may all be of one learner
@pytest.mark.parametrize("ensemble", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("engine", ["flaml", "optuna"])
@pytest.mark.parametrize("learner", ["lgbm", "xgboost", "xgb_limitdepth", "rf"])
def test_any_column_name_is_searched_and_explained(engine, learner, ensemble):
    if (engine, learner) == ("optuna", "xgb_limitdepth"):
        pytest.skip("a learner of FLAML's")
    X, y = awkward(categories=not ensemble)
    estimators = [learner, "rf" if learner != "rf" else "lgbm"] if ensemble else [learner]
    options = {"max_rows": 8, "background": 8, "time_budget": 300}
    config = AutoMLConfig(X=X, y=y, engine=engine, estimators=estimators, max_iter=4 if ensemble else 2, ensemble=ensemble,
                          time_budget=120, explainability_options=options)  # fmt: skip
    run = Experiment("names").submit(config)
    best, model = run.get_output()
    assert {one.status for one in run.runs} == {"explained"}
    for one in run.runs:
        assert set(one.explanation.features) == set(NAMES)
    assert best.learner in estimators
    rows = X.iloc[:5]
    explained = explain_model(model, X.iloc[20:40], rows, output="probability")
    assert set(explained.raw.features if explained.raw else explained.features) == set(NAMES)
    total = explained.explanation.local_importance_values.sum(axis=-1).T + explained.expected_values
    np.testing.assert_allclose(total, model.predict_proba(rows), atol=1e-6)


def test_a_csv_file_with_such_names_is_run(tmp_path, capsys):
    X, y = awkward()
    X.assign(target=y).to_csv(tmp_path / "awkward.csv", index=False)
    code = main(["run", str(tmp_path / "awkward.csv"), "--target", "target", "--estimators", "lgbm,xgboost", "--max-iter", "2",
                 "--json", "--out", str(tmp_path / "out")])  # fmt: skip
    captured = capsys.readouterr()
    assert code == 0, captured.err
    assert set(json.loads(captured.out)["explanation"]["overall_imp"]) == set(NAMES)
