"""Raw columns through scikit-learn pipelines, against the definition over raw columns."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, OneHotEncoder, OrdinalEncoder, StandardScaler

from automl_explain import NotFittedError, TabularExplainer, explain_model
from tests.families import table, target
from tests.oracles import model_game, shapley_values

NUMBERS = ["age", "income", "debt", "score"]


def columns(**parts):
    return ColumnTransformer([(name, transformer, where) for name, (transformer, where) in parts.items()])


PREPROCESSING = {
    "scale and one-hot": columns(n=(StandardScaler(), NUMBERS), c=(OneHotEncoder(), ["visits"])),
    "other order and drop": columns(c=(OneHotEncoder(drop="first"), ["visits"]), n=("passthrough", ["debt", "age"])),
    "nested": columns(
        n=(make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
        c=(make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(min_frequency=20)), ["visits"]),
    ),
    "remainder": ColumnTransformer([("c", OrdinalEncoder(), ["visits"])], remainder="passthrough"),
    "select": make_pipeline(
        columns(n=(StandardScaler(), NUMBERS), c=(OneHotEncoder(), ["visits"])), SelectKBest(f_regression, k=4)
    ),
}
MIXING = {
    "pca": columns(n=(PCA(2), NUMBERS), c=(OneHotEncoder(), ["visits"])),
    "normalizer": make_pipeline(columns(n=("passthrough", NUMBERS), c=(OrdinalEncoder(), ["visits"])), Normalizer()),
}
MODELS = {
    "forest": RandomForestRegressor(6, max_depth=4, random_state=0),
    "ridge": Ridge(),
    "knn": KNeighborsRegressor(),
}


@pytest.mark.parametrize("steps", [*PREPROCESSING, *MIXING])
@pytest.mark.parametrize("model", MODELS)
def test_raw_columns_get_their_shapley_values(steps, model):
    X = table("mixed")
    fitted = make_pipeline({**PREPROCESSING, **MIXING}[steps], MODELS[model]).fit(X, target(X, "regression"))
    background, row = X.iloc[:10], X.iloc[60:61]
    explained = explain_model(fitted, background, row, feature_space="raw")
    game = model_game(lambda rows: fitted.predict(rows)[:, None], row, background)
    np.testing.assert_allclose(explained.shap_values, shapley_values(game, 5), atol=1e-9)
    assert explained.explanation.features == tuple(X.columns)
    if steps in PREPROCESSING and model != "knn":
        assert explained.method in ("tree", "linear")
    elif steps in MIXING and model != "knn":
        assert "mixes raw columns" in explained.reason


def test_engineered_columns_are_named_and_traced():
    X = table("mixed")
    fitted = make_pipeline(PREPROCESSING["scale and one-hot"], Ridge()).fit(X, target(X, "regression"))
    explained = explain_model(fitted, X, X[:5])
    assert "c__visits_many" in explained.overall_imp
    assert "n__age" in explained.overall_imp
    raw = explained.raw
    assert raw.features == tuple(X.columns)
    np.testing.assert_allclose(raw.local_importance_values.sum(1), explained.shap_values.sum(1), atol=1e-9)


def test_transformations_beside_the_model_are_a_pipeline_over_raw_columns():
    X = table("mixed")
    y = target(X, "binary")
    encode = PREPROCESSING["scale and one-hot"].fit(X)
    model = LogisticRegression().fit(encode.transform(X), y)
    explanation = TabularExplainer(
        model, initialization_examples=X, features=list(X.columns), classes=["no", "yes"], transformations=encode
    ).explain_local(X[:4])
    assert explanation.is_raw
    assert explanation.features == tuple(X.columns)
    whole = explain_model(Pipeline([("a", encode), ("b", model)]), X, X[:4], feature_space="raw")
    np.testing.assert_allclose(explanation.local_importance_values[1], whole.shap_values[1])


def test_a_search_is_explained_by_its_best_estimator():
    X = table("frame")
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 10.0]}, cv=2).fit(X, target(X, "regression"))
    best = explain_model(search.best_estimator_, X, X[:3])
    np.testing.assert_array_equal(explain_model(search, X, X[:3]).shap_values, best.shap_values)
    without = GridSearchCV(Ridge(), {"alpha": [0.1]}, cv=2, refit=False).fit(X, target(X, "regression"))
    with pytest.raises(NotFittedError, match="refit=True"):
        explain_model(without, X, X)
    with pytest.raises(NotFittedError):
        explain_model(make_pipeline(StandardScaler(), Ridge()), X, X)


def test_numeric_pipelines_over_arrays():
    X = table()
    fitted = make_pipeline(StandardScaler(), Ridge()).fit(X, target(X, "regression"))
    explained = explain_model(fitted, X, X[:3])
    assert set(explained.overall_imp) == {f"x{j}" for j in range(5)}
    assert isinstance(explained.to_frame(), pd.DataFrame)
