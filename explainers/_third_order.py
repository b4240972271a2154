"""A control variate for sampled Shapley values: the part of a game with interactions of up to three players.

Pairs of complementary coalitions cancel all interactions of even order, so a game is fitted on the odd functions
``g(S) = (v(S) - v(N - S)) / 2``: with players coded as +1 and -1, products of one and of three. A prior variance in
place of the triples' coefficients makes that a kernel method, whose cost depends on the number of pairs and not on that
of the triples. The Shapley values of the fit are known; the sampled estimate is needed only for what the fit leaves
over, and stays consistent whatever the game is.

Sources: interactions in KernelSHAP, arXiv:2601.18608; regression-adjusted estimates, arXiv:2506.11849.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.float64]

MOST_FITTED = 1536
"""Pairs that the fit reads; its cost grows with their cube."""
LEFT_OVER = 0.03
"""Variance of what three players do not explain, as a share of the prior variance of all triples."""


def adjusted(half: npt.NDArray[np.bool_], estimate: Map, grand: Map) -> tuple[Map, Map]:
    """Return a linear estimate from pairs of coalitions with the third-order fit as its control variate.

    Parameters
    ----------
    half : ndarray of bool, shape (n, P)
        One coalition of each pair.
    estimate : ndarray, shape (P, n)
        Map from g of the coalitions to Shapley values, exact for additive games.
    grand : ndarray, shape (P,)
        The same for g of the grand coalition.

    Returns
    -------
    tuple of ndarray
        The adjusted `estimate` and `grand`.
    """
    n, n_players = half.shape
    kept = np.arange(n) if n <= MOST_FITTED else np.linspace(0, n - 1, MOST_FITTED).astype(np.intp)
    signs = np.vstack([2.0 * half - 1.0, np.ones(n_players)])
    fitted = signs[np.append(kept, n)]
    noise = np.full(len(fitted), LEFT_OVER * n_players * (n_players - 1) * (n_players - 2) / 6.0 + 1e-6)
    noise[-1] = 1e-6  # the grand coalition is met exactly: its value is no sample
    gram = _covariance(fitted, fitted) + np.diag(noise)
    # The Shapley values of a product of three signs: two thirds to each; summed over the triples of a player.
    others = fitted.sum(axis=1)[:, None] - fitted
    shapley = (2.0 / 3.0) * (fitted * ((others**2 - (n_players - 1)) / 2.0)).T
    whole = np.column_stack([estimate, grand])
    left = shapley - whole @ _covariance(signs, fitted)
    solved = np.linalg.solve(gram, np.hstack([left.T, fitted]))
    correction, of_players = solved[:, :n_players].T, solved[:, n_players:]
    # Players' own coefficients are free: the correction does not see them.
    own = np.linalg.pinv(fitted.T @ of_players, hermitian=True)
    correction = correction - correction @ fitted @ own @ of_players.T
    whole[:, np.append(kept, n)] += correction
    return whole[:, :-1], whole[:, -1]


def _covariance(a: Map, b: Map) -> Map:
    """Prior covariance of g between coalitions in signs: a product of three signs, summed over all triples."""
    together = a @ b.T
    return np.asarray(together * (together**2 - (3 * a.shape[1] - 2)) / 6.0)
