"""Sums of products over players, for many coalitions, from products over a few players at a time.

A kernel around a centre is a product of one factor per player. The players are taken in groups; the products of all subsets
of a group are tabulated, so that a coalition costs one multiplication per group instead of one exponential.
"""

from __future__ import annotations

import numpy as np

from automl_explain.explainers.compiled._arrays import Bools, Floats, Longs
from automl_explain.explainers.compiled._jit import kernel

GROUP = 6
"""Players per group. The tables of all groups fit the cache of a core."""
LEAST = 1e-280
"""Lower bound of the product of all groups, above the numbers with which a processor is slow."""


def group_codes(coalitions: Bools) -> Longs:
    """Return the subset of each group of players that each coalition (m, P) has, (m, groups), as positions in its table."""
    n_players = coalitions.shape[1]
    starts = np.arange(0, n_players, GROUP)
    bits = np.left_shift(1, np.arange(n_players) % GROUP)
    return np.ascontiguousarray(np.add.reduceat(coalitions * bits, starts, axis=1), dtype=np.int64)


def working_space(codes: Longs, n_centres: int) -> tuple[Floats, Floats]:
    """Return working space for `products_of`: tables (groups, subsets, c), and products (m, c)."""
    return np.empty((codes.shape[1], 1 << GROUP, n_centres)), np.empty((len(codes), n_centres))


@kernel
def products_of(mine: Floats, theirs: Floats, codes: Longs, tables: Floats, products: Floats) -> None:
    """Write the products of all coalitions (m, c), from the factors of present and absent players (P, c), at c centres.

    `codes` (m, groups) are the coalitions, and `tables` (groups, subsets, c) is working space.
    """
    n_players, n_centres = mine.shape
    least = LEAST ** (1.0 / len(tables))
    for group in range(len(tables)):
        table, size = tables[group], 1
        table[0] = 1.0
        for player in range(group * GROUP, min((group + 1) * GROUP, n_players)):
            for subset in range(size):
                for c in range(n_centres):
                    table[size + subset, c] = table[subset, c] * mine[player, c]
                    table[subset, c] *= theirs[player, c]
            size *= 2
        for subset in range(size):
            for c in range(n_centres):
                table[subset, c] = table[subset, c] if table[subset, c] >= least else 0.0
    for coalition in range(len(codes)):
        row = products[coalition]
        row[:] = 1.0
        for group in range(len(tables)):
            factors = tables[group, codes[coalition, group]]
            for c in range(n_centres):
                row[c] *= factors[c]
