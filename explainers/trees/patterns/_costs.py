"""What tables cost, and the choice of which leaves are given one.

The unit costs were measured on six ensembles (LightGBM, XGBoost, forests of one and of three outputs), on one core of an x86-64
server; only their ratios matter.
"""

from __future__ import annotations

from typing import NamedTuple

TABLE_BITS = 12
"""Most bits of the index of a table; leaves with more players on their path have no table."""
MANY_ROWS = 1_000_000
"""Rows that are expected if their number is not known, as of an explainer that is made once and called many times."""
SHARED_FROM = 30_000
"""Rows from which on shared tables pay, which take longer to make and are read faster."""
SHARED_GROWTH = 3.0
"""Factor by which these may exceed the smallest equivalent tables, if there is enough memory."""

# Nanoseconds.
PER_TABLE = 640.0  # its description
PER_NUMBER = 2.9  # a table, pattern, player and leaf column: the entries
PER_LOOKUP = 2.4  # a row, table and leaf column


class TableChoice(NamedTuple):
    """Which leaves are given tables.

    Parameters
    ----------
    most_bits : int
        Leaves with more players on their path have none.
    growth : float
        Factor by which tables that leaves share may exceed the smallest equivalent ones.
    tree_bytes : int or None
        Trees whose tables would take more memory have none, nor have trees with a leaf that has none. None: each leaf is looked
        at by itself.
    """

    most_bits: int = TABLE_BITS
    growth: float = SHARED_GROWTH
    tree_bytes: int | None = None


def growth_for(n_rows: int) -> float:
    """Return by which factor shared tables may exceed the smallest equivalent ones if so many rows will be explained."""
    return SHARED_GROWTH if n_rows >= SHARED_FROM else 1.0
