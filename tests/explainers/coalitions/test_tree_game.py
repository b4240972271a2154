from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.coalitions import _tree_game as _cubes
from automl_explain.explainers.coalitions._masked_rows import MixedRows
from automl_explain.explainers.coalitions._tree_game import CoalitionGame
from automl_explain.explainers.tables._table import as_table
from automl_explain.explainers.trees._predict import predict_trees
from tests import oracles
from tests.explainers.trees.random_trees import chain, random_rows, random_trees

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


def outputs(
    game: CoalitionGame, rows: Any, n_background: int, coalitions: Any, n_jobs: int | None = None
) -> np.ndarray:
    asked = MixedRows.of_coalitions(as_table(rows), n_background, coalitions)
    found = game.outputs(rows, asked, n_jobs)
    return found.reshape(len(found), len(rows), n_background, len(coalitions)).transpose(1, 3, 2, 0)


@pytest.mark.parametrize("player", [range(5), SHARED], ids=["columns", "shared players"])
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("seed", range(2))
def test_coalitions_have_the_outputs_of_mixed_rows(seed: int, options: dict[str, Any], player: Any) -> None:
    trees, rows, background = random_trees(seed, **options), random_rows(seed + 1, 2), random_rows(seed + 2, 19)
    coalitions, game = all_coalitions(max(player) + 1), CoalitionGame(trees, background, player)
    expected = np.stack([expected_values(trees, row, background, coalitions, player) for row in rows])
    np.testing.assert_allclose(outputs(game, rows, 19, coalitions), expected, rtol=1e-12, atol=1e-12)
    some = np.random.default_rng(seed).permutation(len(coalitions))[:7]
    np.testing.assert_allclose(outputs(game, rows, 19, coalitions[some]), expected[:, some], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("others", [range(19), range(3, 18), range(16, 19)])
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_coalitions_of_the_players_that_matter_have_the_outputs_of_mixed_rows(options: Any, others: range) -> None:
    trees, rows, background = random_trees(5, **options), random_rows(6, 18), random_rows(7, 19)
    game = CoalitionGame(trees, background, SHARED)
    players = np.ascontiguousarray(game.matters(rows, 3)[:, others.start : others.stop]).reshape(-1, 3)
    asked = MixedRows(as_table(rows), others, players)
    row, other, present = asked.present(np.arange(len(asked)))
    mixed = np.where(present[:, SHARED], rows[row], background[other])
    np.testing.assert_allclose(game.outputs(rows, asked).T, predict_trees(trees, mixed), rtol=1e-12, atol=1e-12)


def test_many_players_are_tested_and_few_enumerated(monkeypatch: pytest.MonkeyPatch) -> None:
    trees, rows, background = random_trees(1, depth=8), random_rows(2, 2), random_rows(3, 20)
    coalitions, game = all_coalitions(5)[3:25:2], CoalitionGame(trees, background)
    enumerated = outputs(game, rows, 20, coalitions)
    monkeypatch.setattr(_cubes, "LATTICE_PLAYERS", 0)
    np.testing.assert_allclose(outputs(game, rows, 20, coalitions), enumerated, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n_features", [64, 65, 130])
def test_players_in_several_words(n_features: int) -> None:
    trees, rows, background = chain(140, n_features), random_rows(1, 1, n_features), random_rows(2, 5, n_features)
    coalitions = np.random.default_rng(3).random((20, n_features)) < 0.5
    expected = expected_values(trees, rows[0], background, coalitions, range(n_features))
    game = CoalitionGame(trees, background)
    np.testing.assert_allclose(outputs(game, rows, 5, coalitions)[0], expected, rtol=1e-12, atol=1e-12)
    rows[0, 2:-2], background[:, 2:-2] = 0.5, 0.5
    asked = MixedRows(as_table(rows), range(5), CoalitionGame(trees, background).matters(rows, n_features)[0])
    row, other, present = asked.present(np.arange(len(asked)))
    found = CoalitionGame(trees, background).outputs(rows, asked)
    np.testing.assert_allclose(
        found.T, predict_trees(trees, np.where(present, rows[row], background[other])), rtol=1e-12
    )


def test_results_do_not_depend_on_memory_or_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    trees, rows, background = random_trees(1, depth=8), random_rows(2, 20), random_rows(3, 50)
    game, coalitions = CoalitionGame(trees, background), all_coalitions(5)
    expected = outputs(game, rows, 50, coalitions, 1)
    monkeypatch.setattr(_cubes, "CUBES", 1)
    for n_jobs in (1, 3):
        assert (outputs(game, rows, 50, coalitions, n_jobs) == expected).all()


def test_what_cannot_be_used_is_refused() -> None:
    trees, background = random_trees(1), np.zeros((2, 5))
    with pytest.raises(InvalidInputError, match="5 columns"):
        outputs(CoalitionGame(trees, background), np.zeros((1, 4)), 2, all_coalitions(5))
    with pytest.raises(InvalidInputError, match="at least one row"):
        CoalitionGame(trees, background[:0])
