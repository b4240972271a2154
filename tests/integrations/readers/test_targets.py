"""Models of several targets or labels: one explained output per target, with a name."""

import numpy as np
import pytest
import xgboost
from catboost import CatBoostClassifier, CatBoostRegressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.cross_decomposition import PLSRegression
from sklearn.ensemble import BaggingRegressor, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, LogisticRegression, MultiTaskLasso, Ridge, RidgeClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from automl_explain import (
    LIMEExplainer,
    LinearExplainableModel,
    MimicExplainer,
    PFIExplainer,
    TabularExplainer,
    UnsupportedModelError,
    explain_model,
)
from automl_explain.explainers.model._registry import describe

X = np.random.default_rng(0).normal(size=(90, 4))
RESPONSES = np.column_stack([X @ [2.0, 1.0, -1.0, 0.5], X[:, 0] * X[:, 1], X[:, 2] + 3.0])
LABELS = (RESPONSES.mean(axis=0) < RESPONSES).astype(int)
MIXED = np.column_stack([np.digitize(X[:, 0], [-0.5, 0.5]), X[:, 1] > 0, LABELS[:, 1]]).astype(int)

REGRESSORS = {
    "ridge": (Ridge(), "linear"),
    "least squares": (LinearRegression(), "linear"),
    "lasso": (MultiTaskLasso(0.1), "linear"),
    "tree": (DecisionTreeRegressor(max_depth=4, random_state=0), "tree"),
    "forest": (RandomForestRegressor(5, random_state=0), "tree"),
    "extra trees": (ExtraTreesRegressor(5, random_state=0), "tree"),
    "bagged trees": (BaggingRegressor(n_estimators=3, random_state=0), "tree"),
    "bagged ridge": (BaggingRegressor(Ridge(), 3, random_state=0), "mixture"),
    "bagged neighbours": (BaggingRegressor(KNeighborsRegressor(), 3, random_state=0), "mixture"),
    "kernel ridge": (KernelRidge(kernel="rbf"), "rbf"),
    "kernel ridge, linear": (KernelRidge(), "kernel"),
    "process": (GaussianProcessRegressor(alpha=0.1), "rbf"),
    "process, normalised": (GaussianProcessRegressor(alpha=0.1, normalize_y=True), "rbf"),
    "one per target": (MultiOutputRegressor(Ridge()), "mixture"),
    "one tree per target": (MultiOutputRegressor(DecisionTreeRegressor(max_depth=3, random_state=0)), "mixture"),
    "chain": (RegressorChain(Ridge()), "kernel"),
    "neighbours": (KNeighborsRegressor(), "kernel"),
    "network": (MLPRegressor(hidden_layer_sizes=(5,), max_iter=20, random_state=0), "coalitions"),
    "partial least squares": (PLSRegression(2), "kernel"),
    "transformed": (TransformedTargetRegressor(Ridge(), transformer=StandardScaler()), "kernel"),
    "pipeline": (make_pipeline(StandardScaler(), KNeighborsRegressor()), "kernel"),
}
CLASSIFIERS = {
    "tree": (DecisionTreeClassifier(max_depth=4, random_state=0), "tree"),
    "forest": (RandomForestClassifier(5, random_state=0), "tree"),
    "ridge": (RidgeClassifier(), "linear"),
    "one per label": (MultiOutputClassifier(LogisticRegression()), "ensemble"),
    "one forest per label": (MultiOutputClassifier(RandomForestClassifier(3, random_state=0)), "mixture"),
    "one versus rest": (OneVsRestClassifier(LogisticRegression()), "ensemble"),
    "chain": (ClassifierChain(LogisticRegression()), "kernel"),
    "neighbours": (KNeighborsClassifier(), "kernel"),
    "network": (MLPClassifier(hidden_layer_sizes=(5,), max_iter=20, random_state=0), "coalitions"),
    "pipeline": (make_pipeline(StandardScaler(), KNeighborsClassifier()), "kernel"),
}
OF_MORE_CLASSES = ["tree", "forest", "one per label", "one forest per label", "neighbours", "pipeline"]
NAMES = ("target 0", "target 1", "target 2")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def sums(explained):
    return np.asarray(explained.shap_values).sum(axis=2).T + explained.expected_values


@pytest.mark.parametrize("name", REGRESSORS)
@pytest.mark.parametrize("n_targets", [2, 3])
def test_each_target_of_a_regression_adds_up(name, n_targets):
    model, method = REGRESSORS[name]
    model.fit(X, RESPONSES[:, :n_targets])
    explained = explain_model(model, X[:20], X[:4])
    assert (explained.classes, explained.output_space, explained.method) == (NAMES[:n_targets], "response", method)
    np.testing.assert_allclose(sums(explained), model.predict(X[:4]), atol=1e-8)


def probabilities(model, rows):
    """The probability of label 1, or of each of more classes, of each target."""
    if not hasattr(model, "predict_proba"):
        return model.decision_function(rows)
    found = model.predict_proba(rows)
    return np.hstack([own[:, 1:] if own.shape[1] == 2 else own for own in found]) if isinstance(found, list) else found


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("n_targets", [2, 3])
def test_each_label_adds_up(name, n_targets):
    model, method = CLASSIFIERS[name]
    model.fit(X, LABELS[:, :n_targets])
    explained = explain_model(model, X[:20], X[:4])
    assert (explained.classes, explained.method) == (NAMES[:n_targets], method)
    np.testing.assert_allclose(sums(explained), probabilities(model, X[:4]), atol=1e-9)


@pytest.mark.parametrize("name", OF_MORE_CLASSES)
def test_targets_of_more_classes_have_an_output_for_each(name):
    model = CLASSIFIERS[name][0].fit(X, MIXED)
    explained = explain_model(model, X[:20], X[:4])
    assert explained.classes == ("target 0: 0", "target 0: 1", "target 0: 2", "target 1", "target 2")
    np.testing.assert_allclose(sums(explained), probabilities(model, X[:4]), atol=1e-9)


SMALL = {"n_estimators": 4, "max_depth": 3, "n_jobs": 1}
CAT = {"iterations": 4, "depth": 3, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
QUANTILES = {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.5, 0.9], "tree_method": "hist"}
BOOSTERS = {
    "one tree per target": (xgboost.XGBRegressor(**SMALL), RESPONSES),
    "vector leaves": (
        xgboost.XGBRegressor(**SMALL, multi_strategy="multi_output_tree", tree_method="hist"),
        RESPONSES,
    ),
    "two targets": (xgboost.XGBRegressor(**SMALL), RESPONSES[:, :2]),
    "counts": (xgboost.XGBRegressor(**SMALL, objective="count:poisson"), np.abs(RESPONSES)),
    "quantiles": (xgboost.XGBRegressor(**SMALL, **QUANTILES), RESPONSES[:, 0]),
    "labels": (xgboost.XGBClassifier(**SMALL), LABELS),
    "two labels": (xgboost.XGBClassifier(**SMALL), LABELS[:, :2]),
    "catboost": (CatBoostRegressor(**CAT, loss_function="MultiRMSE"), RESPONSES),
    "catboost, deep": (CatBoostRegressor(**CAT, loss_function="MultiRMSE", grow_policy="Lossguide"), RESPONSES),
    "catboost quantiles": (CatBoostRegressor(**CAT, loss_function="MultiQuantile:alpha=0.1,0.5,0.9"), RESPONSES[:, 0]),
    "catboost labels": (CatBoostClassifier(**CAT, loss_function="MultiLogloss"), LABELS),
    "catboost two labels": (CatBoostClassifier(**CAT, loss_function="MultiCrossEntropy"), LABELS[:, :2]),
}


@pytest.mark.parametrize("name", BOOSTERS)
def test_boosters_of_several_targets(name):
    model, y = BOOSTERS[name]
    model.fit(X, y)
    output, predict = ("probability", model.predict_proba) if "labels" in name else ("response", model.predict)
    explained = explain_model(model, X[:20], X[:4], output=output)
    quantiles = tuple(f"quantile {quantile}" for quantile in (0.1, 0.5, 0.9))
    assert explained.classes == (quantiles if "quantiles" in name else NAMES[: 2 if "two" in name else 3])
    np.testing.assert_allclose(sums(explained), predict(X[:4]), atol=1e-5)
    assert explain_model(model, X[:20], X[:4]).method == "tree"


def test_labels_that_are_text_are_named():
    model = DecisionTreeClassifier(max_depth=3).fit(X, np.where(LABELS[:, :2] == 1, "yes", "no"))
    assert describe(model).classes == ("target 0: yes", "target 1: yes")


def test_one_target_in_a_column_is_one_target():
    for model in (Ridge(), KNeighborsRegressor(), GaussianProcessRegressor(alpha=0.1), KernelRidge(kernel="rbf")):
        explained = explain_model(model.fit(X, RESPONSES[:, :1]), X[:20], X[:4])
        assert explained.classes is None
        made = explained.shap_values.sum(axis=1) + explained.expected_values
        np.testing.assert_allclose(made, model.predict(X[:4]).ravel(), atol=1e-8)


@pytest.mark.parametrize("model", [Ridge(), KNeighborsRegressor()], ids=["structure", "black box"])
def test_other_explainers_of_several_targets(model):
    model.fit(X, RESPONSES[:, :2])
    assert LIMEExplainer(model, X).explain_local(X[:2]).classes == NAMES[:2]
    assert MimicExplainer(model, X, LinearExplainableModel).explain_local(X[:2]).classes == NAMES[:2]
    named = TabularExplainer(model, X[:20], classes=["price", "rent"], model_task="regression").explain_local(X[:2])
    assert named.classes == ("price", "rent")
    with pytest.raises(UnsupportedModelError, match="predicts 2 targets at once"):
        PFIExplainer(model).explain_global(X, true_labels=RESPONSES[:, :2])
