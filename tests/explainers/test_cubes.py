from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl_explain.explainers import _cubes
from automl_explain.explainers._cubes import CoalitionGame, coalition_values, pack_coalitions
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._tree_shap import Interventional
from tests import oracles
from tests.explainers.random_trees import chain, random_rows, random_trees

SHARED = [2, 0, 2, 1, 0]
KINDS: dict[str, dict[str, Any]] = {
    "one output": {},
    "float32": {"float32": True},
    "scalar leaves": {"n_outputs": 3},
    "vector leaves": {"n_outputs": 3, "vector": True},
    "deep": {"depth": 9, "n_trees": 2},
    "stumps": {"depth": 0},
    "no trees": {"n_trees": 0},
}


def expected_values(trees: Any, row: Any, background: Any, coalitions: Any, player: Any) -> np.ndarray:
    def mixed(coalition: Any, other: Any) -> np.ndarray:
        return oracles.predict(trees, np.where(coalition[list(player)], row, other))

    return np.array([[mixed(coalition, other) for other in background] for coalition in coalitions])


def all_coalitions(n_players: int) -> np.ndarray:
    return (np.arange(1 << n_players)[:, None] >> np.arange(n_players) & 1).astype(bool)


@pytest.mark.parametrize("player", [range(5), SHARED], ids=["columns", "shared players"])
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("seed", range(2))
def test_coalitions_have_the_outputs_of_mixed_rows(seed: int, options: dict[str, Any], player: Any) -> None:
    trees, row, background = random_trees(seed, **options), random_rows(seed + 1, 1)[0], random_rows(seed + 2, 19)
    coalitions = all_coalitions(max(player) + 1)
    expected = expected_values(trees, row, background, coalitions, player)
    for asked in (coalitions, pack_coalitions(coalitions), None):
        got = coalition_values(trees, row, background, asked, player=player)
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    some = np.random.default_rng(seed).permutation(len(coalitions))[:7]
    game = CoalitionGame(trees, background, player)
    np.testing.assert_allclose(game.values(row, coalitions[some]), expected[some], rtol=1e-12, atol=1e-12)


def test_several_rows_are_stacked() -> None:
    trees, rows, background = random_trees(4), random_rows(5, 3), random_rows(6, 4)
    values = coalition_values(trees, rows, background)
    assert values.shape == (3, 32, 4, 1)
    np.testing.assert_allclose(values[:, -1, 0], trees.predict(rows), rtol=1e-12)
    np.testing.assert_allclose(values[1, 0], trees.predict(background), rtol=1e-12)


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_shares_of_cubes_are_shapley_values(options: dict[str, Any]) -> None:
    trees, row, background = random_trees(7, **options), random_rows(8, 1)[0], random_rows(9, 37)
    weights = np.random.default_rng(0).uniform(size=37)
    game = CoalitionGame(trees, background)
    expected = Interventional(trees, background, weights).shap_values(row[None])[:, 0]
    np.testing.assert_allclose(game.shap_values(row, weights), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("n_features", [64, 65, 130])
def test_players_in_several_words(n_features: int) -> None:
    trees, row, background = chain(140, n_features), random_rows(1, 1, n_features)[0], random_rows(2, 5, n_features)
    coalitions = np.random.default_rng(3).random((20, n_features)) < 0.5
    expected = expected_values(trees, row, background, coalitions, range(n_features))
    np.testing.assert_allclose(coalition_values(trees, row, background, coalitions), expected, rtol=1e-12, atol=1e-12)
    with pytest.raises(InvalidInputError, match="more than 20 players"):
        coalition_values(trees, row, background)


def test_results_do_not_depend_on_memory_or_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    trees, row, background = random_trees(1, depth=8), random_rows(2, 1)[0], random_rows(3, 50)
    game = CoalitionGame(trees, background)
    expected = game.values(row, n_jobs=1)
    monkeypatch.setattr(_cubes, "CUBES", 1)
    for n_jobs in (1, 3):
        assert (game.values(row, n_jobs=n_jobs) == expected).all()


def test_what_cannot_be_used_is_refused() -> None:
    trees, row, background = random_trees(1), np.zeros(5), np.zeros((2, 5))
    for coalitions in (np.zeros((2, 4), bool), np.zeros((2, 2), np.uint64), np.zeros((2, 5)), np.zeros(5, bool)):
        with pytest.raises(InvalidInputError, match="'coalitions'"):
            coalition_values(trees, row, background, coalitions)
    with pytest.raises(InvalidInputError, match="5 columns"):
        coalition_values(trees, np.zeros(4), background)
    with pytest.raises(InvalidInputError, match="at least one row"):
        CoalitionGame(trees, background[:0])
    with pytest.raises(InvalidInputError, match="at least one row"):
        coalition_values(trees, background[:0], background)
