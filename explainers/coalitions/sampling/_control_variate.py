"""A control variate for sampled Shapley values: the part of a game with interactions of up to three players.

Pairs of complementary coalitions cancel all interactions of even order, so the game is fitted to the odd part
``g(S) = (v(S) - v(N - S)) / 2``. With players coded as +1 and -1, the features are products of one and of three players.
A prior variance for the coefficients of the triples makes this a kernel method: its cost depends on the number of pairs,
not on that of the triples. The Shapley values of the fit are known, so sampling is needed only for the residual, and the
estimate stays consistent for any game.

Sources: interactions in KernelSHAP, arXiv:2601.18608; regression-adjusted estimates, arXiv:2506.11849.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from scipy.linalg import lapack

from automl_explain.explainers.compiled._arrays import Bools, Floats

MOST_FITTED = 1536
"""Most pairs used for the fit, whose cost grows with their cube."""
CHUNK = 4096
"""Coalitions compared with the fitted ones at a time."""
LEFT_OVER = 0.03
"""Variance of interactions of higher order in most games; see `ThirdOrderFit`."""


class ThirdOrderFit:
    """The fit to pairs of coalitions, with which linear estimates are corrected.

    Parameters
    ----------
    half : ndarray of bool, shape (n, P)
        One coalition of each pair.
    left_over : float
        Variance of interactions of higher order, as a share of the prior variance of all triples.
    """

    def __init__(self, half: Bools, left_over: float = LEFT_OVER) -> None:
        n, self._n_players = half.shape
        kept = np.arange(n) if n <= MOST_FITTED else np.linspace(0, n - 1, MOST_FITTED).astype(np.intp)
        self._kept = np.append(kept, n)
        self._signs = np.vstack([2.0 * half - 1.0, np.ones(self._n_players)])
        self._fitted = self._signs[self._kept]
        n_triples = self._n_players * (self._n_players - 1) * (self._n_players - 2) / 6.0
        noise = np.full(len(self._fitted), left_over * n_triples + 1e-6)
        noise[-1] = 1e-6  # the value of the grand coalition is exact, not sampled
        factor, _ = lapack.dpotrf(_covariance(self._fitted, self._fitted) + np.diag(noise), lower=1)
        lower = np.tril(lapack.dpotri(factor, lower=1)[0])
        self._inverse = lower + np.tril(lower, -1).T
        # Used once per left-out block; kept if it takes little memory.
        self._known = list(self._computed()) if n < CHUNK else None

    def _covariances(self) -> Iterable[tuple[slice, Floats]]:
        """Return slices of all pairs, and their covariance with the fitted pairs."""
        return self._computed() if self._known is None else self._known

    def _computed(self) -> Iterator[tuple[slice, Floats]]:
        for start in range(0, len(self._signs), CHUNK):
            part = slice(start, start + CHUNK)
            yield part, _covariance(self._fitted, self._signs[part])

    def adjusted(self, estimate: Floats, grand: Floats, left_out: Bools) -> tuple[Floats, Floats]:
        """Return a linear estimate with the fit as its control variate.

        Parameters
        ----------
        estimate : ndarray, shape (P, n)
            Map from g of the coalitions to Shapley values, exact for additive games; 0 for the pairs left out.
        grand : ndarray, shape (P,)
            The same for g of the grand coalition.
        left_out : ndarray of bool, shape (n,)
            Pairs that the fit must not use.

        Returns
        -------
        tuple of ndarray
            The adjusted `estimate` and `grand`.
        """
        whole, out = np.column_stack([estimate, grand]), np.append(left_out, False)[self._kept]
        fitted = np.where(out[:, None], 0.0, self._fitted)
        # The Shapley value of a product of three signs is two thirds for each; summed over the triples of a player.
        others = fitted.sum(axis=1)[:, None] - fitted
        left = (2.0 / 3.0) * (fitted * ((others**2 - (self._n_players - 1)) / 2.0))
        for part, covariance in self._covariances():
            left -= np.where(out[:, None], 0.0, covariance @ whole[:, part].T)
        solved = self._inverse @ np.hstack([left, fitted])
        if out.any():  # the inverse without the left-out pairs, computed from the whole inverse
            inside = np.linalg.solve(self._inverse[np.ix_(out, out)], solved[out])
            solved -= self._inverse[:, out] @ inside
        correction, of_players = solved[:, : self._n_players].T, solved[:, self._n_players :]
        # The coefficients of single players are unpenalized, so the correction must not contain them.
        own = np.linalg.pinv(fitted.T @ of_players, hermitian=True)
        whole[:, self._kept] += correction - correction @ fitted @ own @ of_players.T
        return whole[:, :-1], whole[:, -1]


def _covariance(a: Floats, b: Floats) -> Floats:
    """Return the prior covariance of g between coalitions in signs: products of three signs, summed over all triples."""
    together = a @ b.T
    return np.asarray(together * (together**2 - (3 * a.shape[1] - 2)) / 6.0)
