"""Multinomial and complement naive Bayes classifiers are linear in log-odds, also of tables."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.naive_bayes import ComplementNB, MultinomialNB

from automl_explain import describe, explain_model
from tests.oracles import shapley_values


@pytest.mark.parametrize("kind", [MultinomialNB, ComplementNB])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_values_are_shapley_values_of_the_log_odds(kind, n_classes):
    rng = np.random.default_rng(n_classes)
    X, y = rng.poisson(2.0, (40, 4)).astype(float), rng.integers(0, n_classes, 40)
    model = kind(alpha=0.5).fit(X, np.array(["a", "b", "c"])[y])
    described = describe(model)
    assert described.output_space == "log_odds"
    log_odds = described.predict(X)
    probability = softmax(log_odds / (2 if n_classes == 2 else 1), axis=1)
    np.testing.assert_allclose(probability, model.predict_proba(X), atol=1e-12)
    explained = explain_model(model, X, X[:2])
    assert explained.method == "linear"
    for row in range(2):

        def value(present, row=row):
            masked = X.copy()
            masked[:, list(present)] = X[row, list(present)]
            return described.predict(masked).mean(axis=0)

        values = np.array([block[row] for block in explained.shap_values])
        np.testing.assert_allclose(values, shapley_values(value, 4), atol=1e-10)
    in_probability = explain_model(model, X, X[:2], output="probability").explanation
    np.testing.assert_allclose(in_probability.predictions, model.predict_proba(X[:2]), atol=1e-12)


def test_a_single_class_is_explained_from_its_predictions():
    assert describe(MultinomialNB().fit([[1.0], [2.0]], ["a", "a"])).output_space == "probability"
