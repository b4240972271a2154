"""Shapley values of linear models of normalised counts, against their definition and against a formula for many players."""

from itertools import combinations
from math import comb

import numpy as np
import pytest

from automl_explain.explainers.text.games import _normalised
from automl_explain.explainers.text.games._normalised import Group, grouped_values
from tests.oracles import shapley_values


def normalised_values(weights, sizes, order):
    """The values of players none of which fill columns together."""
    return grouped_values(weights, sizes, order, ())[0]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("n_players", [1, 2, 5, 9])
@pytest.mark.parametrize("spread", [0.0, 1.0, 5.0])
def test_values_are_shapley_values(order, n_players, spread):
    rng = np.random.default_rng(n_players)
    sizes = np.exp(spread * rng.normal(size=n_players).round(1))  # some are the same
    weights = rng.normal(size=(3, n_players)) * sizes ** (1.0 / order)

    def ratio(present):
        own = list(present)
        return weights[:, own].sum(axis=1) / max(sizes[own].sum(), 1e-300) ** (1.0 / order)

    known = shapley_values(ratio, n_players)
    np.testing.assert_allclose(normalised_values(weights, sizes, order), known, atol=1e-11 * np.abs(known).max())


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("n_players", [40, 3000])
def test_many_players_of_one_size(order, n_players):
    weights = np.random.default_rng(0).normal(size=(2, n_players))
    size, root = np.arange(1.0, n_players + 1.0), 1.0 / order
    own = (size**-root).mean()
    others = np.append(0.0, (size[:-1] / (n_players - 1)) * (size[1:] ** -root - size[:-1] ** -root)).mean()
    known = weights * own + (weights.sum(axis=1, keepdims=True) - weights) * others
    found = normalised_values(weights, np.full(n_players, 7.0), order) * 7.0**root
    np.testing.assert_allclose(found, known, atol=1e-11 * np.abs(known).max())


@pytest.mark.parametrize("order", [1, 2])
def test_many_players_of_other_sizes_add_up(order):
    rng = np.random.default_rng(0)
    sizes, weights = np.exp(2 * rng.normal(size=3000)), rng.normal(size=(2, 3000))
    found = normalised_values(weights, sizes, order)
    np.testing.assert_allclose(
        found.sum(axis=1), weights.sum(axis=1) / sizes.sum() ** (1.0 / order), atol=1e-11 * np.abs(found).sum()
    )
    alone = normalised_values(weights[:, :1], sizes[:1], order)
    np.testing.assert_allclose(alone, weights[:, :1] / sizes[0] ** (1.0 / order), rtol=1e-11)


def coalitions(m):
    return [own for size in range(m + 1) for own in combinations(range(m), size)]


def group_of(weights, sizes, m):
    """A group of any coalitions, whose weights and sizes are given in the order of `coalitions`."""
    holds = np.array([[float(player in own) for own in coalitions(m)] for player in range(m)])
    return Group(weights, sizes, holds.sum(axis=0).astype(np.intp), np.ones(2**m), holds)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("n_alone", [0, 1, 4])
def test_values_of_groups_are_shapley_values(order, n_alone):
    rng = np.random.default_rng(n_alone)
    weights, sizes = rng.normal(size=(2, n_alone)), rng.uniform(0.1, 3.0, n_alone)
    parts = []
    for m in (2, 3):
        size = rng.uniform(0.0, 4.0, 2**m)
        size[0] = 0.0
        if m == 2:
            size[3] = 0.0  # words of opposite signs, whose counts cancel
        parts.append((rng.normal(size=(2, 2**m)) * (size > 0.0), size, m))
    starts = np.cumsum([n_alone, *(m for _, _, m in parts)])

    def ratio(present):
        own = [player for player in present if player < n_alone]
        above, below = weights[:, own].sum(axis=1), sizes[own].sum()
        for (weight, size, m), start in zip(parts, starts, strict=False):
            here = coalitions(m).index(
                tuple(sorted(player - start for player in present if start <= player < start + m))
            )
            above, below = above + weight[:, here], below + size[here]
        return above / max(below, 1e-300) ** (1.0 / order)

    alone, grouped = grouped_values(weights, sizes, order, [group_of(*part) for part in parts])
    known = shapley_values(ratio, int(starts[-1]))
    np.testing.assert_allclose(np.hstack([alone, *grouped]), known, atol=1e-11 * np.abs(known).max())


@pytest.mark.parametrize("m", [1, 2, 5, 30])
def test_a_group_of_players_that_are_alike(m):
    rng, numbers = np.random.default_rng(m), np.arange(m + 1)
    weights, sizes, per_player = rng.normal(size=(2, 4)), rng.uniform(0.1, 3.0, 4), rng.normal(size=(2, 1))
    times = np.array([comb(m, s) for s in numbers], float)
    holds = np.array([[comb(m - 1, s - 1) if s else 0 for s in numbers]] * m, float)
    alone, (grouped,) = grouped_values(
        weights, sizes, 2, [Group(per_player * numbers, numbers**2.0, numbers, times, holds)]
    )
    np.testing.assert_allclose(grouped, grouped[:, :1] * np.ones(m), atol=1e-13)
    whole = (weights.sum(axis=1) + m * per_player[:, 0]) / np.sqrt(sizes.sum() + m**2)
    np.testing.assert_allclose(alone.sum(axis=1) + grouped.sum(axis=1), whole, atol=1e-11)
    if m > 5:
        return

    def ratio(present):
        own, n_here = [player for player in present if player < 4], sum(player >= 4 for player in present)
        return (weights[:, own].sum(axis=1) + n_here * per_player[:, 0]) / np.sqrt(
            max(sizes[own].sum() + n_here**2, 1e-300)
        )

    np.testing.assert_allclose(np.hstack([alone, grouped]), shapley_values(ratio, 4 + m), atol=1e-11)


def in_one_row(alone, grouped):
    return np.hstack([alone, *grouped])


@pytest.mark.parametrize("n_alone", [0, 60])
def test_many_groups_agree_with_nodes_for_any_polynomial(n_alone, monkeypatch):
    rng = np.random.default_rng(0)
    groups = []
    for _ in range(60):
        one, other = rng.uniform(0.2, 2.0), rng.choice([-1.0, 1.0]) * rng.uniform(0.2, 2.0)
        row = np.array([0.0, one, other, one + other])
        groups.append(group_of(rng.normal(size=(1, 1)) * row, row**2, 2))
    given = rng.normal(size=(1, n_alone)), rng.uniform(0.1, 3.0, n_alone), 2, groups
    found = in_one_row(*grouped_values(*given))
    monkeypatch.setattr(_normalised, "MOST_NODES", 10**6)
    known = in_one_row(*grouped_values(*given))
    np.testing.assert_allclose(found, known, atol=1e-11 * np.abs(known).max())
