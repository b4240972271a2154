"""With explanations the search is FLAML's own: same trials, same losses, same best configuration."""

import flaml
import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression

from automl_explain.integrations.flaml import AutoML

LEARNERS = ["lgbm", "rf"]


def data(task):
    if task == "regression":
        return make_regression(240, 6, noise=5.0, random_state=0)
    n_classes = 2 if task == "binary" else 3
    return make_classification(240, 6, n_informative=4, n_classes=n_classes, random_state=0)


def own_metric(X_val, y_val, estimator, labels, X_train, y_train, weight_val=None, weight_train=None, *args):
    error = float(np.mean(np.asarray(estimator.predict(X_val)) != np.asarray(y_val)))
    return error, {"error": error, "rows": X_val.shape[0]}


CASES = [
    ("binary", "auto"), ("binary", "accuracy"), ("binary", "log_loss"), ("binary", "f1"), ("binary", "ap"),
    ("multiclass", "auto"), ("multiclass", "accuracy"), ("multiclass", "macro_f1"), ("multiclass", "roc_auc_ovr"),
    ("regression", "auto"), ("regression", "mae"), ("regression", "rmse"),
    ("binary", own_metric),
]  # fmt: skip

EXPLAINED = {"model_explainability": True, "explainability_options": {"time_budget": 600}}  # compilers take their time


def search(cls, task, metric, how, log, **more):
    X, y = data(task)
    automl = cls()
    settings = {"task": task, "metric": metric, "estimator_list": LEARNERS, "max_iter": 6, "seed": 7, "verbose": 0}
    settings |= {"log_file_name": str(log), "log_type": "all", "n_jobs": 1, **more}
    if how == "cv":
        settings |= {"eval_method": "cv", "n_splits": 3}
    elif how == "given":
        settings |= {"X_val": X[180:], "y_val": y[180:]}
        X, y = X[:180], y[:180]
    automl.fit(X, y, **settings)
    return automl


def trials(log):
    import json

    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return [(row["learner"], row["config"], row["validation_loss"]) for row in rows if "validation_loss" in row]


@pytest.mark.parametrize("how", ["holdout", *(pytest.param(how, marks=pytest.mark.slow) for how in ("given", "cv"))])
@pytest.mark.parametrize(("task", "metric"), CASES, ids=lambda case: getattr(case, "__name__", case))
def test_the_search_is_the_same(task, metric, how, tmp_path):
    plain = search(flaml.AutoML, task, metric, how, tmp_path / "plain.log")
    explained = search(AutoML, task, metric, how, tmp_path / "explained.log", **EXPLAINED)
    assert trials(tmp_path / "plain.log") == trials(tmp_path / "explained.log")
    assert explained.best_loss == plain.best_loss
    assert explained.best_config == plain.best_config
    assert explained.best_estimator == plain.best_estimator
    assert explained.best_iteration == plain.best_iteration
    X, _ = data(task)
    np.testing.assert_array_equal(explained.predict(X), plain.predict(X))
    scored = [run for run in explained.runs if run.kind == "trial"]
    losses = [loss for _, _, loss in trials(tmp_path / "explained.log")]
    assert [run.loss for run in scored] == pytest.approx(losses)
    assert explained.best_run.loss == pytest.approx(plain.best_loss)
    assert {run.status for run in explained.runs} == {"explained"}


@pytest.mark.parametrize(
    "extra",
    [
        {"log_training_metric": True},
        {"sample_weight": np.linspace(0.5, 2, 240)},
        {"pred_time_limit": 1.0},
        {"ensemble": True},
        {"metric_constraints": [("pred_time", "<=", 1.0)]},
        {"cv_score_agg_func": lambda losses, logs: (max(losses), {"worst": max(losses)}), "eval_method": "cv"},
    ],
    ids=["training metric", "weights", "time limit", "ensemble", "constraints", "own aggregate"],
)
def test_the_search_is_the_same_with_fit_options(extra, tmp_path):
    plain = search(flaml.AutoML, "binary", "auto", "holdout", tmp_path / "plain.log", **extra)
    explained = search(AutoML, "binary", "auto", "holdout", tmp_path / "explained.log", **EXPLAINED, **extra)
    assert trials(tmp_path / "plain.log") == trials(tmp_path / "explained.log")
    assert explained.best_config == plain.best_config
    np.testing.assert_allclose(explained.predict_proba(data("binary")[0]), plain.predict_proba(data("binary")[0]))


def test_without_explanations_it_is_flaml_itself(tmp_path):
    search(flaml.AutoML, "binary", "auto", "holdout", tmp_path / "plain.log")
    same = search(AutoML, "binary", "auto", "holdout", tmp_path / "same.log", model_explainability=False)
    assert trials(tmp_path / "plain.log") == trials(tmp_path / "same.log")
    assert same.runs == []
    assert same.best_run is None


def test_the_log_and_the_fitted_object_name_the_real_metric(caplog, tmp_path):
    import logging
    import pickle

    flaml_logger = logging.getLogger("flaml.automl.logger")
    flaml_logger.addHandler(caplog.handler)
    try:
        automl = search(AutoML, "binary", "auto", "holdout", tmp_path / "x.log", model_explainability=True, verbose=3)
    finally:
        flaml_logger.removeHandler(caplog.handler)
    assert "Minimizing error metric: 1-roc_auc" in caplog.text
    assert "customized metric" not in caplog.text
    assert automl._state.metric == "roc_auc"
    assert len(flaml_logger.filters) == 0
    again = pickle.loads(pickle.dumps(automl))
    assert again.best_run.id == automl.best_run.id
    assert b"MetricTap" not in pickle.dumps(automl)
