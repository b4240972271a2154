"""Sums over the patterns of background rows on a path, from which interventional values and interactions follow.

On a path with d players, a background row has the pattern b (bit i: it passes player i) and the explained row the
pattern c. A coalition reaches the leaf if each of its players is in c and every other player is in b. With m the complement
of c, f_b the weight of b, p = d - |b|, q = |m| and v the leaf's output

    phi_i = v sum_{b >= m} f_b ([c_i = 1, b_i = 0] (p-1)! q! / (p+q)!  -  [c_i = 0] p! (q-1)! / (p+q)!).

Both weights are integrals, ``int_0^1 t^(p-1) (1-t)^q dt`` and ``int_0^1 t^p (1-t)^(q-1) dt``, and the second is the
difference of two of the first kind. With the superset sums

    U_s[m] = sum_{b >= m} f_b u(p, |m| - s),    u(p, q) = int_0^1 t^(p-1) (1-t)^q dt

every player therefore has ``phi_i = v (U_0[m] - U_1[m | i])``. For p = 0 the finite part of the integral is used, minus
a harmonic number, which cancels in the differences that need it. One order higher, with ``u(p, q) = int t^(p-2) (1-t)^q dt``,
the Shapley interaction index is ``v (U_0[m] - U_1[m | i] - U_1[m | j] + U_2[m | i | j])``. The sums do not depend on
the explained row. (Counting patterns: arXiv:2511.09376.)

Where the integrals exist, they are sums over the nodes of a Gauss rule, which is exact for polynomials of their degree. Then a
superset sum for each of about d / 2 nodes replaces one for each p.
"""

from __future__ import annotations

from functools import lru_cache
from math import factorial

import numpy as np

from automl_explain.explainers.compiled._arrays import NODES, Floats, Longs, Patterns
from automl_explain.explainers.compiled._jit import kernel


@lru_cache(maxsize=64)
def integrals(d: int, order: int) -> Floats:
    """Return u(p, q) for p, q = 0, ..., d, the finite part of ``int_0^1 t^(p - order) (1-t)^q dt``."""
    u = np.zeros((d + 1, d + 1))
    for p in range(d, -1, -1):
        for q in range(d + 1):
            if p >= order:
                u[p, q] = factorial(p - order) * factorial(q) / factorial(p - order + q + 1)
            elif q:  # (1-t)^(q-1) - (1-t)^q = t (1-t)^(q-1)
                after = u[p + 1, q - 1] if p < d else 1.0 / q
                u[p, q] = u[p, q - 1] - after
    return u


def pattern_sums(patterns: Patterns, weights: Floats, d: int, order: int) -> list[Floats]:
    """Return U_0, ..., U_order of some leaves with d players, each (leaves, 2^d).

    Parameters
    ----------
    patterns : ndarray, shape (leaves, B)
        The background rows' patterns.
    weights : ndarray, shape (B,)
        Their weights.
    d : int
        Number of players.
    order : {1, 2}
        1 for values, 2 for interactions.
    """
    sums = np.zeros((order + 1, len(patterns), 1 << d))
    space = np.empty(1 << d), np.empty(NODES << d)
    _sum_patterns(patterns, weights, _count_bits(d), integrals(d, order), *_powers(d, order), d, order, *space, sums)
    return list(sums)


@lru_cache(maxsize=64)
def _powers(d: int, order: int) -> tuple[Floats, Floats]:
    """Return w_k t_k^(p - order) and (1 - t_k)^q of Gauss nodes, (groups, d + 1, NODES), exact for p >= order, p + q <= d.

    Nodes of a group are added at once; the last group is filled with nodes of weight 0.
    """
    nodes, weights = np.polynomial.legendre.leggauss(max(1, -(-(d - order + 1) // 2)))
    missing = -len(nodes) % NODES
    t, w = np.append((nodes + 1) / 2, np.zeros(missing)), np.append(weights / 2, np.zeros(missing))
    n = np.arange(d + 1)[:, None]
    by_group = (d + 1, -1, NODES)
    gain = w * np.where(n >= order, t ** np.maximum(n - order, 0), 0.0)
    return tuple(  # type: ignore[return-value]
        np.ascontiguousarray(powers.reshape(by_group).transpose(1, 0, 2)) for powers in (gain, (1 - t) ** n)
    )


@kernel
def _sum_patterns(
    patterns: Patterns, weights: Floats, bits: Longs, u: Floats, gain: Floats, loss: Floats, d: int, order: int,
    counts: Floats, supersets: Floats, sums: Floats,
) -> None:  # fmt: skip
    """Add the sums of all leaves to `sums` (order + 1, leaves, 2^d).

    Each Gauss node has one superset sum over the patterns, weighted by its powers of t, whatever their p; patterns with p
    below `order` are added one by one. `counts` (2^d,) and `supersets` (2^d, NODES), flat, are working space.
    """
    for leaf in range(len(patterns)):
        counts[:] = 0.0
        for row in range(len(weights)):
            counts[patterns[leaf, row]] += weights[row]
        for b in range(len(counts)):
            p = d - bits[b]
            if p >= order or counts[b] == 0.0:
                continue
            for s in range(order + 1):
                for m in range(len(counts)):
                    if m & ~b == 0:
                        sums[s, leaf, m] += u[p, max(bits[m] - s, 0)] * counts[b]
        for group in range(len(gain)):
            for b in range(len(counts)):
                p = d - bits[b]
                for k in range(NODES):
                    supersets[b * NODES + k] = counts[b] * gain[group, p, k]
            for i in range(d):
                apart = NODES << i
                for start in range(0, len(supersets), 2 * apart):
                    for place in range(start, start + apart, NODES):
                        for k in range(NODES):
                            supersets[place + k] += supersets[place + apart + k]
            for s in range(order + 1):
                for m in range(len(counts)):
                    q, at = max(bits[m] - s, 0), m * NODES
                    first = loss[group, q, 0] * supersets[at] + loss[group, q, 1] * supersets[at + 1]
                    second = loss[group, q, 2] * supersets[at + 2] + loss[group, q, 3] * supersets[at + 3]
                    sums[s, leaf, m] += first + second


@lru_cache(maxsize=32)
def _count_bits(d: int) -> Longs:
    """Return the number of bits of 0, ..., 2^d - 1."""
    bits = np.zeros(1, np.int64)
    for _ in range(d):
        bits = np.concatenate([bits, bits + 1])
    return bits
