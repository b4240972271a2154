"""Plans of path-dependent walks: steps, quadratures and coefficients, for some trees at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from automl_explain.explainers.compiled._arrays import LANES, NODES, Bools, Floats, Ints, Longs
from automl_explain.explainers.trees._paths import Paths
from automl_explain.explainers.trees._routing import BlockedRows
from automl_explain.explainers.trees.path_dependent._kernels import (
    ENTER,
    LEAF,
    PAIR,
    STEP_FIELDS,
    PathWalk,
    plan_walk,
    walk,
)

SLAB_BYTES = 64 << 20
"""Upper bound on the memory of coefficients that are computed together."""


class EdgeFactors(NamedTuple):
    """The coefficients of all edges of some trees, whose numbers of quadrature nodes are Q.

    Parameters
    ----------
    trees, n_quadrature : ndarray
        The trees and their Q.
    first : ndarray
        Start of each tree's numbers: node n (from the root) and quadrature node k have number ``first[i] + n Q + k``.
    coef : ndarray
        The four coefficients of an edge, as `_quadrature_steps` describes them, begin at four times the first of its numbers:
        entering passed, failed; leaving passed, failed.
    weights, first_rule : ndarray
        Quadrature weights; those of ``trees[i]`` begin at ``first_rule[i]`` and are followed by zeros, to whole vectors.
    """

    trees: Ints
    n_quadrature: Longs
    first: Longs
    coef: Floats
    weights: Floats
    first_rule: Longs


def cover_shares(paths: Paths) -> Floats:
    """Return each node's share of its root's cover, the product of the ratios above it."""
    return product_along(paths, paths.ratio, paths.parent)


def product_along(paths: Paths, factors: Floats, above: Ints) -> Floats:
    """Return the product of `factors` along the chain ``node, above[node], ...``."""
    product = factors.copy()
    order = np.argsort(paths.depth, kind="stable")
    bounds = np.searchsorted(paths.depth[order], np.arange(1, int(paths.depth.max(initial=0)) + 2))
    for start, stop in pairwise(bounds):
        nodes = order[start:stop]
        nodes = nodes[above[nodes] >= 0]
        product[nodes] *= product[above[nodes]]
    return product


def plan_walks(paths: Paths, outputs: Floats, walked: Bools | None = None) -> Iterator[PathWalk]:
    """Yield the walks over trees with a split, slab by slab.

    Parameters
    ----------
    paths : Paths
    outputs : ndarray, shape (M,)
        One column of leaf outputs.
    walked : ndarray of bool, shape (T,), optional
        The trees that are walked. Default: all.
    """
    inverse, above = inverse_ratios(paths)
    shares = outputs * cover_shares(paths)
    for trees, size in slabs(paths, 6 * 8, walked):
        yield _plan(paths, trees, size, inverse, above, shares)


def slabs(paths: Paths, n_bytes: int, walked: Bools | None = None) -> Iterator[tuple[Ints, Longs]]:
    """Yield the trees with a split and the sizes of their quadratures, as many as `n_bytes` per node and size allow."""
    roots, ends = paths.router.roots, paths.router.ends
    trees, size = _quadrature_sizes(paths, walked)
    slab = np.cumsum((ends - roots)[trees] * size * n_bytes) // SLAB_BYTES
    for number in np.unique(slab):
        inside = slab == number
        yield trees[inside].astype(np.int32), size[inside]


def _quadrature_sizes(paths: Paths, walked: Bools | None = None) -> tuple[Longs, Longs]:
    """Return the trees with a split, and the number of quadrature nodes of each."""
    roots, ends = paths.router.roots, paths.router.ends
    trees = np.flatnonzero(ends - roots > 1 if walked is None else (ends - roots > 1) & walked)
    return trees, np.array([(int(paths.width[roots[t] : ends[t]].max()) + 1) // 2 for t in trees], dtype=np.int64)


def edge_bytes(paths: Paths, walked: Bools | None = None) -> int:
    """Return the memory that the coefficients of `all_edges` take."""
    trees, size = _quadrature_sizes(paths, walked)
    return int(((paths.router.ends - paths.router.roots)[trees] * size).sum()) * 4 * 8


def _plan(paths: Paths, trees: Ints, size: Longs, inverse: Floats, above: Floats, shares: Floats) -> PathWalk:
    steps = np.empty((2 * int((paths.router.ends - paths.router.roots)[trees].sum()), STEP_FIELDS), np.int64)
    first_step, n_coef = np.zeros(len(trees) + 1, np.int64), 0
    open_steps = np.empty(int(paths.depth.max()) + 1, np.int64)
    for i, tree in enumerate(trees.tolist()):
        n_steps, n_coef = plan_walk(paths, tree, int(size[i]), n_coef, steps[first_step[i] :], open_steps)
        first_step[i + 1] = first_step[i] + n_steps
    steps, coef = steps[: first_step[-1]].copy(), np.empty(n_coef)
    sizes, rule_of = np.unique(size, return_inverse=True)
    rules = [quadrature(int(n)) for n in sizes]
    rule_of_step = np.repeat(rule_of, np.diff(first_step))
    for i, (t, not_t, _) in enumerate(rules):
        _fill_coefficients(paths, steps[rule_of_step == i], t, not_t, inverse, above, shares, coef)
    first_weight = (np.cumsum(sizes) - sizes)[rule_of]
    weights = np.concatenate([rule[2] for rule in rules])
    return PathWalk(trees, steps, first_step, weights, first_weight, size, coef, int(steps[:, 2].max()))


def _fill_coefficients(
    paths: Paths, steps: Longs, t: Floats, not_t: Floats, inverse: Floats, above: Floats, shares: Floats, coef: Floats
) -> None:
    """Write the coefficients of steps at the quadrature nodes `t`.

    `inverse` and `above` are P and Pa of each edge, `shares` each leaf's output times its cover share.
    """

    def factors(nodes: Longs) -> Floats:
        return edge_factors(inverse[nodes, None], above[nodes, None], t, not_t)

    def write(part: Longs, values: list[Floats]) -> None:
        for i, value in enumerate(values):
            coef[part[:, 5, None] + i * len(t) + np.arange(len(t))] = value

    inner, leaf, pair = steps[steps[:, 0] == ENTER], steps[steps[:, 0] == LEAF], steps[steps[:, 0] == PAIR]
    write(inner, list(factors(inner[:, 1])))
    yes, no, leave_yes, leave_no = factors(leaf[:, 1])
    v = shares[leaf[:, 1]]
    write(leaf, [v[:, None] * factor for factor in (yes, no, yes * leave_yes, no * leave_no)])
    coef[leaf[:, 5] + 4 * len(t)] = v
    left, right = paths.router.left[pair[:, 1]], paths.router.right[pair[:, 1]]
    va, vb = shares[left, None], shares[right, None]
    a, b = factors(left), factors(right)
    sums = [va * a[0] + vb * b[1], va * a[1] + vb * b[0]]
    slopes = [va * a[0] * a[2] + vb * b[1] * b[3], va * a[1] * a[3] + vb * b[0] * b[2]]
    write(pair, [*factors(pair[:, 1]), *sums, *slopes])
    coef[pair[:, 5] + 8 * len(t)] = (va + vb)[:, 0]


def edge_factors(inverse: Floats, above: Floats, t: Floats, not_t: Floats) -> Floats:
    """Return the factors of edges at quadrature nodes, (4, n, Q): entering passed, failed; leaving passed, failed."""
    passed, before = not_t + inverse * t, not_t + above * t
    share = (above - 1.0) / before
    return np.stack([passed / before, not_t / before, (inverse - 1.0) / passed - share, -1.0 / not_t - share])


def all_edges(paths: Paths, n_bytes: int = 4 * 8, walked: Bools | None = None) -> Iterator[EdgeFactors]:
    """Yield the coefficients of trees with a split, slab by slab; `n_bytes` are those kept per node and Q."""
    inverse, above = inverse_ratios(paths)
    for trees, size in slabs(paths, n_bytes, walked):
        starts, ends = paths.router.roots[trees].astype(np.int64), paths.router.ends[trees]
        n_nodes = ends - starts
        first_node = np.cumsum(n_nodes) - n_nodes
        nodes = np.repeat(starts - first_node, n_nodes) + np.arange(n_nodes.sum())
        number = np.cumsum(np.repeat(size, n_nodes)) - np.repeat(size, n_nodes)
        coef = np.empty(4 * int((n_nodes * size).sum()))
        for n in np.unique(size).tolist():
            here = np.repeat(size == n, n_nodes)
            t, not_t, _ = quadrature(n)
            factors = edge_factors(inverse[nodes[here], None], above[nodes[here], None], t, not_t)
            coef[4 * number[here, None] + np.arange(4 * n)] = factors.transpose(1, 0, 2).reshape(-1, 4 * n)
        weights, first_rule = side_by_side([quadrature(int(n))[2] for n in size])
        yield EdgeFactors(trees, size, number[first_node], coef, weights, first_rule)


def side_by_side(rules: list[Floats]) -> tuple[Floats, Longs]:
    """Return numbers for the quadrature nodes of trees in whole vectors, filled with zeros, and where each tree's begin."""
    padded = [np.pad(rule, (0, -len(rule) % NODES)) for rule in rules]
    sizes = np.array([len(rule) for rule in padded])
    return np.concatenate(padded), np.cumsum(sizes) - sizes


def inverse_ratios(paths: Paths) -> tuple[Floats, Floats]:
    """Return each edge's P and Pa: the products of 1 / ratio of its player up to it, and up to its ancestor."""
    inverse = product_along(paths, 1.0 / paths.ratio, paths.ancestor)
    return inverse, np.where(paths.ancestor >= 0, inverse[paths.ancestor], 1.0)


@lru_cache(maxsize=128)
def quadrature(size: int) -> tuple[Floats, Floats, Floats]:
    """Return Gauss-Legendre nodes t on [0, 1], 1 - t, and weights."""
    x, weights = np.polynomial.legendre.leggauss(size)
    return (1.0 + x) / 2.0, (1.0 - x) / 2.0, weights / 2.0


def add_path_values(paths: Paths, plan: PathWalk, rows: BlockedRows, plane: Longs, phi: Floats) -> None:
    """Add the values of `rows` to `phi` (n_blocks, K * P * LANES); `plane` is the position of each tree's output."""
    work = np.empty(2 * (plan.depth + 1) * int(plan.n_quadrature.max()) * LANES)
    walk(
        paths, plan, rows, plane, phi.shape[1] // LANES, phi.reshape(-1), work, np.empty((3, plan.depth + 1), np.uint64)
    )
