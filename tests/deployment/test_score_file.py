"""The score file that is exported, and that of the document with only its imports changed."""

import io
import json
import runpy
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest

from automl_explain import ScoreFile, export_service, load, save
from automl_explain.explainers._errors import ColumnMismatchError, InvalidInputError
from tests.service.models import classifier, fitted, records, table
from tests.service.running import running

DOCUMENT = """
def init():

    global original_model
    global scoring_model

    # retrieve the path to the model file using the model name
    # assume original model is named original_prediction_model
    original_model_path = Model.get_model_path('original_prediction_model')
    scoring_explainer_path = Model.get_model_path('my_scoring_explainer')

    original_model = joblib.load(original_model_path)
    scoring_explainer = joblib.load(scoring_explainer_path)

def run(raw_data):
    # get predictions and explanations for each data point
    data = pd.read_json(raw_data)
    # make prediction
    predictions = original_model.predict(data)
    # retrieve model explanations
    local_importance_values = scoring_explainer.explain(data)
    # you can return any data type as long as it is JSON-serializable
    return {'predictions': predictions.tolist(), 'local_importance_values': local_importance_values}
"""
"""The functions of the document's score.py."""
CHANGES = {
    "global scoring_model": "global scoring_explainer",  # a slip: run() reads the other name
    "joblib.load(scoring_explainer_path)": "load(scoring_explainer_path)",  # no pickle, but the document's own `load`
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save(classifier().scorer, tmp_path_factory.mktemp("score") / "loans")


def test_the_exported_score_file_answers_as_the_service_does(bundle, tmp_path, rows, monkeypatch):
    folder = export_service(bundle, tmp_path / "image")
    names = runpy.run_path(str(folder / "score.py"))
    names["init"]()
    answer = names["run"](json.dumps(records(rows)))
    with running({"model": classifier()}) as client:
        assert client.post("/score", records(rows)).json == json.loads(json.dumps(answer))
    (tmp_path / "registered" / "bundle").parent.mkdir()
    (folder / "bundle").rename(tmp_path / "registered" / "bundle")
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(tmp_path / "registered"))
    names["init"]()
    assert names["run"](rows.to_json()) == answer


@pytest.fixture
def rows():
    return table(4).round(4)


@pytest.mark.parametrize(
    ("body", "error"), [("[{}]", ColumnMismatchError), ("{", InvalidInputError), ("3", InvalidInputError)]
)
def test_a_score_file_refuses_what_the_service_refuses(bundle, body, error):
    with pytest.raises(error):
        ScoreFile(bundle).run(body)


def test_the_document_s_score_file_runs_with_other_imports(bundle, tmp_path, rows):
    code = DOCUMENT
    for before, after in CHANGES.items():
        assert code.count(before) == 1
        code = code.replace(before, after)
    joblib.dump(fitted(), tmp_path / "model")
    paths = {"original_prediction_model": tmp_path / "model", "my_scoring_explainer": bundle}
    names = {"joblib": joblib, "load": load, "pd": pd, "Model": SimpleNamespace(get_model_path=paths.get)}
    exec(compile(code, "score.py", "exec"), names)
    names["init"]()
    answer = names["run"](io.StringIO(rows.to_json()))
    assert answer["predictions"] == fitted().predict(rows).tolist()
    np.testing.assert_array_equal(answer["local_importance_values"], load(bundle).explain(rows))


def test_the_document_s_request_is_answered(rows):
    with running(classifier()) as client:
        answer = client.send("POST", "/score", rows.to_json(), {"Content-Type": "application/json"}).json
    assert answer["predictions"] == fitted().predict(rows).tolist()
    assert np.shape(answer["local_importance_values"]) == (2, 4, 4)
