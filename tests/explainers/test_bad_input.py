"""Tables that a model cannot take: one typed error that says which table it was."""

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from scipy import sparse
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from automl_explain import (
    InvalidInputError,
    KernelExplainer,
    LIMEExplainer,
    PFIExplainer,
    SamplingOptions,
    TabularExplainer,
    TreeExplainer,
    UnsupportedModelError,
)

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(60, 3)), columns=["a", "b", "c"])
Y = X["a"].to_numpy() + X["b"].to_numpy() * X["c"].to_numpy()
TEXT = pd.DataFrame("text", range(12), ["a", "b", "c"])
SCALED = make_pipeline(ColumnTransformer([("scaled", StandardScaler(), ["a", "b", "c"])]), Ridge())
BOOSTER = {"n_estimators": 4, "min_child_samples": 5, "verbose": -1}

MODELS = {
    "lightgbm": lambda: lgb.LGBMClassifier(**BOOSTER).fit(X, Y > 0),
    "catboost": lambda: CatBoostClassifier(iterations=4, verbose=0, allow_writing_files=False).fit(X, Y > 0),
    "forest": lambda: RandomForestClassifier(4, random_state=0).fit(X, Y > 0),
    "histogram": lambda: HistGradientBoostingRegressor(max_iter=4).fit(X, Y),
    "logistic": lambda: LogisticRegression().fit(X, Y > 0),
    "kernel machine": lambda: SVR().fit(X, Y),
    "vote of pipelines": lambda: VotingRegressor([("one", SCALED), ("two", Ridge())]).fit(X, Y),
    "function": lambda: SVR().fit(X, Y).predict,
}


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("explainer", [TabularExplainer, KernelExplainer])
@pytest.mark.parametrize("feature_space", ["engineered", "raw"])
def test_a_background_of_text_is_refused_in_one_way(name, explainer, feature_space):
    with pytest.raises(InvalidInputError, match="cannot take the values of"):
        explainer(MODELS[name](), TEXT, feature_space=feature_space)


@pytest.mark.parametrize("name", list(MODELS))
def test_rows_of_text_are_refused_in_one_way(name):
    explainer = TabularExplainer(MODELS[name](), X)
    with pytest.raises(InvalidInputError, match="cannot take the values of X"):
        explainer.explain_local(TEXT)


def test_rows_of_text_beside_a_sparse_background_are_refused_in_one_way():
    background = sparse.csr_matrix(X.to_numpy())
    explainer = TabularExplainer(Ridge().fit(background, Y), background)
    with pytest.raises(InvalidInputError, match="X must hold numbers"):
        explainer.explain_local(TEXT)


def test_permutation_importance_refuses_text_in_one_way():
    with pytest.raises(InvalidInputError, match="cannot take the values of X"):
        PFIExplainer(MODELS["forest"]()).explain_global(TEXT, [True] * 6 + [False] * 6)


@pytest.mark.parametrize("discretizer", ["quartile", None])
def test_lime_names_the_column_that_holds_no_numbers(discretizer):
    explainer = LIMEExplainer(MODELS["logistic"](), X, discretizer=discretizer, nsamples=20)
    with pytest.raises(InvalidInputError, match="Column 'a' of X must hold numbers"):
        explainer.explain_local(TEXT)


def test_a_function_of_trees_without_a_background_is_refused():
    model = TransformedTargetRegressor(RandomForestRegressor(4, random_state=0), func=np.arcsinh, inverse_func=np.sinh)
    with pytest.raises(UnsupportedModelError, match="TabularExplainer with a background"):
        TreeExplainer(model.fit(X, Y))


@pytest.mark.parametrize("weights", [["much"] * 60, [[1], [2, 3]], {"a": 1}, "abc"])
@pytest.mark.parametrize("explainer", [TabularExplainer, TreeExplainer, LIMEExplainer])
def test_weights_that_are_no_numbers_are_refused_in_one_way(explainer, weights):
    with pytest.raises(InvalidInputError, match="'weights' parameter must give a number for each background row"):
        explainer(MODELS["forest"](), X, weights=weights)


@pytest.mark.parametrize("classes", [3, "ny"])
def test_classes_that_are_no_list_are_refused_in_one_way(classes):
    with pytest.raises(InvalidInputError, match="'classes' parameter must be a list of names"):
        TabularExplainer(MODELS["forest"](), X, classes=classes)
    with pytest.raises(InvalidInputError, match="'classes' parameter must be a list of names"):
        PFIExplainer(MODELS["forest"](), classes=classes).explain_global(X, Y > 0)


def test_a_summary_that_is_no_name_is_refused_in_one_way():
    with pytest.raises(InvalidInputError, match="'background_summary' parameter must be one of"):
        SamplingOptions(background_summary=["kmeans"])
