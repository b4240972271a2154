"""With explanations, FLAML's class takes and refuses the same arguments as without: every parameter, valid and invalid."""

import inspect
import re

import flaml
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold

from automl_explain.integrations.flaml import AutoML
from tests.integrations.flaml_in_mlflow import flaml_logs_at_once, flaml_logs_late

GENERATOR = np.random.default_rng(0)
X = pd.DataFrame(GENERATOR.normal(size=(90, 3)), columns=["a", "b", "c"])
Y = (X["a"] + 0.3 * GENERATOR.normal(size=90) > 0).astype(int)
TABLE = X.assign(target=Y)
BASE = {
    "X_train": X, "y_train": Y, "task": "classification", "estimator_list": ["lgbm"], "max_iter": 2, "seed": 1,
    "verbose": 0, "n_jobs": 1, "mlflow_logging": False,
}  # fmt: skip
NO_TABLES = {"X_train": None, "y_train": None}


def own_metric(X_val, y_val, estimator, labels, X_train, y_train, weight_val=None, weight_train=None, *args):
    return float(np.mean(estimator.predict(X_val) != y_val)), {"rows": X_val.shape[0]}


def broken_metric(*args):
    raise RuntimeError("a metric that fails")


class NoResampler:
    def get_params(self, deep=True):
        return {}

    def fit_resample(self, X, y):
        return X, y


VALID, INVALID = "valid", "invalid"
VALUES = {
    "X_train": {VALID: [X.to_numpy(), X.astype("float32")], INVALID: [None, 3, "table", X.iloc[:5]]},
    "y_train": {VALID: [Y.to_numpy(), Y.astype(str)], INVALID: [None, 3, Y.iloc[:5]]},
    "dataframe": {VALID: [TABLE], INVALID: [3, "table", [1, 2]]},
    "label": {VALID: ["target"], INVALID: ["none", 3, None]},
    "metric": {
        VALID: ["log_loss", "accuracy", "roc_auc", "f1", own_metric],
        INVALID: [3, 0.5, ["accuracy"], {"m": 1}, "no metric", broken_metric],
    },
    "task": {VALID: ["binary"], INVALID: ["no task", 3]},
    "n_jobs": {VALID: [2], INVALID: ["two"]},
    "log_file_name": {VALID: [""], INVALID: ["/no/such/folder/log"]},
    "estimator_list": {VALID: [["rf"], ["lgbm", "rf"]], INVALID: [["no learner"], 3]},
    "time_budget": {VALID: [60], INVALID: ["long"]},
    "max_iter": {VALID: [1, 3], INVALID: ["many"]},
    "sample": {VALID: [False], INVALID: []},
    "ensemble": {VALID: [True, {"passthrough": False}], INVALID: []},
    "eval_method": {VALID: ["cv", "holdout"], INVALID: ["no method", 3]},
    "log_type": {VALID: ["all"], INVALID: []},
    "model_history": {VALID: [True], INVALID: []},
    "split_ratio": {VALID: [0.3], INVALID: [2.0, "half"]},
    "n_splits": {VALID: [3], INVALID: []},
    "log_training_metric": {VALID: [True], INVALID: []},
    "mem_thres": {VALID: [2**30], INVALID: ["much"]},
    "pred_time_limit": {VALID: [10.0], INVALID: ["short"]},
    "train_time_limit": {VALID: [60.0], INVALID: ["short"]},
    "X_val": {VALID: [], INVALID: [X]},
    "y_val": {VALID: [Y], INVALID: []},
    "sample_weight_val": {VALID: [], INVALID: []},
    "groups_val": {VALID: [], INVALID: []},
    "groups": {VALID: [np.repeat(np.arange(9), 10)], INVALID: [[1, 2]]},
    "verbose": {VALID: [1], INVALID: ["loud"]},
    "retrain_full": {VALID: [False, "budget"], INVALID: []},
    "split_type": {VALID: ["uniform", "stratified"], INVALID: ["no split", KFold(3)]},
    "learner_selector": {VALID: ["roundrobin"], INVALID: []},
    "hpo_method": {VALID: ["random"], INVALID: ["no method"]},
    "starting_points": {
        VALID: ["static", {"lgbm": {"n_estimators": 5}}],
        INVALID: [{"lgbm": {"no setting": 5}}],
    },
    "seed": {VALID: [5], INVALID: []},
    "n_concurrent_trials": {VALID: [1], INVALID: ["two"]},
    "keep_search_state": {VALID: [True], INVALID: []},
    "preserve_checkpoint": {VALID: [False], INVALID: []},
    "early_stop": {VALID: [True], INVALID: []},
    "force_cancel": {VALID: [True], INVALID: []},
    "append_log": {VALID: [True], INVALID: []},
    "auto_augment": {VALID: [False], INVALID: []},
    "min_sample_size": {VALID: [50], INVALID: ["few"]},
    "use_ray": {VALID: [False], INVALID: []},
    "use_spark": {VALID: [False], INVALID: [True]},
    "free_mem_ratio": {VALID: [0.01], INVALID: []},
    "metric_constraints": {VALID: [[("pred_time", "<=", 5.0)]], INVALID: [[("none", "<=", 1.0)], 3]},
    "custom_hp": {
        VALID: [{"lgbm": {"n_estimators": {"domain": 4}}}],
        INVALID: [{"lgbm": 3}],
    },
    "time_col": {VALID: ["a"], INVALID: []},
    "cv_score_agg_func": {VALID: [lambda losses, logs: (max(losses), {})], INVALID: [3]},
    "skip_transform": {VALID: [True], INVALID: []},
    "allow_label_overlap": {VALID: [False], INVALID: []},
    "mlflow_logging": {VALID: [False], INVALID: []},
    "fit_kwargs_by_estimator": {
        VALID: [{"lgbm": {"feature_name": "auto"}}],
        INVALID: [{"lgbm": {"no argument": 3}}, 3],
    },
    "mlflow_exp_name": {VALID: ["name"], INVALID: []},
    "resampler": {VALID: [], INVALID: [3, NoResampler()]},
    "fit_kwargs": {VALID: [], INVALID: []},
}  # fmt: skip
NOT_IN_CONSTRUCTOR = {"X_train", "y_train", "dataframe", "label", "X_val", "y_val", "sample_weight_val", "groups_val"}
NOT_IN_CONSTRUCTOR |= {"groups", "seed", "time_col", "fit_kwargs"}
TOGETHER = {
    "dataframe": {**NO_TABLES, "label": "target"}, "label": {**NO_TABLES, "dataframe": TABLE},
    "y_val": {"X_val": X}, "cv_score_agg_func": {"eval_method": "cv", "n_splits": 3}, "n_splits": {"eval_method": "cv"},
}  # fmt: skip
COMBINATIONS = {
    "both parallel": {"use_ray": True, "use_spark": True},
    "a binary metric for three classes": {"metric": "roc_auc", "y_train": pd.Series(np.arange(90) % 3)},
    "validation rows and weights": {
        "X_val": X,
        "y_val": Y,
        "sample_weight_val": np.ones(90),
        "sample_weight": np.ones(90),
    },
    "resampler and ensemble": {"resampler": NoResampler(), "ensemble": True},
    "resampler and weights": {"resampler": NoResampler(), "sample_weight": np.ones(90)},
    "splitter": {"split_type": KFold(3), "eval_method": "cv"},
    "weights of a wrong length": {"sample_weight": np.ones(3)},
    "an argument that learners lack": {"no_argument": 3},
    "groups of a ranking": {"task": "rank", "groups": np.repeat(np.arange(9), 10)},
    "no budget": {"max_iter": None, "estimator_list": ["rf"]},
    "groups that are split": {"groups": np.repeat(np.arange(9), 10), "split_type": "group", "eval_method": "cv"},
    "a constraint on an own metric": {"metric": own_metric, "metric_constraints": [("rows", ">=", 5)]},
    "a date": {"X_train": X.assign(d=pd.date_range("2020", periods=90))},
}


def outcome(build, settings):
    """What a fit gives: the trials and the predictions, or the error."""
    automl, fitted = None, dict(settings)
    try:
        automl = build()
        automl.fit(**fitted)
    except Exception as error:
        assert automl is None or not hasattr(automl, "_plan")
        return type(error), re.sub(r"0x[0-9a-f]+|<lambda>", "", str(error))
    state = automl._state
    table = settings.get("X_train")
    table = X if table is None else table
    predicted = automl.predict(table) if automl.model is not None else None
    names = (state.metric if isinstance(state.metric, str) else state.metric.__name__, state.error_metric)
    return (
        automl.best_loss, automl.best_config, automl.best_estimator, automl.best_iteration, automl._config_history.keys(),
        names, state.cv_score_agg_func, None if predicted is None else np.asarray(predicted).tolist(),
    )  # fmt: skip


EXPLAINED = {"model_explainability": True, "explainability_options": {"which": "best", "max_rows": 5, "background": 5}}


def same_outcome(settings, constructor=None):
    constructor = constructor or {}
    plain = outcome(lambda: flaml.AutoML(**constructor), settings)
    explained = outcome(lambda: AutoML(**EXPLAINED, **constructor), settings)
    assert explained == plain
    return plain


CASES = [
    (name, kind, number)
    for name, kinds in VALUES.items()
    for kind, values in kinds.items()
    for number in range(len(values))
]
pytestmark = pytest.mark.filterwarnings("ignore")  # FLAML and learners warn of values that they cannot use


def test_every_parameter_of_fit_is_walked():
    assert set(VALUES) == set(inspect.signature(flaml.AutoML.fit).parameters) - {"self"}
    own = set(inspect.signature(AutoML.fit).parameters) - {"self", "args", "kwargs"}
    assert own <= set(VALUES)


def test_every_setting_of_the_constructor_is_walked():
    assert set(flaml.AutoML()._settings) == set(VALUES) - NOT_IN_CONSTRUCTOR


@pytest.mark.parametrize(("name", "kind", "number"), CASES)
def test_a_value_of_fit_gives_the_same(name, kind, number):
    value = VALUES[name][kind][number]
    plain = same_outcome({**BASE, **TOGETHER.get(name, {}), name: value})
    if kind == VALID:
        assert not isinstance(plain[0], type), plain


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind", "number"), [case for case in CASES if case[0] not in NOT_IN_CONSTRUCTOR])
def test_a_value_of_the_constructor_gives_the_same(name, kind, number):
    settings = {**BASE, **TOGETHER.get(name, {})}
    settings.pop(name, None)
    same_outcome(settings, {name: VALUES[name][kind][number]})


@pytest.mark.parametrize("name", COMBINATIONS)
def test_values_together_give_the_same(name):
    same_outcome({**BASE, **COMBINATIONS[name]})


def logged_by(build, settings, pace):
    """What a search returns, and what it leaves in MLflow under an active run."""
    import mlflow

    with pace():
        run = mlflow.start_run()
        try:
            found = outcome(build, settings)
        finally:
            while mlflow.active_run():
                mlflow.end_run()
    children = [
        one for one in mlflow.MlflowClient().search_runs([run.info.experiment_id])
        if one.data.tags.get("mlflow.parentRunId") == run.info.run_id and "flaml.learner" in one.data.tags
    ]  # fmt: skip
    tags = ("flaml.meric", "flaml.best_run")
    return found, [(sorted(one.data.metrics), *(one.data.tags[name] for name in tags)) for one in children]


@pytest.mark.slow
@pytest.mark.parametrize("retrained", [False, True])
def test_under_an_active_mlflow_run_the_same_is_logged(tmp_path, monkeypatch, request, retrained):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)  # where MLflow puts the artifacts of a database that it creates
    before = mlflow.get_tracking_uri()
    request.addfinalizer(lambda: mlflow.set_tracking_uri(before))
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    validation = {} if retrained else {"X_val": X, "y_val": Y}
    settings = {**BASE, **validation, "metric": "accuracy", "mlflow_logging": True}
    logged = [
        logged_by(flaml.AutoML, settings, flaml_logs_at_once),
        logged_by(lambda: AutoML(**EXPLAINED), settings, flaml_logs_late),
    ]
    assert logged[0] == logged[1]
    assert logged[0][1]
    if not retrained:
        assert not isinstance(logged[0][0][0], type)


def test_arguments_by_position_give_the_same():
    arguments = (X, Y, None, None, "log_loss", "classification", 1, "", ["lgbm"], 60, 2)
    losses = []
    for automl in (flaml.AutoML(), AutoML(**EXPLAINED)):
        automl.fit(*arguments, verbose=0, seed=1)
        losses.append((automl.best_loss, automl.best_config))
    assert losses[0] == losses[1]


def test_a_metric_that_is_no_metric_is_refused_in_flamls_words():
    with pytest.raises(ValueError, match="'metric' parameter must be either a string or a callable") as caught:
        AutoML(model_explainability=True).fit(**{**BASE, "metric": 3})
    assert type(caught.value) is ValueError


def test_tables_in_rays_store_are_read(monkeypatch):
    ray = pytest.importorskip("ray")
    seen = []
    monkeypatch.setattr(ray, "get", lambda reference: seen.append(reference) or TABLE)
    reference = ray.ObjectRef(b"1" * 28)
    # Ray itself is not started: FLAML fetches the table, then searches in this process.
    monkeypatch.setattr(flaml.AutoML, "_search_parallel", flaml.AutoML._search_sequential)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    automl = AutoML(**EXPLAINED)
    automl.fit(dataframe=reference, label="target", task="classification", use_ray=True, max_iter=2,
               estimator_list=["lgbm"], verbose=0)  # fmt: skip
    assert automl.raw_columns_ == ["a", "b", "c"]
    assert seen
    assert automl.final_run.status == "explained"
