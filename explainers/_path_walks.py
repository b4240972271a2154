"""Plans of path-dependent walks: the steps, quadratures and coefficients of slabs of trees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from automl_explain.explainers._lanes import LANES
from automl_explain.explainers._path_dependent import (
    STEP_FIELDS,
    Floats,
    Ints,
    Longs,
    fill_coefficients,
    plan_walk,
    walk,
)
from automl_explain.explainers._tree_paths import Paths
from automl_explain.explainers._trees import Trees

SLAB_BYTES = 64 << 20
"""Coefficients that are made and walked together."""


@dataclass(frozen=True, eq=False)
class PathWalk:
    """The walk over a slab of trees for one column of leaf outputs; the arrays are those that `walk` takes."""

    trees: Ints
    first_step: Longs
    steps: Longs
    first_weight: Longs
    n_quadrature: Longs
    weights: Floats
    coef: Floats
    depth: int

    def add_values(self, model: Trees, paths: Paths, x: Floats, phi: Floats, plane: Longs) -> None:
        """Add the Shapley values of the rows in `x` (n_blocks, f, LANES) to `phi` (n_blocks, K, P, LANES)."""
        working = (self.depth + 1) * int(self.n_quadrature.max(initial=1)) * LANES
        walk(
            x.reshape(-1), phi.reshape(-1), x.shape[1], phi[0, :, :, 0].size, self.first_step, self.steps,
            self.first_weight, self.n_quadrature, self.weights, plane[self.trees], model.roots[self.trees],
            paths.player, model.feature, model.left, paths.kind, model.threshold, model.flags, model.category_start,
            model.category_size, model.categories, self.coef, self.depth, np.empty(working), np.empty(working),
        )  # fmt: skip


def cover_shares(model: Trees, paths: Paths) -> Floats:
    """Return each node's share of its root's cover, the product of the ratios above it."""
    return _down(model, paths, paths.ratio, paths.parent)


def _down(model: Trees, paths: Paths, factors: Floats, above: Ints) -> Floats:
    """Return the product of `factors` along the chain ``node, above[node], ...``."""
    product = factors.copy()
    order = np.argsort(paths.depth, kind="stable")
    bounds = np.searchsorted(paths.depth[order], np.arange(1, int(paths.depth.max(initial=0)) + 2))
    for start, stop in pairwise(bounds):
        nodes = order[start:stop]
        nodes = nodes[above[nodes] >= 0]
        product[nodes] *= product[above[nodes]]
    return product


def plan_walks(model: Trees, paths: Paths, column: int) -> Iterator[PathWalk]:
    """Yield the walks over all trees with an inner node, slab by slab, for column `column` of the leaf outputs."""
    inverse = _down(model, paths, 1.0 / paths.ratio, paths.ancestor)
    above = np.where(paths.ancestor >= 0, inverse[paths.ancestor], 1.0)
    output = model.values[:, column] * cover_shares(model, paths)
    grown = np.flatnonzero(model.left[model.roots] >= 0).astype(np.int32)
    nodes = paths.ends[grown] - model.roots[grown]
    width = np.array([paths.width[model.roots[t] : paths.ends[t]].max() for t in grown], dtype=np.int64)
    size = (width + 1) // 2
    slab = (np.cumsum(nodes * size * 8 * 8) // SLAB_BYTES) if len(grown) else np.zeros(0)
    for number in np.unique(slab):
        inside = slab == number
        yield _plan(model, paths, grown[inside], size[inside], inverse, above, output)


def _plan(
    model: Trees, paths: Paths, trees: Ints, n_quadrature: Longs, inverse: Floats, above: Floats, output: Floats
) -> PathWalk:
    nodes = paths.ends[trees] - model.roots[trees]
    steps = np.empty((2 * int(nodes.sum()), STEP_FIELDS), np.int64)
    first_step = np.zeros(len(trees) + 1, np.int64)
    offset = 0
    for i, tree in enumerate(trees):
        n_steps, offset = plan_walk(
            model.roots[tree], paths.ends[tree], model.left, model.right, paths.parent, paths.depth, paths.ancestor,
            n_quadrature[i], offset, steps[first_step[i] :],
        )  # fmt: skip
        first_step[i + 1] = first_step[i] + n_steps
    steps, coef = steps[: first_step[-1]].copy(), np.empty(offset)
    rules = {int(size): quadrature(int(size)) for size in np.unique(n_quadrature)}
    for i, size in enumerate(n_quadrature.tolist()):
        part = steps[first_step[i] : first_step[i + 1]]
        t, not_t, _ = rules[size]
        fill_coefficients(part, t, not_t, model.left, model.right, inverse, above, output, coef)
    places = np.cumsum([0, *rules])[:-1]
    place_of = dict(zip(rules, places.tolist(), strict=True))
    first_weight = np.array([place_of[size] for size in n_quadrature.tolist()], np.int64)
    depth = int(paths.depth[np.concatenate([[0], steps[:, 1]])].max())
    weights = np.concatenate([rule[2] for rule in rules.values()])
    return PathWalk(trees, first_step, steps, first_weight, n_quadrature, weights, coef, depth)


def quadrature(size: int) -> tuple[Floats, Floats, Floats]:
    """Return Gauss-Legendre nodes t on [0, 1], 1 - t, and weights."""
    x, weights = np.polynomial.legendre.leggauss(size)
    return (1.0 + x) / 2.0, (1.0 - x) / 2.0, weights / 2.0
