"""What tables of path-dependent values are filled with, and whether tables pay.

Where absent players follow the covers, a player j on the path to a leaf is passed with the probability r_j if it is absent, the
product of the cover ratios of its edges. A row that fails the players m and passes all others of the path reaches the leaf, if
each player is present with probability t, with the probability

    F_m(t) = prod_{j in m} (1 - t) r_j  prod_{j not in m} (t + (1 - t) r_j).

The Shapley value of player i, of a leaf of output v, is ``v (U_0[m] - U_1[m | i])`` with the finite parts of the integrals

    U_0[m] = int_0^1 F_m(t) / t dt,    U_1[m] = int_0^1 F_m(t) / (t (1 - t)) dt.

All F_m have the same value at 0, the leaf's share of the cover, whose subtraction makes both integrands polynomials. The finite
parts differ from their integrals by the same number, which cancels. (Compare `interventional._pattern_sums`, whose background is
replaced by one of independent players for each leaf.)
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from automl_explain.explainers.compiled._arrays import Floats, Longs
from automl_explain.explainers.compiled._jit import kernel
from automl_explain.explainers.trees._paths import Paths
from automl_explain.explainers.trees.path_dependent._walks import product_along, quadrature
from automl_explain.explainers.trees.patterns._costs import (
    MANY_ROWS,
    PER_LOOKUP,
    PER_NUMBER,
    PER_TABLE,
    TABLE_BITS,
    TableChoice,
    growth_for,
)
from automl_explain.explainers.trees.patterns._table_kernels import Subtrees

TREE_BYTES = 2 << 20
"""Largest tables of a tree: larger ones do not stay in the cache while many rows are looked up."""
SUMS_AT_ONCE = 1 << 21
"""Most sums held at a time."""

# Nanoseconds, beside those of `patterns._costs`.
PER_PRODUCT = 0.5  # a leaf, pattern and player: the sums
PER_STEP = 0.65  # a row, leaf and player, or one more: the walk over the two edges that there are for each leaf


def cover_sums(paths: Paths, leaves: Subtrees) -> Iterator[tuple[Longs, list[Floats]]]:
    """Yield positions of leaves with the same number of players d, and U_0 and U_1 of these leaves, (n, 2^d)."""
    passed = product_along(paths, paths.ratio, paths.ancestor)
    width = paths.width[leaves.nodes]
    for d in range(1, int(width.max(initial=0)) + 1):
        places = np.flatnonzero(width == d)
        t, not_t, weights = quadrature((d + 1) // 2)
        for chosen in np.array_split(places, max(1, -(-(len(places) << d) // SUMS_AT_ONCE))):
            if len(chosen):
                sources = leaves.sources[leaves.first_source[chosen, None] + np.arange(d)]
                ratios = passed[paths.router.roots[leaves.trees[chosen], None] + sources // 2]
                sums = np.zeros((2, len(chosen), 1 << d))
                _sum_products(ratios, t, not_t, weights, np.empty(1 << d), sums)
                yield chosen, list(sums)


@kernel
def _sum_products(ratios: Floats, t: Floats, not_t: Floats, weights: Floats, products: Floats, sums: Floats) -> None:
    """Add U_0 and U_1 of all leaves to `sums` (2, leaves, 2^d); `ratios` (leaves, d), `products` (2^d,) is working space."""
    for leaf in range(len(ratios)):
        share = 1.0
        for j in range(ratios.shape[1]):
            share *= ratios[leaf, j]
        for k in range(len(t)):
            products[0] = 1.0
            for j in range(ratios.shape[1]):
                failed = not_t[k] * ratios[leaf, j]
                passed = t[k] + failed
                for m in range(1 << j):
                    products[m + (1 << j)] = products[m] * failed
                    products[m] *= passed
            weight = weights[k] / t[k]
            for m in range(len(products)):
                sums[0, leaf, m] += weight * (products[m] - share)
                sums[1, leaf, m] += weight * (products[m] / not_t[k] - share)


def choose_cover_tables(paths: Paths, n_rows: int | None, n_columns: int) -> TableChoice:
    """Return which leaves are given tables: those of trees with small tables if that takes less time than walks, or none.

    Parameters
    ----------
    paths : Paths
    n_rows : int or None
        Number of rows that will be explained. None: many.
    n_columns : int
        Number of leaf columns.
    """
    n = MANY_ROWS if n_rows is None else n_rows
    d = paths.width[paths.router.left < 0].astype(np.float64)
    make = PER_TABLE + 2.0 ** np.minimum(d, TABLE_BITS) * d * (PER_PRODUCT + PER_NUMBER * n_columns)
    saved = n_columns * ((d + 1.0) * PER_STEP - PER_LOOKUP)
    return TableChoice(TABLE_BITS if n * saved.sum() > make.sum() else 0, growth_for(n), TREE_BYTES)
