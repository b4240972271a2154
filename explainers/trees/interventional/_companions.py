"""Interventional values from all background rows: what tables are filled with, and the leaves without one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from automl_explain.explainers.compiled._arrays import ENTRY, LANES, Floats, Longs, Patterns
from automl_explain.explainers.compiled._shapley_weights import pair_weights
from automl_explain.explainers.trees._paths import Paths
from automl_explain.explainers.trees._routing import BlockedRows, find_behind
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.explainers.trees.interventional._kernels import Companions, add_from_companions, find_passing
from automl_explain.explainers.trees.interventional._pattern_sums import pattern_sums
from automl_explain.explainers.trees.patterns._costs import TABLE_BITS
from automl_explain.explainers.trees.patterns._pattern_tables import (
    describe,
    node_masks,
    offsets,
    row_layout,
)
from automl_explain.explainers.trees.patterns._table_kernels import Subtrees, find_patterns

PORTION_BYTES = 64 << 20
"""Upper bound on the memory of one portion of companions."""
PATTERN_ENTRIES = 1 << 22
"""Most patterns of background rows held at a time."""


def describe_all(model: Trees, paths: Paths) -> tuple[Subtrees, Subtrees]:
    """Return the leaves with few enough players for pattern sums, and the others."""
    leaf = (model.left < 0) & (paths.width > 0)
    no_splits = np.zeros(len(model.left), np.int32)
    narrow, wide = np.flatnonzero(leaf & (paths.width <= TABLE_BITS)), np.flatnonzero(leaf & (paths.width > TABLE_BITS))
    return describe(paths, narrow, no_splits), describe(paths, wide, no_splits)


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
        start = offsets(size)
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


def add_companion_values(paths: Paths, part: Companions, rows: BlockedRows, phi: Floats) -> None:
    """Add the values of leaves without a table to `phi` (n, places)."""
    together, most = np.empty(int(paths.depth.max()) + 1, np.uint64), len(part.gain) + ENTRY
    words, sums = np.empty(most, np.uint64), np.empty(most)
    add_from_companions(paths, part, rows, phi.shape[1], phi.reshape(-1), node_masks(paths), together, words, sums)
