"""Kernels that explain rows by interventional Shapley values.

Most leaves are looked up in tables (see `_table_kernels`): one pass over a tree's splits gives the index of each
group's entry. For
leaves with too many players for a table, the row's pattern is compared with those of the background: where it reaches
the leaf together with a background row, p of the players can be taken from the row alone and q from the background
alone, and a leaf of output v gives each of the former ``v (p-1)! q! / (p+q)!`` and takes ``v p! (q-1)! / (p+q)!`` from
each of the latter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from automl_explain.explainers._jit import inlined, kernel
from automl_explain.explainers._lanes import (
    LANES,
    add_entries,
    count_bits,
    find_supersets,
    first_bit,
    gather_patterns,
)
from automl_explain.explainers._tree_paths import Floats, Ints, Longs, Paths, Patterns, Rows, pass_masks

PATTERN_BITS = 32
"""Players in one word of a pattern."""


class Tables(NamedTuple):
    """Tables of groups of leaves.

    Parameters
    ----------
    trees, first_cluster : ndarray
        The clusters of ``trees[i]`` are those from ``first_cluster[i]`` to ``first_cluster[i + 1]``.
    outputs, first_output : ndarray
        A cluster's places in a row of values, for each leaf column in turn.
    stride : ndarray
        Numbers in an entry of each cluster, a multiple of ENTRY for each leaf column.
    first_group : ndarray
        The groups of cluster i are those from ``first_group[i]`` to ``first_group[i + 1]``.
    sources, first_source : ndarray
        Index bits of each group, as in `Subtrees`.
    first_entry, entries : ndarray
        Where each group's entries begin, and the entries.
    n_columns : int
        Leaf columns.
    in_place : bool
        Whether entries have the layout of a row of values, so that no places are needed.
    most_nodes, most_stride, most_groups : int
        Largest tree, entry, and number of groups in a cluster.
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
    most_nodes: int
    most_stride: int
    most_groups: int


@kernel
def add_from_tables(paths: Paths, tables: Tables, rows: Rows, n_places: int, phi: Floats) -> None:
    """Add the values of all groups to `phi`, flat rows of `n_places`."""
    patterns = np.empty(tables.most_groups * LANES, np.uint32)
    masks = np.empty(2 * tables.most_nodes, np.uint64)
    sums = np.empty(LANES * tables.most_stride)
    for i in range(len(tables.trees)):
        tree = tables.trees[i]
        for block in range(rows.n_blocks):
            pass_masks(paths, rows, tree, block, masks)
            n_rows = min(LANES, rows.n_rows - block * LANES)
            for cluster in range(tables.first_cluster[i], tables.first_cluster[i + 1]):
                stride = tables.stride[cluster]
                group = tables.first_group[cluster]
                n_groups = tables.first_group[cluster + 1] - group
                for j in range(n_groups):
                    first = tables.first_source[group + j]
                    n_bits = tables.first_source[group + j + 1] - first
                    gather_patterns(masks, tables.sources, first, n_bits, patterns, j * LANES)
                if tables.in_place:
                    place = tables.outputs[tables.first_output[cluster]]
                    for row in range(n_rows):
                        to = (block * LANES + row) * n_places + place
                        add_entries(tables.entries, tables.first_entry, group, n_groups, patterns, row, stride, phi, to)
                    continue
                for i_sum in range(n_rows * stride):
                    sums[i_sum] = 0.0
                for row in range(n_rows):
                    add_entries(
                        tables.entries, tables.first_entry, group, n_groups, patterns, row, stride, sums, row * stride
                    )
                first = tables.first_output[cluster]
                per_column = (tables.first_output[cluster + 1] - first) // tables.n_columns
                apart = stride // tables.n_columns
                for row in range(n_rows):
                    for column in range(tables.n_columns):
                        for j in range(per_column):
                            place = tables.outputs[first + column * per_column + j]
                            phi[(block * LANES + row) * n_places + place] += sums[row * stride + column * apart + j]


class Lists(NamedTuple):
    """Leaves without a table, with the patterns that the background rows make there.

    Parameters
    ----------
    trees, first_leaf : ndarray
        The leaves of ``trees[i]`` are those from ``first_leaf[i]`` to ``first_leaf[i + 1]``.
    nodes, places, first_place : ndarray
        The leaves, and for each its players' places in a row of values.
    sources, first_source, first_word : ndarray
        Pattern bits of each leaf in words of PATTERN_BITS, as in `Subtrees`; leaf i has the words from ``first_word[i]``.
    patterns : ndarray
        Patterns of the background, (words, n_background), flat.
    weights : ndarray, shape (n_background,)
        Its weights, 0 for rows that fill the last block.
    gain, loss : ndarray
        The two weights of a leaf, by p and q.
    values, apart : ndarray, int
        Leaf outputs (M, V), and the distance of two outputs in a row of values.
    most_nodes : int
        Size of the largest tree.
    """

    trees: Longs
    first_leaf: Longs
    nodes: Longs
    places: Longs
    first_place: Longs
    sources: Ints
    first_source: Longs
    first_word: Longs
    patterns: Patterns
    weights: Floats
    gain: Floats
    loss: Floats
    values: Floats
    apart: int
    most_nodes: int


@kernel
def add_from_lists(paths: Paths, lists: Lists, rows: Rows, n_places: int, phi: Floats) -> None:
    """Add the values of the leaves without a table to `phi`, flat rows of `n_places`."""
    masks = np.empty(2 * lists.most_nodes, np.uint64)
    n_words = (len(lists.gain) + PATTERN_BITS - 1) // PATTERN_BITS
    failed, value = np.empty(n_words * LANES, np.uint32), np.empty(len(lists.gain))
    for i in range(len(lists.trees)):
        for block in range(rows.n_blocks):
            pass_masks(paths, rows, lists.trees[i], block, masks)
            for leaf in range(lists.first_leaf[i], lists.first_leaf[i + 1]):
                first = lists.first_word[leaf]
                n_words = lists.first_word[leaf + 1] - first
                for word in range(n_words):
                    start, stop = lists.first_source[first + word], lists.first_source[first + word + 1]
                    gather_patterns(masks, lists.sources, start, stop - start, failed, word * LANES)
                    for row in range(LANES):
                        every_bit = np.uint32((np.uint64(1) << np.uint64(stop - start)) - np.uint64(1))
                        failed[word * LANES + row] ^= every_bit
                for row in range(min(LANES, rows.n_rows - block * LANES)):
                    lost = _weigh_pairs(lists, leaf, failed, row, value)
                    if lost >= 0.0:
                        _add_leaf(lists, leaf, failed, row, value, lost, phi, (block * LANES + row) * n_places)


@inlined
def _weigh_pairs(lists: Lists, leaf: int, failed: Patterns, row: int, value: Floats) -> float:
    """Write what the leaf gives to each player that the row passes; return what it takes from each other one.

    That is -1 when the row reaches the leaf together with no background row.
    """
    n_background, first, lost = len(lists.weights), lists.first_word[leaf], -1.0
    n_words = lists.first_word[leaf + 1] - first
    d = lists.first_place[leaf + 1] - lists.first_place[leaf]
    q = 0
    for start in range(0, n_background, LANES):
        fits = find_supersets(lists.patterns, first * n_background + start, n_background, failed, row, n_words)
        while fits:
            other = start + first_bit(fits)
            fits &= fits - np.uint64(1)
            if lost < 0.0:
                lost = 0.0
                for word in range(n_words):
                    q += count_bits(failed[word * LANES + row])
                for j in range(d):
                    value[j] = 0.0
            p = d
            for word in range(n_words):
                p -= count_bits(lists.patterns[(first + word) * n_background + other])
            lost += lists.weights[other] * lists.loss[p, q]
            won = lists.weights[other] * lists.gain[p, q]
            for word in range(n_words):
                n_bits = np.uint64(min(d - word * PATTERN_BITS, PATTERN_BITS))
                every_bit = (np.uint64(1) << n_bits) - np.uint64(1)
                lacking = np.uint64(lists.patterns[(first + word) * n_background + other]) ^ every_bit
                while lacking:
                    value[word * PATTERN_BITS + first_bit(lacking)] += won
                    lacking &= lacking - np.uint64(1)
    return lost


@inlined
def _add_leaf(
    lists: Lists, leaf: int, failed: Patterns, row: int, value: Floats, lost: float, phi: Floats, at: int
) -> None:
    """Add a leaf's outputs, weighed, to the row of values that begins at ``phi[at]``."""
    first, node = lists.first_place[leaf], lists.nodes[leaf]
    for j in range(lists.first_place[leaf + 1] - first):
        weight = value[j]
        if (failed[(j // PATTERN_BITS) * LANES + row] >> np.uint32(j % PATTERN_BITS)) & np.uint32(1):
            weight = -lost
        for column in range(lists.values.shape[1]):
            phi[at + lists.places[first + j] + column * lists.apart] += weight * lists.values[node, column]
