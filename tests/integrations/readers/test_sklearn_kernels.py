"""Kernel machines of scikit-learn, read as sums of Gaussian kernels, against all coalitions of their predictions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC, SVR, NuSVC, NuSVR

from automl_explain import KernelExplainer, SamplingOptions, TabularExplainer
from automl_explain.explainers.coalitions._radial_kernels import group_codes, products_of, working_space
from automl_explain.explainers.methods._base import Question
from automl_explain.explainers.methods._rbf import RadialEngine
from automl_explain.explainers.model._fitted_model import Composite, FittedModel
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.model._structures import Opaque, RadialBasis
from automl_explain.explainers.tables._table import Table
from tests.oracles import model_game, shapley_values

pytestmark = pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")

X = np.random.default_rng(0).normal(size=(160, 5))
SCORE = X[:, 0] * X[:, 1] + np.sin(X[:, 2]) + X[:, 4]
LABELS = np.where(SCORE > 0, "yes", "no")

READ = {
    "svc": SVC(),
    "svc, gamma auto": SVC(gamma="auto", C=10.0),
    "svc, weighted classes": SVC(class_weight="balanced"),
    "nu-svc": NuSVC(nu=0.3),
    "svr": SVR(gamma=0.3),
    "nu-svr": NuSVR(C=3.0),
    "kernel ridge": KernelRidge(kernel="rbf", alpha=0.1),
    "kernel ridge, gamma": KernelRidge(kernel="rbf", gamma=0.4),
    "process": GaussianProcessRegressor(RBF(2.0), alpha=0.1),
    "process, kernel by default": GaussianProcessRegressor(alpha=0.1),
    "process, scaled and noisy": GaussianProcessRegressor(
        WhiteKernel(0.1) + RBF(np.arange(1.0, 6.0)) * ConstantKernel(2.0), optimizer=None, normalize_y=True
    ),
}
NOT_READ = {
    "polynomial": SVC(kernel="poly"),
    "callable kernel": SVC(kernel=lambda A, B: A @ B.T),
    "ridge with another kernel": KernelRidge(kernel="laplacian"),
    "process with another kernel": GaussianProcessRegressor(Matern(), alpha=0.1),
    "process with a sum of kernels": GaussianProcessRegressor(RBF(1.0) + RBF(3.0), alpha=0.1, optimizer=None),
}


def fitted(model, rows=X):
    return model.fit(rows, LABELS if hasattr(model, "decision_function") else SCORE)


def by_predictions(predict, rows, background):
    explainer = KernelExplainer(
        predict, background, sampling=SamplingOptions(background_size=len(background)), progress=False
    )
    return explainer.explain_local(rows).local_importance_values


@pytest.mark.parametrize("name", READ)
def test_values_are_those_of_all_coalitions(name):
    model = fitted(READ[name])
    assert isinstance(describe(model).structure, RadialBasis)
    explained = TabularExplainer(model, X[:30], progress=False).explain_local(X[30:36])
    assert explained.method == "rbf"
    assert explained.standard_errors is None
    assert "exact" in explained.reason
    values = explained.local_importance_values
    predict = model.decision_function if values.ndim == 3 else model.predict
    expected = by_predictions(predict, X[30:36], X[:30])
    np.testing.assert_allclose(values if values.ndim == 2 else values[1], expected, atol=1e-9)
    if values.ndim == 3:
        np.testing.assert_allclose(values[0], -values[1])


@pytest.mark.parametrize("name", NOT_READ)
def test_other_kernels_are_black_boxes(name):
    model = fitted(NOT_READ[name])
    assert isinstance(describe(model).structure, Opaque)


MARGINS = {
    "two classes": SVC(probability=True, random_state=0),
    "two classes, nu": NuSVC(nu=0.2, probability=True, random_state=0),
    "two classes, linear": SVC(kernel="linear", probability=True, random_state=0),
    "three classes": SVC(),
    "three classes, pairs": SVC(decision_function_shape="ovo"),
    "three classes, with probabilities": SVC(probability=True, random_state=0),
    "five classes, linear": SVC(kernel="linear", probability=True, random_state=0),
    "five classes, nu": NuSVC(nu=0.1, probability=True, random_state=0),
}
"""Support vector machines whose outputs are a function of several margins, or of one below Platt's link."""


def with_classes(name):
    n_classes = {"two": 2, "three": 3, "five": 5}[name.partition(" ")[0]]
    return MARGINS[name].fit(X, np.digitize(SCORE, np.quantile(SCORE, np.arange(1, n_classes) / n_classes)))


@pytest.mark.parametrize("name", MARGINS)
def test_structures_give_the_outputs_of_the_library(name):
    model = with_classes(name)
    described = describe(model)
    assert list(described.outputs) == (
        ["margin", "probability", "log_odds"] if hasattr(model, "predict_proba") else ["margin"]
    )
    for space in set(described.outputs) - {"log_odds"}:
        seen = described.in_space(space)
        expected = described.outputs[space](X)
        if isinstance(seen.structure, Composite):
            made = seen.structure.combine(seen.structure.member_outputs(X), None)
            np.testing.assert_allclose(made, expected, atol=1e-12)
        if space == "probability":
            np.testing.assert_array_equal(expected, model.predict_proba(X))
        elif model.decision_function_shape == "ovr":
            decision = model.decision_function(X)
            np.testing.assert_array_equal(expected if decision.ndim == 2 else expected[:, 1], decision)


@pytest.mark.parametrize("name", MARGINS)
@pytest.mark.parametrize("output", ["margin", "probability"])
def test_values_of_margins_are_those_of_all_coalitions(name, output):
    model = with_classes(name)
    if output == "probability" and not hasattr(model, "predict_proba"):
        pytest.skip("without probabilities")
    explained = TabularExplainer(model, X[:20], output=output, progress=False).explain_local(X[30:34])
    assert explained.output_space == output
    assert explained.method == ("ensemble" if output == "probability" or "two" not in name else explained.method)
    predict = describe(model).outputs[output]
    expected = by_predictions(predict, X[30:34], X[:20])
    np.testing.assert_allclose(explained.local_importance_values, expected, atol=1e-9)


def test_the_margin_of_a_classifier_with_probabilities_is_exact():
    explained = TabularExplainer(with_classes("two classes"), X[:20], output="margin", progress=False)
    assert explained.explain_local(X[30:34]).method == "rbf"


@pytest.mark.parametrize("n_players", [3, 6, 7, 30])
def test_products_of_coalitions(n_players):
    rng = np.random.default_rng(n_players)
    mine, theirs = rng.uniform(size=(2, n_players, 5))
    coalitions = rng.random((40, n_players)) < 0.5
    codes = group_codes(coalitions)
    tables, products = working_space(codes, 5)
    products_of(mine, theirs, codes, tables, products)
    expected = np.where(coalitions[:, :, None], mine, theirs).prod(axis=1)
    np.testing.assert_allclose(products, expected, rtol=1e-12)


def test_sparse_rows():
    rows = sparse.random(120, 6, density=0.4, random_state=0, format="csr")
    model = SVR().fit(rows, np.asarray(rows.sum(axis=1)).ravel() ** 2)
    explained = TabularExplainer(model, rows[:20], progress=False).explain_local(rows[20:24])
    expected = by_predictions(model.predict, rows[20:24].toarray(), rows[:20].toarray())
    assert explained.method == "rbf"
    np.testing.assert_allclose(explained.local_importance_values, expected, atol=1e-9)


@pytest.mark.parametrize(
    "model",
    [
        CalibratedClassifierCV(SVC(), cv=2),
        StackingClassifier([("svc", SVC()), ("bayes", GaussianNB())], LogisticRegression(), cv=2),
    ],
    ids=["calibrated", "stacked"],
)
def test_members_of_ensembles(model):
    model.fit(X, LABELS)
    read = TabularExplainer(model, X[:20], output="probability", progress=False).explain_local(X[30:34])
    asked = by_predictions(model.predict_proba, X[30:34], X[:20])
    np.testing.assert_allclose(read.local_importance_values, asked, atol=1e-9)


def test_fewer_background_rows_are_said():
    model = fitted(SVR())
    assert not TabularExplainer(model, X, progress=False).notes
    many = TabularExplainer(model, np.vstack([X, X + 0.1]), progress=False)
    assert any("200 of 320" in note for note in many.notes)
    assert many.explain_local(X[:3]).additivity_error < 1e-9


@given(n_players=st.integers(1, 6), log_gamma=st.floats(-4, 4), seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_any_width_players_and_weights(n_players, log_gamma, seed):
    rng = np.random.default_rng(seed)
    n_columns, share = n_players + 2, rng.dirichlet(np.ones(4))
    players = rng.permutation(np.append(np.arange(n_players), rng.integers(0, n_players, 2)))
    gamma = 10.0**log_gamma * rng.uniform(0.5, 2.0, n_columns)
    basis = RadialBasis(rng.normal(size=(70, n_columns)), gamma, rng.normal(size=(70, 2)), rng.normal(size=2))

    def predict(rows):
        far = (gamma * (np.asarray(rows)[:, None] - basis.centres) ** 2).sum(axis=2)
        return np.exp(-far) @ basis.weights + basis.intercept

    model = FittedModel({"margin": predict}, "margin", "binary", basis, classes=("no", "yes"))
    rows, background = rng.normal(size=(2, n_columns)), rng.normal(size=(4, n_columns))
    rows[0] = background[2]
    engine = RadialEngine(Question(model, Table(background), players, n_players, weights=share))
    values = engine.attribute(Table(rows)).values
    for i, row in enumerate(rows):
        games = [model_game(predict, row[None], other[None], players) for other in background]
        expected = sum(w * shapley_values(game, n_players) for w, game in zip(share, games, strict=True))
        np.testing.assert_allclose(values[:, i], expected, atol=1e-12)
