"""The pass over the trees that gives values also gives outputs, where the tables have room for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl_explain.explainers.compiled._arrays import LANES
from automl_explain.explainers.trees._predict import predict_trees
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.explainers.trees._tree_shap import Interventional, PathDependent
from automl_explain.explainers.trees.patterns import _pattern_tables
from tests import oracles
from tests.explainers.trees.random_trees import random_rows, random_trees

KINDS: dict[str, dict[str, Any]] = {
    "one output": {},
    "float32": {"float32": True},
    "scalar leaves": {"n_outputs": 3},
    "vector leaves": {"n_outputs": 3, "vector": True},
    "stumps": {"depth": 0, "n_outputs": 2},
    "some stumps": {"depth": 1, "n_trees": 12},
    "nine columns": {"n_features": 9},
    "players of several columns": {"n_features": 9, "player": [2, 0, 2, 1, 0, 3, 3, 4, 1]},
}


def solvers(trees: Trees, player: Any = None) -> list[PathDependent | Interventional]:
    background = random_rows(7, 9, trees.n_features)
    return [PathDependent(trees, player), Interventional(trees, background, None, player)]


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_outputs_are_those_of_the_trees(seed: int, options: dict[str, Any]) -> None:
    options = dict(options)
    player = options.pop("player", None)
    trees = random_trees(seed, **options)
    X = random_rows(seed + 100, 2 * LANES + 3, trees.n_features)
    expected = np.array([oracles.predict(trees, row) for row in X])
    found = 0
    for solver in solvers(trees, player):
        together, alone = solver.explain(X), [solver.explain(row[None]) for row in X[:4]]
        np.testing.assert_array_equal(together.values, solver.shap_values(X))
        for made, wanted in [(together, expected), *zip(alone, expected[:4, None], strict=False)]:
            if made.outputs is not None:
                found += 1
                np.testing.assert_allclose(made.outputs, wanted, rtol=1e-13, atol=1e-13)
                sums = made.values.sum(axis=2).T + solver.base_values
                np.testing.assert_allclose(sums, wanted, rtol=1e-10, atol=1e-10)
    assert found >= 5  # the interventional one always has them


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_outputs_are_bit_by_bit_those_of_the_predictor(options: dict[str, Any]) -> None:
    options = {name: option for name, option in options.items() if name not in ("player", "depth", "n_trees")}
    seeds = (
        seed
        for seed in range(100)
        if (random_trees(seed, **options).left[random_trees(seed, **options).roots] >= 0).all()
    )
    trees = random_trees(next(seeds), **options)  # trees that are one leaf are added first, which rounds otherwise
    X = random_rows(3, 40, trees.n_features)
    made = Interventional(trees, X[:9]).explain(X)
    assert made.outputs is not None
    assert (made.outputs == predict_trees(trees, X)).all()


@pytest.mark.parametrize("n_features", [8, 16, 17, 40])
def test_entries_without_room_hold_no_outputs(n_features: int) -> None:
    trees = random_trees(1, n_features)
    X = random_rows(2, 20, n_features)
    solver = Interventional(trees, X[:5])
    assert solver.explain(X).outputs is None
    assert solver.explain(X[:1]).outputs is None
    np.testing.assert_allclose(
        solver.shap_values(X).sum(axis=2).T + solver.base_values, predict_trees(trees, X), atol=1e-10
    )


def test_leaves_without_a_table_leave_the_outputs_to_the_predictor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pattern_tables, "TABLE_BITS", 2)
    trees, X = random_trees(1), random_rows(2, 20)
    for solver in solvers(trees):
        assert solver.explain(X).outputs is None
        assert solver.explain(X[:1]).outputs is None
