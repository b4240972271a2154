"""Kernels that look up the values of rows in tables (see `_table_kernels`).

One pass over a tree's splits gives the index of each group's entry.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from automl_explain.explainers.compiled._arrays import LANES, Floats, Ints, Longs, Patterns, Words
from automl_explain.explainers.compiled._jit import inlined, kernel
from automl_explain.explainers.compiled._simd import add_entries, gather_patterns
from automl_explain.explainers.trees._paths import Paths, pass_masks
from automl_explain.explainers.trees._routing import BlockedRows
from automl_explain.explainers.trees._row_splits import ONE, RowSplits, side


class PatternTables(NamedTuple):
    """Tables of groups of leaves.

    Parameters
    ----------
    trees, first_cluster : ndarray
        The clusters of ``trees[i]`` are those from ``first_cluster[i]`` to ``first_cluster[i + 1]``.
    outputs, first_output : ndarray
        Positions of a cluster's players in a row of values, for one leaf column after another.
    stride : ndarray
        Numbers in an entry of each cluster, a multiple of ENTRY for each leaf column.
    first_group : ndarray
        The groups of cluster i are those from ``first_group[i]`` to ``first_group[i + 1]``.
    sources, first_source : ndarray
        Index bits of each group, as in `Subtrees`.
    first_entry, entries : ndarray
        Start of each group's entries, and the entries.
    n_columns : int
        Leaf columns.
    in_place : bool
        Whether entries have the layout of a row of values; `outputs` then only says where it starts.
    output_place : int
        Where each leaf column of an entry has the output of the leaf that a row reaches; -1 if entries have no room for it.
    """

    trees: Longs
    first_cluster: Longs
    outputs: Longs
    first_output: Longs
    stride: Longs
    first_group: Longs
    sources: Ints
    first_source: Longs
    first_entry: Longs
    entries: Floats
    n_columns: int
    in_place: bool
    output_place: int


@kernel
def add_from_tables(
    paths: Paths,
    tables: PatternTables,
    rows: BlockedRows,
    n_places: int,
    phi: Floats,
    patterns: Patterns,
    masks: Words,
    sums: Floats,
) -> None:
    """Add the values of all groups to `phi`, flat rows of `n_places`.

    Working space: `patterns` (groups of a cluster * LANES,), `masks` (2 * nodes of a tree,), `sums` (LANES * entry,).
    """
    for i in range(len(tables.trees)):
        tree = tables.trees[i]
        for block in range(rows.n_blocks):
            pass_masks(paths, rows, tree, block, masks)
            n_rows = min(LANES, rows.n_rows - block * LANES)
            for cluster in range(tables.first_cluster[i], tables.first_cluster[i + 1]):
                group = tables.first_group[cluster]
                for j in range(tables.first_group[cluster + 1] - group):
                    first = tables.first_source[group + j]
                    n_bits = tables.first_source[group + j + 1] - first
                    gather_patterns(masks, tables.sources, first, n_bits, patterns, j * LANES)
                _add_cluster(tables, cluster, patterns, block * LANES, n_rows, n_places, phi, sums)


@inlined
def _add_cluster(
    tables: PatternTables, cluster: int, patterns: Patterns, first_row: int, n_rows: int, n_places: int, phi: Floats,
    sums: Floats,
) -> None:  # fmt: skip
    """Add the entries of a cluster's groups for the rows from `first_row` on, given the index of each group and row."""
    stride, group = tables.stride[cluster], tables.first_group[cluster]
    n_groups = tables.first_group[cluster + 1] - group
    if tables.in_place:
        place = tables.outputs[tables.first_output[cluster]]
        for row in range(n_rows):
            to = (first_row + row) * n_places + place
            add_entries(tables.entries, tables.first_entry, group, n_groups, patterns, row, stride, phi, to)
    else:
        for i_sum in range(n_rows * stride):
            sums[i_sum] = 0.0
        for row in range(n_rows):
            add_entries(tables.entries, tables.first_entry, group, n_groups, patterns, row, stride, sums, row * stride)
        first = tables.first_output[cluster]
        per_column = (tables.first_output[cluster + 1] - first) // tables.n_columns
        apart = stride // tables.n_columns
        for row in range(n_rows):
            for column in range(tables.n_columns):
                for j in range(per_column):
                    place = tables.outputs[first + column * per_column + j]
                    phi[(first_row + row) * n_places + place] += sums[row * stride + column * apart + j]


@kernel
def add_row_from_tables(
    tables: PatternTables, splits: RowSplits, row: Floats, phi: Floats, patterns: Patterns, bits: Words, sums: Floats
) -> None:
    """Add the values of all groups for a single row (f,) to `phi`; `splits` has two numbers for each node.

    Working space as in `add_from_tables`; the first bit of a word stands for the row.
    """
    bits[0] = ONE
    for i in range(len(tables.trees)):
        for split in range(splits.first[i], splits.first[i + 1]):
            way, before = side(splits, split, row), bits[splits.fields[split, 4]]
            here, right = np.uint64(splits.fields[split, 2]), splits.fields[split, 3]
            bits[here + ONE], bits[here + ONE + ONE], bits[right] = way, before & way, before & (ONE - way)
        for cluster in range(tables.first_cluster[i], tables.first_cluster[i + 1]):
            group = tables.first_group[cluster]
            for j in range(tables.first_group[cluster + 1] - group):
                pattern, shift = ONE - ONE, ONE - ONE
                for source in range(tables.first_source[group + j], tables.first_source[group + j + 1]):
                    pattern |= bits[np.uint32(tables.sources[source])] << shift
                    shift += ONE
                patterns[j * LANES] = pattern
            _add_cluster(tables, cluster, patterns, 0, 1, 0, phi, sums)
