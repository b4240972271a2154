"""Estimators that hold a PyTorch module: their own predictions are explained, and the module stays as it was."""

import warnings

import numpy as np
import pytest
import torch
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from automl_explain import DeepExplainer, Network, NotFittedError, TabularExplainer, describe, explain_model

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports names that scipy has deprecated
    from pytorch_tabnet.tab_model import TabNetClassifier, TabNetRegressor

X = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
LABELS = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(np.int64)
NAMES = np.array(["no", "yes"])[LABELS]


class Module(nn.Module):
    def __init__(self, n_outputs=2, last=None):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.Tanh(), nn.Linear(8, n_outputs))
        self.last = last

    def forward(self, rows):
        return self.layers(rows) if self.last is None else self.last(self.layers(rows))


def fit(kind, target, **options):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return kind(Module, max_epochs=2, verbose=0, **options).fit(X, target)


def tabnet(kind, target, **options):
    with torch.random.fork_rng([]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells its default device and an early stop that never came
        model = kind(n_d=4, n_a=4, n_steps=2, verbose=0, seed=0, device_name="cpu")
        model.fit(X, target, max_epochs=2, batch_size=32, virtual_batch_size=32, **options)
        return model


MODELS = {
    "classifier": lambda: fit(NeuralNetClassifier, LABELS, module__last=nn.Softmax(-1)),
    "scores": lambda: fit(NeuralNetClassifier, LABELS, criterion=nn.CrossEntropyLoss),
    "binary": lambda: fit(NeuralNetBinaryClassifier, LABELS.astype(np.float32), module__n_outputs=1),
    "regressor": lambda: fit(NeuralNetRegressor, X[:, :1], module__n_outputs=1),
    "two targets": lambda: fit(NeuralNetRegressor, X[:, :2], module__n_outputs=2),
    "TabNet": lambda: tabnet(TabNetClassifier, NAMES),
    "TabNet, regression": lambda: tabnet(TabNetRegressor, X[:, :1]),
}
CLASSES = {"classifier": (0, 1), "scores": (0, 1), "binary": (0, 1), "two targets": (0, 1), "TabNet": ("no", "yes")}


@pytest.mark.parametrize("name", MODELS)
def test_their_own_predictions_are_explained(name):
    model = MODELS[name]()
    ask = getattr(model, "predict_proba", model.predict)
    wanted = ask(X[40:43])
    module = getattr(model, "module_", None) or model.network
    module.train()
    described = describe(model, X)
    assert isinstance(described.structure, Network)
    assert described.name == type(model).__name__
    explanation = DeepExplainer(model, X[:12]).explain_local(X[40:43])
    assert explanation.classes == CLASSES.get(name)
    np.testing.assert_allclose(explanation.predictions, wanted, atol=1e-6)
    assert explanation.additivity_error < 1e-5
    assert all(part.training for part in module.modules())
    assert explain_model(model, X[:12], X[40:43]).method == "coalitions"


@pytest.mark.parametrize("name", ["classifier", "scores", "binary", "TabNet"])
def test_log_odds_are_those_before_the_last_function(name):
    explanation = TabularExplainer(MODELS[name](), X[:12], output="log_odds").explain_local(X[40:43])
    assert explanation.additivity_error < 1e-5


@pytest.mark.parametrize("model", [NeuralNetClassifier(Module), TabNetClassifier(verbose=0, device_name="cpu")])
def test_models_that_are_not_fitted(model):
    with pytest.raises(NotFittedError, match="not fitted"):
        describe(model, X)
