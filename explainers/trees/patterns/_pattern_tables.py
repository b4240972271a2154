"""Tables of the values of small subtrees: which subtrees have one, how they lie in memory, and what a row looks up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from automl_explain.explainers.compiled._arrays import ENTRY, Bools, Floats, Ints, Longs, Words
from automl_explain.explainers.trees._paths import Paths, tree_of
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.explainers.trees.patterns._costs import TABLE_BITS, TableChoice
from automl_explain.explainers.trees.patterns._lookups import PatternTables
from automl_explain.explainers.trees.patterns._table_kernels import (
    Clusters,
    Subtrees,
    add_to_tables,
    choose_clusters,
    choose_groups,
    write_sources,
)

TABLE_BYTES = 512 << 20
"""Upper bound on the memory of all tables of an explainer; the largest tables are dropped first."""
CLUSTER_PLAYERS = 2 * ENTRY
"""Most players that the groups of a cluster have together."""
PatternSums: TypeAlias = Callable[[Subtrees], Iterator[tuple[Longs, list[Floats]]]]
"""A function of leaves that yields positions of leaves with the same number of players d, and U_0 and U_1 of these leaves,
(n, 2^d): the value of player i of a leaf of output v, for a row that fails the players m, is ``v (U_0[m] - U_1[m | i])``."""


def build_tables(model: Trees, paths: Paths, sums: PatternSums, choice: TableChoice) -> tuple[PatternTables, Subtrees]:
    """Return the tables of an ensemble, filled from the sums of its leaves, and the leaves without a table."""
    most_bits = min(choice.most_bits, TABLE_BITS)
    n_nodes, n_columns = len(model.left), model.values.shape[1]
    n_splits, is_group = np.zeros(n_nodes, np.int32), np.zeros(n_nodes, np.bool_)
    in_place, _ = row_layout(paths.n_players)
    for growth in (choice.growth, 1.0):
        choose_groups(paths, most_bits, growth, n_splits, is_group, np.empty(n_nodes), np.empty(n_nodes))
        is_group &= paths.width + n_splits > 0
        clusters = _whole_trees(paths, is_group) if in_place else _find_clusters(paths, n_splits, is_group)
        nodes = np.flatnonzero(is_group)
        stride = n_columns * (-(-np.diff(clusters.first_player) // ENTRY) * ENTRY)
        cluster = np.searchsorted(clusters.nodes, nodes, side="right") - 1
        size = stride[cluster] << (paths.width + n_splits)[nodes].astype(np.int64)
        if size.sum() * 8 <= TABLE_BYTES:
            break
    kept = _kept(model, paths, nodes, size, most_bits, choice.tree_bytes)
    nodes, cluster, size = nodes[kept], cluster[kept], size[kept]
    groups = describe(paths, nodes, n_splits)
    tables = _lay_out(model, paths, clusters, groups, cluster, stride, size)
    inside = np.zeros(n_nodes + 1, np.int64)
    inside[nodes] += 1
    np.subtract.at(inside, nodes + 2 * n_splits[nodes] + 1, 1)
    has_table = np.cumsum(inside[:-1]) > 0
    leaves = describe(paths, np.flatnonzero((model.left < 0) & has_table), np.zeros_like(n_splits))
    group = np.searchsorted(nodes, leaves.nodes, side="right") - 1
    for chosen, (first, second) in sums(leaves):
        add_to_tables(
            paths, leaves.nodes[chosen], first, second, n_splits, groups, group[chosen], clusters, cluster,
            model.values, tables.first_entry, stride[cluster], tables.entries, tables.output_place,
            *np.empty((3, TABLE_BITS), np.int64),
        )  # fmt: skip
    other = np.flatnonzero((model.left < 0) & ~has_table & (paths.width > 0))
    return tables, describe(paths, other, np.zeros_like(n_splits))


def _kept(model: Trees, paths: Paths, nodes: Longs, size: Longs, most_bits: int, tree_bytes: int | None) -> Bools:
    """Return which groups are given tables of these sizes."""
    kept = np.ones(len(nodes), np.bool_)
    if tree_bytes is not None:
        tree, wide = tree_of(paths, nodes), (model.left < 0) & (paths.width > most_bits)
        of_tree = np.bincount(tree, 8.0 * size, model.n_trees).astype(np.float64)  # integers if there is no group
        of_tree[tree_of(paths, np.flatnonzero(wide))] = np.inf
        kept &= of_tree[tree] <= tree_bytes
    order = np.argsort(size, kind="stable")
    kept[order] &= np.cumsum(np.where(kept, size, 0)[order]) * 8 <= TABLE_BYTES
    return kept


def row_layout(n_players: int) -> tuple[bool, int]:
    """Return whether entries are laid out like rows of values, and the distance between the outputs of such a row."""
    whole = -(-n_players // ENTRY) * ENTRY
    return (True, whole) if whole <= CLUSTER_PLAYERS else (False, n_players)


def output_place(n_players: int) -> int:
    """Return which number of a row of values is free for the output; -1 if there is none."""
    in_place, width = row_layout(n_players)
    return n_players if in_place and n_players < width else -1


def _whole_trees(paths: Paths, is_group: Bools) -> Clusters:
    """Return one cluster of all players for each tree with groups."""
    trees = np.unique(tree_of(paths, np.flatnonzero(is_group)))
    trees = trees[np.argsort(paths.router.roots[trees])]
    players = np.tile(np.arange(paths.n_players), len(trees))
    return Clusters(
        paths.router.roots[trees].astype(np.int64), trees, players, np.arange(len(trees) + 1) * paths.n_players
    )


def _find_clusters(paths: Paths, n_splits: Ints, is_group: Bools) -> Clusters:
    most = int(is_group.sum())
    nodes, first_player = np.empty(most, np.int64), np.empty(most + 1, np.int64)
    # A cluster has at most CLUSTER_PLAYERS, or is a single group with at most one player per index bit.
    found = np.empty(paths.n_players + 1, np.int64)
    players = np.empty(most * max(CLUSTER_PLAYERS, TABLE_BITS), np.int64)
    count = choose_clusters(paths, n_splits, is_group, CLUSTER_PLAYERS, nodes, players, first_player, found)
    nodes = nodes[:count].copy()
    return Clusters(nodes, tree_of(paths, nodes), players[: first_player[count]], first_player[: count + 1])


def describe(paths: Paths, nodes: Longs, n_splits: Ints) -> Subtrees:
    """Return subtrees with the bits of their patterns; `n_splits` (M,) are the splits inside each."""
    first_source = offsets((paths.width + n_splits)[nodes])
    part = Subtrees(nodes, tree_of(paths, nodes), np.empty(first_source[-1], np.int32), first_source)
    write_sources(paths, n_splits, part)
    return part


def _lay_out(
    model: Trees, paths: Paths, clusters: Clusters, groups: Subtrees, cluster: Longs, stride: Longs, size: Longs
) -> PatternTables:
    """Return tables filled with zeros."""
    trees, first_cluster = np.unique(clusters.trees, return_index=True)
    n_columns, n_players = model.values.shape[1], np.diff(clusters.first_player)
    first_output = n_columns * clusters.first_player
    of_player = np.repeat(np.arange(len(n_players)), n_players)
    outputs = np.empty(first_output[-1], np.int64)
    for column in range(n_columns):
        places = first_output[of_player] - clusters.first_player[of_player] + np.arange(len(of_player))
        plane = model.output_columns(column)[clusters.trees[of_player]].astype(np.int64)
        outputs[places + column * n_players[of_player]] = plane * row_layout(paths.n_players)[1] + clusters.players
    first_entry = offsets(size)
    first_group = np.searchsorted(cluster, np.arange(len(n_players) + 1))
    return PatternTables(
        trees, np.append(first_cluster, len(n_players)), outputs, first_output, stride, first_group, groups.sources,
        groups.first_source, first_entry, np.zeros(first_entry[-1]), n_columns,
        row_layout(paths.n_players)[0], output_place(paths.n_players),
    )  # fmt: skip


def node_masks(paths: Paths) -> Words:
    """Return space for the masks of any tree's nodes."""
    return np.empty(2 * int((paths.router.ends - paths.router.roots).max(initial=1)), np.uint64)


def offsets(sizes: Ints | Longs) -> Longs:
    """Return where each of several parts begins, and the end of the last."""
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
