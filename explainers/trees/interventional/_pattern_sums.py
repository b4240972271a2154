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
"""

from __future__ import annotations

from functools import lru_cache
from math import factorial

import numpy as np

from automl_explain.explainers.compiled._arrays import Floats, Longs, Patterns
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
    _sum_patterns(patterns, weights, _count_bits(d), integrals(d, order), d, np.empty(1 << d), np.empty(1 << d), sums)
    return list(sums)


@kernel
def _sum_patterns(
    patterns: Patterns, weights: Floats, bits: Longs, u: Floats, d: int, counts: Floats, supersets: Floats, sums: Floats
) -> None:
    """Add the sums of all leaves to `sums` (order + 1, leaves, 2^d); `counts` and `supersets` (2^d,) are working space.

    Patterns with the same number of bits have the same p, so that their superset sums are formed together.
    """
    for leaf in range(len(patterns)):
        counts[:] = 0.0
        for row in range(len(weights)):
            counts[patterns[leaf, row]] += weights[row]
        for p in range(d + 1):
            found = False
            for m in range(len(counts)):
                supersets[m] = counts[m] if bits[m] == d - p else 0.0
                found |= supersets[m] != 0.0
            if not found:
                continue
            for i in range(d):
                half = 1 << i
                for start in range(0, len(supersets), 2 * half):
                    for m in range(start, start + half):
                        supersets[m] += supersets[m + half]
            for s in range(len(sums)):
                for m in range(len(supersets)):
                    sums[s, leaf, m] += u[p, max(bits[m] - s, 0)] * supersets[m]


@lru_cache(maxsize=32)
def _count_bits(d: int) -> Longs:
    """Return the number of bits of 0, ..., 2^d - 1."""
    bits = np.zeros(1, np.int64)
    for _ in range(d):
        bits = np.concatenate([bits, bits + 1])
    return bits
