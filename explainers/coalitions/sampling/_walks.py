"""Walks: antithetic permutations of the players, a different one for each background row.

A walk adds the players one by one in a random order, and then in the reverse order. The steps of a player in the two halves
are its marginal contributions to two opposite coalitions. Their mean is an unbiased estimate of its Shapley value in the game
with one background row, without any error from interactions of two players. Each background row has walks of its own, so that
the errors of different background rows are independent. The steps of a walk add up to the difference of the two outputs.

Sources: Castro, Gomez and Tejada, "Polynomial calculation of the Shapley value based on sampling", 2009,
doi:10.1016/j.cor.2008.04.004, for permutations; Mitchell et al., "Sampling permutations for Shapley value estimation",
arXiv:2104.12199, for antithetic ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from automl_explain.explainers.compiled._arrays import Bools, Floats, Longs, Values

PRIOR_FREE = 4.0
"""Degrees of freedom that the halves of walks count for in standard errors, beside those of the spread between walks."""


@dataclass(frozen=True, eq=False)
class Walks:
    """Walks with b background rows, k with each.

    Parameters
    ----------
    place : ndarray of int, shape (b, k, P)
        Position of each player in the order of each walk.
    cuts : ndarray of int, shape (c,)
        Numbers of players, from 1 to P - 1, after which the model is evaluated; all of them in a complete walk. The
        players between two cuts share the step equally.
    """

    place: Longs
    cuts: Longs

    @property
    def n_players(self) -> int:
        """Number of players P."""
        return int(self.place.shape[2])

    def coalitions(self) -> Bools:
        """Return the coalitions with each background row, (b, m, P) with m = 2 + 2 k c.

        They are the grand coalition, the empty one, and for each walk the first players up to each cut, and the players
        after each cut.
        """
        b, k, n_players = self.place.shape
        out = np.empty((b, 2 + 2 * k * len(self.cuts), n_players), np.bool_)
        out[:, 0], out[:, 1] = True, False
        walks = out[:, 2:].reshape(b, k, 2, len(self.cuts), n_players)
        np.less(self.place[:, :, None], self.cuts[:, None], out=walks[:, :, 0])
        np.logical_not(walks[:, :, 0], out=walks[:, :, 1])
        return out

    def steps(self, outputs: Values) -> tuple[Values, Values]:
        """Return the marginal contributions of the players in the two halves of each walk, each (K, n, b, k, P).

        Parameters
        ----------
        outputs : ndarray, shape (K, n, b, m)
            Outputs of the coalitions.
        """
        b, k, n_players = self.place.shape
        shape = outputs.shape[:2]
        whole, empty = (outputs[..., end][..., None, None] for end in (0, 1))
        halves = outputs[..., 2:].reshape(*shape, b, k, 2, len(self.cuts))
        ends = np.broadcast_to(whole, (*shape, b, k, 1)), np.broadcast_to(empty, (*shape, b, k, 1))
        sizes = np.diff(np.concatenate([[0], self.cuts, [n_players]]))
        step_of = np.repeat(np.arange(len(sizes)), sizes)[self.place]
        found = []
        for half, (first, last) in zip((halves[..., 0, :], halves[..., 1, :]), (ends[::-1], ends), strict=True):
            steps = np.diff(np.concatenate([first, half, last], axis=-1), axis=-1) / sizes
            found.append(np.take_along_axis(steps, np.broadcast_to(step_of, (*shape, *step_of.shape)), axis=-1))
        return found[0], -found[1]


def draw_walks(n_players: int, others: range, rounds: range, cuts: Longs, random_state: int) -> Walks:
    """Draw the walks of some rounds with some background rows; a round has one walk with each background row.

    Each walk has a random stream of its own, so that it does not depend on what else is drawn.
    """
    place = np.empty((len(others), len(rounds), n_players), np.int64)
    for b, other in enumerate(others):
        for k, number in enumerate(rounds):
            order = np.random.default_rng([random_state, number, other]).permutation(n_players)
            place[b, k, order] = np.arange(n_players)
    return Walks(place, cuts)


@dataclass(frozen=True, eq=False)
class WalkPlan:
    """The walks of one stage, in groups that are evaluated together.

    Parameters
    ----------
    n_players : int
    n_all : int
        Number of background rows.
    n_others : int
        Number of background rows that take part.
    rounds : range
        Numbers of the rounds; a round is one walk with each background row that takes part.
    extra : int
        Number of background rows with one more walk.
    cuts : ndarray of int, shape (c,)
        As in `Walks`.
    at_once : int
        Most coalitions, over all background rows, in a group.
    random_state : int
    """

    n_players: int
    n_all: int
    n_others: int
    rounds: range
    extra: int
    cuts: Longs
    at_once: int
    random_state: int

    @property
    def complete(self) -> bool:
        """Whether each player has a step of its own."""
        return len(self.cuts) == self.n_players - 1

    def groups(self) -> Iterator[tuple[range, range]]:
        """Yield background rows and rounds; any first groups are spread over the background, which may be sorted."""
        more = range(self.rounds.start, self.rounds.stop + 1)
        for begin, end, rounds in ((0, self.extra, more), (self.extra, self.n_all, self.rounds)):
            step = max(1, self.at_once // (2 * max(1, len(self.cuts)) * len(rounds)))
            if self.n_others < self.n_all:
                step = 1
            starts = range(begin, end, step)
            n_bits = len(starts).bit_length()
            order = sorted(range(len(starts)), key=lambda i: int(f"{i:0{n_bits}b}"[::-1], 2))
            for i in order[: self.n_others]:
                yield range(starts[i], min(starts[i] + step, end)), rounds


def cuts_of(n_players: int, most: int | None = None) -> Longs:
    """Return the cuts of complete walks, or at most `most` cuts at equal distances."""
    n = n_players - 1 if most is None else max(1, min(most, n_players - 1))
    if n_players < 2:
        return np.empty(0, np.int64)
    return np.unique(np.rint(np.arange(1, n + 1) * n_players / (n + 1)).astype(np.int64))


@dataclass(frozen=True, eq=False)
class WalkSums:
    """What walks say about the Shapley values of n rows; sums over background rows, of which some may be missing.

    Parameters
    ----------
    share : float
        Sum of the shares of the background rows.
    whole : ndarray, shape (K, n)
        Outputs of the grand coalition, times the shares.
    values : ndarray, shape (K, n, P)
        Mean contributions in the walks with each background row, times the shares.
    squares : ndarray, shape (K, n, P)
        Squares of these means, times the shares, for their spread between background rows.
    drift : ndarray, shape (K, n, P)
        Variance of `values`, estimated from the differences between the halves of walks.
    within : ndarray, shape (K, n, P)
        Variance of `values`, estimated from walks with the same background row, where there are several.
    weights : ndarray, shape (2,)
        Squared shares over numbers of walks: of the background rows with several walks, and of all.
    n_free : int
        Degrees of freedom of `within`.
    n_others, n_walks : int
        Number of background rows, and of all walks.
    """

    share: float
    whole: Values
    values: Values
    squares: Values
    drift: Values
    within: Values
    weights: Floats
    n_free: int
    n_others: int
    n_walks: int

    @classmethod
    def of(cls, walks: Walks, outputs: Values, share: Floats) -> WalkSums:
        """Return the sums for walks whose coalitions have these outputs, (K, n, b, m); `share` (b,) is of their rows."""
        forward, backward = walks.steps(outputs)
        mean, half = (forward + backward) / 2.0, (forward - backward) / 2.0
        b, k = walks.place.shape[:2]
        of_other = mean.mean(axis=3)
        weight = float(np.sum(share**2)) / k

        def total(each: Values, weights: Floats) -> Values:
            return np.asarray(np.einsum("kn...b,b->kn...", np.moveaxis(each, 2, -1), weights))

        return cls(
            share=float(share.sum()),
            whole=total(outputs[..., 0], share),
            values=total(of_other, share),
            squares=total(of_other**2, share),
            drift=total((half**2).mean(axis=3), share**2 / k),
            within=total(mean.var(axis=3, ddof=1), share**2 / k) if k > 1 else np.zeros(of_other[:, :, 0].shape),
            weights=np.array([weight if k > 1 else 0.0, weight]),
            n_free=b * (k - 1),
            n_others=b,
            n_walks=b * k,
        )

    def __add__(self, more: WalkSums) -> WalkSums:
        """Return the sums over the background rows of both."""
        return WalkSums(**{name: own + vars(more)[name] for name, own in vars(self).items()})

    def joined(self, more: WalkSums) -> WalkSums:
        """Return the mean of the sums of two sets of walks with the same background rows, weighted by numbers of walks."""
        a, b = self.n_walks / (self.n_walks + more.n_walks), more.n_walks / (self.n_walks + more.n_walks)
        return WalkSums(
            share=a * self.share + b * more.share,
            whole=a * self.whole + b * more.whole,
            values=a * self.values + b * more.values,
            squares=a * self.squares + b * more.squares,
            drift=a**2 * self.drift + b**2 * more.drift,
            within=a**2 * self.within + b**2 * more.within,
            weights=a**2 * self.weights + b**2 * more.weights,
            n_free=self.n_free + more.n_free,
            n_others=self.n_others,
            n_walks=self.n_walks + more.n_walks,
        )

    def estimate(self, base_values: Floats, n_all: int, n_shared: float) -> tuple[Values, Values]:
        """Return Shapley values and their standard errors, each (K, n, P).

        Parameters
        ----------
        base_values : ndarray, shape (K,)
            Mean outputs of all background rows. If some are missing, the values miss the sum that they should have. The gap
            is shared out in proportion to the variances.
        n_all : int
            Number of all background rows.
        n_shared : float
            Players per step; 1 in complete walks.
        """
        values = self.values / self.share
        variance = self._variance(values, n_all, n_shared)
        return added_up(values, variance, self.whole / self.share - base_values[:, None]), np.sqrt(variance)

    def _variance(self, values: Values, n_all: int, n_shared: float) -> Values:
        """Return the variances of the values.

        The halves of a walk differ by all interactions, their mean only by those of three or more players, so that they give
        an upper bound. Where background rows have several walks, its level is corrected by the spread between these. Half of
        the bound is its mean over the players: with few walks, a player may have interactions that none of them has met.
        If g players share a step, its square is about g times that of a player.
        """
        drift, within = self.drift / self.share**2, self.within / self.share**2
        if self.n_free:
            within = within * (self.weights[1] / self.weights[0])
        spread = np.maximum(self.squares / self.share - values**2, 0.0) / max(self.n_others - 1, 1)
        if n_shared > 1.0:  # the share of a step says little about a single player
            alone = n_shared * (self.squares / self.share + within).mean(axis=-1, keepdims=True)
            return np.asarray(alone + (spread if self.n_others > 1 else within))
        level = np.ones((*drift.shape[:2], 1))
        if self.n_free:
            by_walk, by_half = (part.sum(axis=-1, keepdims=True) for part in (within, drift))
            level = np.divide(by_walk, by_half, out=level, where=by_half > 0.0)
            level = (self.n_free * level + 1.0) / (self.n_free + 1.0)
        bound = level * (drift + drift.mean(axis=-1, keepdims=True)) / 2.0
        variance = (self.n_free * within + PRIOR_FREE * bound) / (self.n_free + PRIOR_FREE)
        return np.asarray(variance + (1.0 - self.n_others / n_all) * spread)


def added_up(values: Values, variance: Values, total: Values) -> Values:
    """Return values (..., P) that add up to `total` (...): what is missing is shared out in proportion to their variances."""
    sums = variance.sum(axis=-1, keepdims=True)
    part = np.divide(variance, sums, out=np.full_like(variance, 1.0 / variance.shape[-1]), where=sums > 0.0)
    return np.asarray(values + part * (total - values.sum(axis=-1))[..., None])
