"""Path-dependent Shapley interaction values, by the quadrature of `_kernels`.

A leaf's interaction of players i and j is ``v W int alpha_i alpha_j prod_{l != i, j} (1 + alpha_l t) dt``. The sums of the
walk hold the product over all players, so each of the two contributes a factor ``g = alpha / (1 + alpha t)``. The leaving
factor of an edge is the change of its player's g: when the walk leaves an edge, it multiplies that change by the g of
every other player above.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from automl_explain.explainers.compiled._arrays import (
    ALL_ROWS,
    LANES,
    Floats,
    Longs,
    Words,
)
from automl_explain.explainers.compiled._jit import kernel
from automl_explain.explainers.compiled._quadrature_steps import (
    add_mixed,
    enter,
    find_slopes,
    leave,
    scale,
)
from automl_explain.explainers.trees._paths import Paths
from automl_explain.explainers.trees._routing import BlockedRows, rows_left
from automl_explain.explainers.trees.path_dependent._walks import (
    EdgeFactors,
    all_edges,
    cover_shares,
    inverse_ratios,
    quadrature,
    side_by_side,
)


class PairWalk(NamedTuple):
    """The walk over some trees.

    Parameters
    ----------
    edges : EdgeFactors
        The trees and the coefficients of their edges.
    passed : ndarray
        For each number of `edges`, the g of the edge's player for rows that pass it.
    failed : ndarray
        For each quadrature weight of `edges`, the g of a failed player, ``-1 / (1 - t)``.
    """

    edges: EdgeFactors
    passed: Floats
    failed: Floats


def plan_pair_walks(paths: Paths) -> Iterator[PairWalk]:
    """Yield the walks over all trees with a split, slab by slab."""
    inverse, _ = inverse_ratios(paths)
    for edges in all_edges(paths, 5 * 8):
        roots, ends = paths.router.roots[edges.trees], paths.router.ends[edges.trees]
        passed = np.empty(len(edges.coef) // 4)
        rules = [quadrature(int(n)) for n in edges.n_quadrature]
        for i, (t, not_t, _) in enumerate(rules):
            p = inverse[roots[i] : ends[i], None]
            gains = (p - 1.0) / (not_t + p * t)
            passed[edges.first[i] :][: gains.size] = gains.ravel()
        failed, _ = side_by_side([-1.0 / not_t for _, not_t, _ in rules])
        yield PairWalk(edges, passed, failed)


def add_path_interactions(
    paths: Paths, plan: PairWalk, rows: BlockedRows, shares: Floats, plane: Longs, phi: Floats
) -> None:
    """Add values and interactions of the rows to `phi` (n_blocks, K * P * P * LANES).

    `shares` (M,) are the leaves' outputs times their cover shares; `plane` is the position of each tree's output.
    Players i < j are at position i P + j, a player's own value at i P + i.
    """
    levels, most = int(paths.depth.max()) + 1, int(plan.edges.n_quadrature.max())
    _walk_pairs(
        paths, plan, rows, shares, plane, phi.shape[1] // LANES, phi.reshape(-1), np.empty(levels * most * LANES),
        np.empty(levels * most * LANES), np.empty((most + 1) * LANES), np.empty((4, levels), np.uint64),
        np.empty((2, levels), np.int64),
    )  # fmt: skip


def leaf_shares(paths: Paths, values: Floats) -> Floats:
    """Return leaf outputs (M, V) times the leaves' cover shares."""
    return values * cover_shares(paths)[:, None]


@kernel
def _walk_pairs(
    paths: Paths, plan: PairWalk, rows: BlockedRows, shares: Floats, plane: Longs, n_places: int, phi: Floats, stack: Floats,
    sums: Floats, slopes: Floats, masks: Words, edges: Longs,
) -> None:  # fmt: skip
    """Walk each tree with each block of rows; the arrays from `stack` on are working space."""
    router, depth, left = paths.router, paths.depth, paths.router.left
    passed, to_left, to_right, slot_passed = masks[0], masks[1], masks[2], masks[3]
    open_edges, slot_edges = edges[0], edges[1]
    passed[0] = np.uint64(ALL_ROWS)
    factors = plan.edges
    for i in range(len(factors.trees)):
        tree, size, rule = factors.trees[i], factors.n_quadrature[i], factors.first_rule[i]
        root, end, lanes = router.roots[tree], router.ends[tree], size * LANES
        for lane in range(lanes):
            stack[lane] = factors.weights[rule + lane // LANES]
        for block in range(rows.n_blocks):
            place, top = block * n_places * LANES + plane[tree], 0
            for node in range(root, end + 1):
                level = depth[node] if node < end else 0
                while top > 0 and top >= level:
                    edge, slot, parent = open_edges[top], paths.slot[open_edges[top]], paths.parent[open_edges[top]]
                    is_left, number = 1 if left[parent] == edge else 0, factors.first[i] + (edge - root) * size
                    yes, no = (to_left[top - 1], to_right[top - 1])
                    if not is_left:
                        yes, no = no, yes
                    row, here = paths.player[edge], top * lanes
                    at = place + row * (paths.n_players + 1) * LANES
                    leave(sums, here, here - lanes, is_left, factors.coef, 4 * number, size, yes, no, phi, at)
                    find_slopes(sums, here, factors.coef, 4 * number, size, yes, no, plan.failed, rule, slopes)
                    for other in range(paths.width[parent]):
                        if other != slot:
                            column = paths.player[slot_edges[other]]
                            at = place + (min(row, column) * paths.n_players + max(row, column)) * LANES
                            number = factors.first[i] + (slot_edges[other] - root) * size
                            add_mixed(slopes, plan.passed, number, size, slot_passed[other], phi, at)
                    above = paths.ancestor[edge]
                    if above >= 0:
                        slot_edges[slot], slot_passed[slot] = above, passed[depth[above]]
                    top -= 1
                if node == end:
                    continue
                if node > root:
                    is_left = 1 if left[paths.parent[node]] == node else 0
                    yes, no = to_left[level - 1], to_right[level - 1]
                    if not is_left:
                        yes, no = no, yes
                    top, open_edges[level], passed[level] = level, node, yes
                    slot_edges[paths.slot[node]], slot_passed[paths.slot[node]] = node, yes
                    number, here = factors.first[i] + (node - root) * size, level * lanes
                    enter(stack, here - lanes, here, factors.coef, 4 * number, size, yes, no)
                    if left[node] < 0:
                        scale(stack, here, sums, here, size, shares[node])
                if left[node] >= 0:
                    goes, above = rows_left(router, rows, node, block), paths.ancestor[left[node]]
                    before = passed[depth[above]] if above >= 0 else passed[0]
                    to_left[level], to_right[level] = before & goes, before & ~goes
