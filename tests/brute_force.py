"""Shapley values by their definition, in float64: the oracle of the tests."""

from itertools import combinations
from math import factorial

import numpy as np


def shapley(value, n_players):
    """value(set of players) -> array; returns (n_players, *shape of the value)."""
    players = range(n_players)
    values = {}
    for size in range(n_players + 1):
        for coalition in combinations(players, size):
            values[frozenset(coalition)] = np.asarray(value(coalition), dtype=float)
    result = np.zeros((n_players, *values[frozenset()].shape))
    for player in players:
        for coalition, before in values.items():
            if player not in coalition:
                weight = factorial(len(coalition)) * factorial(n_players - len(coalition) - 1) / factorial(n_players)
                result[player] += weight * (values[coalition | {player}] - before)
    return result


def interventional(predict, row, background, groups=None):
    """Shapley values of one row, (P, K): absent players take their columns from each background row in turn.

    row: (f,) array or one-row DataFrame; groups: player of each column.
    """
    n_columns = background.shape[1]
    groups = np.arange(n_columns) if groups is None else np.asarray(groups)
    frame = hasattr(background, "iloc")

    def value(coalition):
        mixed = background.copy()
        for column in np.flatnonzero(np.isin(groups, list(coalition))):
            if frame:
                cell = row.iloc[0, column]
                mixed.isetitem(
                    column, mixed.iloc[:, column].map(lambda _, cell=cell: cell).astype(mixed.dtypes.iloc[column])
                )
            else:
                mixed[:, column] = row[column]
        return predict(mixed).mean(axis=0)

    return shapley(value, int(groups.max()) + 1)
