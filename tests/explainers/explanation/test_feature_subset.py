"""Explanations of some features by every explainer: values computed with all features, and the sum of the others."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from automl_explain import (
    DecisionTreeExplainableModel,
    Explanation,
    InvalidInputError,
    KernelExplainer,
    LIMEExplainer,
    LinearExplainer,
    MimicExplainer,
    PFIExplainer,
    TabularExplainer,
    TreeExplainer,
    plot_local,
)
from tests.oracles import model_game, shapley_values

NAMES = list("abcde")
X = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 5)), columns=NAMES)
TARGET = X["a"] + 0.5 * X["b"] * X["c"]
CLASSES = np.digitize(TARGET, [-0.5, 0.5])
FOREST = RandomForestClassifier(5, random_state=0).fit(X, CLASSES)

EXPLAINERS = {
    "forest": lambda **kw: TabularExplainer(FOREST, X[:12], **kw),
    "neighbours": lambda **kw: TabularExplainer(KNeighborsClassifier().fit(X, CLASSES), X[:12], **kw),
    "kernel": lambda **kw: KernelExplainer(RandomForestRegressor(5, random_state=0).fit(X, TARGET), X[:12], **kw),
    "linear": lambda **kw: LinearExplainer(LinearRegression().fit(X, TARGET), X[:12], **kw),
    "tree": lambda **kw: TreeExplainer(RandomForestRegressor(5, random_state=0).fit(X, TARGET), **kw),
    "mimic": lambda **kw: MimicExplainer(LogisticRegression().fit(X, CLASSES), X, DecisionTreeExplainableModel, **kw),
    "lime": lambda **kw: LIMEExplainer(FOREST, X, nsamples=200, **kw),
}


@pytest.fixture(scope="module", params=EXPLAINERS)
def pair(request):
    make = EXPLAINERS[request.param]
    return make(), make(explain_subset=["d", 1])


def test_values_are_those_among_all_features(pair):
    whole, part = (explainer.explain_local(X[:6]) for explainer in pair)
    np.testing.assert_array_equal(part.local_importance_values, whole.local_importance_values[..., [3, 1]])
    assert part.features == ("d", "b")
    assert part.data.data.columns.tolist() == ["d", "b"]
    assert part.additivity_error == whole.additivity_error or part.additivity_error < 1e-12
    assert part.notes[-1].startswith("features: 2 of 5, chosen by explain_subset")
    np.testing.assert_allclose(part.global_importance_values, whole.global_importance_values[[3, 1]])


def test_rows_and_the_file_keep_the_sum_of_the_others(pair, tmp_path):
    part = pair[1].explain_local(X[:6])
    part.save(tmp_path / "part.explanation")
    for other in (Explanation.load(tmp_path / "part.explanation"), part[[2, 4]]):
        if part.is_additive:
            assert other.left_out.shape == other.local_importance_values.shape[:-1]
            assert other.additivity_error < 1e-9
        else:
            assert other.left_out is None


@pytest.mark.parametrize("model", [FOREST, KNeighborsClassifier().fit(X, CLASSES)], ids=["forest", "neighbours"])
def test_values_are_shapley_values_by_definition(model):
    explanation = TabularExplainer(model, X[:12], explain_subset=["c", "a"]).explain_local(X[50:51])
    expected = shapley_values(model_game(model.predict_proba, X[50:51], X[:12]), 5)
    np.testing.assert_allclose(explanation.local_importance_values[:, 0], expected[:, [2, 0]], atol=1e-9)
    np.testing.assert_allclose(explanation.left_out[:, 0], expected[:, [1, 3, 4]].sum(axis=1), atol=1e-9)


def test_streaming_keeps_the_same_features():
    explainer = TabularExplainer(FOREST, X, explain_subset=["e", "a"])
    kept, streamed = explainer.explain_global(X), explainer.explain_global(X, include_local=False, batch_size=30)
    np.testing.assert_allclose(streamed.global_importance_values, kept.global_importance_values, rtol=1e-12)
    assert streamed.features == ("e", "a")


@pytest.mark.parametrize("space", ["engineered", "raw"])
def test_names_are_those_of_the_features_explained(space):
    table = X.assign(c=pd.Series(np.where(X["c"] > 0, "high", "low")).astype("category"))
    model = make_pipeline(
        ColumnTransformer([("c", OneHotEncoder(), ["c"])], remainder="passthrough", verbose_feature_names_out=False),
        RandomForestRegressor(5, random_state=0),
    ).fit(table, TARGET)
    whole = TabularExplainer(model, table[:20], feature_space=space)
    name = "c" if space == "raw" else "c_low"
    part = TabularExplainer(model, table[:20], feature_space=space, explain_subset=[name])
    values = whole.explain_local(table[:4]).local_importance_values[:, [whole.features.index(name)]]
    np.testing.assert_array_equal(part.explain_local(table[:4]).local_importance_values, values)


def test_permutation_importance_shuffles_these_columns_alone():
    whole = PFIExplainer(FOREST).explain_global(X, true_labels=CLASSES)
    part = PFIExplainer(FOREST, explain_subset=["c", "a"]).explain_global(X, true_labels=CLASSES)
    np.testing.assert_array_equal(part.importances, whole.importances[[2, 0]])
    assert part.features == ("c", "a")


def test_plots_show_what_was_left_out():
    explanation = TabularExplainer(FOREST, X[:12], explain_subset=["a"]).explain_local(X[:2])
    labels = [text.get_text() for text in plot_local(explanation, 0, ax=Figure().add_subplot()).get_yticklabels()]
    assert "features left out" in labels


def test_shap_gets_sums_that_are_the_outputs():
    shap = pytest.importorskip("shap")
    explanation = TabularExplainer(FOREST, X[:12], explain_subset=["a", "b"]).explain_local(X[:3])
    theirs = explanation.to_shap()
    assert isinstance(theirs, shap.Explanation)
    np.testing.assert_allclose(theirs.values.sum(axis=1) + theirs.base_values, explanation.predictions, atol=1e-9)


@pytest.mark.parametrize(
    ("subset", "words"),
    [
        (["f"], "name features, or their positions from 0 to 4. Got 'f'"),
        ([5], "positions from 0 to 4. Got 5"),
        ([-1], "positions from 0 to 4. Got -1"),
        (["a", 0], "name each feature once"),
        ([], "list one or more features"),
        ("ab", "list one or more features, by name or position. Got 'ab'"),
        (3, "list of one or more features"),
    ],
)
def test_what_names_no_features_is_refused(subset, words):
    with pytest.raises(InvalidInputError, match=words):
        TabularExplainer(FOREST, X, explain_subset=subset)
    with pytest.raises(InvalidInputError, match=words):
        PFIExplainer(FOREST, explain_subset=subset).explain_global(X, true_labels=CLASSES)
