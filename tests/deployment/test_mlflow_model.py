"""A scoring explainer as an MLflow model: no pickle, and the numbers of the service from a real ``mlflow models serve``."""

import contextlib
import os
import socket
import subprocess
import sys
import time

import pandas as pd
import pytest

from automl_explain import log_scoring_explainer, save
from tests.service.models import classifier, dated, records, table, visits
from tests.service.running import Client, running

mlflow = pytest.importorskip("mlflow")

pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning"),  # MLflow says so of its own classes
    pytest.mark.filterwarnings("ignore:.*type hint:UserWarning"),  # our signature comes from the bundle
    pytest.mark.filterwarnings("ignore:Operation with range:DeprecationWarning"),  # MLflow on pandas 3
]
ROWS = table(7)


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """The model in a store of its own: (its information, the store's URI)."""
    folder = tmp_path_factory.mktemp("mlflow")
    before, uri = mlflow.get_tracking_uri(), f"sqlite:///{folder / 'runs.db'}"
    mlflow.set_tracking_uri(uri)
    try:
        experiment = mlflow.create_experiment("scoring", artifact_location=(folder / "artifacts").as_uri())
        with mlflow.start_run(experiment_id=experiment):
            info = log_scoring_explainer(save(classifier().scorer, folder / "bundle"))
        yield info, uri, mlflow.artifacts.download_artifacts(info.model_uri, dst_path=str(folder / "copy"))
    finally:
        mlflow.set_tracking_uri(before)


@pytest.fixture(scope="module")
def expected():
    with running(classifier()) as client:
        return client.post("/invocations", {"dataframe_records": records(ROWS)}).json


def test_the_model_is_code_and_a_bundle(logged):
    files = [name for _, _, names in os.walk(logged[2]) for name in names]
    assert "manifest.json" in files
    assert "scoring_model.py" in files
    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".joblib", ".cloudpickle"))]
    assert [column.name for column in logged[0].signature.inputs] == list(ROWS)


def test_a_loaded_model_answers_what_the_service_answers(logged, expected):
    model = mlflow.pyfunc.load_model(logged[2])
    rows = ROWS.assign(town=ROWS["town"].astype(str))
    pd.testing.assert_frame_equal(model.predict(rows), pd.DataFrame(expected["predictions"]))
    assert "local_importance.no.age" not in model.predict(rows, params={"explain": False})


def test_dates_and_several_targets_are_logged(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'runs.db'}")
    try:
        experiment = mlflow.create_experiment("dates", artifact_location=(tmp_path / "artifacts").as_uri())
        with mlflow.start_run(experiment_id=experiment):
            info = log_scoring_explainer(visits().scorer)
        assert [str(column.type) for column in info.signature.inputs][-2:] == ["DataType.datetime", "DataType.string"]
        rows = dated(7)
        given = rows.assign(town=rows["town"].astype(str), seen=rows["seen"].map(pd.Timestamp.isoformat))
        answer = mlflow.pyfunc.load_model(info.model_uri).predict(given)
    finally:
        mlflow.set_tracking_uri(before)
    wanted = visits().scorer.explain_local(rows)
    for k in range(2):
        assert answer[f"prediction.target {k}"].tolist() == wanted.predictions[:, k].tolist()
        assert answer[f"local_importance.target {k}.since"].tolist() == wanted.local_importance_values[k][:, 4].tolist()


@pytest.mark.slow
def test_mlflow_serves_the_numbers_of_the_service(logged, expected):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "models",
        "serve",
        "-m",
        logged[2],
        "-p",
        str(port),
        "--env-manager",
        "local",
    ]
    process = subprocess.Popen(command, env={**os.environ, "MLFLOW_TRACKING_URI": logged[1]}, start_new_session=True)
    try:
        client = Client(port)
        for _ in range(600):
            with contextlib.suppress(OSError):
                if client.get("/ping").status == 200:
                    break
            assert process.poll() is None
            time.sleep(0.1)
        for body in ({"dataframe_records": records(ROWS)}, {"dataframe_split": split(ROWS)}):
            assert client.post("/invocations", body, timeout=60).json == expected
        rows = ROWS.to_csv(index=False).encode()
        assert client.post("/invocations", rows, {"Content-Type": "text/csv"}, timeout=60).json == expected
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def split(rows):
    return {"columns": list(rows), "data": [list(row.values()) for row in records(rows)]}
