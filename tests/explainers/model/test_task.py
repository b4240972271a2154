"""The task of a model: read from the model, or set by the user if the model leaves it open."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression

from automl_explain import (
    InvalidInputError,
    KernelExplainer,
    LIMEExplainer,
    LinearExplainableModel,
    MimicExplainer,
    PFIExplainer,
    TabularExplainer,
)
from tests.oracles import model_game, shapley_values

X = np.random.default_rng(0).normal(size=(120, 4))
CLASSES = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)
FOREST = RandomForestClassifier(8, random_state=0).fit(X, CLASSES)


def second(rows):
    return FOREST.predict_proba(rows)[:, 1]


class Scorer:
    """A model of an unknown library whose `predict` returns one column of probabilities."""

    def predict(self, rows):
        return second(rows)[:, None]


MODELS = {"function": second, "object": Scorer()}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


@pytest.mark.parametrize("explainer", [TabularExplainer, KernelExplainer])
def test_a_column_of_probabilities_is_explained_as_two_classes(model, explainer):
    explanation = explainer(model, X[:12], model_task="classification", classes=["no", "yes"]).explain_local(X[50:51])
    assert (explanation.classes, explanation.output_space) == (("no", "yes"), "probability")
    expected = shapley_values(model_game(FOREST.predict_proba, X[50:51], X[:12]), 4)
    np.testing.assert_allclose(explanation.local_importance_values[:, 0], expected, atol=1e-9)
    np.testing.assert_allclose(explanation.expected_values, FOREST.predict_proba(X[:12]).mean(axis=0))


def test_without_a_word_it_is_a_regression(model):
    for task in (None, "regression"):
        explanation = TabularExplainer(model, X[:12], model_task=task).explain_local(X[50:51])
        assert (explanation.classes, explanation.output_space) == (None, "response")


def test_every_other_explainer_takes_the_word(model):
    mimic = MimicExplainer(model, X, LinearExplainableModel, model_task="classification").explain_local(X[:3])
    lime = LIMEExplainer(model, X, nsamples=200, model_task="classification").explain_local(X[:3])
    for explanation in (mimic, lime):
        assert (explanation.output_space, explanation.local_importance_values.shape) == ("probability", (2, 3, 4))
    said = PFIExplainer(model, metric="roc_auc", model_task="classification").explain_global(X, true_labels=CLASSES)
    known = PFIExplainer(FOREST, metric="roc_auc").explain_global(X, true_labels=CLASSES)
    np.testing.assert_allclose(said.importances, known.importances, atol=1e-12)


@pytest.mark.parametrize(
    ("known", "task", "words"),
    [
        (
            FOREST,
            "regression",
            "RandomForestClassifier is a classification, whose output is 2 classes. Got 'regression'",
        ),
        (FOREST.predict_proba, "regression", "is a classification, whose output is 2 classes"),
        (RandomForestRegressor(3).fit(X, CLASSES), "classification", "RandomForestRegressor is a regression"),
        (LinearRegression().fit(X, CLASSES), "classification", "is a regression, whose output is a number"),
        (lambda rows: 3 * rows[:, 0], "classification", "must return probabilities, from 0 to 1. Got values from -"),
        (second, "binary", r"must be one of \('classification', 'regression'\). Got 'binary'"),
    ],
)
def test_a_task_that_the_model_contradicts_is_refused(known, task, words):
    with pytest.raises(InvalidInputError, match=words):
        TabularExplainer(known, X, model_task=task)
    with pytest.raises(InvalidInputError, match=words):
        MimicExplainer(known, X, LinearExplainableModel, model_task=task)


def test_the_task_that_a_model_has_changes_nothing():
    model = LogisticRegression().fit(X, CLASSES)
    said, own = (TabularExplainer(model, X, model_task=task).explain_local(X[:3]) for task in ("classification", None))
    np.testing.assert_array_equal(said.local_importance_values, own.local_importance_values)
    assert said.method == "linear"
