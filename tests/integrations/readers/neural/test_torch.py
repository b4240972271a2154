"""PyTorch modules as they are read: inputs, outputs, and everything of the caller's left as it was."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from automl_explain import InvalidInputError, Network, NotFittedError, TabularExplainer, describe, explain_model
from tests.oracles import model_game, shapley_values

X = np.random.default_rng(0).normal(size=(30, 4))


def seeded(make):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return make()


def net(*last, n_outputs=3):
    return seeded(lambda: nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, n_outputs), *last))


@pytest.mark.parametrize("as_rows", [np.asarray, pd.DataFrame], ids=["array", "frame"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_values_are_those_of_the_definition(as_rows, dtype):
    module = net(nn.Tanh()).to(dtype)

    def outputs(rows):
        with torch.no_grad():
            return module.eval()(torch.as_tensor(rows, dtype=dtype)).double().numpy()

    explained = explain_model(module, as_rows(X[:10]), as_rows(X[10:13]))
    for row in range(3):
        wanted = shapley_values(model_game(outputs, X[10 + row : 11 + row], X[:10]), 4)
        made = np.array([block[row] for block in explained.shap_values])
        np.testing.assert_allclose(made, wanted, atol=1e-6)


ENDS = {
    "softmax": ((nn.Softmax(1),), 3, "multiclass", {"probability", "log_odds"}),
    "log_softmax": ((nn.LogSoftmax(1),), 3, "multiclass", {"probability", "log_odds"}),
    "sigmoid": ((nn.Sigmoid(),), 1, "binary", {"probability", "log_odds"}),
    "labels": ((nn.Sigmoid(),), 3, "multitarget", {"probability", "log_odds"}),
    "squeezed": ((nn.Sigmoid(), nn.Flatten(0)), 1, "binary", {"probability", "log_odds"}),
    "scores": ((), 3, "multiclass", {"response"}),
    "number": ((), 1, "regression", {"response"}),
    "softplus": ((nn.Softplus(),), 1, "regression", {"response"}),
    "scaled": ((nn.Sigmoid(), nn.Linear(1, 1)), 1, "regression", {"response"}),
    "over rows": ((nn.Softmax(0),), 2, "binary", {"response"}),
}


@pytest.mark.parametrize("name", [name for name in ENDS if name != "over rows"])
def test_spaces_are_those_of_the_last_operation(name):
    last, n_outputs, task, spaces = ENDS[name]
    described = describe(net(*last, n_outputs=n_outputs), X)
    assert isinstance(described.structure, Network)
    assert (described.task, set(described.outputs)) == (task, spaces)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "sigmoid", "labels", "squeezed"])
@pytest.mark.parametrize("space", ["probability", "log_odds"])
def test_both_spaces_add_up(name, space):
    last, n_outputs, *_ = ENDS[name]
    module = net(*last, n_outputs=n_outputs)
    explanation = TabularExplainer(module, X, output=space).explain_local(X[:3])
    assert explanation.output_space == space
    assert explanation.additivity_error < 1e-6
    with torch.no_grad():
        made = module(torch.as_tensor(X[:3], dtype=torch.float32)).double().numpy().reshape(3, -1)
    if name == "log_softmax":
        made = np.exp(made)
    odds = np.log(made) if n_outputs > 1 and name != "labels" else np.log(made / (1 - made))
    wanted = made if space == "probability" else odds
    found = explanation.predictions[:, -wanted.shape[1] :]
    if space == "log_odds" and n_outputs > 1 and name != "labels":  # scores of a softmax are open to a constant
        wanted, found = wanted - wanted[:, :1], found - found[:, :1]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_everything_of_the_callers_stays():
    frozen = nn.Dropout(0.5).eval()
    module = seeded(lambda: nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), frozen, nn.Linear(8, 2)))
    module[0].weight.requires_grad_(False)
    module(torch.ones(3, 4)).sum().backward()
    before = {
        "modes": [part.training for part in module.modules()],
        "needed": [each.requires_grad for each in module.parameters()],
        "grads": [None if each.grad is None else each.grad.clone() for each in module.parameters()],
        "state": {name: value.clone() for name, value in module.state_dict().items()},
        "random": torch.get_rng_state(),
        "threads": torch.get_num_threads(),
        "grad mode": torch.is_grad_enabled(),
    }
    TabularExplainer(module, X).explain_local(X[:2])
    assert [part.training for part in module.modules()] == before["modes"]
    assert [each.requires_grad for each in module.parameters()] == before["needed"]
    for each, grad in zip(module.parameters(), before["grads"], strict=True):
        assert (each.grad is None) == (grad is None)
        assert grad is None or torch.equal(each.grad, grad)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before["state"][name])
    assert torch.equal(torch.get_rng_state(), before["random"])
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == (before["threads"], before["grad mode"])
    assert not any(part._forward_hooks for part in module.modules())


class Both(nn.Module):
    def __init__(self, made):
        super().__init__()
        self.layer, self.made = seeded(lambda: nn.Linear(4, 2)), made

    def forward(self, x):
        return self.made(self.layer(x))


REFUSED = {
    "dict": (Both(lambda y: {"logits": y, "hidden": y}), r"\['logits', 'hidden'\].*x\)\['logits'\]"),
    "tuple": (Both(lambda y: (y, y)), r"\[0, 1\].*x\)\[0\]"),
    "none": (Both(lambda y: None), "one tensor. Got NoneType"),
    "sequences": (Both(lambda y: y[:, :, None].repeat(1, 1, 5)), r"one row of numbers.*\(8, 2, 5\)"),
    "random": (Both(lambda y: y + torch.rand_like(y)), "other outputs for the same rows"),
    "dropout": (Both(lambda y: nn.functional.dropout(y, 0.5)), "other outputs for the same rows"),
    "batch": (Both(lambda y: y - y.mean(0)), "depending on the other rows"),
    "shape": (seeded(lambda: nn.Linear(7, 2)), r"cannot take.*\(8, 4\)"),
    "nan": (Both(lambda y: y / 0 - y / 0), "NaN or infinite"),
    "words": (seeded(lambda: nn.Embedding(2, 2)), r"cannot take"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_networks_that_cannot_be_explained(name):
    module, words = REFUSED[name]
    with pytest.raises(InvalidInputError, match=words):
        TabularExplainer(module, X).explain_local(X[:2])


def test_parameters_without_values():
    with pytest.raises(NotFittedError, match="without values"):
        TabularExplainer(nn.LazyLinear(2), X)


def test_softmax_over_the_rows_is_no_probability():
    last, n_outputs, *_ = ENDS["over rows"]
    with pytest.raises(InvalidInputError, match="depending on the other rows"):
        describe(net(*last, n_outputs=n_outputs), X)


def test_model_task_reads_one_column_as_a_probability():
    module = net(nn.Softsign(), nn.ReLU(), n_outputs=1)
    explanation = TabularExplainer(module, X, model_task="classification").explain_local(X[:2])
    assert explanation.local_importance_values.shape == (2, 2, 4)
    assert explanation.additivity_error < 1e-6
