"""The tables of interventional Shapley values, made once from an ensemble and its background rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from automl_explain.explainers.compiled._arrays import (
    ENTRY,
    LANES,
    Bools,
    Floats,
    Ints,
    Longs,
    Patterns,
    Words,
)
from automl_explain.explainers.compiled._shapley_weights import pair_weights
from automl_explain.explainers.trees._paths import Paths, tree_of
from automl_explain.explainers.trees._routing import BlockedRows, find_behind
from automl_explain.explainers.trees._row_splits import RowSplits
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.explainers.trees.interventional._costs import TABLE_BITS, TableChoice
from automl_explain.explainers.trees.interventional._kernels import (
    Companions,
    PatternTables,
    add_from_companions,
    add_from_tables,
    add_row_from_tables,
    find_passing,
)
from automl_explain.explainers.trees.interventional._pattern_sums import pattern_sums
from automl_explain.explainers.trees.interventional._table_kernels import (
    Clusters,
    Subtrees,
    add_to_tables,
    choose_clusters,
    choose_groups,
    find_patterns,
    write_sources,
)

TABLE_BYTES = 512 << 20
"""Upper bound on the memory of all tables of an explainer; the largest tables are dropped first."""
PORTION_BYTES = 64 << 20
"""Upper bound on the memory of one portion of companions."""
CLUSTER_PLAYERS = 2 * ENTRY
"""Most players that the groups of a cluster have together."""
PATTERN_ENTRIES = 1 << 22
"""Most patterns of background rows held at a time."""


def build_tables(
    model: Trees, paths: Paths, background: BlockedRows, weights: Floats, choice: TableChoice
) -> tuple[PatternTables, Subtrees]:
    """Return the tables of an ensemble for background rows with weights that sum to 1, and the leaves without a table."""
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
            model.values, tables.first_entry, stride[cluster], tables.entries, *np.empty((3, TABLE_BITS), np.int64),
        )  # fmt: skip
    other = np.flatnonzero((model.left < 0) & ~has_table & (paths.width > 0))
    return tables, _describe(paths, other, np.zeros_like(n_splits))


def row_layout(n_players: int) -> tuple[bool, int]:
    """Return whether entries are laid out like rows of values, and the distance between the outputs of such a row."""
    whole = -(-n_players // ENTRY) * ENTRY
    return (True, whole) if whole <= CLUSTER_PLAYERS else (False, n_players)


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


def _describe(paths: Paths, nodes: Longs, n_splits: Ints) -> Subtrees:
    first_source = _offsets((paths.width + n_splits)[nodes])
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
    first_entry = _offsets(size)
    first_group = np.searchsorted(cluster, np.arange(len(n_players) + 1))
    return PatternTables(
        trees, np.append(first_cluster, len(n_players)), outputs, first_output, stride, first_group, groups.sources,
        groups.first_source, first_entry, np.zeros(first_entry[-1]), n_columns,
        row_layout(paths.n_players)[0],
    )  # fmt: skip


def describe_all(model: Trees, paths: Paths) -> tuple[Subtrees, Subtrees]:
    """Return the leaves with few enough players for pattern sums, and the others."""
    leaf = (model.left < 0) & (paths.width > 0)
    no_splits = np.zeros(len(model.left), np.int32)
    narrow, wide = np.flatnonzero(leaf & (paths.width <= TABLE_BITS)), np.flatnonzero(leaf & (paths.width > TABLE_BITS))
    return _describe(paths, narrow, no_splits), _describe(paths, wide, no_splits)


def pattern_batches(
    paths: Paths, leaves: Subtrees, background: BlockedRows, weights: Floats, order: int
) -> Iterator[tuple[Longs, list[Floats]]]:
    """Yield positions in ``leaves.nodes`` of leaves with the same number of players d, and their pattern sums (n, 2^d)."""
    width, n_rows = paths.width[leaves.nodes], background.n_blocks * LANES
    padded = np.zeros(n_rows)
    padded[: len(weights)] = weights
    for d in range(1, int(width.max(initial=0)) + 1):
        places = np.flatnonzero(width == d)
        step = max(1, PATTERN_ENTRIES // (n_rows + (2 + order << d)))
        for start in range(0, len(places), step):
            chosen = places[start : start + step]
            yield chosen, pattern_sums(_patterns_at(paths, leaves, chosen, background), padded, d, order)


def _patterns_at(paths: Paths, leaves: Subtrees, places: Longs, rows: BlockedRows) -> Patterns:
    """Return the patterns (leaves, rows) of rows at leaves with the same number of players."""
    n_bits = leaves.first_source[places[0] + 1] - leaves.first_source[places[0]]
    sources = leaves.sources[(leaves.first_source[places, None] + np.arange(n_bits)).ravel()]
    patterns = np.empty((len(places), rows.n_blocks * LANES), np.uint32)
    trees, first = np.unique(leaves.trees[places], return_index=True)
    first = np.append(first, len(places))
    find_patterns(paths, rows, trees, first, sources, int(n_bits), patterns.reshape(-1), node_masks(paths))
    return patterns


def build_companions(
    model: Trees, paths: Paths, leaves: Subtrees, background: BlockedRows, weights: Floats
) -> Iterator[Companions]:
    """Yield the leaves without a table with the bits of the background rows, in portions of bounded memory."""
    n_words = -(-background.n_blocks * LANES // 64)
    rank, wanted = np.zeros(len(model.left), np.int64), np.zeros(len(model.left), np.int64)
    rank[leaves.nodes], wanted[leaves.nodes] = np.arange(len(leaves.nodes)), 1
    below = np.append(0, np.cumsum(wanted))
    behind = np.empty(len(model.left), np.int32)
    find_behind(paths.router, behind)
    wanted_below = below[behind] > below[:-1]
    everyone = np.packbits(np.arange(64 * n_words) < background.n_rows, bitorder="little").view(np.uint64)
    gain, loss = pair_weights(int(paths.width[leaves.nodes].max(initial=0)))
    edges_of = np.repeat(paths.router.roots[leaves.trees], np.diff(leaves.first_source)) + leaves.sources // 2
    _, apart = row_layout(paths.n_players)
    column = model.output_columns().astype(np.int64) * apart
    trees = np.unique(leaves.trees)
    sizes = (paths.router.ends - model.roots)[trees].astype(np.int64)
    portion = np.cumsum(sizes) * n_words * 8 // PORTION_BYTES
    for number in np.unique(portion):
        inside, size = trees[portion == number], sizes[portion == number]
        start = _offsets(size)
        masks = node_masks(paths)
        passing = np.zeros(start[-1] * n_words, np.uint64)
        for i, tree in enumerate(inside.tolist()):
            find_passing(paths, background, tree, passing[start[i] * n_words : start[i + 1] * n_words], masks)
        yield Companions(
            inside, start[:-1], wanted_below, behind, passing, n_words, everyone, weights, gain,
            loss, rank, leaves.sources, paths.player[edges_of], leaves.first_source, model.values, column, apart,
        )  # fmt: skip


def companion_bytes(leaves: Subtrees, paths: Paths, background: BlockedRows) -> int:
    """Return the memory that all of `build_companions` takes."""
    trees = np.unique(leaves.trees)
    return int((paths.router.ends - paths.router.roots)[trees].sum()) * background.n_blocks * LANES // 8


def node_masks(paths: Paths) -> Words:
    """Return space for the masks of any tree's nodes."""
    return np.empty(2 * int((paths.router.ends - paths.router.roots).max(initial=1)), np.uint64)


def add_table_values(paths: Paths, tables: PatternTables, rows: BlockedRows, phi: Floats) -> None:
    """Add the values of the leaves with a table to `phi` (n, places)."""
    patterns, sums = _space(tables)
    add_from_tables(paths, tables, rows, phi.shape[1], phi.reshape(-1), patterns, node_masks(paths), sums)


def add_table_row(paths: Paths, tables: PatternTables, splits: RowSplits, row: Floats, phi: Floats) -> None:
    """Add the values of the leaves with a table to `phi` (places,) for a single row (f,).

    `splits` are those of ``tables.trees``, with two numbers for each node.
    """
    patterns, sums = _space(tables)
    add_row_from_tables(tables, splits, row, phi, patterns, node_masks(paths), sums)


def _space(tables: PatternTables) -> tuple[Patterns, Floats]:
    """Return space for the patterns of a cluster and for its entries."""
    patterns = np.empty(int(np.diff(tables.first_group).max(initial=0)) * LANES, np.uint32)
    return patterns, np.empty(int(tables.stride.max(initial=0)) * LANES)


def add_companion_values(paths: Paths, part: Companions, rows: BlockedRows, phi: Floats) -> None:
    """Add the values of leaves without a table to `phi` (n, places)."""
    together, most = np.empty(int(paths.depth.max()) + 1, np.uint64), len(part.gain) + ENTRY
    words, sums = np.empty(most, np.uint64), np.empty(most)
    add_from_companions(paths, part, rows, phi.shape[1], phi.reshape(-1), node_masks(paths), together, words, sums)


def _offsets(sizes: Ints | Longs) -> Longs:
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
