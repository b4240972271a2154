"""Which leaves are given tables of interventional values, chosen by counted costs.

A leaf with a table is looked up for each row; making the table takes time that grows with 2^d for d players on the path.
A leaf without one is found by walking the tree together with the background rows, for each row again. For few rows, walks
take less time than the tables, and for wide leaves more rows are needed than for narrow ones. The unit costs below were
measured on six ensembles (LightGBM, XGBoost, forests of one and of three outputs) with 20, 100 and 1,000 background rows,
on one core of an x86-64 server; only their ratios matter. `tests/benchmarks/test_tree_costs.py` compares the choice with
all others.
"""

from __future__ import annotations

import numpy as np

from automl_explain.explainers.compiled._arrays import NODES, Floats
from automl_explain.explainers.compiled._jit import kernel
from automl_explain.explainers.trees._paths import Paths
from automl_explain.explainers.trees.patterns._costs import (
    MANY_ROWS,
    PER_LOOKUP,
    PER_NUMBER,
    PER_TABLE,
    TABLE_BITS,
    TableChoice,
    growth_for,
)

# Nanoseconds.
PER_WIDTH = 32_000.0  # calls for all leaves with the same number of players
PER_BACKGROUND_ROW = 3.0  # a table and background row: its pattern, counted
PER_SUM = 1.6  # a table, pattern, player and vector of Gauss nodes: superset sums
PER_VISIT = 36.0  # a row, leaf without a table and word of 64 background rows, if one of them gets there with the row
PER_PAIR = 0.82  # a row, a background row and a player of a leaf that a mix of the two reaches


def choose_tables(paths: Paths, n_rows: int | None, n_background: int, n_columns: int) -> TableChoice:
    """Return the choice that takes the least time for making tables and explaining rows.

    Parameters
    ----------
    paths : Paths
    n_rows : int or None
        Number of rows that will be explained. None: many.
    n_background : int
        Number of background rows B.
    n_columns : int
        Number of leaf columns.
    """
    n = MANY_ROWS if n_rows is None else n_rows
    counts = np.zeros((TABLE_BITS + 2, 3))
    reach, share = np.empty((2, len(paths.parent)))
    _count_leaves(paths, min(64, n_background), reach, share, counts)
    leaves, words, pairs = counts[: TABLE_BITS + 1].T
    d = np.arange(TABLE_BITS + 1)
    per_pattern = d * (PER_SUM * -(-d // (2 * NODES)) + PER_NUMBER * n_columns)
    table = leaves * (PER_TABLE + PER_BACKGROUND_ROW * n_background + 2.0**d * per_pattern + n * PER_LOOKUP * n_columns)
    walk = n * (-(-n_background // 64) * words * PER_VISIT + n_background * pairs * PER_PAIR)
    saved = np.cumsum(walk - table - PER_WIDTH * (leaves > 0))
    return TableChoice(int(np.argmax(saved)), growth_for(n))


@kernel
def _count_leaves(paths: Paths, n_together: int, reach: Floats, share: Floats, counts: Floats) -> None:
    """Add up leaves by their number of players, the last number standing for all larger ones.

    Counted are the leaves; the expected number of leaves that a row reaches together with any of `n_together` background
    rows; and the expected number of players on the paths that a row reaches together with one. A player is passed by the
    share of training rows that passed it, in both rows independently. `reach` and `share` (M,) are working space.
    """
    for node in range(len(reach)):
        edge = paths.parent[node]
        reach[node] = share[node] = 1.0
        if edge >= 0:
            before = 1.0 if paths.ancestor[node] < 0 else share[paths.ancestor[node]]
            passed = paths.ratio[node] * before
            share[node] = passed
            # Either of the two rows passes the player: 1 - (1 - passed)^2.
            reach[node] = reach[edge] * (passed * (2.0 - passed)) / (before * (2.0 - before))
        if paths.router.left[node] < 0:
            d = min(paths.width[node], len(counts) - 1)
            counts[d, 0] += 1.0
            counts[d, 1] += 1.0 - (1.0 - reach[node]) ** n_together
            counts[d, 2] += reach[node] * paths.width[node]
