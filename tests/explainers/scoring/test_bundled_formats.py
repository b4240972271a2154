"""Models without a form as data that a bundle keeps: every format of the table gives the explainer's values, or says why not."""

import json
import pickle
import runpy

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline

from automl_explain import (
    ExternalModelError,
    InvalidInputError,
    ScoreFile,
    TabularExplainer,
    UnsupportedModelError,
    UntrustedModelError,
    export_service,
    inspect_bundle,
    load,
    load_model,
    save,
    scoring_explainer,
)
from automl_explain.cli import main
from automl_explain.explainers.bundles._manifest import KEY_VARIABLE
from automl_explain.integrations.model_files._bundled_formats import BUNDLED_FORMATS
from tests.explainers.scoring.conftest import FRAME, Y3, X, Y, preparation
from tests.explainers.scoring.test_bundles import relisted
from tests.service.running import running

catboost = pytest.importorskip("catboost")
skl2onnx = pytest.importorskip("skl2onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("skops")


def threshold(rows):
    """A function of this module, which a pickle names."""
    return (rows[:, 0] > 0) + rows[:, 1]


def neighbours(folder):
    return make_pipeline(preparation(), KNeighborsClassifier()).fit(FRAME, Y), FRAME


def onnx_forest(folder):
    rows = X.astype(np.float32)
    forest = RandomForestClassifier(5, random_state=0).fit(rows, np.array(["a", "b", "c"])[Y3])
    (folder / "forest.onnx").write_bytes(skl2onnx.to_onnx(forest, rows[:1]).SerializeToString())
    return load_model(folder / "forest.onnx"), rows


def linear_leaves(folder):
    coded = FRAME.assign(town=FRAME["town"].astype("category"))
    return LGBMClassifier(n_estimators=5, linear_tree=True, verbose=-1, random_state=0).fit(coded, Y), coded


def statistics_of_categories(folder):
    """CatBoost's trees split on target statistics of towns and shops together, which are no columns."""
    towns, shops = np.random.default_rng(0).integers(0, 6, (2, 300))
    rows = pd.DataFrame({"town": [f"town {town}" for town in towns], "shop": shops.astype(str), "a": X[:, 0]})
    model = catboost.CatBoostClassifier(
        iterations=20,
        verbose=0,
        cat_features=["town", "shop"],
        one_hot_max_size=2,
        max_ctr_complexity=4,
        allow_writing_files=False,
    )
    return model.fit(rows, (towns % 2 == shops % 2).astype(int)), rows


def own_function(folder):
    return (lambda rows: np.sin(rows[:, 0]) + rows[:, 1]), X


MODELS = {
    "skops": neighbours,
    "onnx": onnx_forest,
    "lightgbm": linear_leaves,
    "catboost": statistics_of_categories,
    "pickle": own_function,
}
"""Format -> model and rows."""


@pytest.fixture(autouse=True)
def _signed(monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "a key")


def bundle_of(name, folder):
    model, rows = MODELS[name](folder)
    explainer = TabularExplainer(model, rows[:20], feature_space="raw")
    allow = name == "pickle"
    path = save(scoring_explainer(explainer), folder / "bundle", model=name, allow_pickle=allow)
    return path, explainer, rows[30:34]


def test_every_format_of_the_table_is_tried():
    assert list(MODELS) == [form.name for form in BUNDLED_FORMATS]


@pytest.mark.parametrize("name", MODELS)
def test_values_equal_those_of_the_explainer_without_a_model(name, tmp_path):
    path, explainer, rows = bundle_of(name, tmp_path)
    wanted, loaded = explainer.explain_local(rows), load(path, allow_pickle=name == "pickle")
    found = loaded.explain_local(rows)
    for part in ("local_importance_values", "expected_values", "predictions"):
        np.testing.assert_allclose(getattr(found, part), getattr(wanted, part), rtol=0, atol=1e-12)
    assert found.classes == wanted.classes
    stored = inspect_bundle(path)["model_file"]
    assert stored["format"] == name
    again = save(loaded, tmp_path / "again.zip", allow_pickle=name == "pickle")  # the form of the bundle is kept
    assert inspect_bundle(again)["model_file"] == stored
    with pytest.raises(ExternalModelError, match="holds its model"):
        load(path, model=explainer)


@pytest.mark.parametrize("name", ["lightgbm", "catboost"])
def test_native_files_are_written_and_read_with_a_key_only(name, tmp_path, monkeypatch):
    path, explainer, _ = bundle_of(name, tmp_path)
    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(UntrustedModelError, match=f"signed bundles only.*{KEY_VARIABLE}"):
        load(path)
    with pytest.raises(UnsupportedModelError, match=f"signed bundles only.*{KEY_VARIABLE}"):
        save(scoring_explainer(explainer), tmp_path / "other", model=name)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["onnx", "lightgbm", "catboost"])
def test_a_format_refuses_other_models_and_says_what_it_holds(name, tmp_path):
    scorer = scoring_explainer(TabularExplainer(KNeighborsRegressor().fit(X, Y), X[:20]))
    with pytest.raises(UnsupportedModelError, match=f"KNeighborsRegressor is no model of .*model='{name}' holds"):
        save(scorer, tmp_path / "bundle", model=name)
    with pytest.raises(UnsupportedModelError, match="model='skops' holds.*model='onnx' holds.*'external'.*Mimic"):
        save(scorer, tmp_path / "bundle")


def with_model(bundle, content):
    """Put another model into a bundle, as its manifest's author could."""
    place = next(path for path in bundle.rglob("model.*") if path.suffix != ".npy")
    place.write_bytes(content)
    relisted(bundle, place)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x07\x12\xff\xff\xff\x7f"])
def test_a_damaged_onnx_file_is_refused(content, tmp_path, monkeypatch, capfd):
    monkeypatch.delenv(KEY_VARIABLE)
    path, _, _ = bundle_of("onnx", tmp_path)
    with_model(path, content)
    with pytest.raises(ExternalModelError, match="a file of onnx, is damaged"):
        load(path)
    assert capfd.readouterr() == ("", "")


def test_an_onnx_file_reads_no_other_file(tmp_path, monkeypatch):
    onnx = pytest.importorskip("onnx")
    monkeypatch.delenv(KEY_VARIABLE)
    network = onnx.load(_matrix_product(tmp_path / "own.onnx"))
    onnx.save_model(network, tmp_path / "split.onnx", save_as_external_data=True, location="arrays", size_threshold=0)
    model = load_model(tmp_path / "split.onnx")
    rows = X.astype(np.float32)
    np.testing.assert_allclose(model.predict(rows), rows.sum(axis=1), atol=1e-5)
    scorer = scoring_explainer(TabularExplainer(model, rows[:10]))
    with pytest.raises(UnsupportedModelError, match="arrays outside its file"):
        save(scorer, tmp_path / "bundle", model="onnx")
    whole = scoring_explainer(TabularExplainer(load_model(tmp_path / "own.onnx"), rows[:10]))
    path = save(whole, tmp_path / "bundle", model="onnx")
    (path.parent / "arrays").replace(path / "arrays")
    with_model(path, (tmp_path / "split.onnx").read_bytes())
    monkeypatch.chdir(path)
    with pytest.raises(ExternalModelError):
        load(path)


def _matrix_product(path):
    from onnx import TensorProto, helper, numpy_helper, save_model

    weights = numpy_helper.from_array(np.ones((6, 1), np.float32), "weights")
    node = helper.make_node("MatMul", ["rows", "weights"], ["out"])
    shapes = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, k]) for n, k in (("rows", 6), ("out", 1))]
    graph = helper.make_graph([node], "product", shapes[:1], shapes[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    save_model(model, path)
    return path


# ---------------------------------------------------------------------------------------------------------- pickles


class Runs:
    """A pickle of it runs code when it is loaded."""

    def __reduce__(self):
        return pytest.fail, ("the pickle was loaded",)


def test_a_pickle_is_neither_written_nor_read_unasked(tmp_path):
    path, explainer, _ = bundle_of("pickle", tmp_path)
    with pytest.raises(UntrustedModelError, match="allow_pickle=True to save"):
        save(scoring_explainer(explainer), tmp_path / "other", model="pickle")
    with pytest.raises(UntrustedModelError, match="allow_pickle=True to save"):
        save(load(path, allow_pickle=True), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_no_call_or_command_runs_a_pickle_unasked(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv(KEY_VARIABLE)
    path, _, rows = bundle_of("pickle", tmp_path)
    with_model(path, pickle.dumps(Runs()))
    pd.DataFrame(rows, columns=[f"x{j}" for j in range(6)]).to_csv(tmp_path / "rows.csv", index=False)
    for act in (load, ScoreFile, lambda bundle: export_service(bundle, tmp_path / "image")):
        with pytest.raises(UntrustedModelError, match=r"allow_pickle=True\) in Python, --allow-pickle in the terminal"):
            act(path)
    assert inspect_bundle(path)["model_file"]["runs_code"]
    data = str(tmp_path / "rows.csv")
    for command in (["verify"], ["serve"], ["score", "--data", data], ["explain", "--data", data]):
        assert main([command[0], str(path), *command[1:]]) == 2
        assert "holds its model as a pickle" in capsys.readouterr().err
    assert main(["inspect", str(path)]) == 0
    assert "as pickle; loading it runs its author's code: --allow-pickle" in capsys.readouterr().out


def test_commands_take_a_pickle_that_is_allowed(tmp_path, capsys):
    path, explainer, rows = bundle_of("pickle", tmp_path)
    pd.DataFrame(rows, columns=[f"x{j}" for j in range(6)]).to_csv(tmp_path / "rows.csv", index=False)
    assert main(["verify", str(path), "--allow-pickle"]) == 0
    capsys.readouterr()
    assert main(["score", str(path), "--data", str(tmp_path / "rows.csv"), "--allow-pickle", "--json"]) == 0
    found = [row["prediction"] for row in json.loads(capsys.readouterr().out)["rows"]]
    wanted = explainer.explain_local(rows).predictions[:, 0]
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    with running(load(path, allow_pickle=True)) as client:
        answer = client.post(
            "/score", [dict(zip((f"x{j}" for j in range(6)), row, strict=True)) for row in rows.tolist()]
        )
    np.testing.assert_allclose(answer.json["predictions"], wanted, atol=1e-12)


def test_the_image_of_a_pickle_allows_it_and_has_its_packages(tmp_path):
    model, rows = neighbours(tmp_path)
    scorer = scoring_explainer(TabularExplainer(model, rows[:20], feature_space="raw"))
    path = save(scorer, tmp_path / "bundle", model="pickle", allow_pickle=True)
    folder = export_service(path, tmp_path / "image", allow_pickle=True)
    assert "scikit-learn" in inspect_bundle(path)["model_file"]["packages"]
    assert '"8000", "--allow-pickle"]' in (folder / "Dockerfile").read_text()
    assert "--port 8000 --allow-pickle\n" in (folder / "automl-explain.service").read_text()
    score = runpy.run_path(str(folder / "score.py"))
    score["init"]()
    assert len(score["run"](rows[:3].to_json(orient="records"))["predictions"]) == 3


def test_a_module_that_no_package_installs_is_named_when_an_image_is_made(tmp_path):
    path = save(
        scoring_explainer(TabularExplainer(threshold, X[:20])), tmp_path / "b", model="pickle", allow_pickle=True
    )
    assert "tests" in inspect_bundle(path)["model_file"]["packages"]
    with pytest.raises(InvalidInputError, match="needs tests, which no installed package provides"):
        export_service(path, tmp_path / "image", allow_pickle=True)


def test_what_cannot_be_pickled_is_refused(tmp_path):
    with (tmp_path / "open").open("w") as stream:
        scorer = scoring_explainer(TabularExplainer(lambda rows: rows[:, 0] + bool(stream.closed), X[:20]))
        with pytest.raises(UnsupportedModelError, match="cannot be pickled"):
            save(scorer, tmp_path / "bundle", model="pickle", allow_pickle=True)
