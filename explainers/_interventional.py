"""Kernels of interventional Shapley values: tables over the patterns that rows make on root-leaf paths.

On a path with d players, a background row makes the pattern b (bit i: it passes player i) and the explained row the
pattern c. A coalition reaches the leaf when each of its players is in c and each other one in b. With m the complement of
c, f_b the weight of b, p = d - |b|, q = |m| and v the leaf's output

    phi_i = v sum_{b >= m} f_b ([c_i = 1, b_i = 0] (p-1)! q! / (p+q)!  -  [c_i = 0] p! (q-1)! / (p+q)!).

Both weights are integrals, ``int t^(p-1) (1-t)^q`` and ``int t^p (1-t)^(q-1)``, so that with the superset sums

    T1[m] = sum_{b >= m} f_b int t^(p-1) (1-t)^|m|,    T2[m] = sum_{b >= m} f_b int t^(p-1) (1-t)^(|m|-1)

(``int`` of p = 0 read as minus the harmonic numbers of |m| and |m| - 1, its finite part) every player has
``phi_i = v (T1[m] - T2[m | i])``. The tables do not depend on the explained row. (Pattern counts: arXiv:2511.09376.)

The leaves of a small subtree share one table: its index has a bit for each player on the path to the subtree and one
for each split inside, and an entry holds the sum of its leaves' values for each player.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._jit import inlined, kernel
from automl_explain.explainers._lanes import ALL_ROWS, LANES, gather_patterns
from automl_explain.explainers._tree_paths import rows_left

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Patterns = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float64]
PATTERN_BITS = 32
"""Players in one word of a pattern."""


@kernel
def choose_groups(
    left: Ints, right: Ints, player: Ints, slot: Ints, width: Ints, most_bits: int, n_splits: Ints, n_players: Ints,
    is_group: npt.NDArray[np.bool_],
) -> None:  # fmt: skip
    """Mark the roots of the subtrees that share a table: as large as no memory is lost by sharing.

    A subtree whose leaves alone need more than `most_bits` gets no table; its leaves are left out.
    """
    n_nodes = len(left)
    size = np.empty(n_nodes)
    found = np.empty(most_bits + 1, np.int32)
    for node in range(n_nodes - 1, -1, -1):
        apart = np.inf
        n_splits[node] = 0
        if left[node] >= 0:
            n_splits[node] = n_splits[left[node]] + n_splits[right[node]] + 1
            apart = size[left[node]] + size[right[node]]
        bits = width[node] + n_splits[node]
        size[node] = apart
        if bits > most_bits:
            continue
        n_found = 0
        for inside in range(node, node + 2 * n_splits[node] + 1):
            if left[inside] >= 0 and slot[left[inside]] >= width[node]:
                known = False
                for i in range(n_found):
                    known |= found[i] == player[left[inside]]
                if not known:
                    found[n_found] = player[left[inside]]
                    n_found += 1
        n_players[node] = width[node] + n_found
        together = float(1 << bits) * n_players[node]
        if together <= apart:
            size[node] = together
            is_group[node] = True
            is_group[node + 1 : node + 2 * n_splits[node] + 1] = False


@inlined
def pass_masks(
    tree_root: int, end: int, x: Floats, x_at: int, left: Ints, right: Ints, feature: Ints, ancestor: Ints,
    kind: npt.NDArray[np.uint8], threshold: Floats, flags: npt.NDArray[np.uint8], category_start: Ints,
    category_size: Ints, categories: npt.NDArray[np.uint32], masks: Words,
) -> None:  # fmt: skip
    """Write a tree's masks for a block of rows.

    ``masks[2 e]`` are the rows that pass the player of edge e so far, ``masks[2 s + 1]`` those that split s sends left;
    nodes are counted from the tree's root.
    """
    everyone = np.uint64(ALL_ROWS)
    masks[0] = everyone
    for node in range(tree_root, end):
        if left[node] >= 0:
            goes = rows_left(
                x, x_at + feature[node] * LANES, kind[node], threshold[node], flags[node], category_start[node],
                category_size[node], categories,
            )  # fmt: skip
            above = ancestor[left[node]]
            before = everyone if above < 0 else masks[2 * (above - tree_root)]
            masks[2 * (node - tree_root) + 1] = goes
            masks[2 * (left[node] - tree_root)] = before & goes
            masks[2 * (right[node] - tree_root)] = before & ~goes


@kernel
def find_patterns(
    tree_root: int, end: int, x: Floats, n_columns: int, left: Ints, right: Ints, feature: Ints, ancestor: Ints,
    kind: npt.NDArray[np.uint8], threshold: Floats, flags: npt.NDArray[np.uint8], category_start: Ints,
    category_size: Ints, categories: npt.NDArray[np.uint32], sources: Ints, first_source: Longs, first_row: int,
    patterns: Patterns,
) -> None:  # fmt: skip
    """Write the patterns of blocks of rows into the rows from `first_row` on of `patterns`, (pieces, rows).

    Bit j of piece i is mask ``sources[first_source[i] + j]`` of `pass_masks`.
    """
    masks = np.empty(2 * (end - tree_root), np.uint64)
    flat = patterns.reshape(-1)
    for block in range(len(x) // (n_columns * LANES)):
        pass_masks(
            tree_root, end, x, block * n_columns * LANES, left, right, feature, ancestor, kind, threshold, flags,
            category_start, category_size, categories, masks,
        )  # fmt: skip
        for piece in range(len(first_source) - 1):
            n_bits = first_source[piece + 1] - first_source[piece]
            at = piece * patterns.shape[1] + first_row + block * LANES
            gather_patterns(masks, sources, first_source[piece], n_bits, flat, at)


@inlined
def _bits_of(pattern: int) -> int:
    count = 0
    while pattern:
        pattern &= pattern - 1
        count += 1
    return count


@kernel
def leaf_tables(
    patterns: Patterns, weights: Floats, d: int, t: Floats, not_t: Floats, rule: Floats, first: Floats, second: Floats
) -> None:
    """Write a leaf's T1 and T2, (2^d,) each; `patterns` and `weights` are those of the background rows."""
    n = 1 << d
    counts = np.zeros(n)
    sums = np.empty(n)
    first[:n] = 0.0
    second[:n] = 0.0
    for row in range(len(weights)):
        counts[patterns[row]] += weights[row]
    for k in range(len(t)):
        powers = np.empty(d + 1)
        shares = np.empty(d + 1)
        powers[0], shares[0] = 1.0, rule[k]
        for i in range(d):
            powers[i + 1], shares[i + 1] = powers[i] * t[k], shares[i] * not_t[k]
        for b in range(n - 1):
            sums[b] = counts[b] * powers[d - _bits_of(b) - 1]
        sums[n - 1] = 0.0
        for i in range(d):
            bit = 1 << i
            for start in range(0, n, 2 * bit):
                for b in range(start, start + bit):
                    sums[b] += sums[b + bit]
        first[0] += shares[0] * sums[0]
        for m in range(1, n):
            size = _bits_of(m)
            first[m] += shares[size] * sums[m]
            second[m] += shares[size - 1] * sums[m]
    harmonic = np.zeros(d + 1)
    for i in range(d):
        harmonic[i + 1] = harmonic[i] + 1.0 / (i + 1)
    for m in range(1, n):
        size = _bits_of(m)
        first[m] -= counts[n - 1] * harmonic[size]
        second[m] -= counts[n - 1] * harmonic[size - 1]


@kernel
def write_sources(
    nodes: Longs, parent: Ints, left: Ints, slot: Ints, width: Ints, player: Ints, n_splits: Ints, root_of: Longs,
    sources: Ints, first_source: Longs, targets: Longs, first_target: Longs,
) -> None:  # fmt: skip
    """Write each subtree's index bits as places in `pass_masks`, and its players, those of the path first."""
    for i in range(len(nodes)):
        node = edge = nodes[i]
        root, at, to = root_of[i], first_source[i], first_target[i]
        sources[at : at + width[node]] = -1
        while parent[edge] >= 0:
            if sources[at + slot[edge]] < 0:
                sources[at + slot[edge]] = 2 * (edge - root)
                targets[to + slot[edge]] = player[edge]
            edge = parent[edge]
        at += width[node]
        found = to + width[node]
        for inside in range(node, node + 2 * n_splits[node] + 1):
            if left[inside] >= 0:
                sources[at] = 2 * (inside - root) + 1
                at += 1
                if slot[left[inside]] >= width[node]:
                    new = player[left[inside]]
                    if not (targets[to + width[node] : found] == new).any():
                        targets[found] = new
                        found += 1


@kernel
def fill_tables(
    groups: Longs, group_of_piece: Longs, leaves: Longs, patterns: Patterns, weights: Floats, parent: Ints, left: Ints,
    slot: Ints, width: Ints, player: Ints, n_splits: Ints, values: Floats, t: Floats, not_t: Floats, rule: Floats,
    first_rule: Longs, targets: Longs, first_target: Longs, first_entry: Longs, tables: Floats,
) -> None:  # fmt: skip
    """Add the values of `leaves` to the tables of their groups; ``patterns[i]`` are the background's at ``leaves[i]``.

    The quadrature for d players is ``first_rule[d]:first_rule[d + 1]`` of `t`, `not_t` and `rule`.
    """
    deepest = 0
    for leaf in leaves:
        deepest = max(deepest, width[leaf])
    first, second = np.empty(1 << deepest), np.empty(1 << deepest)
    need, want, target = np.empty(deepest, np.int64), np.empty(deepest, np.int64), np.empty(deepest, np.int64)
    for i in range(len(leaves)):
        leaf, group = leaves[i], group_of_piece[i]
        top, d = groups[group], width[leaf]
        if d == 0:
            continue
        a, b = first_rule[d], first_rule[d + 1]
        leaf_tables(patterns[i], weights, d, t[a:b], not_t[a:b], rule[a:b], first, second)
        players = targets[first_target[group] : first_target[group + 1]]
        _place_leaf(leaf, top, parent, left, slot, width, player, n_splits, players, need, want, target)
        n_bits, stride = width[top] + n_splits[top], len(players) * values.shape[1]
        for index in range(1 << n_bits):
            failed = 0
            for j in range(d):
                if (index & need[j]) != want[j]:
                    failed |= 1 << j
            entry = tables[first_entry[group] + index * stride :]
            for j in range(d):
                value = first[failed] - second[failed | (1 << j)]
                for column in range(values.shape[1]):
                    entry[column * len(players) + target[j]] += values[leaf, column] * value


@inlined
def _place_leaf(
    leaf: int, top: int, parent: Ints, left: Ints, slot: Ints, width: Ints, player: Ints, n_splits: Ints,
    players: Longs, need: Longs, want: Longs, target: Longs,
) -> None:  # fmt: skip
    """Say which bits of the index of subtree `top` its leaf needs for each of its players, and the players' places."""
    for j in range(width[leaf]):
        need[j] = want[j] = (1 << j) if j < width[top] else 0
        target[j] = j
    edge = leaf
    while edge != top:
        split, j = parent[edge], slot[edge]
        bit = 1 << (width[top] + _splits_between(top, split, left))
        need[j] |= bit
        if left[split] == edge:
            want[j] |= bit
        if j >= width[top]:
            for place in range(len(players)):
                if players[place] == player[edge]:
                    target[j] = place
        edge = split


@inlined
def _splits_between(top: int, split: int, left: Ints) -> int:
    count = 0
    for node in range(top, split):
        if left[node] >= 0:
            count += 1
    return count


@kernel
def add_from_tables(
    x: Floats, n_columns: int, trees: Ints, roots: Ints, ends: Ints, left: Ints, right: Ints, feature: Ints,
    ancestor: Ints, kind: npt.NDArray[np.uint8], threshold: Floats, flags: npt.NDArray[np.uint8], category_start: Ints,
    category_size: Ints, categories: npt.NDArray[np.uint32], first_group: Longs, sources: Ints, first_source: Longs,
    targets: Longs, first_target: Longs, first_entry: Longs, tables: Floats, phi: Floats,
) -> None:  # fmt: skip
    """Add the values of all groups to `phi` (rows, K * P); the groups of ``trees[i]`` begin at ``first_group[i]``."""
    pattern = np.empty(LANES, np.uint32)
    largest = 0
    for tree in trees:
        largest = max(largest, ends[tree] - roots[tree])
    masks = np.empty(2 * largest, np.uint64)
    for i in range(len(trees)):
        tree = trees[i]
        for block in range(len(x) // (n_columns * LANES)):
            pass_masks(
                roots[tree], ends[tree], x, block * n_columns * LANES, left, right, feature, ancestor, kind, threshold,
                flags, category_start, category_size, categories, masks,
            )  # fmt: skip
            for group in range(first_group[i], first_group[i + 1]):
                n_bits = first_source[group + 1] - first_source[group]
                gather_patterns(masks, sources, first_source[group], n_bits, pattern, 0)
                players = targets[first_target[group] : first_target[group + 1]]
                for row in range(min(LANES, len(phi) - block * LANES)):
                    at = first_entry[group] + np.int64(pattern[row]) * len(players)
                    out = phi[block * LANES + row]
                    for j in range(len(players)):
                        out[players[j]] += tables[at + j]


@kernel
def distinct_patterns(
    patterns: Patterns, weights: Floats, count: int, table: Longs, out: Patterns, out_weights: Floats
) -> int:
    """Write the distinct columns of `patterns` (words, B) and their summed weights; return how many there are.

    `table` is working space for hashing, a power of two of at least twice B.
    """
    table[:] = -1
    found = 0
    last = np.uint64(len(table) - 1)
    for row in range(count):
        key = np.uint64(14695981039346656037)
        for word in range(len(patterns)):
            key = (key ^ np.uint64(patterns[word, row])) * np.uint64(1099511628211)
            key ^= key >> np.uint64(29)
        place = key & last
        while True:
            known = table[place]
            if known < 0:
                table[place] = found
                for word in range(len(patterns)):
                    out[found, word] = patterns[word, row]
                out_weights[found] = weights[row]
                found += 1
                break
            same = True
            for word in range(len(patterns)):
                same &= out[known, word] == patterns[word, row]
            if same:
                out_weights[known] += weights[row]
                break
            place = (place + np.uint64(1)) & last
    return found


@kernel
def add_from_lists(
    leaves: Longs, first_word: Longs, patterns: Patterns, width: Ints, seen: Patterns, seen_weights: Floats,
    first_seen: Longs, gain: Floats, loss: Floats, values: Floats, targets: Longs, first_target: Longs, n_players: int,
    phi: Floats,
) -> None:  # fmt: skip
    """Add the values of leaves without a table to `phi` (rows, K * P).

    ``patterns[first_word[i] + w]`` holds word w of the explained rows' patterns at ``leaves[i]``; the background's
    distinct ones are the rows ``first_seen[i]:first_seen[i + 1]`` of `seen` (U, words). ``gain[p, q]`` and
    ``loss[p, q]`` are the two weights.
    """
    value = np.empty(len(gain))
    failed = np.empty(seen.shape[1], np.uint32)
    for i in range(len(leaves)):
        leaf = leaves[i]
        d, n_words = width[leaf], (width[leaf] + PATTERN_BITS - 1) // PATTERN_BITS
        players = targets[first_target[i] : first_target[i + 1]]
        for row in range(len(phi)):
            q = 0
            for word in range(n_words):
                bits = min(d - word * PATTERN_BITS, PATTERN_BITS)
                failed[word] = ~patterns[first_word[i] + word, row] & np.uint32((1 << bits) - 1)
                q += _bits_of(failed[word])
            lost = 0.0
            value[:d] = 0.0
            for u in range(first_seen[i], first_seen[i + 1]):
                fits, p = True, d
                for word in range(n_words):
                    fits &= seen[u, word] & failed[word] == failed[word]
                if not fits:
                    continue
                for word in range(n_words):
                    p -= _bits_of(seen[u, word])
                if q:
                    lost += seen_weights[u] * loss[p, q]
                if p:
                    won = seen_weights[u] * gain[p, q]
                    for j in range(d):
                        if not (seen[u, j >> 5] >> np.uint32(j & 31)) & np.uint32(1):
                            value[j] += won
            for j in range(d):
                if (failed[j >> 5] >> np.uint32(j & 31)) & np.uint32(1):
                    value[j] = -lost
                for column in range(values.shape[1]):
                    phi[row, column * n_players + players[j]] += values[leaf, column] * value[j]
