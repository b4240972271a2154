"""The coalitions that a model-agnostic Shapley estimate evaluates, and the linear map from their values to attributions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.coalitions.sampling._control_variate import MOST_FITTED, ThirdOrderFit
from automl_explain.explainers.compiled._arrays import Bools, Floats
from automl_explain.explainers.compiled._shapley_weights import pair_weights
from automl_explain.explainers.compiled._thread_pools import one_thread_per_product

Coalitions = npt.NDArray[np.bool_]
"""(m, P): one coalition per row, True where a player is present."""

KEPT_BYTES = 64 * 2**20
"""Largest design that is kept for the next explanation with the same number of players."""
MOST_COMPARED = 800
"""Most pairs for which several control variates are compared."""
ROUGHER = (0.3, 3.0)
"""Their assumptions on interactions of higher order, beside `LEFT_OVER`."""
N_BLOCKS = 8
"""Groups of coalition pairs of the delete-a-group jackknife."""


@dataclass(frozen=True, eq=False)
class Design:
    """Coalitions shared by all rows and outputs, and the map from their values to Shapley values.

    With ``v`` the values of the coalitions minus the value of the empty one, and ``full`` that of the grand coalition
    minus the empty one, the attribution is ``estimate @ v + share * full``.

    Parameters
    ----------
    coalitions : ndarray of bool, shape (m, P)
        Neither the empty nor the grand coalition.
    estimate : ndarray, shape (P, m)
    share : ndarray, shape (P,)
    blocks : tuple of (estimate, share)
        The same maps with one group of sampled pairs left out, for standard errors; empty when exact.
    inflation : float
        Factor by which their spread is multiplied: the fit has one unknown less than there are players, and so its
        residuals over n pairs vary less than the errors do.
    others : tuple of Design
        The same coalitions with other estimates, for games with more interactions of higher orders. For each row and
        output, the estimate with the smallest standard errors is used.
    """

    coalitions: Coalitions
    estimate: Floats
    share: Floats
    blocks: tuple[tuple[Floats, Floats], ...] = ()
    inflation: float = 1.0
    others: tuple[Design, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether the design has all coalitions, so that the values have no sampling error."""
        return not self.blocks


def make_design(n_players: int, n_coalitions: int, random_state: int) -> Design:
    """Make a design of about `n_coalitions` coalitions at most, and of at least 4 P.

    If all coalitions fit, the design has all of them, and the values are exact. Otherwise sizes 1 and P-1, 2 and P-2,
    ... share the budget equally, which is leverage score sampling. Sizes that fit are enumerated, the others are
    sampled without replacement, each coalition together with its complement.

    References
    ----------
    Covert and Lee, "Improving KernelSHAP", arXiv 2012.01536 (pairs); Musco and Witter, "Provably accurate Shapley value
    estimation via leverage score sampling", arXiv 2410.01917.
    """
    n_coalitions = max(n_coalitions, 4 * n_players)  # with fewer, the jackknife groups are too small
    make = _make_design if coalition_bytes(n_players) * n_coalitions <= KEPT_BYTES else _make_design.__wrapped__
    return make(n_players, n_coalitions, random_state)


def coalition_bytes(n_players: int) -> int:
    """Return the approximate memory of a coalition in a design: in its maps and in those with a block left out."""
    return 8 * n_players * (1 + N_BLOCKS) * 2


@lru_cache(maxsize=4)
def _make_design(n_players: int, n_coalitions: int, random_state: int) -> Design:
    if n_players <= 24 and 2**n_players - 2 <= n_coalitions:
        return _full_design(n_players)
    return _sampled_design(n_players, n_coalitions, random_state)


def _full_design(n_players: int) -> Design:
    numbers = np.arange(1, 2**n_players - 1, dtype=np.int64)
    coalitions = (numbers[:, None] >> np.arange(n_players)) & 1 == 1
    size, (gain, loss) = coalitions.sum(axis=1), pair_weights(n_players)
    joined, left = gain[size, n_players - size], loss[size, n_players - size]
    estimate = np.where(coalitions, joined[:, None], -left[:, None]).T
    return Design(coalitions, np.ascontiguousarray(estimate), np.full(n_players, 1.0 / n_players))


def _sampled_design(n_players: int, n_coalitions: int, random_state: int) -> Design:
    halves: list[Coalitions] = []
    weights: list[Floats] = []
    sampled: list[Bools] = []
    n_pairs = n_coalitions // 2
    sizes = list(range(1, n_players // 2 + 1))
    for position, size in enumerate(sizes):
        n_subsets = comb(n_players, size)
        middle = 2 * size == n_players
        n_available = n_subsets // 2 if middle else n_subsets
        share = max(1, (n_pairs - sum(len(half) for half in halves)) // (len(sizes) - position))
        if position == 0:
            share = max(share, n_players)
        enumerate_all = n_available <= share
        # One random stream per size, so that a larger design contains the coalitions of a smaller one.
        rng = np.random.default_rng([random_state, size])
        half = _all_subsets(n_players, size) if enumerate_all else _draw_subsets(n_players, size, share, rng)
        half = half[: len(half) // 2] if enumerate_all and middle else half
        # Shapley kernel mass of one size, (P-1)/(s(P-s)); a pair stands for two sizes, but for one at the middle.
        mass = (n_players - 1) / (size * (n_players - size)) / (2.0 if middle else 1.0)
        halves.append(half)
        weights.append(np.full(len(half), mass / len(half)))
        sampled.append(np.full(len(half), not enumerate_all))
    half, weight, is_sampled = np.vstack(halves), np.concatenate(weights), np.concatenate(sampled)
    block = np.full(len(half), -1)
    block[is_sampled] = np.random.default_rng(random_state).permutation(int(is_sampled.sum())) % N_BLOCKS
    with one_thread_per_product():
        kept = [weight, *(_without(weight, half, block, number) for number in range(N_BLOCKS))]
        regressions = [(*_regression(half, each), each == 0.0) for each in kept]
        coalitions, inflation = np.vstack([half, ~half]), np.sqrt(len(half) / (len(half) - n_players + 1))
        designs = []
        for fit in _fits(half):
            (estimate, share_full), *blocks = (_adjusted(*regression, fit) for regression in regressions)
            designs.append(Design(coalitions, estimate, share_full, tuple(blocks), inflation))
    return replace(designs[0], others=tuple(designs[1:]))


def _fits(half: Coalitions) -> Iterator[ThirdOrderFit | None]:
    """Yield control variates, the one for most games first; None is none.

    They differ in how much of a game is taken to be interactions of more than three players. Small samples have several,
    since the fits are small and the game is little known; large ones have one, and none beside it.
    """
    if 2 * half.shape[1] <= MOST_FITTED:
        yield ThirdOrderFit(half)
        if len(half) <= MOST_COMPARED:
            yield from (ThirdOrderFit(half, left_over) for left_over in ROUGHER)
    yield None


def _without(weight: Floats, half: Coalitions, block: npt.NDArray[np.intp], number: int) -> Floats:
    """Return the weights with one block left out and the others of each size scaled up to the mass of the size."""
    kept = np.where(block == number, 0.0, weight)
    size = half.sum(axis=1)
    mass, kept_mass = np.bincount(size, weight), np.bincount(size, kept)
    scale = np.divide(mass, kept_mass, out=np.zeros_like(mass), where=kept_mass > 0)
    return np.asarray(kept * scale[size])


def _regression(half: Coalitions, weight: Floats) -> tuple[Floats, Floats]:
    """Return the map from the odd part of a game, and from its value for the grand coalition, to Shapley values.

    This is weighted least squares under the constraint that the values sum to that of the grand coalition, which is
    linear in v. Players are coded as +1 and -1, so that only the odd part of the game enters.
    """
    signs = 2.0 * half - 1.0
    weighted = signs * weight[:, None]
    gram_inverse = np.linalg.pinv(signs.T @ weighted, hermitian=True)
    free = 2.0 * gram_inverse @ weighted.T
    ones = gram_inverse.sum(axis=1)
    ones /= ones.sum()
    return free - np.outer(ones, free.sum(axis=0)), 2.0 * ones


def _adjusted(odd: Floats, grand: Floats, left_out: Bools, fit: ThirdOrderFit | None) -> tuple[Floats, Floats]:
    """Return `Design.estimate` and `Design.share` of a regression with the third-order fit as its control variate."""
    if fit is None:
        odd, grand = odd.copy(), grand.copy()
    else:
        odd, grand = fit.adjusted(odd, grand, left_out)
    # With many players, rounding errors would make the sums miss the value of the grand coalition.
    odd -= odd.mean(axis=0)
    grand += (2.0 - grand.sum()) / len(grand)
    return np.hstack([odd, -odd]) / 2.0, grand / 2.0


def _all_subsets(n_players: int, size: int) -> Coalitions:
    chosen = np.array(list(combinations(range(n_players), size)), dtype=np.intp)
    subsets = np.zeros((len(chosen), n_players), dtype=bool)
    subsets[np.arange(len(chosen))[:, None], chosen] = True
    return subsets


def _draw_subsets(n_players: int, size: int, count: int, rng: np.random.Generator) -> Coalitions:
    """Draw distinct subsets of one size; for half of the players, no subset is the complement of another."""
    found: dict[bytes, Bools] = {}
    while len(found) < count:
        order = np.argsort(rng.random((2 * (count - len(found)) + 8, n_players)), axis=1)[:, :size]
        drawn = np.zeros((len(order), n_players), dtype=bool)
        drawn[np.arange(len(order))[:, None], order] = True
        if 2 * size == n_players:
            drawn[~drawn[:, 0]] = ~drawn[~drawn[:, 0]]
        for subset in drawn:
            found.setdefault(subset.tobytes(), subset)
    return np.array(list(found.values())[:count])
