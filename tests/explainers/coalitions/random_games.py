"""Random games, and their Shapley values by definition."""

import numpy as np

from tests.oracles import shapley_values


def random_game(n_players, seed, order=3):
    """A random game whose interactions have up to `order` players."""
    rng = np.random.default_rng(seed)
    terms = [(rng.choice(n_players, rng.integers(1, order + 1), replace=False), rng.normal()) for _ in range(12)]

    def value(coalitions):
        return np.array([sum(c for members, c in terms if row[members].all()) for row in coalitions])

    return value


def by_definition(value, n_players):
    def of(present):
        row = np.zeros((1, n_players), bool)
        row[0, list(present)] = True
        return value(row)

    return shapley_values(of, n_players)[0]
