"""Kernels of path-dependent Shapley values: a quadrature of each leaf's multilinear extension.

With v a leaf's output, W the product of its path's cover ratios w and, for each of its players, alpha = q - 1 where q
is the product of the player's 1/w if the row passes the player and 0 if not, the leaf gives player i

    phi_i = v W  int_0^1  alpha_i  prod_{j != i} (1 + alpha_j t)  dt,

which Gauss-Legendre quadrature with half as many nodes as players integrates exactly. The product is built up on the
way down and the sum over leaves on the way up, one factor per edge. With P and Pa the products of 1/w of the edge's
player up to the edge and up to its ancestor of the same player (1 if there is none), the factors are

    entering, if the row passes:  (1 + (P - 1) t) / (1 + (Pa - 1) t)
    entering, if not:             (1 - t) / (1 + (Pa - 1) t)
    leaving, if the row passes:   (P - 1) / (1 + (P - 1) t) - (Pa - 1) / (1 + (Pa - 1) t)
    leaving, if not:              -1 / (1 - t) - (Pa - 1) / (1 + (Pa - 1) t)

and 1, 0 for a row that already failed the player above. (arXiv:2605.04497; the extension's form: arXiv:2209.08192.)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._jit import inlined, kernel
from automl_explain.explainers._lanes import ALL_ROWS, LANES, enter, leave, visit_leaf, visit_pair
from automl_explain.explainers._tree_paths import rows_left

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
ENTER, LEAVE, LEAF, PAIR = 0, 1, 2, 3
"""Steps of a walk: into and out of an edge, to a leaf and back, to a split with two leaves and back."""
STEP_FIELDS = 6
"""Columns of a step: what, node, depth, 1 if a left child, depth of the split's player above, first coefficient."""


@kernel
def plan_walk(
    first: int, end: int, left: Ints, right: Ints, parent: Ints, depth: Ints, ancestor: Ints, n_quadrature: int,
    offset: int, steps: Longs,
) -> tuple[int, int]:  # fmt: skip
    """Write the steps of one tree's walk; return their number and the offset behind their coefficients."""
    n_steps, node, n_open = 0, first + 1, 0
    open_steps = np.empty(end - first, np.int64)
    while True:
        while n_open and (node >= end or depth[node] <= steps[open_steps[n_open - 1], 2]):
            n_open -= 1
            steps[n_steps] = steps[open_steps[n_open]]
            steps[n_steps, 0] = LEAVE
            n_steps += 1
        if node >= end:
            return n_steps, offset
        step = steps[n_steps]
        step[1], step[2], step[3], step[4], step[5] = node, depth[node], left[parent[node]] == node, 0, offset
        if left[node] < 0:
            step[0] = LEAF
            offset += 4 * n_quadrature + 1
            node += 1
        else:
            above = ancestor[left[node]]
            step[4] = depth[above] if above >= 0 else 0
            if left[left[node]] < 0 and left[right[node]] < 0:
                step[0] = PAIR
                offset += 8 * n_quadrature + 1
                node += 3
            else:
                step[0] = ENTER
                offset += 4 * n_quadrature
                open_steps[n_open] = n_steps
                n_open += 1
                node += 1
        n_steps += 1


@inlined
def _factors(up_to: float, above: float, t: float, not_t: float) -> tuple[float, float, float, float]:
    """Return an edge's factors at a quadrature node: entering passed, failed; leaving passed, failed."""
    passed, before = not_t + up_to * t, not_t + above * t
    share = (above - 1.0) / before
    return passed / before, not_t / before, (up_to - 1.0) / passed - share, -1.0 / not_t - share


@kernel
def fill_coefficients(
    steps: Longs, t: Floats, not_t: Floats, left: Ints, right: Ints, inverse: Floats, inverse_above: Floats,
    output: Floats, coef: Floats,
) -> None:  # fmt: skip
    """Write the coefficients of one tree's steps.

    `inverse` and `inverse_above` are P and Pa of each edge; `output` is each leaf's output times its cover share.
    """
    size = len(t)
    for index in range(len(steps)):
        what, node, at = steps[index, 0], steps[index, 1], steps[index, 5]
        if what == ENTER:
            for k in range(size):
                f = _factors(inverse[node], inverse_above[node], t[k], not_t[k])
                for i in range(4):
                    coef[at + 4 * k + i] = f[i]
        elif what == LEAF:
            v = output[node]
            for k in range(size):
                f = _factors(inverse[node], inverse_above[node], t[k], not_t[k])
                for i in range(2):
                    coef[at + 4 * k + i] = v * f[i]
                    coef[at + 4 * k + 2 + i] = v * f[i] * f[2 + i]
            coef[at + 4 * size] = v
        elif what == PAIR:
            a, b = left[node], right[node]
            for k in range(size):
                f = _factors(inverse[node], inverse_above[node], t[k], not_t[k])
                fa = _factors(inverse[a], inverse_above[a], t[k], not_t[k])
                fb = _factors(inverse[b], inverse_above[b], t[k], not_t[k])
                for i in range(4):
                    coef[at + 8 * k + i] = f[i]
                coef[at + 8 * k + 4] = output[a] * fa[0] + output[b] * fb[1]
                coef[at + 8 * k + 5] = output[a] * fa[1] + output[b] * fb[0]
                coef[at + 8 * k + 6] = output[a] * fa[0] * fa[2] + output[b] * fb[1] * fb[3]
                coef[at + 8 * k + 7] = output[a] * fa[1] * fa[3] + output[b] * fb[0] * fb[2]
            coef[at + 8 * size] = output[a] + output[b]


@kernel
def walk(
    x: Floats, phi: Floats, n_columns: int, n_players: int, first_step: Longs, steps: Longs, first_weight: Longs,
    n_quadrature: Longs, weights: Floats, plane: Longs, roots: Ints, player: Ints, feature: Ints, left: Ints,
    kind: npt.NDArray[np.uint8], threshold: Floats, flags: npt.NDArray[np.uint8], category_start: Ints,
    category_size: Ints, categories: npt.NDArray[np.uint32], coef: Floats, depth: int, stack: Floats, sums: Floats,
) -> None:  # fmt: skip
    """Add every tree's Shapley values to `phi` for blocks of rows.

    Parameters
    ----------
    x, phi : ndarray
        Inputs (n_blocks * f * LANES,) and values (n_blocks * K * P * LANES,), rows last.
    first_step, steps : ndarray
        A tree's steps are ``steps[first_step[i]:first_step[i + 1]]``.
    first_weight, n_quadrature, weights : ndarray
        Quadrature weights of each tree.
    plane : ndarray
        First value of each tree's output column in a block of `phi`.
    stack, sums : ndarray
        Working space, (depth + 1) * max(n_quadrature) * LANES each.
    """
    everyone = np.uint64(ALL_ROWS)
    passed = np.empty(depth + 2, np.uint64)
    to_left, to_right = np.empty_like(passed), np.empty_like(passed)
    passed[0] = everyone
    x_size, phi_size = n_columns * LANES, n_players * LANES
    n_blocks = len(x) // x_size
    for tree in range(len(roots)):
        size, root = n_quadrature[tree], roots[tree]
        lanes = size * LANES
        for k in range(size):
            stack[k * LANES : (k + 1) * LANES] = weights[first_weight[tree] + k]
        for block in range(n_blocks):
            x_at, phi_at = block * x_size, block * phi_size + plane[tree]
            to_left[0] = rows_left(
                x, x_at + feature[root] * LANES, kind[root], threshold[root], flags[root], category_start[root],
                category_size[root], categories,
            )  # fmt: skip
            to_right[0] = everyone & ~to_left[0]
            for index in range(first_step[tree], first_step[tree + 1]):
                step = steps[index]
                node, d, is_left, at = step[1], step[2], step[3], step[5]
                up, here = (d - 1) * lanes, d * lanes
                phi_edge = phi_at + player[node] * LANES
                yes, no = (to_left[d - 1], to_right[d - 1]) if is_left else (to_right[d - 1], to_left[d - 1])
                if step[0] == LEAVE:
                    leave(sums, here, up, is_left, coef, at, size, yes, no, phi, phi_edge)
                    continue
                if step[0] == LEAF:
                    visit_leaf(stack, up, sums, up, is_left, coef, at, size, yes, no, phi, phi_edge)
                    continue
                goes = rows_left(
                    x, x_at + feature[node] * LANES, kind[node], threshold[node], flags[node], category_start[node],
                    category_size[node], categories,
                )  # fmt: skip
                passed[d] = yes
                to_left[d] = passed[step[4]] & goes
                to_right[d] = passed[step[4]] & ~goes
                if step[0] == ENTER:
                    enter(stack, up, here, coef, at, size, yes, no)
                else:
                    phi_split = phi_at + player[left[node]] * LANES
                    visit_pair(
                        stack, up, sums, up, is_left, coef, at, size, yes, no, to_left[d], to_right[d], phi, phi_edge,
                        phi_split,
                    )  # fmt: skip
