"""Every fast path is made to raise: an explanation from predictions still comes, with the right values and a note."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestRegressor, StackingRegressor, VotingRegressor
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.svm import SVR

from automl_explain import (
    LinearExplainableModel,
    LinearExplainer,
    MimicExplainer,
    PFIExplainer,
    TabularExplainer,
    TreeExplainer,
)
from automl_explain.explainers._errors import InvalidInputError, UnsupportedModelError
from automl_explain.explainers._fallback import fall_back
from automl_explain.explainers.methods._fallback import FAST_PATHS
from automl_explain.explainers.methods._library import OwnValuesEngine
from automl_explain.explainers.methods.neural._gradients import PathEngine, RescaleEngine
from automl_explain.explainers.permutation._permuted_trees import PermutedTrees
from automl_explain.integrations.readers import _readers
from tests.oracles import model_game, shapley_values

pytestmark = pytest.mark.falls_back

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = X @ [2.0, 1.0, -1.0, 0.5] + np.where(X[:, 0] > 0, X[:, 1], 0.0)


def forest() -> Any:
    return RandomForestRegressor(4, max_depth=3, random_state=0)


def squashed(model: Any) -> Any:
    return TransformedTargetRegressor(model, transformer=QuantileTransformer(n_quantiles=20))


def stack(final: Any) -> Any:
    members = [("linear", Ridge()), ("piped", make_pipeline(StandardScaler(), SVR())), ("vote", vote())]
    return StackingRegressor(members, final, cv=2, passthrough=True)


def vote() -> Any:
    return VotingRegressor([("forest", forest()), ("kernel", SVR())])


class NetworkOfX:
    """Makes a network in float64 that also predicts arrays."""

    def fit(self, table: Any, response: Any) -> Any:
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            module = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1)).double()
        module.predict = lambda rows: module(torch.tensor(np.asarray(rows))).detach().numpy()
        return module


MODELS: dict[str, Callable[[], Any]] = {
    "trees": forest,
    "linear": Ridge,
    "kernel": SVR,
    "vote": vote,
    "vote of pipelines": lambda: VotingRegressor(
        [("piped", make_pipeline(StandardScaler(), Ridge())), ("f", forest())]
    ),
    "stack of all under trees": lambda: stack(forest()),
    "network": NetworkOfX,
    "dense layers": lambda: MLPRegressor(hidden_layer_sizes=(5,), max_iter=300, random_state=0),
    "function of trees": lambda: squashed(forest()),
    "function of kernels": lambda: squashed(SVR()),
}


class FaultError(RuntimeError):
    """An error that no fast path expects."""


def fail(*given: Any, **named: Any) -> Any:
    raise FaultError("injected")


def check(model: Any) -> TabularExplainer:
    explainer = TabularExplainer(model, X[:12], n_jobs=1)
    explanation = explainer.explain_local(X[20:23])
    values = explanation.local_importance_values
    for row in range(3):
        wanted = shapley_values(model_game(lambda t: model.predict(t).reshape(-1, 1), X[[20 + row]], X[:12]), 4)[0]
        np.testing.assert_allclose(values[row], wanted, rtol=0, atol=1e-9)
    assert any("injected" in note and "FaultError" in note for note in explanation.notes), explanation.notes
    return explainer


def fitted(name: str) -> Any:
    return MODELS[name]().fit(X, Y)


def uses(path: type, name: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Return whether explaining a model makes an object of the fast path."""
    made, begin = [], path.__init__

    def counted(self: Any, *given: Any, **named: Any) -> None:
        made.append(1)
        begin(self, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(path, "__init__", counted)
        TabularExplainer(fitted(name), X[:12], n_jobs=1).explain_local(X[20:23])
    return bool(made)


ELSEWHERE = (OwnValuesEngine, RescaleEngine, PathEngine)
"""Used without a background only, or for more columns than the definition can be computed for; the last two have own tests."""
PATHS = [path for path in FAST_PATHS if path not in ELSEWHERE]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
@pytest.mark.parametrize("when", ["building", "explaining"])
def test_a_fast_path_that_raises_leaves_an_explanation_from_predictions(
    path: type, when: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    names = [name for name in MODELS if uses(path, name, monkeypatch)]
    assert names, "no model of this test takes the path"
    methods = {"building": ["__init__"], "explaining": ["attribute", "outputs", "__call__", "matters"]}[when]
    models = [fitted(name) for name in names]
    for method in methods:
        if hasattr(path, method) and (method != "__call__" or "__call__" in vars(path)):
            monkeypatch.setattr(path, method, fail)
    for model in models:
        caplog.clear()
        with caplog.at_level(logging.WARNING, "automl_explain"):
            explainer = check(model)
        assert "FaultError" in caplog.text
        assert "predictions" in explainer.reason


@pytest.mark.parametrize("name", MODELS)
def test_a_reader_that_raises_leaves_a_model_of_predictions(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = fitted(name)
    whole = type(model).__mro__
    target = next(
        _readers.READERS[key]
        for cls in whole
        for key in (f"{cls.__module__.partition('.')[0]}.{cls.__qualname__}",)
        if key in _readers.READERS
    )
    module, _, function = target.partition(":")
    monkeypatch.setattr(f"{module}.{function}", fail)
    check(model)
    assert "FaultError" in caplog.text


def test_permutation_importance_without_its_trees_is_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = fitted("trees")
    wanted = PFIExplainer(model, n_jobs=1).explain_global(X, true_labels=Y)
    monkeypatch.setattr(PermutedTrees, "sums", fail)
    monkeypatch.setattr(PermutedTrees, "changed", fail)
    found = PFIExplainer(model, n_jobs=1).explain_global(X, true_labels=Y)
    np.testing.assert_array_equal(found.importances, wanted.importances)
    assert any("injected" in note for note in found.notes)
    assert "FaultError" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_interruptions_and_lack_of_memory_are_raised(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*given: Any) -> Any:
        raise error

    monkeypatch.setattr(FAST_PATHS[0], "attribute", interrupt)
    explainer = TabularExplainer(fitted("trees"), X[:12], n_jobs=1)
    with pytest.raises(error):
        explainer.explain_local(X[20:23])


def test_the_first_of_two_errors_is_raised_if_both_ways_refuse() -> None:
    def refuse(text: str) -> Any:
        raise InvalidInputError(text)

    with pytest.raises(InvalidInputError, match="first"):
        fall_back("It", lambda: refuse("first"), lambda why: refuse("second"))


def fails(*given: Any, **named: Any) -> Any:
    raise ZeroDivisionError("a fault within")


@pytest.mark.parametrize(
    ("make", "engine"),
    [
        (lambda: TreeExplainer(forest().fit(X, Y), X[:20]), "TreeEngine"),
        (lambda: LinearExplainer(Ridge().fit(X, Y), X[:20]), "LinearEngine"),
        (lambda: MimicExplainer(forest().fit(X, Y), X[:20], LinearExplainableModel), "LinearEngine"),
    ],
    ids=["tree", "linear", "mimic"],
)
@pytest.mark.parametrize("where", ["__init__", "attribute"])
def test_explainers_of_one_structure_fall_back_too(make, engine, where, monkeypatch):
    expected = make().explain_local(X[:3])
    monkeypatch.setattr(f"automl_explain.explainers.methods._{engine[:-6].lower()}.{engine}.{where}", fails)
    explainer = make()
    explanation = explainer.explain_local(X[:3])
    np.testing.assert_allclose(explanation.local_importance_values, expected.local_importance_values, atol=1e-6)
    assert any("ZeroDivisionError: a fault within" in note for note in explanation.notes)


def test_trees_without_a_background_have_no_predictions_to_fall_back_to(monkeypatch):
    explainer = TreeExplainer(forest().fit(X, Y))
    monkeypatch.setattr(explainer._engine, "attribute", fails)
    with pytest.raises(
        UnsupportedModelError, match="ZeroDivisionError: a fault within.*please report this model. With"
    ):
        explainer.explain_local(X[:3])


def test_what_predictions_cannot_give_is_a_typed_error(monkeypatch):
    trees = TreeExplainer(forest().fit(X, Y), X[:20])
    monkeypatch.setattr(trees._engine, "interactions", fails)
    with pytest.raises(UnsupportedModelError, match="interaction values failed .ZeroDivisionError: a fault within"):
        trees.interaction_values(X[:3])
    members = TabularExplainer(vote().fit(X, Y), X[:20])
    monkeypatch.setattr("automl_explain.explainers._tabular_explainer.share_out", fails)
    with pytest.raises(UnsupportedModelError, match="among the members failed .ZeroDivisionError: a fault within"):
        members.explain_members(X[:3])


def test_refusals_of_an_explainer_of_one_structure_are_no_faults():
    with pytest.raises(UnsupportedModelError, match="explains models of the structure Linear"):
        LinearExplainer(forest().fit(X, Y), X[:20])
