"""Exact Shapley values of linear models of normalised counts.

The output of a coalition z is a ratio, ``sum_i z_i w_i / (sum_i z_i q_i)^(1/r)``, with r = 2 for the l2 norm and r = 1 for l1.
With ``Q^(-1/r) = c int_0^inf exp(-Q t^r) dt``, c = 2 / sqrt(pi) for r = 2 and 1 for r = 1, it is an integral of games

    sum_i z_i w_i a_i prod_{j != i} (1 - z_j + z_j a_j),   a_j = exp(-q_j t^r),

which are products over players. If each player is present with probability p, their mean has the factors
``F_j = 1 - p (1 - a_j)``, and the Shapley value is the integral of its difference by player k over p:

    prod_j F_j (g_k w_k (1 + p b_k) - b_k p sum_j g_j w_j),   g_j = a_j / F_j,   b_k = (1 - a_k) / F_k,

where ``1 + p b_k = 1 / F_k``. The integrand is a polynomial in p, and at most ``exp(-p sum_j (1 - a_j))``. Gauss-Legendre nodes
are therefore used where that is not negligible, of which a fixed number suffices for any number of players. Over t, the
trapezoidal rule after the double exponential substitution ``t = exp(u - exp(-u))`` converges exponentially (Takahasi and Mori,
doi:10.2977/prims/1195192451). Players of the same q have the same factors, so that these are computed once.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from automl_explain.explainers.compiled._arrays import Floats, Longs
from automl_explain.explainers.compiled._jit import inlined, kernel
from automl_explain.explainers.text._text_values import Values

STEP = 0.15
"""Distance of the nodes in u: values are exact up to about 1e-12."""
FIRST, LAST = -4.2, 0.3
"""First node, and how far the last one is beyond that of the smallest weight."""
NEGLIGIBLE = 40.0
"""Exponent whose exponential is negligible."""
MOST_NODES = 24
"""Nodes over p: as exact as more for an exponential that falls by at most `NEGLIGIBLE` and a little."""
CONSTANT = {1: 1.0, 2: 2.0 / np.sqrt(np.pi)}
"""Order of the norm -> factor of the integral."""


def normalised_values(weights: Values, sizes: Values, order: int) -> Values:
    """Return the Shapley values (K, P) of ``sum_i z_i weights_ki / (sum_i z_i sizes_i)^(1/order)``, which is 0 without players.

    Parameters
    ----------
    weights : ndarray, shape (K, P)
    sizes : ndarray, shape (P,)
        Above 0.
    order : {1, 2}
    """
    total = sizes.sum()
    share, group, count = np.unique(sizes / total, return_inverse=True, return_counts=True)
    together = np.zeros((len(weights), len(share)))
    np.add.at(together.T, group, weights.T)
    u = np.arange(FIRST, np.log(NEGLIGIBLE / share[0]) / order + LAST, STEP)
    t = np.exp(u - np.exp(-u))
    over_t = CONSTANT[order] * STEP * t * (1.0 + np.exp(-u))
    nodes, over_p = _nodes(min(len(sizes) // 2 + 1, MOST_NODES))
    own, every = np.zeros(len(share)), np.zeros_like(together)
    space = np.empty((4, len(share)))
    _add_integral(share, count, together, t**order, over_t, nodes, over_p, space, own, every)
    return np.asarray((weights * own[group] - every[:, group]) / total ** (1.0 / order))


@lru_cache(maxsize=MOST_NODES)
def _nodes(size: int) -> tuple[Values, Values]:
    """Return nodes and weights of the Gauss-Legendre rule on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(size)
    return (nodes + 1.0) / 2.0, weights / 2.0


@kernel
def _add_integral(
    share: Floats, count: Longs, weights: Floats, exponents: Floats, over_t: Floats, nodes: Floats, over_p: Floats,
    space: Floats, own: Floats, every: Floats,
) -> None:  # fmt: skip
    """Add the factor of each player's own weight to `own` (D,), and what all weights take from it to `every` (K, D).

    `share` (D,) are the distinct sizes, `count` (D,) how many players have each, and `weights` (K, D) the sums of their
    weights. `exponents` and `over_t` are the nodes over t, ``t^r``, and their weights. `space` (4, D) is working space. Loops
    over sizes are the innermost ones, without branches, so that they are compiled to vector instructions.
    """
    left, right, inverse, powers = space[0], space[1], space[2], space[3]
    n_sizes = len(share)
    for node in range(len(exponents)):
        fall = 0.0
        for d in range(n_sizes):
            left[d] = -math.expm1(-exponents[node] * share[d])
            right[d] = 1.0 - left[d]
            fall += count[d] * left[d]
        most = min(1.0, NEGLIGIBLE / fall) if fall > 0.0 else 1.0
        for i in range(len(nodes)):
            present = most * nodes[i]
            for d in range(n_sizes):
                powers[d] = 1.0 - present * left[d]
                inverse[d] = 1.0 / powers[d]
            for d in range(n_sizes):
                if count[d] > 1:
                    powers[d] **= count[d]
            measure = over_t[node] * most * over_p[i] * _product(powers)
            for d in range(n_sizes):
                own[d] += measure * right[d] * inverse[d] * inverse[d]
            for k in range(len(weights)):
                for d in range(n_sizes):
                    powers[d] = right[d] * inverse[d] * weights[k, d]
                taken = measure * present * _sum(powers)
                for d in range(n_sizes):
                    every[k, d] += taken * left[d] * inverse[d]


@inlined
def _product(values: Floats) -> float:
    """Return the product of values; four at a time, since each multiplication waits for the one before."""
    a, b, c, d = 1.0, 1.0, 1.0, 1.0
    whole = len(values) // 4 * 4
    for i in range(0, whole, 4):
        a, b, c, d = a * values[i], b * values[i + 1], c * values[i + 2], d * values[i + 3]
    for i in range(whole, len(values)):
        a *= values[i]
    return (a * b) * (c * d)


@inlined
def _sum(values: Floats) -> float:
    """Return the sum of values, as `_product`."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    whole = len(values) // 4 * 4
    for i in range(0, whole, 4):
        a, b, c, d = a + values[i], b + values[i + 1], c + values[i + 2], d + values[i + 3]
    for i in range(whole, len(values)):
        a += values[i]
    return (a + b) + (c + d)
