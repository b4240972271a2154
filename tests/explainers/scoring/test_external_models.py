"""Scoring explainers whose model is passed to `load`: same values, and another model is refused."""

import contextlib
import copy
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from automl_explain import (
    DeepExplainer,
    ExternalModelError,
    InvalidInputError,
    KernelExplainer,
    KernelScoringExplainer,
    ScoreFile,
    TabularExplainer,
    UnsupportedModelError,
    inspect_bundle,
    load,
    save,
    scoring_explainer,
)
from automl_explain.cli._main import main
from automl_explain.explainers.scoring.columns._native_format import NativeFormat
from tests.explainers.scoring.conftest import CASES, FRAME, X, Y, preparation
from tests.explainers.scoring.test_bundles import manifest_of, put_manifest, relisted, some_array
from tests.service.running import running

ROUNDING = 1e-12
IMAGES = np.random.default_rng(1).normal(size=(24, 1, 5, 5)).astype(np.float32)


class OwnNetwork(torch.nn.Module):
    """A perceptron with an operation of its own between its layers."""

    def __init__(self, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.first = torch.nn.Parameter(torch.randn(6, 8, generator=generator))
        self.last = torch.nn.Parameter(torch.randn(8, 1, generator=generator))

    def forward(self, rows):
        hidden = rows @ self.first
        return (torch.sin(hidden) * hidden.abs()) @ self.last


def convolutions(seed=0):
    generator = torch.Generator().manual_seed(seed)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3), torch.nn.GELU(), torch.nn.Flatten(), torch.nn.Linear(27, 3), torch.nn.Softmax(1)
    )
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.3)
    return network


def neighbours():
    return make_pipeline(preparation(), KNeighborsClassifier()).fit(FRAME, Y)


def perceptron_case():
    model = OwnNetwork()
    return model, DeepExplainer(model, X[:10].astype(np.float32)), X[20:24].astype(np.float32)


def neighbours_case(**options):
    model = neighbours()
    return model, TabularExplainer(model, FRAME[:30], **options), FRAME[30:36]


def convolutions_case(**options):
    model = convolutions()
    return model, DeepExplainer(model, torch.tensor(IMAGES[:6]), **options), IMAGES[20:22]


def mixing_case(**options):
    model = make_pipeline(PCA(3), LogisticRegression()).fit(X, Y)
    return model, TabularExplainer(model, X[:30], **options), X[30:36]


def function_case():
    model = KNeighborsClassifier().fit(X, Y)
    return model.predict_proba, KernelExplainer(model.predict_proba, X[:20], classes=["no", "yes"]), X[30:34]


def objects_case():
    """Text with None as its missing cell, which a one-hot encoder tells from NaN, and columns of other types."""
    frame = FRAME.assign(c=np.arange(300), d=FRAME["d"] > 0, town=FRAME["town"].astype(object))
    frame["town"] = frame["town"].where(frame["town"].notna(), None)
    model = make_pipeline(preparation(), KNeighborsClassifier()).fit(frame, Y)
    return model, TabularExplainer(model, frame[:30], feature_space="raw"), frame[30:36]


MODELS = {
    "neighbours": neighbours_case,
    "neighbours, raw columns": lambda: neighbours_case(feature_space="raw"),
    "convolutions": convolutions_case,
    "convolutions by groups": lambda: convolutions_case(players=(1,)),
    "convolutions along a path": lambda: convolutions_case(method="path", output="log_odds"),
    "own operation": perceptron_case,
    "preprocessing that mixes columns": mixing_case,
    "mixed raw columns": lambda: mixing_case(feature_space="raw"),
    "function": function_case,
    "None and other types": objects_case,
}
"""Name -> model, explainer and rows."""


@pytest.mark.parametrize("name", MODELS)
def test_values_equal_those_of_the_explainer(name, tmp_path):
    model, explainer, rows = MODELS[name]()
    wanted, scorer = explainer.explain_local(rows), scoring_explainer(explainer)
    loaded = load(save(scorer, tmp_path / "bundle.zip", model="external"), model=model)
    assert type(loaded) is type(scorer)
    assert loaded.fingerprint == scorer.fingerprint
    for one in (scorer, loaded):
        one.warm_up()
        found = one.explain_local(rows)
        for part in ("local_importance_values", "expected_values", "predictions"):
            assert np.allclose(getattr(found, part), getattr(wanted, part), rtol=0, atol=ROUNDING), part
        for part in ("features", "classes", "output_space", "method", "reason", "is_raw", "input_shapes"):
            assert getattr(found, part) == getattr(wanted, part), part


@pytest.fixture(scope="module")
def model():
    return neighbours()


@pytest.fixture(scope="module")
def scorer(model):
    return KernelScoringExplainer(TabularExplainer(model, FRAME[:30], feature_space="raw"))


@pytest.fixture
def bundle(scorer, tmp_path):
    return save(scorer, tmp_path / "bundle", model="external")


def test_rows_of_json_have_the_values_of_the_frame(scorer, bundle, model):
    loaded, rows = load(bundle, model=model), FRAME[30:33]
    records = json.loads(rows.to_json(orient="records"))
    assert np.array_equal(np.stack(loaded.explain(records)), np.stack(scorer.explain(rows)))
    with pytest.raises(InvalidInputError, match="column 'town'.*Paris"):
        loaded.explain(records[0] | {"town": "Paris"})


def test_a_missing_model_is_refused_with_what_to_pass(bundle):
    with pytest.raises(
        ExternalModelError, match=r"sklearn\.pipeline\.Pipeline.*load\(\.\.\., model=fitted\).*create_app"
    ):
        load(bundle)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (lambda: make_pipeline(preparation(), KNeighborsClassifier(3)).fit(FRAME, Y), "outputs"),
        (lambda: make_pipeline(preparation(), KNeighborsClassifier()).fit(FRAME, X[:, 0].round()), "outputs|task"),
        (lambda: KNeighborsClassifier().fit(X, Y), "cannot take"),
        (lambda: "a path", "cannot take"),
        (lambda: KNeighborsClassifier(), "cannot take"),
    ],
)
def test_another_model_is_refused(bundle, other, said):
    with pytest.raises(ExternalModelError, match=f"not the one that was explained: .*({said})"):
        load(bundle, model=other())


def test_a_network_is_recognised_by_every_weight(tmp_path):
    network, explainer, _ = convolutions_case()
    place = save(scoring_explainer(explainer), tmp_path / "bundle", model="external")
    load(place, model=copy.deepcopy(network))
    changed = copy.deepcopy(network)
    with torch.no_grad():
        changed[0].weight[0, 0, 0, 0] += 1e-7
    for other in (changed, convolutions(1)):
        with pytest.raises(ExternalModelError, match="its weights differ"):
            load(place, model=other)


@pytest.mark.parametrize("case", ["state", "outputs", "examples"])
def test_a_changed_fingerprint_is_refused(case, tmp_path):
    network, explainer, _ = perceptron_case()
    place = save(scoring_explainer(explainer), tmp_path / "bundle", model="external")
    if case == "state":
        manifest = manifest_of(place)
        manifest["explainer"]["external"]["state"] = "0" * 64
        put_manifest(place, manifest)
    else:
        array = some_array(place, f"external.{case}")
        np.save(array, np.load(array) + 1)
        with pytest.raises(InvalidInputError, match="hash of"):
            load(place, model=network)
        relisted(place, array)
    with pytest.raises(ExternalModelError):
        load(place, model=network)


def test_every_other_description_is_read_or_refused_with_a_typed_error(bundle, model):
    whole = manifest_of(bundle)
    for part in (whole["explainer"]["external"], whole["explainer"]["external"]["given"]):
        for key in list(part):
            value = part.pop(key)
            for other in (None, 7, "x", [], {}):
                put_manifest(bundle, whole)
                with contextlib.suppress(InvalidInputError):
                    load(bundle, model=model)
                part[key] = other
            part[key] = value
    for name in ("external.examples", "background"):
        array = some_array(bundle, name)
        np.save(array, np.load(array) + 1000)
        relisted(bundle, array)
        put = manifest_of(bundle)
        whole["files"] = put["files"]
        put_manifest(bundle, whole)
        with pytest.raises(InvalidInputError):
            load(bundle, model=model)


def test_a_model_is_refused_where_none_is_needed(tmp_path):
    scorer = scoring_explainer(CASES["linear"]()[0])
    with pytest.raises(InvalidInputError, match="needs no model"):
        save(scorer, tmp_path / "bundle", model="external")
    with pytest.raises(ExternalModelError, match="holds its model"):
        load(save(scorer, tmp_path / "bundle"), model=LogisticRegression())


def test_other_values_of_model_are_refused(scorer, tmp_path):
    with pytest.raises(InvalidInputError, match="'external', 'skops', 'onnx', .*, or left out. Got 'joblib'"):
        save(scorer, tmp_path / "bundle", model="joblib")


def test_a_column_that_holds_none_and_nan_is_refused():
    frame = pd.DataFrame({"a": np.arange(20.0), "b": pd.Series(["x", None, np.nan, "y"] * 5, dtype=object)})

    def tells_apart(rows):
        return rows["a"].to_numpy() + [cell is None for cell in rows["b"]]

    with pytest.raises(InvalidInputError, match="None and NaN"):
        scoring_explainer(TabularExplainer(tells_apart, frame))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (pd.to_timedelta(range(20), unit="D"), "'day' holds durations; convert it to numbers"),
        (pd.date_range("2020-01-01", periods=20).date, "'day' holds dates as Python objects; convert it by pandas"),
    ],
)
def test_durations_and_dates_as_objects_are_refused(cells, message):
    frame = pd.DataFrame({"a": np.arange(20.0), "day": cells})
    with pytest.raises(UnsupportedModelError, match=message):
        scoring_explainer(TabularExplainer(lambda rows: rows["a"].to_numpy(), frame))


@pytest.mark.parametrize("dtype", ["datetime64[ns]", "datetime64[s]", "datetime64[us, Europe/Paris]"])
def test_a_model_that_reads_dates_itself_gets_them_as_they_were(dtype, tmp_path):
    hours = pd.Series(pd.date_range("2024-03-30", periods=40, freq="h"))
    days = hours.dt.tz_localize("UTC").dt.tz_convert("Europe/Paris") if "," in dtype else hours
    frame = pd.DataFrame({"a": np.arange(40.0), "when": days.astype(dtype)})
    frame.loc[3, "when"] = pd.NaT

    def model(rows):
        assert str(rows["when"].dtype) == dtype
        return rows["a"].to_numpy() + rows["when"].dt.hour.fillna(-1.0).to_numpy()

    explainer = TabularExplainer(model, frame[:20])
    path = save(scoring_explainer(explainer), tmp_path / "bundle", model="external")
    wanted = explainer.explain_local(frame).local_importance_values
    loaded = load(path, model=model)
    assert np.array_equal(loaded.explain(frame), wanted)
    records = json.loads(frame.to_json(orient="records", date_format="iso"))
    assert np.array_equal(loaded.explain(records), wanted)


def test_functions_of_tensors_are_refused():
    network = convolutions()
    with pytest.raises(UnsupportedModelError, match="explain a module"):
        scoring_explainer(DeepExplainer(lambda images: network(images)[:, :2] * 2, torch.tensor(IMAGES[:6])))


def test_a_stored_type_is_one_of_a_few():
    stored = NativeFormat.of_json(
        {
            "columns": [{"name": "a", "dtype": "float64", "categories": None, "missing": True}],
            "named": True,
            "container": "frame",
            "labels": ["a"],
            "empty": [False],
            "ordered": [False],
        }
    ).as_json()
    stored["columns"][0]["dtype"] = "O,os.system"
    with pytest.raises(InvalidInputError, match="damaged"):
        NativeFormat.of_json(stored)


def test_commands_say_that_a_model_has_to_be_passed(bundle, capsys, tmp_path):
    rows = tmp_path / "rows.csv"
    FRAME[:3].to_csv(rows, index=False)
    assert main(["inspect", str(bundle)]) == 0
    assert "needs: the fitted model, sklearn.pipeline.Pipeline, passed to load" in capsys.readouterr().out
    assert main(["verify", str(bundle)]) == 0
    assert "whole, not signed; no row was explained, since it needs the fitted model" in capsys.readouterr().out
    assert main(["verify", str(bundle), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["external"] == "sklearn.pipeline.Pipeline"
    for command in (["score", str(bundle), "--data", str(rows)], ["serve", str(bundle)]):
        assert main(command) == 2
        assert "create_app(load(..., model=fitted))" in capsys.readouterr().err
    with pytest.raises(ExternalModelError):
        ScoreFile(bundle)
    some_array(bundle, "external.outputs").write_bytes(b"")
    assert main(["verify", str(bundle)]) == 2


def test_the_service_answers_with_the_model_that_own_code_passes(bundle, model, scorer):
    with running(load(bundle, model=model)) as client:
        answer = client.post("/score", json.loads(FRAME[30:33].to_json(orient="records")))
    assert answer.status == 200
    found = np.array(answer.json["local_importance_values"])
    assert np.allclose(found, np.stack(scorer.explain(FRAME[30:33])), rtol=0, atol=ROUNDING)


def test_a_class_path_of_a_bundle_is_not_imported(bundle):
    manifest = manifest_of(bundle)
    manifest["explainer"]["external"]["class_path"] = "antigravity.Model"
    put_manifest(bundle, manifest)
    code = (
        "import sys\nfrom automl_explain import inspect_bundle, load\n"
        "from automl_explain import ExternalModelError\n"
        "assert inspect_bundle(sys.argv[1])['external'] == 'antigravity.Model'\n"
        "try:\n    load(sys.argv[1])\nexcept ExternalModelError as error:\n    assert 'antigravity' in str(error)\n"
        "assert 'antigravity' not in sys.modules and 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(bundle)], check=True, timeout=120)
    assert inspect_bundle(bundle)["kind"] == "kernel"
