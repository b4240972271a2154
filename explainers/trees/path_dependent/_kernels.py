"""Kernels of path-dependent Shapley values: a quadrature of each leaf's multilinear extension.

Let v be the output of a leaf and W the product of the cover ratios w on its path. For each player on the path, let
alpha = q - 1, where q is the product of the player's 1/w if the row passes the player, and 0 otherwise. The leaf then
contributes to player i

    phi_i = v W  int_0^1  alpha_i  prod_{j != i} (1 + alpha_j t)  dt,

which Gauss-Legendre quadrature with half as many nodes as players integrates exactly. The product is accumulated on the
way down and the sum over leaves on the way up, one factor per edge. Let P and Pa be the products of 1/w of the edge's
player up to the edge and up to its ancestor of the same player (1 if there is none). The factors are

    entering, if the row passes:  (1 + (P - 1) t) / (1 + (Pa - 1) t)
    entering, if not:             (1 - t) / (1 + (Pa - 1) t)
    leaving, if the row passes:   (P - 1) / (1 + (P - 1) t) - (Pa - 1) / (1 + (Pa - 1) t)
    leaving, if not:              -1 / (1 - t) - (Pa - 1) / (1 + (Pa - 1) t)

and 1, 0 for a row that already failed the player above. (arXiv:2605.04497; the extension's form: arXiv:2209.08192.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from automl_explain.explainers.compiled._arrays import (
    ALL_ROWS,
    LANES,
    Floats,
    Ints,
    Longs,
    Words,
)
from automl_explain.explainers.compiled._jit import kernel
from automl_explain.explainers.compiled._quadrature_steps import (
    enter,
    leave,
    visit_leaf,
    visit_pair,
)
from automl_explain.explainers.trees._paths import Paths
from automl_explain.explainers.trees._routing import BlockedRows, rows_left

ENTER, LEAVE, LEAF, PAIR = 0, 1, 2, 3
"""Steps of a walk: into an edge, out of it, to a leaf and back, to a split with two leaves and back."""
STEP_FIELDS = 6
"""Columns of a step: kind, node, depth, 1 for a left child, depth of the split's player above, first coefficient."""


class PathWalk(NamedTuple):
    """The walk over some trees for one column of leaf outputs.

    Parameters
    ----------
    trees : ndarray, shape (n,)
        The trees.
    steps, first_step : ndarray
        The steps of ``trees[i]`` are ``steps[first_step[i]:first_step[i + 1]]``.
    weights, first_weight, n_quadrature : ndarray
        The quadrature weights of ``trees[i]`` are the ``n_quadrature[i]`` numbers from ``weights[first_weight[i]]`` on.
    coef : ndarray
        Coefficients of all steps.
    depth : int
        Largest depth of a step.
    """

    trees: Ints
    steps: Longs
    first_step: Longs
    weights: Floats
    first_weight: Longs
    n_quadrature: Longs
    coef: Floats
    depth: int


@kernel
def plan_walk(
    paths: Paths, tree: int, n_quadrature: int, offset: int, steps: Longs, open_steps: Longs
) -> tuple[int, int]:
    """Write the steps of one tree's walk; return their number and the offset after their coefficients.

    `open_steps` (depth,) is working space.
    """
    left, right, depth, parent = paths.router.left, paths.router.right, paths.depth, paths.parent
    first, end = paths.router.roots[tree], paths.router.ends[tree]
    n_steps, node, n_open = 0, first + 1, 0
    while True:
        while n_open and (node >= end or depth[node] <= steps[open_steps[n_open - 1], 2]):
            n_open -= 1
            for i in range(1, STEP_FIELDS):
                steps[n_steps, i] = steps[open_steps[n_open], i]
            steps[n_steps, 0] = LEAVE
            n_steps += 1
        if node >= end:
            return n_steps, offset
        what, n_nodes, n_coef, above = ENTER, 1, 4 * n_quadrature, -1
        if left[node] < 0:
            what, n_coef = LEAF, 4 * n_quadrature + 1
        else:
            above = paths.ancestor[left[node]]
            if left[left[node]] < 0 and left[right[node]] < 0:
                what, n_nodes, n_coef = PAIR, 3, 8 * n_quadrature + 1
            else:
                open_steps[n_open] = n_steps
                n_open += 1
        steps[n_steps, 0], steps[n_steps, 1], steps[n_steps, 2] = what, node, depth[node]
        steps[n_steps, 3] = 1 if left[parent[node]] == node else 0
        steps[n_steps, 4] = depth[above] if above >= 0 else 0
        steps[n_steps, 5] = offset
        node += n_nodes
        offset += n_coef
        n_steps += 1


@kernel
def walk(
    paths: Paths, plan: PathWalk, rows: BlockedRows, plane: Longs, n_places: int, phi: Floats, work: Floats,
    masks: Words,
) -> None:  # fmt: skip
    """Add the trees' Shapley values to `phi` for blocks of rows.

    Parameters
    ----------
    paths, plan, rows : Paths, PathWalk, Rows
        The trees and the rows.
    plane : ndarray, shape (T,)
        Position of each tree's output column in a block of `phi`.
    n_places : int
        Number of values K * P.
    phi : ndarray
        Values (n_blocks * K * P * LANES,), rows last.
    work : ndarray
        Working space, 2 * (depth + 1) * max(n_quadrature) * LANES.
    masks : ndarray
        Working space (3, depth + 1).
    """
    router, player, coef, steps = paths.router, paths.player, plan.coef, plan.steps
    everyone = np.uint64(ALL_ROWS)
    passed, to_left, to_right = masks[0], masks[1], masks[2]
    passed[0] = everyone
    stack, sums = work[: len(work) // 2], work[len(work) // 2 :]
    for i in range(len(plan.trees)):
        tree, size = plan.trees[i], plan.n_quadrature[i]
        lanes = size * LANES
        for k in range(size):
            for lane in range(LANES):
                stack[k * LANES + lane] = plan.weights[plan.first_weight[i] + k]
        for block in range(rows.n_blocks):
            phi_at = block * n_places * LANES + plane[tree]
            to_left[0] = rows_left(router, rows, router.roots[tree], block)
            to_right[0] = everyone & ~to_left[0]
            for index in range(plan.first_step[i], plan.first_step[i + 1]):
                what, node, d, is_left = steps[index, 0], steps[index, 1], steps[index, 2], steps[index, 3]
                at = steps[index, 5]
                up, here = (d - 1) * lanes, d * lanes
                target = phi_at + player[node] * LANES
                yes, no = (to_left[d - 1], to_right[d - 1]) if is_left else (to_right[d - 1], to_left[d - 1])
                if what == LEAVE:
                    leave(sums, here, up, is_left, coef, at, size, yes, no, phi, target)
                elif what == LEAF:
                    visit_leaf(stack, up, sums, up, is_left, coef, at, size, yes, no, phi, target)
                else:
                    goes = rows_left(router, rows, node, block)
                    passed[d] = yes
                    go_left, go_right = passed[steps[index, 4]] & goes, passed[steps[index, 4]] & ~goes
                    to_left[d], to_right[d] = go_left, go_right
                    if what == ENTER:
                        enter(stack, up, here, coef, at, size, yes, no)
                    else:
                        split = phi_at + player[router.left[node]] * LANES
                        visit_pair(
                            stack, up, sums, up, is_left, coef, at, size, yes, no, go_left, go_right, phi, target, split
                        )
