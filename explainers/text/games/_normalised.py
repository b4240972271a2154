"""Exact Shapley values of linear models of normalised counts.

The output of a coalition z is a ratio, ``sum_i z_i w_i / (sum_i z_i q_i)^(1/r)``, with r = 2 for the l2 norm and r = 1 for l1.
With ``Q^(-1/r) = c int_0^inf exp(-Q t^r) dt``, c = 2 / sqrt(pi) for r = 2 and 1 for r = 1, it is an integral of games

    sum_i z_i w_i a_i prod_{j != i} (1 - z_j + z_j a_j),   a_j = exp(-q_j t^r),

which are products over players. If each player is present with probability p, their mean has the factors
``F_j = 1 - p (1 - a_j)``, and the Shapley value is the integral of its difference by player k over p:

    prod_j F_j (g_k w_k (1 + p b_k) - b_k p sum_j g_j w_j),   g_j = a_j / F_j,   b_k = (1 - a_k) / F_k.

The integrand is a polynomial in p, for which Gauss-Legendre nodes are used. Over t, the trapezoidal rule after the double
exponential substitution ``t = exp(u - exp(-u))`` converges exponentially (Takahasi and Mori, doi:10.2977/prims/1195192451).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from automl_explain.explainers.text._text_values import Values

STEP = 0.15
"""Distance of the nodes in u: values are exact up to about 1e-12."""
FIRST, LAST = -4.2, 0.3
"""First node, and how far the last one is beyond that of the smallest weight."""
NEGLIGIBLE = 40.0
"""Exponent whose exponential is negligible."""
CELLS_AT_ONCE = 1 << 14
"""Cells of nodes and players at a time: few, so that they stay in the cache."""
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
    share = sizes / total
    last = np.log(NEGLIGIBLE / share.min()) / order + LAST
    u = np.arange(FIRST, last, STEP)
    t = np.exp(u - np.exp(-u))
    over_t = CONSTANT[order] * STEP * t * (1.0 + np.exp(-u))
    left = -np.expm1(-np.outer(t**order, share))  # 1 - a
    nodes, over_p = _nodes(min(len(sizes) // 2 + 1, int(8 + 3 * np.sqrt(len(sizes)))))
    values = np.zeros_like(weights)
    step = max(1, CELLS_AT_ONCE // left.size)
    for start in range(0, len(nodes), step):
        p = nodes[start : start + step, None, None]
        factor = 1.0 - p * left
        measure = over_p[start : start + step, None] * over_t * factor.prod(axis=2)
        inverse = 1.0 / factor
        gain, loss = (1.0 - left) * inverse, left * inverse
        flat = gain.reshape(-1, len(sizes)), loss.reshape(-1, len(sizes))
        own = measure.ravel() @ flat[0] + (measure * p[:, :, 0]).ravel() @ (flat[0] * flat[1])
        every = (flat[0] @ weights.T) * (measure * p[:, :, 0]).reshape(-1, 1)
        values += weights * own - every.T @ flat[1]
    return np.asarray(values / total ** (1.0 / order))


@lru_cache(maxsize=64)
def _nodes(size: int) -> tuple[Values, Values]:
    """Return nodes and weights of the Gauss-Legendre rule on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(size)
    return (nodes + 1.0) / 2.0, weights / 2.0
