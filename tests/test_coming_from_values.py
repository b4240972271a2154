"""The pages for those who come from other tools: each row of their second tables, on shapes, classes and units, is true."""

import inspect
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shap
from lightgbm import LGBMClassifier, LGBMRegressor
from lime.lime_tabular import LimeTabularExplainer
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import automl_explain as ae
from automl_explain.integrations.flaml import AutoML

PAGES = Path(__file__).parents[1] / "docs" / "coming_from"
CHECKS = {}


def row(page, name):
    """Mark the function that checks a row of a page's second table."""
    return lambda check: CHECKS.setdefault((page, name), check)


def rows_of_tables():
    for page in sorted(PAGES.glob("*.md")):
        tables = re.findall(
            r"^\|  \| |^\| \| .*\n\|---.*\n((?:\|.*\n)+)", page.read_text(encoding="utf-8"), re.MULTILINE
        )
        for table in tables:
            yield from ((page.stem, re.match(r"\| (.*?) \|", line)[1]) for line in table.splitlines())


def test_every_row_has_a_check():
    assert sorted(CHECKS) == sorted(rows_of_tables())


@pytest.fixture(scope="module")
def regression():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    return LGBMRegressor(n_estimators=10, verbose=-1).fit(X, y), X[:80], X[80:90], y[80:90]


@pytest.fixture(scope="module")
def three():
    X, y = load_iris(return_X_y=True, as_frame=True)
    names = y.map({0: "setosa", 1: "versicolor", 2: "virginica"})
    return LGBMClassifier(n_estimators=10, verbose=-1).fit(X, names), X[::3], X[1::10], names[1::10]


@pytest.fixture(scope="module")
def two(three):
    _, background, rows, _ = three
    X, y = load_iris(return_X_y=True, as_frame=True)
    return LGBMClassifier(n_estimators=10, verbose=-1).fit(X, y == 1), background, rows, None


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A FLAML search over a table with categories, with a stack at its end."""
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    X = X.assign(sex=pd.Categorical(np.where(X["sex"] > 0, "one", "other")))
    automl = AutoML(model_explainability=True, history=tmp_path_factory.mktemp("history"))
    automl.fit(
        X[:300], y[:300], X_val=X[300:], y_val=y[300:], task="regression", time_budget=60, max_iter=4, ensemble=True,
        estimator_list=["lgbm", "rf"], learner_selector="roundrobin", seed=0, verbose=0,
    )  # fmt: skip
    return automl, X


@pytest.fixture
def data(request):
    return request.getfixturevalue


# ------------------------------------------------------------------ shap


@row("shap", "regression")
def _(data, path):
    model, background, rows, _ = data("regression")
    ours = ae.TreeExplainer(model, background).explain_local(rows).local_importance_values
    theirs = shap.TreeExplainer(model, background)(rows).values
    assert ours.shape == theirs.shape == rows.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-3)  # shap's thresholds are float32


@row("shap", "binary boosters")
def _(data, path):
    model, background, rows, _ = data("two")
    ours = ae.TreeExplainer(model, background).explain_local(rows).local_importance_values
    theirs = shap.TreeExplainer(model, background)(rows).values
    assert (ours.shape, theirs.shape) == ((2, *rows.shape), rows.shape)
    np.testing.assert_allclose(ours[1], theirs, atol=1e-3)
    np.testing.assert_array_equal(ours[0], -ours[1])


@row("shap", "other classifications")
def _(data, path):
    model, background, rows, _ = data("three")
    ours = ae.TreeExplainer(model, background).explain_local(rows)
    theirs = shap.TreeExplainer(model, background)(rows).values
    assert ours.local_importance_values.shape == (3, *rows.shape)
    assert ours.to_shap().values.shape == theirs.shape == (*rows.shape, 3)
    np.testing.assert_allclose(ours.to_shap().values, theirs, atol=1e-3)


@row("shap", "classes")
def _(data, path):
    model, background, rows, _ = data("three")
    assert list(ae.TreeExplainer(model, background).explain_local(rows).classes) == list(model.classes_)


@row("shap", "unit")
def _(data, path):
    model, background, rows, _ = data("two")
    assert ae.TreeExplainer(model, background).explain_local(rows).output_space == "log_odds"
    assert (
        ae.TabularExplainer(model, background, output="probability").explain_local(rows).output_space == "probability"
    )


@row("shap", "base value")
def _(data, path):
    model, background, rows, _ = data("regression")
    ours = ae.TreeExplainer(model, background).explain_local(rows).expected_values
    assert ours[0] == pytest.approx(model.predict(background).mean())
    assert ours[0] == pytest.approx(shap.TreeExplainer(model, background).expected_value, rel=1e-5)


@row("shap", "absent cells")
def _(data, path):
    model, _, rows, _ = data("regression")
    X = load_diabetes(return_X_y=True, as_frame=True)[0]
    assert ae.TreeExplainer(model, X).explain_local(rows).expected_values[0] == pytest.approx(model.predict(X).mean())
    assert shap.TreeExplainer(model, X).data.shape[0] == 100


# ------------------------------------------------------------------ LIME


@row("lime", "rows")
def _(data, path):
    model, background, rows, _ = data("three")
    assert ae.LIMEExplainer(model, background).explain_local(rows).local_importance_values.shape == (3, *rows.shape)


@row("lime", "classes")
def _(data, path):
    model, background, rows, _ = data("three")
    theirs = LimeTabularExplainer(background.to_numpy(), random_state=0)

    def predict(cells):
        return model.predict_proba(pd.DataFrame(cells, columns=rows.columns))

    explained = theirs.explain_instance(rows.to_numpy()[0], predict)
    assert list(explained.local_exp) == [1]
    assert list(ae.LIMEExplainer(model, background).explain_local(rows).classes) == list(model.classes_)


@row("lime", "categories")
def _(data, path):
    table = pd.DataFrame({"town": ["York", "Leeds"] * 30, "age": np.arange(60.0)})
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["town"]), remainder="passthrough"), LogisticRegression(max_iter=1000)
    ).fit(table, [0, 1] * 30)
    found = ae.LIMEExplainer(model, table).explain_local(table[:2])
    assert np.ravel(found.get_ranked_local_names(top_k=1)[1]).tolist() == ["town", "town"]
    assert "categorical_features" in inspect.signature(ae.LIMEExplainer).parameters


@row("lime", "random state")
def _(data, path):
    model, background, rows, _ = data("three")
    first, again = (ae.LIMEExplainer(model, background).explain_local(rows).local_importance_values for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert inspect.signature(ae.LIMEExplainer).parameters["random_state"].default == 0


# ------------------------------------------------------------------ interpret-community


@row("interpret_community", "local values of a classification")
def _(data, path):
    model, background, rows, _ = data("three")
    values = ae.TabularExplainer(model, background).explain_local(rows).local_importance_values
    assert isinstance(values, np.ndarray)
    assert [block.shape for block in values] == [rows.shape] * 3


@row("interpret_community", "unit")
def _(data, path):
    model, background, rows, _ = data("three")
    found = ae.TabularExplainer(model, background).explain_local(rows)
    assert found.output_space == "log_odds"
    assert found.additivity_error < 1e-9


@row("interpret_community", "background")
def _(data, path):
    model, _, rows, _ = data("three")
    X = load_iris(return_X_y=True, as_frame=True)[0]
    notes = ae.KernelExplainer(lambda table: model.predict_proba(table)[:, 1], X).explain_local(rows).notes
    assert any("50" in note and "150" in note for note in notes), notes


@row("interpret_community", "trees with a background")
def _(data, path):
    model, background, rows, _ = data("three")
    own = ae.TabularExplainer(model, background).explain_local(rows).local_importance_values
    path_dependent = ae.TreeExplainer(model).explain_local(rows).local_importance_values
    assert abs(own - path_dependent).max() > 0.01


@row("interpret_community", "saved explanations")
def _(data, path):
    model, background, rows, _ = data("three")
    ae.TabularExplainer(model, background).explain_local(rows).save(path)
    assert not [name for name in zipfile.ZipFile(path).namelist() if "pkl" in name or "pickle" in name]
    assert ae.Explanation.load(path).classes == tuple(model.classes_)


@row("interpret_community", "scoring explainers")
def _(data, path):
    model, background, *_ = data("three")
    folder = ae.save(ae.scoring_explainer(ae.TabularExplainer(model, background)), path)
    manifest = json.loads((Path(folder) / "manifest.json").read_text(encoding="utf-8"))
    assert "files" in manifest
    assert {file.suffix for file in Path(folder).rglob("*") if file.is_file()} <= {".json", ".npy", ".npz"}


@row("interpret_community", "`is_function=True`")
def _(data, path):
    model, background, rows, _ = data("three")
    found = ae.TabularExplainer(model.predict_proba, background).explain_local(rows)
    assert found.local_importance_values.shape == (3, *rows.shape)


@row("interpret_community", "the run, in a training script")
def _(data, path):
    automl, _ = data("searched")
    assert ae.retrieve_model_explanation(automl.best_run).run_id == automl.best_run.id
    assert automl.best_run.id in [run.id for run in automl.runs]


# ------------------------------------------------------------------ explainerdashboard


@row("explainerdashboard", "what-if without a server")
@row("explainerdashboard", "a page to send to a colleague")
def _(data, path):
    model, background, rows, labels = data("three")
    page = ae.ExplanationDashboard(ae.explain_model(model, background, rows), model, rows, true_labels=labels).save(
        path
    )
    text = page.read_text(encoding="utf-8")
    assert "https://" not in re.sub(r"https?://(www\.w3\.org|bokeh|docs)[^\s\"']*", "", text.split("<script")[0])
    assert json.loads(re.search(r'id="dashboard-data">(.*?)</script>', text, re.DOTALL)[1])["model"]


@row("explainerdashboard", "several models")
def _(data, path):
    automl, _ = data("searched")
    text = ae.ExplanationDashboard(automl).save(path).read_text(encoding="utf-8")
    found = json.loads(re.search(r'id="dashboard-data">(.*?)</script>', text, re.DOTALL)[1])
    assert len(found["search"]["runs"]) == len(automl.runs)


@row("explainerdashboard", "columns of one-hot encoders")
def _(data, path):
    table = pd.DataFrame({"town": ["York", "Leeds", "Hull"] * 20, "age": np.arange(60.0)})
    encoder = make_column_transformer((OneHotEncoder(), ["town"]), remainder="passthrough")
    model = make_pipeline(encoder, LogisticRegression(max_iter=1000)).fit(table, [0, 1, 1] * 20)
    text = (
        ae.ExplanationDashboard(ae.explain_model(model, table, table), model, table)
        .save(path)
        .read_text(encoding="utf-8")
    )
    found = json.loads(re.search(r'id="dashboard-data">(.*?)</script>', text, re.DOTALL)[1])
    assert [feature["name"] for feature in found["features"]] == ["town", "age"]


@row("explainerdashboard", "stored form")
def _(data, path):
    model, background, rows, _ = data("three")
    ae.explain_model(model, background, rows).save(path)
    assert not [name for name in zipfile.ZipFile(path).namelist() if "pkl" in name or "pickle" in name]


@row("explainerdashboard", "large tables")
def _(data, path):
    model, background, rows, _ = data("three")
    page = ae.ExplanationDashboard(ae.explain_model(model, background, rows), model, rows, max_rows=5).save(path)
    found = json.loads(re.search(r'id="dashboard-data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)[1])
    assert (found["rows"]["shown"], found["rows"]["total"]) == (5, len(rows))


# ------------------------------------------------------------------ FLAML


@row("flaml", "columns")
@row("flaml", "order")
def _(data, path):
    automl, X = data("searched")
    final = ae.retrieve_model_explanation(automl)
    assert set(final.overall_imp) == set(X.columns)
    assert (np.diff(final.overall_summary) <= 0).all()


@row("flaml", "unit")
def _(data, path):
    automl, _ = data("searched")
    assert ae.retrieve_model_explanation(automl.best_run).output_space == "response"


@row("flaml", "stacks (`ensemble=True`)")
def _(data, path):
    automl, _ = data("searched")
    assert automl.feature_importances_ is None
    assert len(ae.retrieve_model_explanation(automl).members.members) >= 2


@row("flaml", "every trial")
def _(data, path):
    automl, _ = data("searched")
    assert {run.status for run in automl.runs} == {"explained"}
    assert len(automl.runs) == 5


# ------------------------------------------------------------------ AutoGluon


@row("autogluon", "`importance`")
@row("autogluon", "`stddev`")
@row("autogluon", "rows")
def _(data, path):
    model, _, rows, labels = data("three")
    found = ae.PFIExplainer(model, metric="accuracy", n_repeats=5).explain_global(rows, true_labels=labels)
    wanted = permutation_importance(model, rows, labels, scoring="accuracy", n_repeats=5, random_state=0)
    np.testing.assert_allclose(found.importances.mean(axis=1), wanted.importances_mean)
    np.testing.assert_allclose(found.importances_std, wanted.importances_std)


@row("autogluon", "single rows")
def _(data, path):
    model, background, rows, _ = data("three")
    assert ae.explain_model(model, background, rows).row(0).to_frame().shape[0] == rows.shape[1]


@pytest.mark.slow
@pytest.mark.parametrize(("page", "name"), list(CHECKS), ids=[": ".join(key) for key in CHECKS])
def test_the_row_is_so(page, name, data, tmp_path):
    CHECKS[page, name](data, tmp_path / "written")
