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
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

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
MORE_NODES = 3.5
"""More nodes over p, times the root of the number of players in groups, whose factors fall beyond that."""
CONSTANT = {1: 1.0, 2: 2.0 / np.sqrt(np.pi)}
"""Order of the norm -> factor of the integral."""


class Group(NamedTuple):
    """Players that fill columns together: their coalitions S, those that are alike in one class.

    Parameters
    ----------
    weights : ndarray, shape (K, E)
        What each class of coalitions adds to the K numerators.
    sizes : ndarray, shape (E,)
        What it adds to the sum under the root.
    numbers : ndarray of int, shape (E,)
        Players in it.
    times : ndarray, shape (E,)
        Coalitions of the class.
    holds : ndarray, shape (m, E)
        How many of them have each of the m players.
    """

    weights: Values
    sizes: Values
    numbers: npt.NDArray[np.intp]
    times: Values
    holds: Values


def grouped_values(weights: Values, sizes: Values, order: int, groups: Sequence[Group]) -> tuple[Values, list[Values]]:
    """Return the Shapley values of ``sum_i z_i weights_ki / (sum_i z_i sizes_i)^(1/order)``, which is 0 without players.

    They are those (K, P) of players alone, and those (K, m) of the players of each group, which add to the same sums.

    A group has a factor of its own, ``F_g = E exp(-size_S t^r)`` over its coalitions S, and the numerator ``G_g = E weight_S
    exp(-size_S t^r)``. With its player k present or absent these are ``F_g^+``, ``F_g^-``, and so on, and its value is the
    integral of ``prod_j F_j / F_g (G_g^+ - G_g^- + (F_g^+ - F_g^-) sum_{j != g} G_j / F_j)``.

    Parameters
    ----------
    weights : ndarray, shape (K, P)
    sizes : ndarray, shape (P,)
        Above 0.
    order : {1, 2}
    groups : sequence of Group
    """
    every_size = np.concatenate([sizes, *(group.sizes for group in groups)])
    total = sizes.sum() + sum(group.sizes.max() for group in groups)
    smallest = every_size[every_size > 0.0].min() / total
    share, group_of, count = np.unique(sizes / total, return_inverse=True, return_counts=True)
    together = np.zeros((len(weights), len(share)))
    np.add.at(together.T, group_of, weights.T)
    u = np.arange(FIRST, np.log(NEGLIGIBLE / smallest) / order + LAST, STEP)
    t = np.exp(u - np.exp(-u))
    over_t, exponents = CONSTANT[order] * STEP * t * (1.0 + np.exp(-u)), t**order
    n_grouped = sum(len(group.holds) for group in groups)
    nodes, over_p = _nodes(min((len(sizes) + n_grouped) // 2 + 1, MOST_NODES + int(MORE_NODES * np.sqrt(n_grouped))))
    fall = -np.expm1(-exponents[:, None] * share) @ count
    most = np.minimum(1.0, NEGLIGIBLE / np.maximum(fall, 1e-300))
    points, measure = most[:, None] * nodes, (over_t * most)[:, None] * over_p
    parts = [_Factors(group, exponents, points, total) for group in groups]
    sums = np.zeros((len(weights), *measure.shape))
    for part in parts:
        measure *= part.factor
        sums += part.share
    own, every = np.zeros(len(share)), np.zeros_like(together)
    space = np.empty((4, len(share)))
    _add_integral(share, count, together, exponents, points, measure, sums, space, own, every)
    root = total ** (1.0 / order)
    alone = (weights * own[group_of] - every[:, group_of]) / root
    return np.asarray(alone), [part.values(measure, sums) / root for part in parts]


class _Factors:
    """The factor of a group, and its numerators in units of it, at the nodes over t and p."""

    def __init__(self, group: Group, exponents: Values, points: Values, total: float) -> None:
        self._group, self._points = group, points
        self._fall = np.exp(-exponents[:, None] * (group.sizes / total))
        self.factor = self._mean(group.times, 0, 0)
        self.share = np.array([self._mean(group.times * own, 0, 0) for own in group.weights]) / self.factor

    def _mean(self, times: Values, present: int, absent: int) -> Values:
        """Return the sum over the coalitions, by their probabilities if some of the players are known to be there or not."""
        n_others, numbers = len(self._group.holds) - present - absent, self._group.numbers - present
        by_number = np.zeros((len(times), n_others + 1))
        counted = times != 0.0
        by_number[counted, numbers[counted]] = times[counted]
        k = np.arange(n_others + 1)[:, None, None]
        chances = self._points**k * (1.0 - self._points) ** (n_others - k)
        return np.asarray(np.einsum("ts,stp->tp", self._fall @ by_number, chances))

    def values(self, measure: Values, sums: Values) -> Values:
        """Return the integrals (K, m), given the measure with all factors and the sums (K, t, p) of all shares."""
        group, found = self._group, np.empty((len(sums), len(self._group.holds)))
        for player, holds in enumerate(group.holds):
            gone = group.times - holds
            change = self._mean(holds, 1, 0) - self._mean(gone, 0, 1)
            for k, own in enumerate(group.weights):
                direct = self._mean(holds * own, 1, 0) - self._mean(gone * own, 0, 1)
                found[k, player] = (measure / self.factor * (direct + change * (sums[k] - self.share[k]))).sum()
        return found


@lru_cache(maxsize=64)
def _nodes(size: int) -> tuple[Values, Values]:
    """Return nodes and weights of the Gauss-Legendre rule on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(size)
    return (nodes + 1.0) / 2.0, weights / 2.0


@kernel
def _add_integral(
    share: Floats, count: Longs, weights: Floats, exponents: Floats, points: Floats, measure: Floats, sums: Floats,
    space: Floats, own: Floats, every: Floats,
) -> None:  # fmt: skip
    """Add the factor of each player's own weight to `own` (D,), and what all weights take from it to `every` (K, D).

    `share` (D,) are the distinct sizes, `count` (D,) how many players have each, and `weights` (K, D) the sums of their
    weights. `exponents` are ``t^r`` at the nodes over t, and `points` (t, p) the nodes over p for each of them. `measure` (t, p)
    is multiplied by the factors of these players, and the sums of their ``G / F`` are added to `sums` (K, t, p). `space` (4, D)
    is working space. Loops over sizes are the innermost ones, without branches, so that they are compiled to vector
    instructions.
    """
    left, right, inverse, terms = space[0], space[1], space[2], space[3]
    n_sizes = len(share)
    for node in range(len(exponents)):
        for d in range(n_sizes):
            left[d] = -math.expm1(-exponents[node] * share[d])
            right[d] = 1.0 - left[d]
        for i in range(points.shape[1]):
            for d in range(n_sizes):
                terms[d] = 1.0 - points[node, i] * left[d]
                inverse[d] = 1.0 / terms[d]
            for d in range(n_sizes):
                if count[d] > 1:
                    terms[d] **= count[d]
            measure[node, i] *= _product(terms)
            for d in range(n_sizes):
                own[d] += measure[node, i] * right[d] * inverse[d] * inverse[d]
            for k in range(len(weights)):
                for d in range(n_sizes):
                    terms[d] = right[d] * inverse[d] * weights[k, d]
                sums[k, node, i] += points[node, i] * _sum(terms)
                taken = measure[node, i] * sums[k, node, i]
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
