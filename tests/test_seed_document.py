"""The snippets of the document that the library implements run with their import lines changed, and nothing else.

The document is Microsoft's article of June 2019 on model interpretability in Azure Machine Learning. `IMPORTS` is all that
a reader has to change; `REMOVED` is what newer versions of scikit-learn no longer accept.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from automl_explain import Explanation, ModelExplanation
from automl_explain.integrations.flaml import AutoML

IMPORTS = {
    "from azureml.explain.model.tabular_explainer import TabularExplainer": "from automl_explain import TabularExplainer",
    "from azureml.contrib.explain.model.tabular_explainer import TabularExplainer": (
        "from automl_explain import TabularExplainer"
    ),
    "from azureml.train.automl.automlexplainer import explain_model": "from automl_explain import explain_model",
    "from azureml.train.automl.automlexplainer import retrieve_model_explanation": (
        "from automl_explain import retrieve_model_explanation"
    ),
    "from azureml.explain.model.mimic.mimic_explainer import MimicExplainer": "from automl_explain import MimicExplainer",
    "from azureml.explain.model.mimic.models.lightgbm_model import LGBMExplainableModel": (
        "from automl_explain import LGBMExplainableModel"
    ),
    "from azureml.explain.model.mimic.models.linear_model import LinearExplainableModel": (
        "from automl_explain import LinearExplainableModel"
    ),
    "from azureml.explain.model.mimic.models.linear_model import SGDExplainableModel": (
        "from automl_explain import SGDExplainableModel"
    ),
    "from azureml.explain.model.mimic.models.tree_model import DecisionTreeExplainableModel": (
        "from automl_explain import DecisionTreeExplainableModel"
    ),
    # sklearn-pandas is no dependency of ours; the test brings what the snippet needs of it
    "from sklearn_pandas import DataFrameMapper": "from tests.test_seed_document import DataFrameMapper",
}
REMOVED = {
    "OneHotEncoder(handle_unknown='ignore', sparse=False)": "OneHotEncoder(handle_unknown='ignore', sparse_output=False)"
}

TRAIN = """
# load breast cancer dataset, a well-known small dataset that comes with scikit-learn
from sklearn.datasets import load_breast_cancer
from sklearn import svm
from sklearn.model_selection import train_test_split
breast_cancer_data = load_breast_cancer()
classes = breast_cancer_data.target_names.tolist()

# split data into train and test
from sklearn.model_selection import train_test_split
x_train, x_test, y_train, y_test = train_test_split(breast_cancer_data.data,
                                                    breast_cancer_data.target,
                                                    test_size=0.2,
                                                    random_state=0)
clf = svm.SVC(gamma=0.001, C=100., probability=True)
model = clf.fit(x_train, y_train)
"""

EXPLAINER = """
from azureml.explain.model.tabular_explainer import TabularExplainer
# "features" and "classes" fields are optional
explainer = TabularExplainer(model,
                             x_train,
                             features=breast_cancer_data.feature_names,
                             classes=classes)
"""

MIMIC = """
from azureml.explain.model.mimic.mimic_explainer import MimicExplainer

# you can use one of the following four interpretable models as a global surrogate to the black box model
from azureml.explain.model.mimic.models.lightgbm_model import LGBMExplainableModel
from azureml.explain.model.mimic.models.linear_model import LinearExplainableModel
from azureml.explain.model.mimic.models.linear_model import SGDExplainableModel
from azureml.explain.model.mimic.models.tree_model import DecisionTreeExplainableModel

# "features" and "classes" fields are optional
# augment_data is optional and if true, oversamples the initialization examples to improve surrogate model accuracy to fit original model.  Useful for high-dimensional data where the number of rows is less than the number of columns. 
# max_num_of_augmentations is optional and defines max number of times we can increase the input data size.
# LGBMExplainableModel can be replaced with LinearExplainableModel, SGDExplainableModel, or DecisionTreeExplainableModel
explainer = MimicExplainer(model, 
                           x_train, 
                           LGBMExplainableModel, 
                           augment_data=True, 
                           max_num_of_augmentations=10, 
                           features=breast_cancer_data.feature_names, 
                           classes=classes)
"""  # noqa: E501, W291

GLOBAL = """
# you can use the training data or the test data here
global_explanation = explainer.explain_global(x_train)

# sorted feature importance values and feature names
sorted_global_importance_values = global_explanation.get_ranked_global_values()
sorted_global_importance_names = global_explanation.get_ranked_global_names()
dict(zip(sorted_global_importance_names, sorted_global_importance_values))

# alternatively, you can print out a dictionary that holds the top K feature names and values
global_explanation.get_feature_importance_dict()
"""

LOCAL_ONE = """
# explain the first data point in the test set
local_explanation = explainer.explain_local(x_test[0])

# sorted feature importance values and feature names
sorted_local_importance_names = local_explanation.get_ranked_local_names()
sorted_local_importance_values = local_explanation.get_ranked_local_values()
"""

LOCAL_SOME = LOCAL_ONE.replace("first data point", "first five data points").replace("x_test[0]", "x_test[0:4]")

COLUMN_TRANSFORMER = """
from sklearn.compose import ColumnTransformer

numeric_transformer = Pipeline(steps=[
    ('imputer', SimpleImputer(strategy='median')),
    ('scaler', StandardScaler())])

categorical_transformer = Pipeline(steps=[
    ('imputer', SimpleImputer(strategy='constant', fill_value='missing')),
    ('onehot', OneHotEncoder(handle_unknown='ignore'))])

preprocessor = ColumnTransformer(
    transformers=[
        ('num', numeric_transformer, numeric_features),
        ('cat', categorical_transformer, categorical_features)])

# append classifier to preprocessing pipeline.
# now we have a full prediction pipeline.
clf = Pipeline(steps=[('preprocessor', preprocessor),
                      ('classifier', LogisticRegression(solver='lbfgs'))])
"""

COLUMN_TRANSFORMER_EXPLAINER = """
# clf.steps[-1][1] returns the trained classification model
# pass transformation as an input to create the explanation object
# "features" and "classes" fields are optional
tabular_explainer = TabularExplainer(clf.steps[-1][1],
                                    initialization_examples=x_train,
                                    features=dataset_feature_names,
                                    classes=dataset_classes,
                                    transformations=preprocessor)
"""

TUPLES = """
from sklearn.pipeline import Pipeline
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler, OneHotEncoder
from sklearn.linear_model import LogisticRegression
from sklearn_pandas import DataFrameMapper

# assume that we have created two arrays, numerical and categorical, which holds the numerical and categorical feature names

numeric_transformations = [([f], Pipeline(steps=[('imputer', SimpleImputer(strategy='median')), ('scaler', StandardScaler())])) for f in numerical]

categorical_transformations = [([f], OneHotEncoder(handle_unknown='ignore', sparse=False)) for f in categorical]

transformations = numeric_transformations + categorical_transformations

# append model to preprocessing pipeline.
# now we have a full prediction pipeline.
clf = Pipeline(steps=[('preprocessor', DataFrameMapper(transformations)),
                    ('classifier', LogisticRegression(solver='lbfgs'))])
"""  # noqa: E501

TUPLES_EXPLAINER = """
# clf.steps[-1][1] returns the trained classification model
# pass transformation as an input to create the explanation object
# "features" and "classes" fields are optional
tabular_explainer = TabularExplainer(clf.steps[-1][1],
                                     initialization_examples=x_train,
                                     features=dataset_feature_names,
                                     classes=dataset_classes,
                                     transformations=transformations)
"""

INFERENCE_EXPLAINER = """
from azureml.contrib.explain.model.tabular_explainer import TabularExplainer

explainer = TabularExplainer(model,
                             initialization_examples=x_train,
                             features=dataset_feature_names,
                             classes=dataset_classes,
                             transformations=transformations)
"""

EXPLAIN_MODEL = """
from azureml.train.automl.automlexplainer import explain_model

shap_values, expected_values, overall_summary, overall_imp, \\
    per_class_summary, per_class_imp = explain_model(fitted_model, X_train, X_test)
"""

RETRIEVE = """
from azureml.train.automl.automlexplainer import retrieve_model_explanation

shap_values, expected_values, overall_summary, overall_imp, per_class_summary, \\
    per_class_imp = retrieve_model_explanation(best_run)
"""

NEEDED = """
from sklearn.pipeline import Pipeline
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler, OneHotEncoder
from sklearn.linear_model import LogisticRegression
from automl_explain import TabularExplainer
"""
"""What snippets use of earlier cells of the document's notebooks."""


class DataFrameMapper:
    """Fits transformers on columns of a frame and puts their outputs side by side, as sklearn-pandas does."""

    def __init__(self, features):
        self.features = features

    def fit(self, X, y=None):
        for columns, transformer in self.features:
            transformer.fit(X[columns])
        self.fitted_ = True
        return self

    def transform(self, X):
        return np.hstack([transformer.transform(X[columns]) for columns, transformer in self.features])

    def __sklearn_tags__(self):
        from sklearn.base import BaseEstimator

        return BaseEstimator().__sklearn_tags__()


def run(names, *snippets):
    """Execute snippets one after the other in one set of names, with imports and removed parameters exchanged."""
    for snippet in snippets:
        for old, new in {**IMPORTS, **REMOVED}.items():
            snippet = snippet.replace(old, new)
        assert "azureml" not in snippet
        exec(compile(snippet, "seed document", "exec"), names)
    return names


# ------------------------------------------------------ train and explain locally


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
def test_train_and_explain_locally():
    names = run({}, TRAIN, EXPLAINER, LOCAL_ONE)
    one = names["local_explanation"]
    assert isinstance(one, Explanation)
    assert one.classes == ("malignant", "benign")
    assert names["sorted_local_importance_names"].shape == (2, 1, 30)
    assert names["sorted_local_importance_values"].shape == (2, 1, 30)
    ranked = np.abs(names["sorted_local_importance_values"])
    assert (np.diff(ranked, axis=-1) <= 0).all()
    probability = names["model"].predict_proba(names["x_test"][:1])
    np.testing.assert_allclose(one.local_importance_values.sum(axis=2).T + one.expected_values, probability, atol=1e-6)

    run(names, LOCAL_SOME)
    some = names["local_explanation"]
    assert names["sorted_local_importance_names"].shape == (2, 4, 30)
    np.testing.assert_allclose(some[0].local_importance_values, one.local_importance_values, atol=0.02)

    names["x_train"] = names["x_train"][:5]  # all rows take minutes: the model is known by its predictions alone
    run(names, GLOBAL)
    ranked_names = names["sorted_global_importance_names"]
    ranked_values = names["sorted_global_importance_values"]
    assert set(ranked_names) == set(map(str, names["breast_cancer_data"].feature_names))
    assert (np.diff(ranked_values) <= 0).all()
    importance = names["global_explanation"].get_feature_importance_dict()
    assert importance == dict(zip(ranked_names, ranked_values, strict=True))
    assert list(importance) == ranked_names
    assert names["global_explanation"].num_examples == len(names["x_train"])


@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
@pytest.mark.parametrize("surrogate", ["LGBM", "Linear", "SGD", "DecisionTree"])
def test_a_surrogate_for_the_support_vector_machine(surrogate):
    snippet = MIMIC.replace(
        "x_train, \n                           LGBM", f"x_train,\n                           {surrogate}"
    )
    assert f"{surrogate}ExplainableModel,\n" in snippet.replace(" \n", "\n")
    names = run({}, TRAIN, snippet, GLOBAL, LOCAL_SOME)
    assert names["explainer"].fidelity.agreement > 0.85
    explanation = names["global_explanation"]
    assert explanation.classes == ("malignant", "benign")
    assert set(names["sorted_global_importance_names"]) == set(map(str, names["breast_cancer_data"].feature_names))
    np.testing.assert_allclose(explanation.global_importance_values.sum(), explanation.get_ranked_global_values().sum())
    assert names["sorted_local_importance_names"].shape == (2, 4, 30)


# --------------------------------------------------- raw feature transformations


@pytest.fixture
def passengers():
    """A table with numbers, categories and missing cells of both, and the names that the snippets assume."""
    rng = np.random.default_rng(0)
    n = 300
    table = pd.DataFrame({
        "age": rng.uniform(1, 80, n), "fare": rng.gamma(2.0, 20.0, n), "embarked": rng.choice(["C", "Q", "S"], n),
        "sex": rng.choice(["female", "male"], n), "pclass": rng.choice(["1", "2", "3"], n),
    })  # fmt: skip
    y = ((table["sex"] == "female") * 2.0 + (table["pclass"] == "1") - table["age"] / 60 + rng.normal(0, 0.7, n)) > 1
    table.loc[rng.random(n) < 0.1, "age"] = np.nan
    x_train, x_test, y_train, y_test = train_test_split(table, y.astype(int), random_state=0)
    numeric, categorical = ["age", "fare"], ["embarked", "sex", "pclass"]
    return {
        "x_train": x_train, "x_test": x_test, "y_train": y_train, "y_test": y_test,
        "numeric_features": numeric, "categorical_features": categorical, "numerical": numeric, "categorical": categorical,
        "dataset_feature_names": list(table.columns), "dataset_classes": ["died", "survived"],
    }  # fmt: skip


def check_raw(explainer, names):
    """The explanation is over the raw columns, adds up to the whole pipeline, and finds what decides."""
    explanation = explainer.explain_global(names["x_test"])
    assert explanation.features == tuple(names["dataset_feature_names"])
    assert explanation.classes == ("died", "survived")
    assert explanation.is_raw
    assert explainer.method == "linear"
    assert explanation.get_ranked_global_names(top_k=1) == ["sex"]
    log_odds = names["clf"].decision_function(names["x_test"])
    totals = explanation.local_importance_values[1].sum(axis=1) + explanation.expected_values[1]
    np.testing.assert_allclose(totals, log_odds, atol=1e-9)
    local = explainer.explain_local(names["x_test"].iloc[:3])
    np.testing.assert_allclose(local.local_importance_values, explanation.local_importance_values[:, :3], atol=1e-12)


def test_raw_features_by_a_column_transformer(passengers):
    names = run(passengers, NEEDED, COLUMN_TRANSFORMER)
    names["clf"].fit(names["x_train"], names["y_train"])
    run(names, COLUMN_TRANSFORMER_EXPLAINER)
    check_raw(names["tabular_explainer"], names)


def test_raw_features_by_a_list_of_fitted_transformer_tuples(passengers):
    names = run(passengers, NEEDED, TUPLES)
    names["clf"].fit(names["x_train"], names["y_train"])
    run(names, TUPLES_EXPLAINER)
    check_raw(names["tabular_explainer"], names)


def test_the_explainer_of_the_section_on_inference(passengers):
    names = run(passengers, NEEDED, COLUMN_TRANSFORMER)
    names["clf"].fit(names["x_train"], names["y_train"])
    names |= {"model": names["clf"].steps[-1][1], "transformations": names["preprocessor"]}
    run(names, INFERENCE_EXPLAINER)
    check_raw(names["explainer"], names)


# ----------------------------------------------------------- automated ML


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    from sklearn.datasets import load_wine

    X, y = load_wine(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
    options = {"time_budget": 600}
    automl = AutoML(model_explainability=True, history=tmp_path_factory.mktemp("runs"), explainability_options=options)
    automl.fit(X_train, y_train, X_val=X_test, y_val=y_test, task="classification", estimator_list=["lgbm"], max_iter=4,
               time_budget=60, verbose=0)  # fmt: skip
    return {"fitted_model": automl, "best_run": automl.best_run, "X_train": X_train, "X_test": X_test}


@pytest.mark.parametrize("snippet", [EXPLAIN_MODEL, RETRIEVE], ids=["explain_model", "retrieve_model_explanation"])
def test_the_six_values(searched, snippet):
    names = run(dict(searched), snippet)
    n_classes, n_rows, n_features = 3, len(searched["X_test"]), searched["X_test"].shape[1]
    assert len(names["shap_values"]) == n_classes
    assert {values.shape for values in names["shap_values"]} == {(n_rows, n_features)}
    assert names["expected_values"].shape == (n_classes,)
    importance = np.abs(names["shap_values"]).mean(axis=(0, 1))
    np.testing.assert_allclose(names["overall_summary"], np.sort(importance)[::-1])
    assert set(names["overall_imp"]) == set(searched["X_test"].columns)
    per_class = np.abs(names["shap_values"]).mean(axis=1)
    np.testing.assert_allclose(names["per_class_summary"], -np.sort(-per_class, axis=1))
    assert np.shape(names["per_class_imp"]) == (n_classes, n_features)


def test_the_ensemble_or_refit_is_what_explain_model_explains(searched):
    from automl_explain import explain_model

    explained = explain_model(searched["fitted_model"], searched["X_train"], searched["X_test"])
    assert isinstance(explained, ModelExplanation)
    probability = searched["fitted_model"].predict_proba(searched["X_test"])
    scores = explained.explanation.predictions
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, probability, atol=1e-6)
