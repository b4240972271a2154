"""Kernels that fill the tables of interventional Shapley values (see `_pattern_sums`).

The leaves of a small subtree, a *group*, share one table: its index has a bit for each player on the path to the
subtree and one for each split inside, and an entry holds the sum of its leaves' values for each player. Groups of a
tree with the same few players form a *cluster* and order these players alike, so that entries add up as vectors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from automl_explain.explainers.compiled._arrays import (
    LANES,
    Bools,
    Floats,
    Ints,
    Longs,
    Patterns,
    Words,
)
from automl_explain.explainers.compiled._jit import inlined, kernel
from automl_explain.explainers.compiled._simd import gather_patterns
from automl_explain.explainers.trees._paths import Paths, pass_masks
from automl_explain.explainers.trees._routing import BlockedRows


class Subtrees(NamedTuple):
    """Subtrees, which may be single leaves, with the bits of their patterns.

    Bit j of ``nodes[i]`` is the mask ``sources[first_source[i] + j]`` of `pass_masks`: first the players on the path to
    the subtree, then the splits inside.
    """

    nodes: Longs
    trees: Longs
    sources: Ints
    first_source: Longs


class Clusters(NamedTuple):
    """Subtrees whose groups order their players alike: as ``players[first_player[i]:first_player[i + 1]]``."""

    nodes: Longs
    trees: Longs
    players: Longs
    first_player: Longs


@kernel
def choose_groups(
    paths: Paths, most_bits: int, growth: float, n_splits: Ints, is_group: Bools, least: Floats, size: Floats
) -> None:
    """Count the splits below each node, and mark the subtrees that share a table of at most 2^most_bits entries.

    A shared table may be up to `growth` times larger than the smallest equivalent tables. `least` and `size` (M,) are
    working space.
    """
    left, right = paths.router.left, paths.router.right
    for node in range(len(left) - 1, -1, -1):
        n_splits[node], is_group[node] = 0, False
        least[node] = size[node] = np.inf
        if left[node] >= 0:
            n_splits[node] = n_splits[left[node]] + n_splits[right[node]] + 1
            least[node] = least[left[node]] + least[right[node]]
            size[node] = size[left[node]] + size[right[node]]
        bits = paths.width[node] + n_splits[node]
        if bits <= most_bits:
            together = float(1 << bits)
            if together <= growth * least[node]:
                size[node] = together
                is_group[node] = True
                for inside in range(node + 1, node + 2 * n_splits[node] + 1):
                    is_group[inside] = False
            least[node] = min(least[node], together)


@inlined
def _list_players(paths: Paths, node: int, n_splits: int, most: int, found: Longs) -> int:
    """Write the players on the path to a subtree and inside it; stop at more than `most`."""
    count, edge = 0, node
    inside = node
    while count <= most and (paths.parent[edge] >= 0 or inside < node + 2 * n_splits + 1):
        if paths.parent[edge] >= 0:
            new = paths.player[edge]
            edge = paths.parent[edge]
        else:
            child = paths.router.left[inside]
            inside += 1
            if child < 0:
                continue
            new = paths.player[child]
        known = False
        for i in range(count):
            known |= found[i] == new
        if not known:
            found[count] = new
            count += 1
    return count


@kernel
def choose_clusters(
    paths: Paths, n_splits: Ints, is_group: Bools, most: int, nodes: Longs, players: Longs, first_player: Longs,
    found: Longs,
) -> int:  # fmt: skip
    """Write the largest subtrees that have at most `most` players or are a single group; return their number.

    Subtrees without groups inside are left out. `found` (P + 1,) is working space.
    """
    count, node = 0, 0
    first_player[0] = 0
    while node < len(is_group):
        behind = node + 2 * n_splits[node] + 1
        limit = paths.n_players if is_group[node] else most
        n_found = _list_players(paths, node, n_splits[node], limit, found)
        if n_found > limit:
            node += 1
            continue
        any_group = False
        for inside in range(node, behind):
            any_group |= is_group[inside]
        if any_group:
            nodes[count] = node
            first_player[count + 1] = first_player[count] + n_found
            for i in range(n_found):
                players[first_player[count] + i] = found[i]
            count += 1
        node = behind
    return count


@kernel
def write_sources(paths: Paths, n_splits: Ints, part: Subtrees) -> None:
    """Write the `sources` of subtrees with ``n_splits[node]`` splits inside."""
    for i in range(len(part.nodes)):
        node = edge = part.nodes[i]
        root, at = paths.router.roots[part.trees[i]], part.first_source[i]
        for j in range(paths.width[node]):
            part.sources[at + j] = -1
        while paths.parent[edge] >= 0:
            if part.sources[at + paths.slot[edge]] < 0:
                part.sources[at + paths.slot[edge]] = 2 * (edge - root)
            edge = paths.parent[edge]
        at += paths.width[node]
        for inside in range(node, node + 2 * n_splits[node] + 1):
            if paths.router.left[inside] >= 0:
                part.sources[at] = 2 * (inside - root) + 1
                at += 1


@kernel
def find_patterns(
    paths: Paths, rows: BlockedRows, trees: Longs, first_subtree: Longs, sources: Ints, n_bits: int, patterns: Patterns,
    masks: Words,
) -> None:  # fmt: skip
    """Write the patterns of rows at subtrees with `n_bits` sources each, flat (subtrees, n_blocks * LANES).

    The subtrees of ``trees[i]`` are those from ``first_subtree[i]`` to ``first_subtree[i + 1]``. `masks` (2 * nodes of a
    tree,) is working space.
    """
    for i in range(len(trees)):
        for block in range(rows.n_blocks):
            pass_masks(paths, rows, trees[i], block, masks)
            for j in range(first_subtree[i], first_subtree[i + 1]):
                gather_patterns(masks, sources, j * n_bits, n_bits, patterns, (j * rows.n_blocks + block) * LANES)


@kernel
def add_to_tables(
    paths: Paths, leaves: Longs, first: Floats, second: Floats, n_splits: Ints, groups: Subtrees, group: Longs,
    clusters: Clusters, cluster: Longs, values: Floats, first_entry: Longs, stride: Longs, entries: Floats,
    output_place: int, need: Longs, want: Longs, target: Longs,
) -> None:  # fmt: skip
    """Add the values of `leaves`, which all have d players, to the tables of their groups, and their outputs.

    ``first[i]`` and ``second[i]`` (2^d,) are the sums U_0 and U_1 of ``leaves[i]``, which lies in group ``group[i]``;
    group g lies in cluster ``cluster[g]``. An entry has ``stride[g]`` numbers, equally many for each leaf column.
    `output_place` is that of `PatternTables`. `need`, `want` and `target` (d,) are working space.
    """
    width, d, n_columns = paths.width, paths.width[leaves[0]], values.shape[1]
    for i in range(len(leaves)):
        leaf, g = leaves[i], group[i]
        top = groups.nodes[g]
        _place_leaf(paths, leaf, top, clusters, cluster[g], need, want, target)
        apart = stride[g] // n_columns
        for index in range(1 << (width[top] + n_splits[top])):
            failed = 0
            for j in range(d):
                if (index & need[j]) != want[j]:
                    failed |= 1 << j
            at = first_entry[g] + index * stride[g]
            if failed == 0 and output_place >= 0:  # a row that passes all players reaches the leaf
                for column in range(n_columns):
                    entries[at + column * apart + output_place] += values[leaf, column]
            for j in range(d):
                value = first[i, failed] - second[i, failed | (1 << j)]
                for column in range(n_columns):
                    entries[at + column * apart + target[j]] += values[leaf, column] * value


@inlined
def _place_leaf(
    paths: Paths, leaf: int, top: int, clusters: Clusters, cluster: int, need: Longs, want: Longs, target: Longs
) -> None:
    """Write the index bits of subtree `top` that a leaf tests for each player, their wanted values, and the players' places."""
    for j in range(paths.width[leaf]):
        need[j] = want[j] = (1 << j) if j < paths.width[top] else 0
    edge = leaf
    while paths.parent[edge] >= 0:
        split, j = paths.parent[edge], paths.slot[edge]
        start = clusters.first_player[cluster]
        for place in range(start, clusters.first_player[cluster + 1]):
            if clusters.players[place] == paths.player[edge]:
                target[j] = place - start
        if split >= top:
            bit = 1 << paths.width[top]
            for node in range(top, split):
                if paths.router.left[node] >= 0:
                    bit <<= 1
            need[j] |= bit
            if paths.router.left[split] == edge:
                want[j] |= bit
        edge = split
