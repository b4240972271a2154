"""FLAML's sgd learner scales each row to unit length; its coalitions are evaluated from sums over the columns."""

import numpy as np
import pandas as pd
import pytest
from flaml.automl.model import SGDEstimator

from automl_explain import TabularExplainer
from automl_explain.explainers.model._fitted_model import Composite
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.model._structures import Opaque
from tests.oracles import model_game, shapley_values


def fitted(task, y, X, **settings):
    learner = SGDEstimator(task=task, **settings)
    learner.fit(X, y)
    return learner


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(80, 5)) * [1, 10, 0.1, 100, 1], columns=list("abcde"))
    X[rng.random(X.shape) < 0.3] = 0.0
    X.iloc[[0, 3]] = 0.0  # rows of length 0
    X["e"] = pd.Categorical(rng.choice(["x", "y", "z"], 80), categories=["z", "y", "x"])
    return X


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("loss", ["log_loss", "modified_huber"])
def test_values_are_the_shapley_values_of_the_scaled_model(kind, loss, table):
    score = table["a"] + table["b"] / 10 + (table["e"] == "x")
    y = score.to_numpy() if kind == "regression" else pd.qcut(score, 2 if kind == "binary" else 3, labels=False)
    learner = fitted(kind, np.asarray(y), table, **({} if kind == "regression" else {"loss": loss}))
    model = describe(learner)
    assert isinstance(model.structure, Composite)
    background, rows = table.iloc[:12], table.iloc[[0, 1, 2, 40, 41]]
    explained = TabularExplainer(model, background).explain_local(rows)
    values = explained.local_importance_values
    values = values[None] if kind == "regression" else values
    for i in range(len(rows)):
        game = model_game(lambda mixed: model.predict(mixed), rows.iloc[i : i + 1], background)
        np.testing.assert_allclose(values[:, i], shapley_values(game, 5), atol=1e-10)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("loss", ["log_loss", "modified_huber"])
def test_probabilities_come_from_sums_too(loss, n_classes, table, monkeypatch):
    """Most margins of the modified Huber loss are beyond 1, and some rows have no margin above -1: equal shares."""
    y = np.asarray(pd.qcut(table["a"] + table["b"] / 10, n_classes, labels=False))
    learner = fitted("binary" if n_classes == 2 else "multiclass", y, table, loss=loss)
    background, rows = table.iloc[:12], table.iloc[[0, 1, 2, 40, 41]]
    games = [model_game(learner.predict_proba, rows.iloc[i : i + 1], background) for i in range(len(rows))]
    brute = [shapley_values(game, 5) for game in games]
    seen, predict = [], SGDEstimator._preprocess
    monkeypatch.setattr(SGDEstimator, "_preprocess", lambda self, X: seen.append(len(X)) or predict(self, X))
    explained = TabularExplainer(describe(learner), background, output="probability").explain_local(rows)
    assert max(seen) <= 12
    np.testing.assert_allclose(explained.local_importance_values, np.stack(brute, axis=1), atol=1e-10)


def test_no_masked_row_is_predicted(table, monkeypatch):
    learner = fitted("regression", table["a"].to_numpy(), table)
    seen, predict = [], SGDEstimator._preprocess
    monkeypatch.setattr(SGDEstimator, "_preprocess", lambda self, X: seen.append(len(X)) or predict(self, X))
    TabularExplainer(describe(learner), table.iloc[:20]).explain_local(table.iloc[20:25])
    assert max(seen) <= 20


def test_a_learner_with_another_preprocessing_stays_a_black_box(table):
    class Shifted(SGDEstimator):
        def _preprocess(self, X):
            return super()._preprocess(X) + 1.0

    learner = Shifted(task="regression")
    learner.fit(table, table["a"].to_numpy())
    assert isinstance(describe(learner).structure, Opaque)
    learner = fitted("regression", table["a"].to_numpy(), table)
    learner.normalizer.norm = "l1"
    assert isinstance(describe(learner).structure, Opaque)
