"""``automl-explain explain`` with a model file: the report of one model, and the values of all rows."""

import json

import joblib
import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from automl_explain import Explanation, explain_model
from automl_explain.cli import main

skops = pytest.importorskip("skops.io")


@pytest.fixture
def written(tmp_path, monkeypatch):
    """The rows of a file beside a pipeline over some of its columns, which lies there as well."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)
    rows = pd.DataFrame({"id": np.arange(400), "plan": rng.choice(["basic", "pro"], 400), "calls": rng.poisson(2, 400)})
    rows["churn"] = np.where(rows.calls + (rows.plan == "basic") + rng.normal(size=400) > 2, "yes", "no")
    rows.to_csv("rows.csv", index=False)
    X = rows[["plan", "calls"]]
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["plan"]), remainder="passthrough"), LogisticRegression()
    )
    skops.dump(model.fit(X, rows.churn), "model.skops")
    return X, rows.churn, model


def test_a_model_file_and_rows_are_enough(written, capsys):
    X, churn, model = written
    assert main(["explain", "model.skops", "rows.csv", "--target", "churn", "--columns", "id", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    whole = explain_model(model, X, X, feature_space="raw")
    for name, value in whole.explanation.get_feature_importance_dict().items():
        assert said["importance"][name] == pytest.approx(value, rel=1e-9)
    assert said["performance"]["scores"]["accuracy"] == pytest.approx(model.score(X, churn))
    table = pd.read_parquet("model-explained/values")
    assert table.id.tolist() == [str(number) for number in range(400)]
    assert table.prediction.tolist() == model.predict(X).tolist()
    kept = Explanation.load("model-explained/rows.explanation")
    np.testing.assert_allclose(kept.local_importance_values, whole.explanation.local_importance_values, atol=1e-9)
    with open(said["report"], encoding="utf-8") as stream:
        report = stream.read()
    assert "Explanation of model.skops" in report
    assert "How good it is" in report


@pytest.mark.parametrize("folder", ["numbers", "labels"])
def test_a_booster_is_measured_by_labels_as_they_are_in_the_file(folder, written, fails, capsys):
    rows = pd.read_csv("rows.csv")
    X, target = rows[["calls", "id"]], rows.churn == "yes" if folder == "labels" else rows.calls * 1.5
    learner = LGBMClassifier if folder == "labels" else LGBMRegressor
    learner(n_estimators=5, verbose=-1).fit(X, target).booster_.save_model("booster.txt")
    rows.assign(spent=rows.calls * 1.5).to_csv("more.csv", index=False)
    if folder == "numbers":
        assert main(["explain", "booster.txt", "more.csv", "--target", "spent", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["performance"]["scores"]["R2"] > 0.3
        return
    said = fails("explain", "booster.txt", "more.csv", "--target", "churn")
    assert "--classes" in said
    assert main(["explain", "booster.txt", "more.csv", "--target", "churn", "--classes", "no", "yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["performance"]["scores"]["accuracy"] > 0.6


def test_what_may_not_be_loaded_or_does_not_fit_is_one_line(written, fails, tmp_path):
    joblib.dump(written[2], tmp_path / "model.pkl")
    assert "--allow-pickle" in fails("explain", "model.pkl", "rows.csv")
    assert "'plan'" in fails("explain", "model.skops", _without_plan(tmp_path))
    assert "There is no file or folder gone.csv" in fails("explain", "model.skops", "gone.csv")


def _without_plan(folder):
    pd.read_csv(folder / "rows.csv").drop(columns="plan").to_csv(folder / "other.csv", index=False)
    return "other.csv"
