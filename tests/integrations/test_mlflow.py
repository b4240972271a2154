"""Explanations as artifacts of MLflow runs, in an SQLite database and on a real server with one."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

mlflow = pytest.importorskip("mlflow")
optuna = pytest.importorskip("optuna")

from automl_explain import (  # noqa: E402
    ExplanationClient,
    ExplanationNotFoundError,
    HistoryError,
    InvalidInputError,
    RunHistory,
    RunNotFoundError,
    SearchExplanation,
    explain_model,
    retrieve_model_explanation,
    write_report,
)
from automl_explain.integrations.mlflow import MlflowStore  # noqa: E402
from automl_explain.integrations.optuna import TrialExplainer  # noqa: E402
from automl_explain.search._mlflow_params import as_params  # noqa: E402
from tests.integrations.flaml_in_mlflow import flaml_logs_at_once  # noqa: E402

TABLE = pd.DataFrame({"town": list("abc") * 20, "age": np.arange(60.0), "pay": np.arange(60.0) % 7})
TARGET = (TABLE["town"] == "a") * 30 + TABLE["age"] / 10 + TABLE["pay"]
NUMBERS = TABLE[["age", "pay"]]


def fitted(alpha=0.1):
    columns = ColumnTransformer([("town", OneHotEncoder(), ["town"])], remainder="passthrough")
    return make_pipeline(columns, Ridge(alpha=alpha)).fit(TABLE, TARGET)


MODEL = fitted()
# MLflow's own tables on SQLAlchemy 2.1
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:sqlalchemy.exc.SADeprecationWarning")
SERVER_SECONDS = 240
"""Within which the server answers, on a busy machine, which takes long to import it."""


@pytest.fixture(scope="module", params=["sqlite", pytest.param("server", marks=pytest.mark.slow)])
def store(request, tmp_path_factory):
    """Tracking URI of a database, or of a server of this module's own."""
    folder = tmp_path_factory.mktemp("mlflow")
    if request.param == "server":
        with tracking_server(folder) as uri:
            yield uri
    else:
        uri = f"sqlite:///{folder}/runs.db"
        with contextlib.chdir(folder):  # where MLflow puts the artifacts of a database that it creates
            mlflow.MlflowClient(uri).search_experiments()
        yield uri


@contextlib.contextmanager
def tracking_server(folder):
    """Run a server that binds a free port itself and says in its log which; a port found here could be taken before."""
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", "0", "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder}/runs.db", "--artifacts-destination", str(folder / "artifacts")),
    ]
    log = folder / "server.log"
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with log.open("w") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, cwd=folder, env=environment)
    try:
        deadline = time.monotonic() + SERVER_SECONDS
        while not (bound := re.search(r"http://127\.0\.0\.1:[1-9]\d*", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        with urllib.request.urlopen(f"{bound[0]}/health", timeout=60) as answer:
            assert answer.status == 200, log.read_text()
        yield bound[0]
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def tracking(store):
    """The store as MLflow's tracking URI for one test."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(store)
    yield store
    mlflow.set_tracking_uri(store)
    while mlflow.active_run() is not None:
        mlflow.end_run()
    mlflow.set_tracking_uri(before)


@pytest.fixture
def mlflow_run(tracking):
    with mlflow.start_run() as run:
        pass
    return run


def children(run):
    query = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    return list(mlflow.MlflowClient().search_runs([run.info.experiment_id], query))


def ridge(alpha):
    return Ridge(alpha=alpha).fit(NUMBERS, TARGET)


def network(_):
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        layers = torch.nn.Linear(NUMBERS.shape[1], 4), torch.nn.Tanh(), torch.nn.Linear(4, 2), torch.nn.Softmax(1)
        return torch.nn.Sequential(*layers).double()


def study(n_trials=3, parameter="alpha (L2)", fitted=ridge, **settings):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(study_name=settings.pop("name", None), sampler=optuna.samplers.RandomSampler(seed=0))
    with TrialExplainer(NUMBERS, NUMBERS[:9]) as explainer:

        def objective(trial):
            with explainer.trial(trial) as seen:
                alpha = trial.suggest_float(parameter, 0.1, 10)
                seen.capture(fitted(alpha), row_losses=(ridge(alpha).predict(NUMBERS) - TARGET) ** 2)
                return -ridge(alpha).score(NUMBERS, TARGET)

        study.optimize(objective, n_trials=n_trials, **settings)
    return study, explainer


def test_what_is_uploaded_is_found_by_recency_id_and_comment(mlflow_run):
    client = ExplanationClient.from_run(mlflow_run)
    first = client.upload_model_explanation(explain_model(MODEL, TABLE, TABLE[:5]), comment="five")
    second = client.upload_model_explanation(explain_model(MODEL, TABLE, TABLE[:6], feature_space="raw"), comment="six")
    client = ExplanationClient.from_run(mlflow.get_run(mlflow_run.info.run_id))
    assert client.list_model_explanations() == [first, second]
    assert client.list_model_explanations("five") == [first]
    assert (first.is_raw, second.is_raw) == (False, True)
    assert client.download_model_explanation().num_examples == 6
    assert client.download_model_explanation(first.id).num_examples == 5
    assert client.download_model_explanation(comment="five", raw=True).features == ("town", "age", "pay")
    assert client.download_model_explanation(raw=False).num_examples == 5
    assert client.download_model_explanation(top_k=1).num_features == 1
    with pytest.raises(ExplanationNotFoundError, match=r"comment 'fiv'.*Did you mean 'five'.*comment 'six'"):
        client.download_model_explanation(comment="fiv")
    with pytest.raises(InvalidInputError, match="2,000 characters"):
        client.upload_model_explanation(explain_model(MODEL, TABLE, TABLE[:5]), comment="x" * 2001)


def test_an_explanation_comes_back_to_the_bit_and_is_an_artifact(mlflow_run):
    stored = explain_model(MODEL, TABLE, TABLE[:5], best_run=mlflow_run)
    found = retrieve_model_explanation(mlflow_run)
    assert found.shap_values.tobytes() == stored.shap_values.tobytes()
    assert found.run_id == stored.run_id == mlflow_run.info.run_id
    (one,) = ExplanationClient.from_run(mlflow_run).list_model_explanations()
    (artifact,) = mlflow.MlflowClient().list_artifacts(mlflow_run.info.run_id, "automl_explain")
    assert artifact.path == f"automl_explain/{one.id}.zip"


def test_a_run_without_explanations_and_no_run(mlflow_run):
    with pytest.raises(ExplanationNotFoundError, match="has no explanation"):
        retrieve_model_explanation(mlflow_run)
    with pytest.raises(ExplanationNotFoundError, match="nothing has been uploaded"):
        ExplanationClient.from_run(mlflow_run).download_model_explanation()
    with pytest.raises(RunNotFoundError, match="no MLflow run 'f00'"):
        MlflowStore().run("f00")
    with pytest.raises(InvalidInputError, match="needs runs of a run history"):
        write_report("report.html", [MlflowStore().run(mlflow_run.info.run_id)])


def test_a_search_under_an_active_run_logs_each_run_as_a_child(tracking, tmp_path):
    with mlflow.start_run() as parent:
        _, explainer = study()
    logged = {child.data.tags["automl_explain.run"]: child for child in children(parent)}
    assert sorted(logged) == [run.id for run in explainer.runs]
    for run in explainer.runs:
        child = logged[run.id]
        assert child.info.status == "FINISHED"
        assert child.data.metrics["loss"] == pytest.approx(run.loss)
        assert child.data.params == {"alpha _L2_": str(run.config["alpha (L2)"])}
        assert retrieve_model_explanation(child).shap_values.tobytes() == (
            run.explanation.local_importance_values.tobytes()
        )
        folder = mlflow.MlflowClient().download_artifacts(child.info.run_id, "automl_explain", str(tmp_path))
        with open(f"{folder}/importance.png", "rb") as picture:
            assert picture.read(8) == b"\x89PNG\r\n\x1a\n"
        with open(f"{folder}/importance.json", encoding="utf-8") as text:
            shown = json.load(text)
        assert list(shown) == run.explanation.get_ranked_global_names()
        with open(f"{folder}/importance.html", encoding="utf-8") as text:
            page = text.read()
        assert all(name in page for name in (run.id, *shown))
    kept = {Path(one.path).name for one in mlflow.MlflowClient().list_artifacts(parent.info.run_id, "automl_explain")}
    (report,) = [name for name in kept if name.startswith("report-")]
    assert kept >= {"importance.png", "importance.html", "importance.json"}
    path = mlflow.MlflowClient().download_artifacts(parent.info.run_id, f"automl_explain/{report}", str(tmp_path))
    with open(path, encoding="utf-8") as page:
        text = page.read()
    assert all(run.id in text for run in explainer.runs)
    best = min(explainer.runs, key=lambda run: run.loss)
    assert retrieve_model_explanation(parent).shap_values.tobytes() == (
        best.explanation.local_importance_values.tobytes()
    )


def test_any_name_of_a_parameter_is_logged(tracking):
    names = [
        "a:b",
        "a_b",
        "",
        " ",
        ".",
        "../a",
        "/a",
        "a//b",
        "a/b",
        "A_B",
        "é",
        "x" * 250,
        "x" * 300,
        "x" * 249 + "y:",
    ]
    params = as_params({name: f"value {number}" for number, name in enumerate(names)} | {"long": "v" * 9000})
    with mlflow.start_run() as run:
        mlflow.MlflowClient().log_batch(run.info.run_id, params=params)
    logged = mlflow.MlflowClient().get_run(run.info.run_id).data.params
    assert len(logged) == len(names) + 1
    assert sorted(logged.values())[:-1] == sorted(f"value {number}" for number in range(len(names)))
    assert (logged["a_b"], logged["a/b"]) == ("value 0", "value 8")


@pytest.mark.filterwarnings("ignore:Failed to log:UserWarning")
def test_two_searches_of_one_seed_under_a_parent_do_not_mix(tracking, monkeypatch):
    """The second takes none of the child runs that the first, which was not explained, has left."""
    from flaml.fabric.mlflow import MLflowIntegration

    from automl_explain.integrations.flaml import AutoML

    for name in ("log_model", "_log_pipeline", "pickle_and_log_automl_artifacts"):
        monkeypatch.setattr(MLflowIntegration, name, lambda *args, **kwargs: "nothing saved")
    settings = {"task": "regression", "max_iter": 3, "estimator_list": ["lgbm"], "verbose": 0, "seed": 4}
    with mlflow.start_run() as parent:
        with flaml_logs_at_once():
            AutoML(model_explainability=False).fit(NUMBERS, TARGET, **settings)
        first = {child.info.run_id for child in children(parent)}
        second = AutoML(model_explainability=True)
        second.fit(NUMBERS, TARGET, **settings)
    tagged = {child.info.run_id: child.data.tags.get("automl_explain.run") for child in children(parent)}
    assert len(first) == 3
    assert {tagged[child] for child in first} == {None}
    assert {run for child, run in tagged.items() if child not in first} == {run.id for run in second.runs}
    np.testing.assert_array_equal(
        retrieve_model_explanation(parent).shap_values, retrieve_model_explanation(second).shap_values
    )


def test_networks_are_logged_like_any_model(tracking):
    with mlflow.start_run() as parent:
        _, explainer = study(2, fitted=network)
    found = {child.data.tags["automl_explain.run"]: retrieve_model_explanation(child) for child in children(parent)}
    assert set(found) == {run.id for run in explainer.runs}
    for run in explainer.runs:
        assert (run.learner, found[run.id].method) == ("Sequential", "coalitions")
        values = run.explanation.local_importance_values
        np.testing.assert_array_equal(np.array(found[run.id].shap_values), values)


@pytest.mark.filterwarnings("ignore:.*MLflowCallback:FutureWarning", "ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("own_experiment", [True, False])
def test_the_child_runs_of_optuna_s_callback_take_the_explanations(tracking, own_experiment):
    integration = pytest.importorskip("optuna_integration")
    before = mlflow.tracking.fluent._active_experiment_id
    callback = integration.MLflowCallback(
        tracking_uri=tracking, metric_name="loss", create_experiment=own_experiment, mlflow_kwargs={"nested": True}
    )
    name = f"study {own_experiment}"
    try:
        with mlflow.start_run() as parent:
            found, explainer = study(3, parameter="alpha", name=name, callbacks=[callback])
            _, second = study(2, name=f"another {own_experiment}")  # whose trials have the same numbers and values
    finally:
        mlflow.tracking.fluent._active_experiment_id = before
    places = [parent.info.experiment_id]
    if own_experiment:
        places.append(mlflow.MlflowClient().get_experiment_by_name(name).experiment_id)
    query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    every = list(mlflow.MlflowClient().search_runs(places, query))
    theirs = {child.data.tags["number"]: child for child in every if "number" in child.data.tags}
    assert len(every) == 3 + 2  # none beside those of the callback, and those of the study without one
    for trial, run in zip(found.trials, explainer.runs, strict=True):
        child = theirs[str(trial.number)]
        assert child.data.tags["automl_explain.run"] == run.id
        assert retrieve_model_explanation(child).shap_values.tobytes() == (
            run.explanation.local_importance_values.tobytes()
        )
    logged = {child.data.tags["automl_explain.run"] for child in every}
    assert logged == {run.id for run in [*explainer.runs, *second.runs]}


def test_runs_of_a_tracking_store_are_near_best_as_those_of_the_history(tracking):
    with mlflow.start_run() as parent:
        _, explainer = study(4)
    store = MlflowStore()
    runs = [store.run(child.info.run_id) for child in children(parent)]
    here, there = SearchExplanation.from_runs(explainer.runs), SearchExplanation.from_runs(runs)
    losses = {run.loss: near for run, near in zip(here.runs, here.near_best, strict=True)}
    assert {run.loss: near for run, near in zip(there.runs, there.near_best, strict=True)} == losses
    assert there.as_dict()["noise_known"]
    assert sorted(there.part_losses) == sorted(here.part_losses)


def test_without_an_active_run_nothing_is_logged(tracking):
    before = len(mlflow.MlflowClient().search_runs(["0"]))
    study(1)
    assert len(mlflow.MlflowClient().search_runs(["0"])) == before


def test_flaml_s_own_child_runs_take_the_explanations(tracking, monkeypatch):
    from flaml.fabric.mlflow import MLflowIntegration

    from automl_explain.integrations.flaml import AutoML

    # FLAML 2.7 cannot save its model with MLflow 3, which no longer pickles unasked; its child runs it logs well.
    for name in ("log_model", "_log_pipeline", "pickle_and_log_automl_artifacts"):
        monkeypatch.setattr(MLflowIntegration, name, lambda *args, **kwargs: "nothing saved")

    with mlflow.start_run() as parent:
        automl = AutoML(model_explainability=True)
        automl.fit(
            NUMBERS, TARGET, task="regression", max_iter=3, estimator_list=["lgbm"], verbose=0, retrain_full=False
        )
    theirs = [child for child in children(parent) if "flaml.iteration_number" in child.data.tags]
    assert len(theirs) == 3
    assert all(child.data.tags["automl_explain.run"] for child in theirs)
    for child in theirs:
        run = RunHistory().run(child.data.tags["automl_explain.run"])
        assert child.data.metrics["validation_loss"] == pytest.approx(run.loss)
        assert retrieve_model_explanation(child).run_id == child.info.run_id


def test_a_server_that_is_down_is_said_once_and_the_search_goes_on(tracking):
    run = mlflow.start_run()
    with socket.socket() as bound:  # which nothing listens to, and nobody else can take
        bound.bind(("127.0.0.1", 0))
        mlflow.set_tracking_uri(f"http://127.0.0.1:{bound.getsockname()[1]}")
        with pytest.raises(HistoryError, match="does not answer"):
            ExplanationClient.from_run(run)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found, explainer = study()
        assert ["does not answer" in str(one.message) for one in caught] == [True]
        assert [one.status for one in explainer.runs] == ["explained"] * 3
        assert retrieve_model_explanation(found.best_trial).run_id == explainer.best_run.id
