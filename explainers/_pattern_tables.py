"""The tables of interventional Shapley values, made once from an ensemble and its background rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import comb
from typing import Any

import numpy as np

from automl_explain.explainers._interventional import (
    PATTERN_BITS,
    Floats,
    Ints,
    Longs,
    Patterns,
    add_from_lists,
    add_from_tables,
    choose_groups,
    distinct_patterns,
    fill_tables,
    find_patterns,
    write_sources,
)
from automl_explain.explainers._lanes import LANES
from automl_explain.explainers._path_walks import quadrature
from automl_explain.explainers._tree_paths import Paths, as_blocks
from automl_explain.explainers._trees import Trees

TABLE_BITS = 12
"""Largest index of a table; leaves with more players on their path keep the background's patterns."""
TABLE_BYTES = 512 << 20
"""Memory that all tables of an explainer may take; the largest are given up first."""


PIECE_ENTRIES = 1 << 22
"""Patterns of background rows that are held at a time."""


@dataclass(frozen=True, eq=False)
class Subtrees:
    """Subtrees (or leaves) of an ensemble with the bits of their patterns and their players, in flat arrays."""

    nodes: Longs
    tree: Longs
    sources: Ints
    first_source: Longs
    targets: Longs
    first_target: Longs

    def of_tree(self, tree: int) -> slice:
        """Return the range of the subtrees of a tree."""
        return slice(*np.searchsorted(self.tree, [tree, tree + 1]).tolist())


@dataclass(frozen=True, eq=False)
class PatternTables:
    """Tables of subtrees: the values of ``subtrees.nodes[i]`` begin at ``tables[first_entry[i]]``."""

    subtrees: Subtrees
    first_entry: Longs
    tables: Floats
    trees: Ints
    first_group: Longs
    outputs: Longs
    first_output: Longs

    def add_values(self, model: Trees, paths: Paths, x: Floats, phi: Floats) -> None:
        """Add the values of the rows in `x` (n_blocks, f, LANES) to `phi` (rows, K * P)."""
        part = self.subtrees
        add_from_tables(
            x.reshape(-1), x.shape[1], self.trees, model.roots, paths.ends, *routing(model, paths), self.first_group,
            part.sources, part.first_source, self.outputs, self.first_output, self.first_entry, self.tables, phi,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class PatternLists:
    """Leaves without a table: the background's distinct patterns on their paths (U, words), one leaf after another."""

    leaves: Subtrees
    seen: Patterns
    weights: Floats
    first_seen: Longs
    gain: Floats
    loss: Floats

    def add_values(self, model: Trees, paths: Paths, x: Floats, phi: Floats) -> None:
        """Add the values of the rows in `x` (n_blocks, f, LANES) to `phi` (rows, K * P)."""
        for tree in np.unique(self.leaves.tree).tolist():
            for part, patterns, first_word in patterns_at(model, paths, self.leaves, tree, [x]):
                leaves = self.leaves
                add_from_lists(
                    leaves.nodes[part], first_word, patterns, paths.width, self.seen, self.weights,
                    self.first_seen[part.start : part.stop + 1], self.gain, self.loss, model.values,
                    leaves.targets + model.output_columns()[tree] * paths.n_players,
                    leaves.first_target[part.start : part.stop + 1], paths.n_players, phi,
                )  # fmt: skip


def routing(model: Trees, paths: Paths) -> tuple[Any, ...]:
    """Return the arrays by which kernels route rows."""
    return (
        model.left, model.right, model.feature, paths.ancestor, paths.kind, model.threshold, model.flags,
        model.category_start, model.category_size, model.categories,
    )  # fmt: skip


def describe_subtrees(model: Trees, paths: Paths, nodes: Longs, n_splits: Ints, n_players: Ints) -> Subtrees:
    """Lay out the subtrees below `nodes`, which are sorted."""
    order = np.argsort(model.roots, kind="stable")
    tree = order[np.searchsorted(model.roots[order], nodes, side="right") - 1]
    first_source = _offsets(paths.width[nodes] + n_splits[nodes])
    first_target = _offsets(n_players[nodes])
    sources, targets = np.empty(first_source[-1], np.int32), np.empty(first_target[-1], np.int64)
    write_sources(
        nodes, paths.parent, model.left, paths.slot, paths.width, paths.player, n_splits,
        model.roots[tree].astype(np.int64), sources, first_source, targets, first_target,
    )  # fmt: skip
    return Subtrees(nodes, tree, sources, first_source, targets, first_target)


def patterns_at(
    model: Trees, paths: Paths, leaves: Subtrees, tree: int, blocks: list[Floats]
) -> Iterator[tuple[slice, Patterns, Longs]]:
    """Yield ranges of a tree's leaves with the patterns that rows make there, and each leaf's first word.

    `blocks` are the rows in pieces of shape (n_blocks, f, LANES); a range is as long as memory allows.
    """
    everything = leaves.of_tree(tree)
    n_rows = sum(len(x) for x in blocks) * LANES
    step = max(1, PIECE_ENTRIES // max(n_rows, 1))
    for start in range(everything.start, everything.stop, step):
        part = slice(start, min(start + step, everything.stop))
        begin, end = leaves.first_source[part], leaves.first_source[part.start + 1 : part.stop + 1]
        first_word = _offsets(np.maximum(1, (end - begin + PATTERN_BITS - 1) // PATTERN_BITS))
        word = np.arange(first_word[-1]) - np.repeat(first_word[:-1], np.diff(first_word))
        first_bit = np.append(np.repeat(begin, np.diff(first_word)) + PATTERN_BITS * word, end[-1])
        patterns = np.empty((first_word[-1], n_rows), np.uint32)
        row = 0
        for x in blocks:
            find_patterns(
                model.roots[tree], paths.ends[tree], x.reshape(-1), x.shape[1], *routing(model, paths), leaves.sources,
                first_bit, row, patterns,
            )  # fmt: skip
            row += len(x) * LANES
        yield part, patterns, first_word


def _offsets(sizes: Ints | Longs) -> Longs:
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])


def _rules(largest: int) -> tuple[Floats, Floats, Floats, Longs]:
    """Return the quadratures for 0, 1, ..., `largest` players, one after another, and where each begins."""
    rules = [quadrature(max(1, (d + 1) // 2)) for d in range(largest + 1)]
    t, not_t, weights = (np.concatenate([rule[i] for rule in rules]) for i in range(3))
    return t, not_t, weights, _offsets(np.array([len(rule[0]) for rule in rules]))


def build_tables(model: Trees, paths: Paths, background: Floats, weights: Floats) -> tuple[PatternTables, PatternLists]:
    """Compile an ensemble and its background rows, whose weights add up to 1."""
    n_nodes = len(model.left)
    n_splits, n_players, chosen = np.empty(n_nodes, np.int32), np.zeros(n_nodes, np.int32), np.zeros(n_nodes, np.bool_)
    choose_groups(
        model.left, model.right, paths.player, paths.slot, paths.width, TABLE_BITS, n_splits, n_players, chosen
    )
    nodes = np.flatnonzero(chosen)
    size = (n_players[nodes] * model.values.shape[1]).astype(np.int64) << (paths.width[nodes] + n_splits[nodes])
    order = np.argsort(size, kind="stable")
    fits = np.empty(len(nodes), np.bool_)
    fits[order] = np.cumsum(size[order]) * 8 <= TABLE_BYTES
    nodes, size = nodes[fits], size[fits]
    groups = describe_subtrees(model, paths, nodes, n_splits, n_players)
    is_leaf = model.left < 0
    inside = np.zeros(n_nodes + 1, np.int32)
    inside[nodes] += 1
    np.subtract.at(inside, nodes + 2 * n_splits[nodes] + 1, 1)
    covered = np.cumsum(inside[:-1]) > 0
    blocks = [as_blocks(background)]
    padded = np.zeros(len(blocks[0]) * LANES)
    padded[: len(weights)] = weights
    tables = _build_groups(model, paths, groups, n_splits, size, np.flatnonzero(is_leaf & covered), blocks, padded)
    lists = _build_lists(model, paths, np.flatnonzero(is_leaf & ~covered), blocks, padded, len(weights))
    return tables, lists


def _build_groups(
    model: Trees, paths: Paths, groups: Subtrees, n_splits: Ints, size: Longs, leaves: Longs, blocks: list[Floats],
    weights: Floats,
) -> PatternTables:  # fmt: skip
    first_entry = _offsets(size)
    tables = np.zeros(first_entry[-1])
    described = describe_subtrees(model, paths, leaves, np.zeros_like(n_splits), paths.width)
    group_of = np.searchsorted(groups.nodes, leaves, side="right") - 1
    rules = _rules(int(paths.width[leaves].max(initial=0)))
    trees = np.unique(groups.tree)
    for tree in trees.tolist():
        for part, patterns, _ in patterns_at(model, paths, described, tree, blocks):
            fill_tables(
                groups.nodes, group_of[part], leaves[part], patterns, weights, paths.parent, model.left, paths.slot,
                paths.width, paths.player, n_splits, model.values, *rules, groups.targets, groups.first_target,
                first_entry, tables,
            )  # fmt: skip
    width, n_columns = np.diff(groups.first_target), model.values.shape[1]
    first_output = _offsets(width * n_columns)
    outputs = np.empty(first_output[-1], np.int64)
    start = (
        np.repeat(first_output[:-1], width)
        + np.arange(len(groups.targets))
        - np.repeat(groups.first_target[:-1], width)
    )
    for column in range(n_columns):
        plane = model.output_columns(column)[np.repeat(groups.tree, width)].astype(np.int64)
        outputs[start + column * np.repeat(width, width)] = plane * paths.n_players + groups.targets
    first_group = np.append(np.searchsorted(groups.tree, trees), len(groups.nodes))
    return PatternTables(groups, first_entry, tables, trees.astype(np.int32), first_group, outputs, first_output)


def _build_lists(
    model: Trees, paths: Paths, nodes: Longs, blocks: list[Floats], weights: Floats, n_rows: int
) -> PatternLists:
    leaves = describe_subtrees(model, paths, nodes, np.zeros(len(model.left), np.int32), paths.width)
    deepest = int(paths.width[nodes].max(initial=0))
    n_words = max(1, -(-deepest // PATTERN_BITS))
    place = np.empty(1 << (2 * n_rows - 1).bit_length(), np.int64)
    found, found_weights = np.zeros((n_rows, n_words), np.uint32), np.empty(n_rows)
    seen, seen_weights, counts = [np.empty((0, n_words), np.uint32)], [np.empty(0)], []
    for tree in np.unique(leaves.tree).tolist():
        for _, patterns, first_word in patterns_at(model, paths, leaves, tree, blocks):
            for first, last in pairwise(first_word):
                n = distinct_patterns(patterns[first:last], weights, n_rows, place, found, found_weights)
                seen.append(found[:n].copy())
                seen_weights.append(found_weights[:n].copy())
                counts.append(n)
    gain, loss = _pair_weights(deepest)
    first_seen = _offsets(np.array(counts, np.int64))
    return PatternLists(leaves, np.concatenate(seen), np.concatenate(seen_weights), first_seen, gain, loss)


def _pair_weights(most: int) -> tuple[Floats, Floats]:
    """Return ``(p-1)! q! / (p+q)!`` and ``p! (q-1)! / (p+q)!``; 0 where not defined."""
    gain, loss = np.zeros((most + 1, most + 1)), np.zeros((most + 1, most + 1))
    for p in range(most + 1):
        for q in range(most + 1 - p):
            gain[p, q] = 1.0 / (p * comb(p + q, p)) if p else 0.0
            loss[p, q] = 1.0 / (q * comb(p + q, q)) if q else 0.0
    return gain, loss
