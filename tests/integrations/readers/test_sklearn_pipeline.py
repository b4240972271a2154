"""Raw columns through scikit-learn pipelines, against the definition over raw columns."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeRegressor

from automl_explain import (
    InvalidInputError,
    KernelExplainer,
    NotFittedError,
    TabularExplainer,
    TreeExplainer,
    explain_model,
)
from automl_explain.explainers.model._column_transformers import ColumnList
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
    "bins": columns(n=(KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf"), NUMBERS), c=(OrdinalEncoder(), ["visits"])),
    "splines": columns(n=(SplineTransformer(n_knots=3), NUMBERS), c=(OneHotEncoder(max_categories=2), ["visits"])),
    "targets": columns(n=("passthrough", NUMBERS), c=(TargetEncoder(smooth=2.0), ["visits"])),
    "union": columns(
        n=(FeatureUnion([("s", StandardScaler()), ("m", MinMaxScaler())]), NUMBERS), c=(OneHotEncoder(), ["visits"])
    ),
    "one column mixed with itself": columns(
        a=(PolynomialFeatures(3, include_bias=False), ["age"]), r=(StandardScaler(), ["income", "debt", "score"]),
        c=(OneHotEncoder(handle_unknown="ignore"), ["visits"]),
    ),
    "missing indicators": columns(
        n=(SimpleImputer(add_indicator=True), NUMBERS), c=(OneHotEncoder(sparse_output=False), [4]),
    ),
}  # fmt: skip
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


@pytest.mark.parametrize("form", ["names", "positions", "mapper"])
def test_lists_of_columns_and_transformers(form):
    X = table("mixed")
    y = target(X, "regression")
    where = {"names": [*NUMBERS, "visits"], "positions": [0, 1, 2, 3, 4], "mapper": [*NUMBERS, "visits"]}[form]
    parts = [([one], [SimpleImputer(), StandardScaler()]) for one in where[:3]]
    parts += [([where[3]], None), ([where[4]], OneHotEncoder())]
    for columns_, steps in parts:
        values = X[columns_] if form != "positions" else X.iloc[:, columns_]
        for step in steps if isinstance(steps, list) else [steps] if steps else []:
            values = step.fit_transform(values)
    encode = ColumnList(parts, X.columns)
    model = Ridge().fit(encode.transform(X), y)
    if form == "mapper":

        class DataFrameMapper(ColumnList):
            built_features = tuple((columns_, steps, {}) for columns_, steps in parts)

        explainer = TabularExplainer(
            Pipeline([("m", DataFrameMapper(parts, X.columns)), ("r", model)]), X.iloc[:10], feature_space="raw"
        )
    else:
        explainer = TabularExplainer(model, X.iloc[:10], transformations=parts)
    explanation = explainer.explain_local(X.iloc[60:61])
    game = model_game(lambda rows: model.predict(encode.transform(rows))[:, None], X.iloc[60:61], X.iloc[:10])
    np.testing.assert_allclose(explanation.local_importance_values, shapley_values(game, 5), atol=1e-9)
    assert explanation.method == "linear"
    assert explanation.features == tuple(X.columns)


@pytest.mark.parametrize("columns", [[2, 1], slice(1, 3), [False, True, True]], ids=str)
def test_columns_by_position_keep_their_numbers(columns):
    X = np.random.default_rng(0).normal(size=(60, 3))
    scaler = StandardScaler().fit(X[:, columns])
    model = DecisionTreeRegressor(max_depth=3).fit(np.hstack([scaler.transform(X[:, columns]), X[:, :1]]), X[:, 2])
    parts = [(columns, scaler), ([0], None)]
    explanation = TabularExplainer(model, X, transformations=parts).explain_global(X)
    assert explanation.get_ranked_global_names(top_k=1) == ["x2"]
    if columns == [2, 1]:
        alone = TreeExplainer(model, transformations=parts).explain_global(X)
        assert alone.features == ("x0", "x1", "x2")
        assert alone.get_ranked_global_names(top_k=1) == ["x2"]
    else:
        with pytest.raises(InvalidInputError, match="every column by its position from 0, where there are"):
            TreeExplainer(model, transformations=parts)


@pytest.mark.parametrize("columns", [[7], [-4], "z"], ids=str)
def test_columns_that_the_data_lacks_are_named(columns):
    X = np.random.default_rng(0).normal(size=(60, 3))
    model = DecisionTreeRegressor(max_depth=3).fit(X, X[:, 2])
    with pytest.raises(InvalidInputError, match="name columns that the data lacks"):
        TabularExplainer(model, X, transformations=[([0, 1], None), (columns, None)])


@pytest.mark.parametrize("columns", [None, [1.5], 2.5], ids=str)
def test_columns_are_names_or_positions(columns):
    X = np.random.default_rng(0).normal(size=(60, 3))
    model = DecisionTreeRegressor(max_depth=3).fit(X, X[:, 2])
    with pytest.raises(InvalidInputError, match="must hold tuples"):
        TabularExplainer(model, X, transformations=[([0, 1], None), (columns, None)])


@pytest.mark.parametrize("search", [False, True])
def test_a_pipeline_within_a_pipeline_names_its_columns_as_one_pipeline_does(search):
    X = table("numbers")
    y = target(X, "regression")
    first, second = columns(scaled=(StandardScaler(), list(X.columns[::-1]))), SelectKBest(f_regression, k=2)
    inner = make_pipeline(second, Ridge())
    nested = make_pipeline(first, GridSearchCV(inner, {"ridge__alpha": [1.0]}, cv=2) if search else inner).fit(X, y)
    one = make_pipeline(first, second, Ridge()).fit(X, y)
    explanation, expected = (TabularExplainer(model, X[:10]).explain_local(X[:3]) for model in (nested, one))
    np.testing.assert_allclose(explanation.local_importance_values, expected.local_importance_values)
    assert search or explanation.features == expected.features
    raw = explanation.get_raw_explanation()
    assert raw.features == tuple(X.columns)
    np.testing.assert_allclose(raw.local_importance_values, expected.get_raw_explanation().local_importance_values)


@pytest.mark.parametrize("search", [False, True])
def test_columns_that_a_step_turns_round_do_not_keep_their_names(search):
    X = table("numbers")
    y = target(X, "regression")
    inner = make_pipeline(FunctionTransformer(lambda rows: np.asarray(rows)[:, ::-1]), Ridge())
    model = make_pipeline(
        columns(scaled=(StandardScaler(), list(X.columns))),
        GridSearchCV(inner, {"ridge__alpha": [1.0]}, cv=2) if search else inner,
    ).fit(X, y)
    assert TabularExplainer(model, X[:10]).features is None


def test_text_columns_are_one_column_each():
    X = pd.DataFrame({"text": ["a b", "b c", "c c a", "d"] * 8, "n": np.arange(32.0)})
    encode = columns(t=(TfidfVectorizer(token_pattern=r"\w"), "text"), n=(StandardScaler(), ["n"]))
    fitted = make_pipeline(encode, Ridge()).fit(X, np.arange(32.0) ** 2)
    explained = explain_model(fitted, X.iloc[:6], X.iloc[20:21], feature_space="raw")
    game = model_game(lambda rows: fitted.predict(rows)[:, None], X.iloc[20:21], X.iloc[:6])
    np.testing.assert_allclose(explained.shap_values, shapley_values(game, 2), atol=1e-9)


@pytest.mark.parametrize("names", [None, "one-to-one"])
def test_a_function_of_one_column_does_not_mix_columns(names):
    X = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=32, freq="5D"), "n": np.arange(32.0) % 7})
    days = FunctionTransformer(lambda t: t.apply(lambda column: column.dt.day_of_year), feature_names_out=names)
    encode = columns(t=(make_pipeline(days, StandardScaler()), ["day"]), n=(StandardScaler(), ["n"]))
    fitted = make_pipeline(encode, Ridge()).fit(X, np.arange(32.0) ** 2)
    explained = explain_model(fitted, X.iloc[:6], X.iloc[20:21], feature_space="raw")
    assert explained.method == "linear"
    game = model_game(lambda rows: fitted.predict(rows)[:, None], X.iloc[20:21], X.iloc[:6])
    np.testing.assert_allclose(explained.shap_values, shapley_values(game, 2), atol=1e-9)


def test_raw_columns_are_masked_before_transformations_that_mix_them():
    X = table("mixed")
    encode = MIXING["pca"].fit(X)
    model = Ridge().fit(encode.transform(X), target(X, "regression"))
    explained = TabularExplainer(model, X[:6], transformations=encode).explain_local(X[10:11])
    assert re.search("in step 'n', PCA (mixes|may mix) columns", explained.reason)
    game = model_game(lambda table: model.predict(encode.transform(table))[:, None], X[10:11], X[:6])
    np.testing.assert_allclose(explained.local_importance_values, shapley_values(game, 5), atol=1e-9)


@pytest.mark.parametrize("kind", [KernelExplainer, TabularExplainer])
def test_a_function_of_transformed_rows_is_explained_over_the_raw_columns(kind):
    X = table("mixed")
    encode = ColumnTransformer([("n", StandardScaler(), ["age", "debt"]), ("c", OneHotEncoder(), ["visits"])]).fit(X)
    model = Ridge().fit(encode.transform(X), target(X, "regression"))
    explained = kind(model.predict, X[:6], transformations=encode).explain_local(X[10:11])
    assert explained.features == tuple(X.columns)
    game = model_game(lambda rows: model.predict(encode.transform(rows))[:, None], X[10:11], X[:6])
    np.testing.assert_allclose(explained.local_importance_values, shapley_values(game, 5), atol=1e-9)


def test_transformations_that_cannot_be_read_are_refused():
    X = table("mixed")
    model = Ridge().fit(MIXING["pca"].fit_transform(X), target(X, "regression"))
    with pytest.raises(InvalidInputError, match="columns that the data lacks"):
        TabularExplainer(model, X, transformations=[(["nowhere"], None)])
    with pytest.raises(InvalidInputError, match="must hold tuples"):
        TabularExplainer(model, X, transformations=["age"])


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


class RowCentre(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Names its outputs as its inputs, and yet mixes them."""

    def fit(self, X, y=None):
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X):
        X = np.asarray(X, dtype=float)
        return X - X.mean(axis=1, keepdims=True)


class ScalesAndCentres(StandardScaler):
    """Inherits from a transformer of single columns."""

    def transform(self, X, copy=None):
        X = super().transform(X, copy)
        return X - X.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("step", [RowCentre(), ScalesAndCentres()])
def test_transformers_of_others_are_not_taken_for_what_they_inherit_from(step):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    model = make_pipeline(step, Ridge()).fit(X, X @ [1.0, -2.0, 0.5, 3.0])
    explained = TabularExplainer(model, X[:6], feature_space="raw").explain_local(X[10:11])
    assert f"{type(step).__name__} may mix columns" in explained.reason
    game = model_game(lambda table: model.predict(table)[:, None], X[10:11], X[:6])
    np.testing.assert_allclose(explained.local_importance_values, shapley_values(game, 4), atol=1e-9)


@pytest.mark.parametrize(
    ("transformations", "message"),
    [
        ([], "must hold at least one tuple"),
        (object(), "must be a fitted transformer, or a list"),
        ("abc", "must be a fitted transformer, or a list"),
        ([StandardScaler()], "must hold tuples"),
        ([("a", print)], "must hold tuples"),
        ([(["a", "b"], StandardScaler())], r"StandardScaler for \['a', 'b'\].*not fitted"),
        (
            [("a", StandardScaler().fit([[1.0], [2.0]]))],
            "StandardScaler for 'a' in the 'transformations' cannot transform",
        ),
        ([(["a"], None)], "makes 1 columns of the table; Ridge reads 2|makes 1 columns.*reads 2"),
    ],
)
def test_transformations_that_cannot_be_used_are_refused_in_words(transformations, message):
    frame = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [0.0, 1.0, 5.0]})
    model = Ridge().fit(frame.to_numpy(), [1.0, 2.0, 3.0])
    with pytest.raises(InvalidInputError, match=message):
        TabularExplainer(model, frame, transformations=transformations)
