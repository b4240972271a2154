"""The tables of interventional Shapley values, made once from an ensemble and its background rows."""

from __future__ import annotations

from collections.abc import Iterator
from math import comb

import numpy as np

from automl_explain.explainers._interventional import Pairs, Tables
from automl_explain.explainers._lanes import ENTRY, LANES
from automl_explain.explainers._pattern_sums import pattern_sums
from automl_explain.explainers._table_kernels import (
    Clusters,
    Patterns,
    Subtrees,
    add_to_tables,
    choose_clusters,
    choose_groups,
    find_patterns,
    write_sources,
)
from automl_explain.explainers._tree_paths import Bools, Floats, Ints, Longs, Paths, Rows
from automl_explain.explainers._trees import Trees

TABLE_BITS = 12
"""Largest index of a table; leaves with more players on their path have none."""
TABLE_BYTES = 512 << 20
"""Memory that all tables of an explainer may take; the largest are given up first."""
CLUSTER_PLAYERS = 2 * ENTRY
"""Players that the groups of a cluster may have together."""
PATTERN_ENTRIES = 1 << 22
"""Patterns of background rows that are held at a time."""


def build_tables(model: Trees, paths: Paths, background: Rows, weights: Floats) -> tuple[Tables, Pairs]:
    """Compile an ensemble and its background rows, whose weights add up to 1."""
    n_nodes, n_columns = len(model.left), model.values.shape[1]
    n_splits, is_group = np.zeros(n_nodes, np.int32), np.zeros(n_nodes, np.bool_)
    choose_groups(paths, TABLE_BITS, n_splits, is_group)
    is_group &= paths.width + n_splits > 0
    clusters = _find_clusters(paths, n_splits, is_group)
    nodes = np.flatnonzero(is_group)
    n_players = np.diff(clusters.first_player)
    stride = n_columns * (-(-n_players // ENTRY) * ENTRY)
    cluster = np.searchsorted(clusters.nodes, nodes, side="right") - 1
    size = stride[cluster] << (paths.width + n_splits)[nodes].astype(np.int64)
    order = np.argsort(size, kind="stable")
    kept = np.empty(len(nodes), np.bool_)
    kept[order] = np.cumsum(size[order]) * 8 <= TABLE_BYTES
    nodes, cluster, size = nodes[kept], cluster[kept], size[kept]
    groups = _describe(paths, nodes, n_splits)
    tables = _lay_out(model, paths, clusters, groups, cluster, stride, size)
    inside = np.zeros(n_nodes + 1, np.int64)
    inside[nodes] += 1
    np.subtract.at(inside, nodes + 2 * n_splits[nodes] + 1, 1)
    has_table = np.cumsum(inside[:-1]) > 0
    leaves = _describe(paths, np.flatnonzero((model.left < 0) & has_table), np.zeros_like(n_splits))
    group = np.searchsorted(nodes, leaves.nodes, side="right") - 1
    for chosen, (first, second) in pattern_batches(paths, leaves, background, weights, order=1):
        add_to_tables(
            paths, leaves.nodes[chosen], first, second, n_splits, groups, group[chosen], clusters, cluster,
            model.values, tables.first_entry, stride[cluster], tables.entries,
        )  # fmt: skip
    return tables, _pairs(model, paths, ~has_table, background, weights)


def _find_clusters(paths: Paths, n_splits: Ints, is_group: Bools) -> Clusters:
    most = int(is_group.sum())
    nodes, first_player = np.empty(most, np.int64), np.empty(most + 1, np.int64)
    # A cluster has at most CLUSTER_PLAYERS, or is one group: no more players than index bits.
    players = np.empty(most * max(CLUSTER_PLAYERS, TABLE_BITS), np.int64)
    count = choose_clusters(paths, n_splits, is_group, CLUSTER_PLAYERS, nodes, players, first_player)
    nodes = nodes[:count].copy()
    return Clusters(nodes, tree_of(paths, nodes), players[: first_player[count]], first_player[: count + 1])


def tree_of(paths: Paths, nodes: Longs) -> Longs:
    """Return the tree of each node."""
    order = np.argsort(paths.router.roots, kind="stable")
    return order[np.searchsorted(paths.router.roots[order], nodes, side="right") - 1]


def _describe(paths: Paths, nodes: Longs, n_splits: Ints) -> Subtrees:
    first_source = _offsets((paths.width + n_splits)[nodes])
    part = Subtrees(nodes, tree_of(paths, nodes), np.empty(first_source[-1], np.int32), first_source)
    write_sources(paths, n_splits, part)
    return part


def _lay_out(
    model: Trees, paths: Paths, clusters: Clusters, groups: Subtrees, cluster: Longs, stride: Longs, size: Longs
) -> Tables:
    """Return tables full of zeros."""
    trees, first_cluster = np.unique(clusters.trees, return_index=True)
    n_columns, n_players = model.values.shape[1], np.diff(clusters.first_player)
    first_output = n_columns * clusters.first_player
    of_player = np.repeat(np.arange(len(n_players)), n_players)
    outputs = np.empty(first_output[-1], np.int64)
    for column in range(n_columns):
        places = first_output[of_player] - clusters.first_player[of_player] + np.arange(len(of_player))
        plane = model.output_columns(column)[clusters.trees[of_player]].astype(np.int64)
        outputs[places + column * n_players[of_player]] = plane * paths.n_players + clusters.players
    first_entry = _offsets(size)
    first_group = np.searchsorted(cluster, np.arange(len(n_players) + 1))
    return Tables(
        trees, np.append(first_cluster, len(n_players)), outputs, first_output, stride, first_group, groups.sources,
        groups.first_source, first_entry, np.zeros(first_entry[-1]), n_columns,
        int((paths.router.ends - model.roots).max(initial=1)), int(stride.max(initial=0)),
    )  # fmt: skip


def pattern_batches(
    paths: Paths, leaves: Subtrees, background: Rows, weights: Floats, order: int
) -> Iterator[tuple[Longs, list[Floats]]]:
    """Yield positions in ``leaves.nodes``, all of one number of players d, with their pattern sums (n, 2^d)."""
    width, n_rows = paths.width[leaves.nodes], background.n_blocks * LANES
    padded = np.zeros(n_rows)
    padded[: len(weights)] = weights
    for d in range(1, int(width.max(initial=0)) + 1):
        places = np.flatnonzero(width == d)
        step = max(1, PATTERN_ENTRIES // (n_rows + (2 + order << d)))
        for start in range(0, len(places), step):
            chosen = places[start : start + step]
            yield chosen, pattern_sums(_patterns_at(paths, leaves, chosen, background), padded, d, order)


def _patterns_at(paths: Paths, leaves: Subtrees, places: Longs, rows: Rows) -> Patterns:
    """Return the patterns (leaves, rows) that rows make at leaves of as many players."""
    n_bits = leaves.first_source[places[0] + 1] - leaves.first_source[places[0]]
    sources = leaves.sources[(leaves.first_source[places, None] + np.arange(n_bits)).ravel()]
    patterns = np.empty((len(places), rows.n_blocks * LANES), np.uint32)
    trees, first = np.unique(leaves.trees[places], return_index=True)
    for tree, start, stop in zip(trees.tolist(), first.tolist(), [*first[1:].tolist(), len(places)], strict=True):
        first_source = np.arange(start, stop + 1) * n_bits
        find_patterns(paths, rows, tree, sources, first_source, patterns.reshape(-1), start * patterns.shape[1])
    return patterns


def _pairs(model: Trees, paths: Paths, wanted: Bools, background: Rows, weights: Floats) -> Pairs:
    """Prepare the walks to the leaves that are `wanted`."""
    count = np.concatenate([[0], np.cumsum(wanted & (model.left < 0))])
    sizes = paths.router.ends - model.roots
    trees = np.flatnonzero((count[paths.router.ends] - count[model.roots] > 0) & (sizes > 1))
    gain, loss = _pair_weights(int(paths.width.max(initial=0)))
    column = model.output_columns().astype(np.int64) * paths.n_players
    most = int(sizes.max(initial=1))
    return Pairs(trees, wanted, background, weights, gain, loss, model.values, column, most)


def _offsets(sizes: Ints | Longs) -> Longs:
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])


def _pair_weights(most: int) -> tuple[Floats, Floats]:
    """Return ``(p-1)! q! / (p+q)!`` and ``p! (q-1)! / (p+q)!``; 0 where not defined."""
    gain, loss = np.zeros((most + 1, most + 1)), np.zeros((most + 1, most + 1))
    for p in range(most + 1):
        for q in range(most + 1 - p):
            gain[p, q] = 1.0 / (p * comb(p + q, p)) if p else 0.0
            loss[p, q] = 1.0 / (q * comb(p + q, q)) if q else 0.0
    return gain, loss
