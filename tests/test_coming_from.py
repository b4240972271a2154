"""The pages for those who come from other tools: every call in the right-hand column of their tables runs."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import automl_explain
from automl_explain import explain_model
from automl_explain.integrations.flaml import AutoML

pytestmark = pytest.mark.slow

PAGES = Path(__file__).parents[1] / "docs" / "coming_from"


def calls():
    """Yield each page's name with the calls of its first table."""
    for page in sorted(PAGES.glob("*.md")):
        table = re.search(
            r"^\| .* \| automl-explain \|\n\|---.*\n((?:\|.*\n)+)", page.read_text(encoding="utf-8"), re.MULTILINE
        )
        if table is None:
            assert page.stem == "index", f"{page} has no table of calls"
            continue
        for line in table[1].splitlines():
            call = re.fullmatch(r"\| .* \| `(.*)` \|", line)
            assert call, f"{page.name}: the last cell is not one call: {line}"
            yield pytest.param(page.stem, call[1], id=f"{page.stem}: {call[1]}")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """What the pages call `model`, `X_train`, `X_test` and so on."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X = X.iloc[:, :6]
    X_train, X_test, y_test = X[:60], X[60:70], y[60:70]
    model = LGBMClassifier(n_estimators=5, verbose=-1).fit(X[:200], y[:200])
    names, classes = list(X.columns), ["malignant", "benign"]
    prepare = ColumnTransformer([("scaled", StandardScaler(), names)]).fit(X)
    step = LogisticRegression().fit(prepare.transform(X), y)
    pipeline = make_pipeline(prepare, step)
    texts = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(["good film", "bad film"] * 5, [1, 0] * 5)
    explained = explain_model(model, X_train, X_test)
    return {
        **{name: getattr(automl_explain, name) for name in automl_explain.__all__},
        "AutoML": AutoML, "model": model, "predictor": model,  # AutoGluon's own: tests/integrations/test_other_automls.py
        "X_train": X_train, "X_test": X_test, "y_test": y_test,
        "names": names, "name": names[0],
        "classes": classes, "prepare": prepare, "step": step, "function": lambda rows: model.predict_proba(rows)[:, 1],
        "explainer": automl_explain.TabularExplainer(model, X_train), "explained": explained,
        "pipeline_explanation": automl_explain.TabularExplainer(pipeline, X_train).explain_global(X_test),
        "text": "a good film", "classify": texts.predict_proba, "images": np.random.default_rng(0).random((2, 16, 16)),
        "classify_images": lambda images: np.stack([images.mean((1, 2)), 1 - images.mean((1, 2))], 1),
    }  # fmt: skip


@pytest.fixture(scope="module")
def searched(shared, tmp_path_factory):
    """A finished FLAML search, as `automl`."""
    automl = AutoML(model_explainability=True, history=tmp_path_factory.mktemp("history"))
    X, y = shared["X_train"], [0, 1] * 30
    settings = {"time_budget": 30, "max_iter": 2, "estimator_list": ["lgbm"], "verbose": 0}
    automl.fit(X, np.array(y), X_val=X, y_val=np.array(y), task="classification", **settings)
    return automl


@pytest.mark.filterwarnings("ignore::automl_explain.AutoMLExplainWarning")
@pytest.mark.parametrize(("page", "call"), list(calls()))
def test_the_call_runs(page, call, shared, tmp_path, monkeypatch, request):
    monkeypatch.setenv("AUTOML_EXPLAIN_HISTORY", str(tmp_path / "history"))
    found = {**shared, "path": tmp_path / "written"}
    if "automl." in call or "(automl)" in call:
        found["automl"] = request.getfixturevalue("searched")
    if call.startswith("from "):
        exec(call, found)
        return
    try:
        answer = eval(call, found)
    finally:
        plt.close("all")
    if call.endswith(".serve()"):
        answer.stop()
