"""Estimators that people write themselves, and PyTorch's modules, explained from what they predict."""

import lightgbm
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from automl_explain import (
    InvalidInputError,
    LIMEExplainer,
    NotFittedError,
    PFIExplainer,
    TabularExplainer,
    UnsupportedModelError,
    explain_model,
)
from automl_explain.explainers.model._registry import describe

X = np.random.default_rng(0).normal(size=(80, 4))
RESPONSE = X @ np.array([2.0, 1.0, -1.0, 0.5])
LABELS = (2.0 * X[:, 0] + X[:, 1] > 0).astype(int)


class OwnRegressor:
    """A class of its own, as pyGAM's and Keras' are."""

    def fit(self, X, y):
        self.model = Ridge().fit(X, y)
        return self

    def predict(self, X):
        return self.model.predict(X)


class OwnColumn(OwnRegressor):
    def predict(self, X):
        return self.model.predict(X)[:, None]


class OwnClassifier:
    """Probabilities without `classes_`."""

    def fit(self, X, y):
        self.model = LogisticRegression().fit(X, y)
        return self

    def predict(self, X):
        return self.model.predict(X)

    def predict_proba(self, X):
        return self.model.predict_proba(X)


class WrappedRegressor(RegressorMixin, BaseEstimator):
    """A wrapper that fits what it holds in place and stores nothing else."""

    def __init__(self, inner=None):
        self.inner = inner

    def fit(self, X, y):
        self.inner.fit(X, y)
        return self

    def predict(self, X):
        return self.inner.predict(X)


class WrappedClassifier(ClassifierMixin, BaseEstimator):
    def __init__(self, inner=None):
        self.inner = inner

    def fit(self, X, y):
        self.inner.fit(X, y)
        return self

    def predict(self, X):
        return self.inner.predict(X)

    def predict_proba(self, X):
        return self.inner.predict_proba(X)


class PreparedRows:
    """Adds a column to the rows before the inherited estimator reads them."""

    def _wider(self, X):
        X = np.asarray(X)
        return np.column_stack([X, X[:, 0] * X[:, 1]])

    def fit(self, X, y):
        return super().fit(self._wider(X), y)

    def predict(self, X):
        return super().predict(self._wider(X))


class WideForest(PreparedRows, RandomForestRegressor):
    pass


class WideBooster(PreparedRows, lightgbm.LGBMRegressor):
    pass


class WideRidge(PreparedRows, Ridge):
    pass


class WideLogistic(PreparedRows, LogisticRegression):
    def predict_proba(self, X):
        return super().predict_proba(self._wider(X))


OWN = {
    "regressor": (OwnRegressor(), "predict"),
    "regressor with a column": (OwnColumn(), "predict"),
    "classifier": (OwnClassifier(), "predict_proba"),
    "wrapped regressor": (WrappedRegressor(Ridge()), "predict"),
    "wrapped classifier": (WrappedClassifier(LogisticRegression()), "predict_proba"),
    "pipeline of a wrapped classifier": (
        make_pipeline(StandardScaler(), WrappedClassifier(LogisticRegression())),
        "predict_proba",
    ),
    "pipeline of an own regressor": (make_pipeline(StandardScaler(), OwnRegressor()), "predict"),
    "forest over prepared rows": (WideForest(5, random_state=0), "predict"),
    "booster over prepared rows": (WideBooster(n_estimators=5, verbose=-1), "predict"),
    "ridge over prepared rows": (WideRidge(), "predict"),
    "logistic regression over prepared rows": (WideLogistic(), "predict_proba"),
    "bagging of pipelines of forests": (
        BaggingClassifier(make_pipeline(StandardScaler(), RandomForestClassifier(3)), 3, random_state=0),
        "predict_proba",
    ),
    "bagging of pipelines of boosters": (
        BaggingRegressor(make_pipeline(StandardScaler(), GradientBoostingRegressor(n_estimators=3)), 3, random_state=0),
        "predict",
    ),
}


def fitted(name):
    model, method = OWN[name]
    return model.fit(X, LABELS if method == "predict_proba" else RESPONSE), method


@pytest.mark.parametrize("name", OWN)
def test_values_add_up_to_predictions(name):
    model, method = fitted(name)
    explained = explain_model(model, X[:20], X[:5], output="probability" if method == "predict_proba" else "auto")
    values = np.moveaxis(np.asarray(explained.shap_values), -1, 0).sum(axis=0)
    prepared = X[:5]
    if isinstance(model, Pipeline):  # scikit-learn's own pipeline refuses to predict with such a last step
        prepared, model = model[:-1].transform(prepared), model[-1]
    predicted = np.asarray(getattr(model, method)(prepared))
    made = values.T + explained.expected_values if method == "predict_proba" else values + explained.expected_values[0]
    np.testing.assert_allclose(made, predicted.reshape(made.shape), atol=1e-9)


@pytest.mark.parametrize("name", ["classifier", "wrapped classifier", "pipeline of a wrapped classifier"])
def test_classes_that_are_not_told_are_counted(name):
    model, _ = fitted(name)
    assert describe(model, X).classes == (0, 1)
    with pytest.raises(UnsupportedModelError, match="has no 'classes_'"):
        describe(model)


@pytest.mark.parametrize("name", OWN)
def test_permutation_importance_of_own_estimators(name):
    model, method = fitted(name)
    y = LABELS if method == "predict_proba" else RESPONSE
    explained = PFIExplainer(model).explain_global(X, true_labels=y)
    assert np.argmax(explained.global_importance_values) == 0


@pytest.mark.parametrize("name", ["regressor", "classifier", "wrapped classifier"])
def test_lime_of_own_estimators(name):
    model, _ = fitted(name)
    explained = LIMEExplainer(model, X).explain_local(X[:2])
    assert np.isfinite(explained.local_importance_values).all()


def test_labels_without_classes_are_refused_with_advice():
    class Labels(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            return self

        def predict(self, X):
            return np.where(np.asarray(X)[:, 0] > 0, "a", "b")

    with pytest.raises(UnsupportedModelError, match="Set its 'classes_' to all labels"):
        explain_model(Labels().fit(X, LABELS), X[:20], X[:5])


@pytest.mark.parametrize(
    "model",
    [
        Ridge(),
        WrappedRegressor(Ridge()),
        WrappedClassifier(LogisticRegression()),
        make_pipeline(WrappedRegressor(Ridge())),
    ],
    ids=["scikit-learn", "wrapped regressor", "wrapped classifier", "pipeline"],
)
def test_estimators_that_are_not_fitted(model):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        explain_model(model, X[:20], X[:5])


# ---------------------------------------------------------------------------------------------------- errors and tensors


class Tensor:
    """An array that must be detached and moved first, as a tensor with gradients in the memory of a GPU."""

    def __init__(self, values, steps=("detach", "cpu")):
        self.values, self.steps = np.asarray(values), steps

    def _after(self, step):
        assert self.steps[0] == step
        return Tensor(self.values, self.steps[1:])

    def detach(self):
        return self._after("detach")

    def cpu(self):
        return self._after("cpu") if self.steps else self

    def numpy(self):
        return self.values

    def __array__(self, dtype=None, copy=None):
        if self.steps:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return self.values.astype(dtype)

    def __len__(self):
        return len(self.values)


def test_tensors_are_detached_and_moved():
    explained = explain_model(lambda rows: Tensor(rows.sum(axis=1)), X[:20], X[:5])
    np.testing.assert_allclose(explained.shap_values, X[:5] - X[:20].mean(axis=0), atol=1e-9)


RAISED = {
    "runtime": (RuntimeError("mat1 and mat2 must have the same dtype, but got Double and Float"), "RuntimeError: mat1"),
    "key": (KeyError("city"), "KeyError: 'city'"),
    "attribute": (AttributeError("'NoneType' has no 'shape'"), "'NoneType' has no 'shape'"),
    "index": (IndexError("out of range"), "IndexError: out of range"),
    "division": (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    "value": (ValueError("no text"), "no text"),
}


def fails(error, after=0):
    calls = []

    def predict(rows):
        calls.append(0)
        if len(calls) > after:
            raise error
        return np.asarray(rows)[:, 0]

    return predict


class Failing(OwnRegressor):
    def __init__(self, error):
        self.predict = fails(error)


@pytest.mark.parametrize("name", RAISED)
@pytest.mark.parametrize("make", [fails, Failing, lambda error: fails(error, after=3)], ids=["first", "model", "later"])
def test_errors_of_models_keep_their_words(make, name):
    error, words = RAISED[name]
    with pytest.raises(InvalidInputError) as caught:
        explain_model(make(error), X[:20], X[:5])
    assert words in str(caught.value)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("name", RAISED)
def test_errors_of_preprocessing_keep_their_words(name):
    error, words = RAISED[name]
    prepare = fails(error, after=1)
    model = make_pipeline(FunctionTransformer(lambda rows: prepare(rows)[:, None]), Ridge()).fit(X, RESPONSE)
    with pytest.raises(InvalidInputError) as caught:
        TabularExplainer(model, X[:20])
    assert words in str(caught.value)


@pytest.mark.parametrize("answer", [[[1.0], [1.0, 2.0]], "text", ["a"] * 8, [{}] * 8, object()])
def test_answers_that_are_not_numbers(answer):
    with pytest.raises(InvalidInputError, match=r"must return"):
        explain_model(lambda rows: answer, X[:8], X[:5])
