import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_explain.explainers.coalitions.sampling import _coalition_sampling as _design
from automl_explain.explainers.coalitions.sampling._coalition_sampling import make_design
from tests.explainers.coalitions.random_games import by_definition, random_game


def solve(design, value, n_players):
    empty, full = value(np.zeros((1, n_players), bool))[0], value(np.ones((1, n_players), bool))[0]
    v = value(design.coalitions) - empty
    return design.estimate @ v + design.share * (full - empty)


@given(n_players=st.integers(1, 8), seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_a_full_design_is_exact(n_players, seed):
    value = random_game(n_players, seed, order=min(3, n_players))
    design = make_design(n_players, 2**n_players, 0)
    assert design.exact
    np.testing.assert_allclose(solve(design, value, n_players), by_definition(value, n_players), atol=1e-12)


@given(n_players=st.integers(5, 12), budget=st.integers(20, 300), seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_additive_games_are_recovered_from_any_sample(n_players, budget, seed):
    weights = np.random.default_rng(seed).normal(size=n_players)
    design = make_design(n_players, budget, seed)
    result = solve(design, lambda coalitions: coalitions @ weights, n_players)
    np.testing.assert_allclose(result, weights, atol=1e-9)


@given(n_players=st.integers(6, 11), seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_pairs_make_games_with_pairwise_interactions_nearly_exact_and_efficient(n_players, seed):
    value = random_game(n_players, seed, order=2)
    design = make_design(n_players, 40, seed)
    result = solve(design, value, n_players)
    np.testing.assert_allclose(result, by_definition(value, n_players), atol=1e-8)


def test_the_error_falls_with_the_budget():
    n_players, value = 10, random_game(10, 3, order=5)
    exact = by_definition(value, n_players)
    errors = {}
    for budget in (60, 500):
        gaps = [solve(make_design(n_players, budget, seed), value, n_players) - exact for seed in range(30)]
        errors[budget] = np.sqrt(np.mean(np.square(gaps)))
    assert errors[500] < 0.5 * errors[60]


@pytest.mark.parametrize("n_players", [13, 30, 100])
def test_coalitions_come_in_distinct_pairs_within_the_budget(n_players):
    design = make_design(n_players, 2 * n_players + 400, 0)
    rows = {row.tobytes() for row in design.coalitions}
    assert len(rows) == len(design.coalitions) <= 2 * n_players + 402
    assert all((~row).tobytes() in rows for row in design.coalitions)
    assert not design.exact


def test_the_same_seed_gives_the_same_design_and_the_global_state_is_left_alone():
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    first, second = make_design(20, 300, 5), make_design(20, 300, 5)
    assert np.array_equal(first.coalitions, second.coalitions)
    assert np.array_equal(before, np.random.get_state()[1])


@given(n_players=st.integers(9, 12), seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_interactions_of_three_players_cost_hardly_any_error(n_players, seed):
    value = random_game(n_players, seed, order=3)
    exact = by_definition(value, n_players)
    design = make_design(n_players, 2**n_players // 2 + 200, seed)
    assert not design.exact
    np.testing.assert_allclose(solve(design, value, n_players), exact, atol=0.02 * np.abs(exact).max())


@pytest.mark.parametrize("n_players", [9, 14, 40])
def test_a_larger_design_holds_the_coalitions_of_a_smaller_one(n_players):
    small, large = (make_design(n_players, budget, 3).coalitions for budget in (120, 480))
    assert {row.tobytes() for row in small} < {row.tobytes() for row in large}


@pytest.mark.parametrize("n_players", [60, 200, pytest.param(1000, marks=pytest.mark.slow)])
def test_many_players_and_many_pairs_are_solved(n_players):
    budget = 4 * n_players
    weights = np.random.default_rng(0).normal(size=n_players)
    design = make_design(n_players, budget, 0)
    np.testing.assert_allclose(solve(design, lambda coalitions: coalitions @ weights, n_players), weights, atol=1e-7)


def test_large_designs_are_not_kept(monkeypatch):
    small, again = make_design(13, 300, 41), make_design(13, 300, 41)
    assert small is again
    monkeypatch.setattr(_design, "KEPT_BYTES", 1000)
    assert make_design(13, 300, 41) is not small


@pytest.mark.parametrize("n_players", [10, 300, 800])
def test_values_add_up_whatever_the_number_of_players(n_players):
    design = make_design(n_players, 4 * n_players, 0)
    for estimate, share in ((design.estimate, design.share), *design.blocks):
        np.testing.assert_allclose(estimate.sum(axis=0), 0.0, atol=1e-12)
        assert share.sum() == pytest.approx(1.0, abs=1e-12)
