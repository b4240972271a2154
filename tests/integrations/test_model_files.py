"""Model files: each format gives the model that was written, and nothing of a file runs unasked."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from automl_explain import InvalidInputError, UntrustedModelError, explain_model, load_model
from automl_explain.integrations.model_files._rows_of_model import rows_of_model

catboost = pytest.importorskip("catboost")
skops = pytest.importorskip("skops.io")


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(3)
    X = pd.DataFrame(
        {"plan": rng.choice(["basic", "pro"], 300), "calls": rng.poisson(2, 300), "fee": rng.normal(size=300)}
    )
    return X, (X.calls + (X.plan == "basic") + rng.normal(size=300) > 2).astype(int)


def native(X):
    return X.astype({"plan": "category"})


def lightgbm_file(X, y, folder):
    model = LGBMClassifier(n_estimators=10, verbose=-1).fit(native(X), y)
    model.booster_.save_model(folder / "model.txt")
    return folder / "model.txt", model.predict_proba(native(X))


def xgboost_file(ending):
    def write(X, y, folder):
        model = XGBClassifier(n_estimators=10, enable_categorical=True).fit(native(X), y)
        model.save_model(folder / f"model.{ending}")
        return folder / f"model.{ending}", model.predict_proba(native(X))

    return write


def catboost_file(X, y, folder):
    model = catboost.CatBoostClassifier(iterations=10, verbose=0, cat_features=["plan"], allow_writing_files=False)
    model.fit(X, y).save_model(str(folder / "model.cbm"))
    return folder / "model.cbm", model.predict_proba(X)


FILES = {
    "LightGBM": lightgbm_file,
    "XGBoost, JSON": xgboost_file("json"),
    "XGBoost, UBJSON": xgboost_file("ubj"),
    "CatBoost": catboost_file,
}


@pytest.mark.parametrize("name", FILES)
def test_a_native_file_is_explained_as_the_model_that_was_written(name, people, tmp_path):
    X, y = people
    path, probabilities = FILES[name](X, y, tmp_path)
    model = load_model(path)
    rows = rows_of_model(model, X.assign(customer=1)[["customer", "fee", "plan", "calls"]], "rows.csv")
    assert list(rows.columns) == ["plan", "calls", "fee"]
    explained = explain_model(model, rows, rows, output="probability").explanation
    np.testing.assert_allclose(explained.predictions, probabilities, atol=1e-6)


def test_skops_files_of_scikit_learn_are_loaded_and_other_types_only_if_trusted(people, tmp_path):
    X, y = people
    numbers = X[["calls", "fee"]]
    own = make_pipeline(StandardScaler(), LogisticRegression()).fit(numbers, y)
    skops.dump(own, tmp_path / "own.skops")
    np.testing.assert_array_equal(load_model(tmp_path / "own.skops").predict_proba(numbers), own.predict_proba(numbers))
    skops.dump(LGBMClassifier(n_estimators=3, verbose=-1).fit(numbers, y), tmp_path / "other.skops")
    with pytest.raises(UntrustedModelError, match=r"lightgbm\.sklearn\.LGBMClassifier.*--trust") as refused:
        load_model(tmp_path / "other.skops")
    types = str(refused.value).partition("not trust: ")[2].partition(". Loading")[0].split(", ")
    assert load_model(tmp_path / "other.skops", trusted=types).n_features_in_ == 2


class Runs:
    """A pickle of it runs code when it is loaded."""

    def __reduce__(self):
        return pytest.fail, ("the pickle was loaded",)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("model.pkl", lambda path: path.write_bytes(pickle.dumps(Runs()))),
        ("model.joblib", lambda path: joblib.dump(Runs(), path, compress=3)),
        ("model", lambda path: path.write_bytes(pickle.dumps(Runs()))),
    ],
)
def test_a_pickle_is_loaded_on_request_only(name, write, people, tmp_path):
    write(tmp_path / name)
    with pytest.raises(UntrustedModelError, match="is a pickle.*allow_pickle=True"):
        load_model(tmp_path / name)
    X, y = people
    forest = RandomForestClassifier(3, random_state=0).fit(X[["calls"]], y)
    joblib.dump(forest, tmp_path / "mine.pkl")
    assert load_model(tmp_path / "mine.pkl", allow_pickle=True).n_features_in_ == 1


def test_onnx_models_are_functions_of_columns(people, tmp_path):
    onnx = pytest.importorskip("skl2onnx")
    pytest.importorskip("onnxruntime")
    X, y = people
    matrix = X[["calls", "fee"]].to_numpy(np.float32)
    labels = np.where(y == 1, "yes", "no")
    forest = RandomForestClassifier(5, random_state=0).fit(matrix, labels)
    (tmp_path / "forest.onnx").write_bytes(onnx.to_onnx(forest, matrix[:1]).SerializeToString())
    model = load_model(tmp_path / "forest.onnx")
    assert (model.n_features_in_, model.classes_.tolist()) == (2, ["no", "yes"])
    explained = explain_model(model, matrix[:20], matrix[:10]).explanation
    true = explain_model(forest, matrix[:20], matrix[:10]).explanation
    assert explained.classes == ("no", "yes")
    np.testing.assert_allclose(explained.local_importance_values, true.local_importance_values, atol=1e-6)

    trees = GradientBoostingRegressor(n_estimators=5).fit(matrix, X.fee)
    (tmp_path / "trees.onnx").write_bytes(onnx.to_onnx(trees, matrix[:1]).SerializeToString())
    np.testing.assert_allclose(load_model(tmp_path / "trees.onnx").predict(matrix), trees.predict(matrix), atol=1e-5)

    named = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[["calls", "fee"]].astype(np.float32), labels)
    (tmp_path / "named.onnx").write_bytes(
        onnx.to_onnx(named, X[["calls", "fee"]].astype(np.float32)[:1]).SerializeToString()
    )
    model = load_model(tmp_path / "named.onnx")
    rows = rows_of_model(model, X, "rows.csv")
    assert list(rows.columns) == ["calls", "fee"]
    np.testing.assert_allclose(model.predict_proba(rows), named.predict_proba(rows), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.cbm", b"not a model", "CatBoost"),
        ("model.skops", b"not a model", "skops"),
        ("model.onnx", b"not a model", "ONNX"),
        ("model.txt", b"tree\nversion=v9", "LightGBM"),
        ("model.json", b'{"learner": 1}', "XGBoost"),
        ("model.bin", b"anything", "is no model file"),
    ],
)
def test_damaged_files_are_one_error(name, content, said, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInputError, match=said):
        load_model(tmp_path / name)
