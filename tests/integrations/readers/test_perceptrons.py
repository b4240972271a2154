"""scikit-learn's multilayer perceptrons: exact values from their layers, for every output that they can have."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import BaggingClassifier, BaggingRegressor, StackingClassifier, VotingClassifier, VotingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from automl_explain import (
    InvalidInputError,
    NotFittedError,
    SamplingOptions,
    TabularExplainer,
    UnsupportedModelError,
    describe,
)
from automl_explain.explainers.coalitions import _dense_outputs
from automl_explain.explainers.model._predict_function import as_columns
from automl_explain.explainers.neural._dense_chain import ACTIVATIONS, DenseChain, DenseNetwork
from tests.oracles import model_game, shapley_values

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 5)) * [1, 10, 0.1, 1, 1] + [0, 100, 0, 0, 0]
X[:, 4] = X[:, 4] > 0
SCORE = np.sin(X[:, 0]) + X[:, 1] / 20 + 5 * X[:, 2] * X[:, 4] + X[:, 3] ** 2
BACKGROUND, ROWS = X[:12], X[100:103]


def known_values(outputs, row, background):
    """Values of one row, a table, by definition: (K, f)."""
    columns = as_columns(outputs, "the model")
    return shapley_values(model_game(columns, row, background), row.shape[1])


def network(kind=MLPRegressor, sizes=(7,), **settings):
    settings = {"activation": "relu", "solver": "lbfgs", "max_iter": 40, "random_state": 0, **settings}
    return kind(hidden_layer_sizes=sizes, **settings)


def scaled(model):
    return make_pipeline(StandardScaler(), model)


TARGETS = {
    "one target": SCORE,
    "two targets": np.column_stack([SCORE, X[:, 0] * X[:, 3]]),
    "two classes": np.where(np.median(SCORE) < SCORE, "yes", "no"),
    "three classes": np.digitize(SCORE, np.quantile(SCORE, [0.3, 0.7])),
    "three labels": np.column_stack([SCORE > 5, X[:, 0] > 0, X[:, 3] * X[:, 4] > 0]).astype(int),
}


def fitted(target, sizes=(7,), **settings):
    kind = MLPRegressor if "target" in target else MLPClassifier
    return network(kind, sizes, **settings).fit(StandardScaler().fit_transform(X), TARGETS[target])


def outputs_of(model, target):
    """The outputs as scikit-learn computes them, and the scores before the last function."""
    if "target" in target:
        return {"response": lambda rows: model.predict(rows).reshape(len(rows), -1)}

    def scores(rows):
        last = rows
        for weights, bias in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
            last = last @ weights + bias
            last = {"relu": lambda v: np.maximum(v, 0), "tanh": np.tanh}[model.activation](last)
        made = last @ model.coefs_[-1] + model.intercepts_[-1]
        return np.hstack([-made, made]) if target == "two classes" else made

    return {"probability": model.predict_proba, "log_odds": scores}


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("sizes", [(), (7,), (6, 4)], ids=["no layer", "one layer", "two layers"])
@pytest.mark.parametrize("target", TARGETS)
def test_values_are_shapley_values_in_every_output_space(target, sizes, activation):
    model, Z = fitted(target, sizes, activation=activation), StandardScaler().fit_transform(X)
    assert isinstance(describe(model).structure, DenseNetwork)
    for space, outputs in outputs_of(model, target).items():
        explanation = TabularExplainer(model, Z[:12], output=space).explain_local(Z[100:102])
        assert explanation.output_space == space
        assert explanation.standard_errors is None
        assert explanation.method == "coalitions"
        found = explanation.local_importance_values.reshape(-1, 2, 5)
        for row in range(2):
            known = known_values(outputs, Z[100 + row : 101 + row], Z[:12])
            spread = np.ptp(outputs(Z), axis=0).max()
            np.testing.assert_allclose(found[:, row], known, atol=2e-6 * spread)
        assert explanation.additivity_error <= 1e-9 * spread


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_that_of_scikit_learn(activation):
    model = fitted("one target", activation=activation)
    chain = describe(model).structure.chain
    np.testing.assert_allclose(chain.outputs(X)[:, 0], model.predict(X), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("target", TARGETS)
def test_the_classes_and_targets_have_their_names(target):
    names = {"two classes": ("no", "yes"), "three classes": (0, 1, 2), "one target": None}
    several = {"two targets": ("target 0", "target 1"), "three labels": ("target 0", "target 1", "target 2")}
    assert describe(fitted(target)).classes == {**names, **several}[target]


def test_no_single_precision_where_it_is_not_precise_enough(monkeypatch):
    """The outputs of this network hardly change: their rounding in float32 exceeds a millionth of their spread."""
    Z = StandardScaler().fit_transform(X)
    model = fitted("one target", (20,), activation="tanh")
    model.coefs_[1] = np.tile([[1e4], [-1e4]], (10, 1)) + 1e-3 * model.coefs_[1]
    model.coefs_[0][:, 1::2], model.intercepts_[0][1::2] = model.coefs_[0][:, ::2], model.intercepts_[0][::2]
    explanation = TabularExplainer(model, Z[:12]).explain_local(Z[100:101])
    known = known_values(model.predict, Z[100:101], Z[:12])[0]
    np.testing.assert_allclose(explanation.local_importance_values[0], known, rtol=1e-7, atol=1e-9)
    monkeypatch.setattr(_dense_outputs, "SINGLE", 1e9)
    rounded = TabularExplainer(model, Z[:12]).explain_local(Z[100:101]).local_importance_values[0]
    assert np.abs(rounded - known).max() > 1e-6 * np.ptp(model.predict(Z))


def test_rows_that_round_more_than_the_background_are_computed_again():
    Z = StandardScaler().fit_transform(X)
    model, far = fitted("one target", (20,), activation="tanh"), Z[100:101] * [1e7, 1, 1, 1, 1]
    model.coefs_[0][0] *= 1e-7
    explanation = TabularExplainer(model, Z[:12]).explain_local(far)
    known = known_values(model.predict, far, Z[:12])[0]
    np.testing.assert_allclose(explanation.local_importance_values[0], known, atol=1e-6 * np.ptp(model.predict(Z)))


@pytest.mark.parametrize("n_columns", [14, 30])
def test_sampled_values_are_within_their_standard_errors_and_add_up(n_columns):
    rng = np.random.default_rng(1)
    Z = rng.normal(size=(80, n_columns))
    model = network(sizes=(9,)).fit(Z, np.sin(Z[:, 0] * Z[:, 1]) + Z[:, 2] ** 2)
    options = SamplingOptions(nsamples=400, background_size=8)
    explanation = TabularExplainer(model, Z[:8], sampling=options).explain_local(Z[50:53])
    assert explanation.standard_errors is not None
    assert explanation.additivity_error <= 1e-9
    opaque = TabularExplainer(model.predict, Z[:8], sampling=options).explain_local(Z[50:53])
    spread = np.ptp(model.predict(Z))
    np.testing.assert_allclose(
        explanation.local_importance_values, opaque.local_importance_values, atol=2e-6 * spread
    )  # the same coalitions


def test_values_hardly_depend_on_the_other_rows_and_threads():
    model, Z = fitted("three classes", (20, 10)), StandardScaler().fit_transform(X)
    together = TabularExplainer(model, Z[:12], n_jobs=2).explain_local(Z[90:99]).local_importance_values
    alone = [
        TabularExplainer(model, Z[:12], n_jobs=1).explain_local(Z[i : i + 1]).local_importance_values
        for i in range(90, 99)
    ]
    np.testing.assert_allclose(together, np.concatenate(alone, axis=1), atol=1e-6)


def frame():
    letters = pd.Categorical(RNG.choice(list("abc"), len(X)))
    return pd.DataFrame(X, columns=["a", "b", "c", "d", "e"]).assign(letter=letters)


def test_raw_columns_through_a_pipeline():
    table = frame()
    shift = table["letter"].map({"a": 0.0, "b": 2.0, "c": -3.0}).astype(float)
    encode = ColumnTransformer([("one", OneHotEncoder(), ["letter"])], remainder=StandardScaler())
    model = make_pipeline(encode, network()).fit(table, SCORE + shift)
    explanation = TabularExplainer(model, table.iloc[:10], feature_space="raw").explain_local(table.iloc[100:102])
    assert explanation.features == tuple(table.columns)
    assert explanation.method == "coalitions"
    for row in range(2):
        known = known_values(model.predict, table.iloc[100 + row : 101 + row], table.iloc[:10])[0]
        spread = np.ptp(model.predict(table))
        np.testing.assert_allclose(explanation.local_importance_values[row], known, atol=1e-6 * spread)


def test_sparse_tables_with_columns_that_do_not_differ():
    dense = RNG.normal(size=(60, 6)) * (RNG.random((60, 6)) < 0.4)
    model = network().fit(dense, dense[:, 0] + dense[:, 1] * dense[:, 2])
    found = TabularExplainer(model, sparse.csr_matrix(dense[:10])).explain_local(sparse.csr_matrix(dense[40:42]))
    for row in range(2):
        known = known_values(model.predict, dense[40 + row : 41 + row], dense[:10])[0]
        np.testing.assert_allclose(found.local_importance_values[row], known, atol=1e-6 * np.ptp(model.predict(dense)))


CLASSES, NUMBERS = TARGETS["three classes"], TARGETS["one target"]
ENSEMBLES = {
    "search": (GridSearchCV(network(), {"alpha": [1e-4, 1e-3]}, cv=2), NUMBERS),
    "vote of regressors": (VotingRegressor([("a", network()), ("b", network(sizes=(4, 4))), ("c", Ridge())]), NUMBERS),
    "soft vote": (
        VotingClassifier([("a", scaled(network(MLPClassifier))), ("b", network(MLPClassifier))], voting="soft"),
        CLASSES,
    ),
    "bagging": (BaggingRegressor(network(), n_estimators=3, random_state=0), NUMBERS),
    "bagging of some columns": (
        BaggingClassifier(
            network(MLPClassifier), n_estimators=3, max_features=0.8, bootstrap_features=True, random_state=0
        ),
        CLASSES,
    ),
    "stack": (
        StackingClassifier([("a", network(MLPClassifier)), ("b", network(MLPClassifier, (4,)))], LogisticRegression()),
        CLASSES,
    ),
    "scaled target": (TransformedTargetRegressor(network(), transformer=StandardScaler()), NUMBERS),
    "transformed target": (
        TransformedTargetRegressor(network(), transformer=FunctionTransformer(np.log1p, np.expm1)), NUMBERS - SCORE.min()
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ENSEMBLES)
def test_ensembles_of_networks_are_exact_and_predict_no_mixed_rows(name, monkeypatch):
    model, y = ENSEMBLES[name]
    Z = StandardScaler().fit_transform(X)
    model = clone(model).fit(Z, y)
    explainer = TabularExplainer(model, Z[:10])
    predicted, space = [], explainer.explain_local(Z[100:101]).output_space
    for kind in (MLPRegressor, MLPClassifier):
        forward = kind._forward_pass_fast
        monkeypatch.setattr(kind, "_forward_pass_fast", lambda self, rows, *a, f=forward, **k: predicted.append(len(rows)) or f(self, rows, *a, **k))  # fmt: skip  # noqa: E501
    explanation = explainer.explain_local(Z[100:102])
    assert sum(predicted) < 2**5 * 10
    outputs = describe(model).outputs[space]
    for row in range(2):
        known = known_values(outputs, Z[100 + row : 101 + row], Z[:10])
        found = explanation.local_importance_values.reshape(-1, 2, 5)[:, row]
        np.testing.assert_allclose(found, known, atol=3e-6 * np.ptp(outputs(Z), axis=0).max())


@pytest.mark.parametrize("link", ["identity", "logistic", "softmax", "exp"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_those_of_differences(link, activation):
    rng = np.random.default_rng(2)
    sizes = (4, 5, 3, 2)
    weights = tuple(rng.normal(size=pair) for pair in pairwise(sizes))
    chain = DenseChain(weights, tuple(rng.normal(size=size) for size in sizes[1:]), activation, link)
    rows, step = rng.normal(size=(6, 4)), 1e-6
    (found,) = chain.gradients((rows,))
    for column in range(4):
        ahead, behind = rows.copy(), rows.copy()
        ahead[:, column] += step
        behind[:, column] -= step
        known = (chain.outputs(ahead) - chain.outputs(behind)) / (2 * step)
        np.testing.assert_allclose(found[:, :, column], known.T, atol=1e-6)


def test_the_rescale_rule_adds_up_and_is_exact_for_a_linear_network():
    rows, others = (RNG.normal(size=(6, 5)) for _ in range(2))
    for activation in ACTIVATIONS:
        model = fitted("two classes", (6, 4), activation=activation)
        chain = describe(model).structure.chain
        (found,) = chain.pair_rule().contributions((rows,), (others,))
        np.testing.assert_allclose(found.sum(axis=2), (chain.outputs(rows) - chain.outputs(others)).T, atol=1e-12)
        if activation == "identity":
            (linear,) = chain.without_link().pair_rule().contributions((rows,), (others,))
            coef = chain.weights[0] @ chain.weights[1] @ chain.weights[2]
            np.testing.assert_allclose(linear[0], (rows - others) * coef[:, 0], atol=1e-12)


def test_a_softmax_has_no_rescale_rule():
    with pytest.raises(UnsupportedModelError, match="softmax"):
        describe(fitted("three classes")).structure.pair_rule()


def test_a_network_without_its_layers_is_not_fitted():
    with pytest.raises(NotFittedError, match="Call its 'fit'"):
        TabularExplainer(MLPRegressor(), X)


def test_missing_cells_are_refused_as_scikit_learn_does():
    model, holes = network().fit(X, SCORE), ROWS.copy()
    holes[0, 0] = np.nan
    with pytest.raises(InvalidInputError, match="NaN"):
        TabularExplainer(model, BACKGROUND).explain_local(holes)


def test_one_class_is_refused():
    with pytest.raises(UnsupportedModelError, match="one class only"):
        TabularExplainer(network(MLPClassifier).fit(X, np.zeros(len(X), int)), X)
