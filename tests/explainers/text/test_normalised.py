"""Shapley values of linear models of normalised counts, against their definition and against a formula for many players."""

import numpy as np
import pytest

from automl_explain.explainers.text.games._normalised import normalised_values
from tests.oracles import shapley_values


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
