"""The tables of interventional Shapley values, made once from an ensemble and its background rows."""

from __future__ import annotations

from collections.abc import Iterator
from math import comb

import numpy as np

from automl_explain.explainers._interventional import PATTERN_BITS, Lists, Tables
from automl_explain.explainers._lanes import ENTRY, LANES
from automl_explain.explainers._pattern_sums import pattern_sums
from automl_explain.explainers._table_kernels import (
    Clusters,
    Subtrees,
    add_to_tables,
    choose_clusters,
    choose_groups,
    find_patterns,
    write_sources,
)
from automl_explain.explainers._tree_paths import Bools, Floats, Ints, Longs, Paths, Patterns, Rows
from automl_explain.explainers._trees import Trees

TABLE_BITS = 12
"""Largest index of a table; leaves with more players on their path have none."""
TABLE_BYTES = 512 << 20
"""Memory that all tables of an explainer may take; the largest are given up first."""
GROWTH = 3.0
"""How much larger shared tables may be than the smallest ones that do the same, where memory allows."""
LIST_BYTES = 256 << 20
"""Memory for the background's patterns at leaves without a table; beyond it they are found again for every chunk."""
CLUSTER_PLAYERS = 2 * ENTRY
"""Players that the groups of a cluster may have together."""
PATTERN_ENTRIES = 1 << 23
"""Patterns of background rows that are held at a time."""


def build_tables(model: Trees, paths: Paths, background: Rows, weights: Floats) -> tuple[Tables, Subtrees]:
    """Return the tables of an ensemble and its background rows, whose weights add up to 1, and the leaves without one."""
    n_nodes, n_columns = len(model.left), model.values.shape[1]
    n_splits, is_group = np.zeros(n_nodes, np.int32), np.zeros(n_nodes, np.bool_)
    in_place, _ = row_layout(paths.n_players)
    for growth in (GROWTH, 1.0):
        choose_groups(paths, TABLE_BITS, growth, n_splits, is_group)
        is_group &= paths.width + n_splits > 0
        clusters = _whole_trees(paths, is_group) if in_place else _find_clusters(paths, n_splits, is_group)
        nodes = np.flatnonzero(is_group)
        stride = n_columns * (-(-np.diff(clusters.first_player) // ENTRY) * ENTRY)
        cluster = np.searchsorted(clusters.nodes, nodes, side="right") - 1
        size = stride[cluster] << (paths.width + n_splits)[nodes].astype(np.int64)
        if size.sum() * 8 <= TABLE_BYTES:
            break
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
    other = np.flatnonzero((model.left < 0) & ~has_table & (paths.width > 0))
    return tables, _describe(paths, other, np.zeros_like(n_splits))


def row_layout(n_players: int) -> tuple[bool, int]:
    """Say whether entries are laid out like rows of values, and how far apart the outputs of such a row are."""
    whole = -(-n_players // ENTRY) * ENTRY
    return (True, whole) if whole <= CLUSTER_PLAYERS else (False, n_players)


def _whole_trees(paths: Paths, is_group: Bools) -> Clusters:
    """Return the trees with groups as clusters of all players."""
    trees = np.unique(tree_of(paths, np.flatnonzero(is_group)))
    trees = trees[np.argsort(paths.router.roots[trees])]
    players = np.tile(np.arange(paths.n_players), len(trees))
    return Clusters(
        paths.router.roots[trees].astype(np.int64), trees, players, np.arange(len(trees) + 1) * paths.n_players
    )


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
        outputs[places + column * n_players[of_player]] = plane * row_layout(paths.n_players)[1] + clusters.players
    first_entry = _offsets(size)
    first_group = np.searchsorted(cluster, np.arange(len(n_players) + 1))
    return Tables(
        trees, np.append(first_cluster, len(n_players)), outputs, first_output, stride, first_group, groups.sources,
        groups.first_source, first_entry, np.zeros(first_entry[-1]), n_columns,
        row_layout(paths.n_players)[0], int((paths.router.ends - model.roots).max(initial=1)),
        int(stride.max(initial=0)), int(np.diff(first_group).max(initial=0)),
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


def build_lists(model: Trees, paths: Paths, leaves: Subtrees, background: Rows, weights: Floats) -> Iterator[Lists]:
    """Yield the leaves without a table with the background's patterns, in portions of bounded memory."""
    n_rows = background.n_blocks * LANES
    padded = np.zeros(n_rows)
    padded[: len(weights)] = weights
    gain, loss = _pair_weights(int(paths.width[leaves.nodes].max(initial=0)))
    most_nodes = int((paths.router.ends - model.roots).max(initial=1))
    column, (_, apart) = model.output_columns(), row_layout(paths.n_players)
    n_words = -(-np.diff(leaves.first_source) // PATTERN_BITS)
    portion = np.cumsum(n_words) * n_rows // PATTERN_ENTRIES
    for number in np.unique(portion):
        start, stop = np.searchsorted(portion, [number, number + 1]).tolist()
        first_word = _offsets(n_words[start:stop])
        first_place = leaves.first_source[start : stop + 1] - leaves.first_source[start]
        word = np.arange(first_word[-1]) - np.repeat(first_word[:-1], n_words[start:stop])
        first_source = np.append(
            np.repeat(first_place[:-1], n_words[start:stop]) + PATTERN_BITS * word, first_place[-1]
        )
        sources = leaves.sources[leaves.first_source[start] : leaves.first_source[stop]]
        trees, first_leaf = np.unique(leaves.trees[start:stop], return_index=True)
        first_leaf = np.append(first_leaf, stop - start)
        places = _edge_players(paths, leaves.trees[start:stop], first_place, sources)
        places += column[np.repeat(leaves.trees[start:stop], np.diff(first_place))].astype(np.int64) * apart
        patterns = np.empty(first_word[-1] * n_rows, np.uint32)
        for tree, begin, end in zip(
            trees.tolist(), first_word[first_leaf[:-1]], first_word[first_leaf[1:]], strict=True
        ):
            find_patterns(paths, background, tree, sources, first_source[begin : end + 1], patterns, begin * n_rows)
        yield Lists(
            trees, first_leaf, leaves.nodes[start:stop], places, first_place, sources, first_source, first_word,
            patterns, padded, gain, loss, model.values, apart, most_nodes,
        )  # fmt: skip


def _edge_players(paths: Paths, trees: Longs, first_place: Longs, sources: Ints) -> Longs:
    """Return the players of the pattern bits of leaves: those of the edges that their sources are."""
    roots = np.repeat(paths.router.roots[trees], np.diff(first_place))
    players: Longs = paths.player[roots + sources // 2].astype(np.int64)
    return players


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
