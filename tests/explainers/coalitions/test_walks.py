"""Antithetic permutations with each background row: against enumeration, and within a time budget."""

import numpy as np
import pytest
from sklearn.svm import SVR

from automl_explain import KernelExplainer, SamplingOptions, TabularExplainer
from automl_explain.explainers.coalitions.sampling import _adaptive_sampling
from automl_explain.explainers.coalitions.sampling._sampling_rules import WALKS_BELOW, fewest_coalitions, walks_suit
from automl_explain.explainers.coalitions.sampling._walks import WalkPlan, WalkSums, cuts_of, draw_walks
from automl_explain.explainers.methods._rbf import RadialEngine
from tests.explainers.coalitions.random_games import by_definition, random_game
from tests.hand_clock import HandClock

P = 7


def sums_of(games, rounds, n_players=P, cuts=None, seed=0, share=None):
    """Sums of walks in games with one background row each, (1, 1, P)."""
    walks = draw_walks(n_players, range(len(games)), rounds, cuts_of(n_players, cuts), seed)
    outputs = np.stack([game(own) for game, own in zip(games, walks.coalitions(), strict=True)])[None, None]
    return WalkSums.of(walks, outputs, np.full(len(games), 1.0 / len(games)) if share is None else share)


def base_values(games):
    return np.array([np.mean([game(np.zeros((1, P), bool))[0] for game in games])])


@pytest.mark.parametrize("n_games", [1, 3])
def test_the_mean_of_many_walks_is_the_shapley_value(n_games):
    games = [random_game(P, seed, order=5) for seed in range(n_games)]
    values, errors = sums_of(games, range(3000)).estimate(base_values(games), n_games, 1.0)
    exact = np.mean([by_definition(game, P) for game in games], axis=0)
    assert np.abs(values[0, 0] - exact).max() < 4.5 * errors.max()
    np.testing.assert_allclose(values[0, 0], exact, atol=0.1)


def test_pairwise_interactions_make_no_error():
    games = [random_game(P, seed, order=2) for seed in range(3)]
    values, _ = sums_of(games, range(1)).estimate(base_values(games), 3, 1.0)
    np.testing.assert_allclose(values[0, 0], np.mean([by_definition(game, P) for game in games], axis=0), atol=1e-12)


@pytest.mark.parametrize(
    ("n_seen", "cuts", "rounds"), [(4, None, range(1)), (2, None, range(2)), (4, 2, range(1)), (1, 1, range(2))]
)
def test_values_add_up_whatever_is_left_out(n_seen, cuts, rounds):
    games = [random_game(P, seed, order=4) for seed in range(4)]
    seen = sums_of(games[:n_seen], rounds, cuts=cuts, share=np.full(n_seen, 0.25))
    values, errors = seen.estimate(base_values(games), 4, 1.0 if cuts is None else P / (cuts + 1))
    whole = np.mean([game(np.ones((1, P), bool))[0] for game in games[:n_seen]])
    assert values.sum() == pytest.approx(whole - base_values(games)[0], abs=1e-12)
    assert (errors > 0.0).all()


def test_parts_and_later_rounds_are_those_of_one_look():
    games = [random_game(P, seed, order=4) for seed in range(4)]
    whole = sums_of(games, range(6))
    early, late = sums_of(games, range(2)), sums_of(games, range(2, 6))
    np.testing.assert_allclose(early.joined(late).values, whole.values, atol=1e-12)
    walks = draw_walks(P, range(2, 4), range(6), cuts_of(P), 0)
    again = draw_walks(P, range(4), range(6), cuts_of(P), 0)
    assert np.array_equal(walks.place, again.place[2:])


@pytest.mark.parametrize("extra", [0, 3, 10])
@pytest.mark.parametrize("at_once", [1, 40, 10_000])
def test_groups_have_every_background_row_once(extra, at_once):
    plan = WalkPlan(P, 10, 10, range(2, 4), extra, cuts_of(P), at_once, 0)
    found = [(other, rounds) for others, rounds in plan.groups() for other in others]
    assert sorted(other for other, _ in found) == list(range(10))
    assert all(rounds == (range(2, 5) if other < extra else range(2, 4)) for other, rounds in found)


@pytest.mark.parametrize(("n_games", "n_rounds"), [(1, 1), (1, 2), (1, 4), (4, 1), (4, 2), (16, 1), (16, 3)])
def test_errors_cover_the_values_of_random_games(n_games, n_rounds):
    """Few walks say little about single players, so that their errors are too large rather than too small."""
    gaps, errors = [], []
    for number in range(6):
        games = [random_game(P, 100 * number + i, order=5) for i in range(n_games)]
        exact = np.mean([by_definition(game, P) for game in games], axis=0)
        for seed in range(20):
            values, error = sums_of(games, range(n_rounds), seed=seed).estimate(base_values(games), n_games, 1.0)
            gaps.append(values[0, 0] - exact)
            errors.append(error[0, 0])
    gaps, errors = np.abs(gaps), np.array(errors)
    assert np.mean(gaps <= 1.96 * errors + 1e-12) > 0.85
    ratio = np.sqrt(np.mean(errors**2) / np.mean(gaps**2))
    assert 0.85 < ratio < (1.6 if n_games * (n_rounds - 1) > 4 else 4.0)


@pytest.mark.parametrize("times", [2, 3, 4.5, 7])
@pytest.mark.parametrize("n_background", [1, 20])
def test_errors_cover_the_values_of_a_machine(times, n_background):
    n_players = 20
    rng = np.random.default_rng(n_players)
    table = rng.normal(size=(300, n_players))
    target = table[:, 0] * table[:, 1] + np.sin(2 * table[:, 2]) + table[:, 3:8].sum(axis=1) ** 2 / 5
    machine = SVR(gamma=1.5 / n_players).fit(table, target)
    background = table[:n_background]
    truth = TabularExplainer(machine, background, progress=False).explain_local(table[30:50]).local_importance_values
    sampling = SamplingOptions(nsamples=int(times * n_players))
    explained = KernelExplainer(machine.predict, background, sampling=sampling, progress=False).explain_local(
        table[30:50]
    )
    assert explained.additivity_error < 1e-12
    assert np.mean(np.abs(explained.local_importance_values - truth) < 1.96 * explained.standard_errors) > 0.84


def test_the_table_says_when_walks_are_used():
    for n_players, n_background, below in WALKS_BELOW:
        n_players = max(n_players, 12)
        assert walks_suit(n_players, int(n_players * below) - 1, n_background)
        assert not walks_suit(n_players, int(n_players * below), n_background)
    assert walks_suit(1000, 10**6, 1)
    assert not walks_suit(4, 14, 50), "all coalitions"


def test_no_more_outputs_are_computed_than_asked_for():
    rng, seen = np.random.default_rng(0), []

    def predict(rows):
        seen.append(len(rows))
        return np.tanh(rows).prod(axis=1)

    X = rng.normal(size=(20, 30))
    for nsamples in (fewest_coalitions(30), 62, 100, 150):
        explainer = KernelExplainer(predict, X[:9], sampling=SamplingOptions(nsamples=nsamples), progress=False)
        seen.clear()
        assert explainer.explain_local(X[10:11]).standard_errors is not None
        n_outputs = sum(seen)
        assert 0.85 * 9 * nsamples < n_outputs <= 9 * (nsamples + 2) + 9 + 3


@pytest.mark.parametrize("seconds", [1e-5, 1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("n_background", [1, 20])
def test_a_time_budget_holds_however_slow_the_model_is(monkeypatch, seconds, n_background):
    clock, rng = HandClock(), np.random.default_rng(0)
    monkeypatch.setattr(_adaptive_sampling, "time", clock)
    weights = rng.normal(size=300)

    def predict(rows):
        clock.move(seconds * len(rows))
        return rows @ weights + rows[:, 0] * rows[:, 1] * rows[:, 2]

    X = rng.normal(size=(30, 300))
    explainer = KernelExplainer(predict, X[:n_background], sampling=SamplingOptions(time_budget=5.0), progress=False)
    started = clock.now
    explanation = explainer.explain_local(X[20:23])
    assert clock.now - started < 5.5
    assert explanation.additivity_error < 1e-9
    assert "the largest standard error is" in explanation.notes[-1]
    exact = (X[20:23] - X[:n_background].mean(axis=0)) * weights
    gaps = explanation.local_importance_values[:, 3:] - exact[:, 3:]
    assert np.sqrt(np.mean(gaps**2)) < 1.1 * np.sqrt(np.mean(explanation.standard_errors[:, 3:] ** 2)) + 1e-9


def test_sums_of_kernels_use_the_background_rows_that_a_time_budget_allows(monkeypatch):
    rng, clock = np.random.default_rng(0), HandClock()
    X = rng.normal(size=(90, 12))
    machine = SVR(gamma=0.1).fit(X, X[:, 0] * X[:, 1] + np.sin(X[:, 2]))
    exact = TabularExplainer(machine, X[:40], progress=False).explain_local(X[50:80])
    explainers = [
        TabularExplainer(machine, X[:40], sampling=SamplingOptions(time_budget=seconds), progress=False)
        for seconds in (30.0, 1e6)
    ]
    monkeypatch.setattr(_adaptive_sampling, "time", clock)
    values = RadialEngine._values
    monkeypatch.setattr(RadialEngine, "_values", lambda *given: clock.move(1.0) or values(*given))
    some, every = (explainer.explain_local(X[50:80]) for explainer in explainers)
    np.testing.assert_allclose(every.local_importance_values, exact.local_importance_values, atol=1e-12)
    assert every.standard_errors is None
    assert "of 40 background rows" in some.notes[-1]
    assert some.additivity_error < 1e-12
    gaps = some.local_importance_values - exact.local_importance_values
    assert np.mean(np.abs(gaps) <= 1.96 * some.standard_errors) > 0.8
    assert np.sqrt(np.mean(some.standard_errors**2)) < 3.0 * np.sqrt(np.mean(gaps**2))


@pytest.mark.parametrize("n_columns", [600, pytest.param(3000, marks=pytest.mark.slow)])
def test_memory_does_not_grow_with_the_square_of_the_columns(n_columns):
    tracemalloc = pytest.importorskip("tracemalloc")
    X = np.random.default_rng(0).normal(size=(12, n_columns))
    explainer = KernelExplainer(
        lambda rows: np.tanh(rows[:, 0]), X[:4], sampling=SamplingOptions(nsamples=1), progress=False
    )
    tracemalloc.start()
    explainer.explain_local(X[5:7])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400 * 2**20
