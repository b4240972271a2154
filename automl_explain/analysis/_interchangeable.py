"""Features that replace each other in good models, found by a permutation test over the runs of a search.

The shares of a run add up to 1, so that two shares fall and rise against each other even if models use the features
independently. The test therefore compares each of the two with the importance of all other features. Runs of one learner,
or of neighbouring configurations, can have importances that move together for reasons of their own. Only features that
carry the same information can replace each other, so their columns must depend on each other as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from automl_explain.explainers.tables._table import Table

Values = npt.NDArray[np.float64]

FEWEST_RUNS = 8
"""Least number of near-best runs that are tested."""
LEAST_RANGE = 0.05
"""Least range of the share of a feature that is tested."""
STEADY = 0.5
"""Largest standard deviation of the sum of two shares, relative to the smaller of their own."""
LEAST_DEPENDENCE = 0.3
"""Least rank correlation of two columns that may carry the same information."""
SURE = 4.0
"""Standard errors from 0 that this correlation must be away."""
PERMUTATIONS = 999
"""Permutations of the runs."""
LEVEL = 0.05
"""Probability of naming any pair if no features replace each other."""
ROUNDING = 1e-9
"""Difference of two rank correlations that is due to rounding."""
MOST_FEATURES = 30
"""Features with the largest shares, of which pairs are tested."""


def find_interchangeable(shares: Values, groups: Sequence[str], columns: Table | None) -> list[tuple[int, int]]:
    """Return pairs of features that replace each other in near-best runs, the surest first.

    Parameters
    ----------
    shares : ndarray, shape (r, f)
        Importance in each near-best run, adding up to 1.
    groups : sequence of str
        Learner of each run; runs are permuted and compared within it.
    columns : Table or None
        Rows with the f features. None: their dependence is not known, and no pair is found.
    """
    if len(shares) < FEWEST_RUNS or columns is None or columns.n_columns != shares.shape[1]:
        return []
    ranges = np.flatnonzero(np.ptp(shares, axis=0) >= LEAST_RANGE)
    tested = ranges[np.argsort(-shares[:, ranges].mean(axis=0), kind="stable")][:MOST_FEATURES]
    pairs = [(a, b) for a, b in combinations(sorted(tested.tolist()), 2) if _rest(shares, a, b).min() > 0]
    if not pairs:
        return []
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    first, second = (
        np.array([_within(_ranks(shares[:, pair[side]] / _rest(shares, *pair)), codes) for pair in pairs])
        for side in (0, 1)
    )
    against = -(first * second).sum(axis=1)
    rng, beaten = np.random.default_rng(0), np.ones(len(pairs))
    for _ in range(PERMUTATIONS):  # the strongest of all pairs, so that the level holds for all of them together
        strongest = float((-(first * second[:, _shuffled(codes, rng)]).sum(axis=1)).max())
        beaten += strongest >= against - ROUNDING
    sure = beaten / (PERMUTATIONS + 1) <= LEVEL
    found = [
        (float(-against[place]), pair)
        for place, pair in enumerate(pairs)
        if sure[place] and _steady(shares, *pair) and _depend(columns, *pair)
    ]
    return [pair for _, pair in sorted(found)]


def _rest(shares: Values, a: int, b: int) -> Values:
    """Return the importance of all other features in each run."""
    return np.asarray(np.maximum(shares.sum(axis=1) - shares[:, a] - shares[:, b], 0.0))


def _ranks(values: Values) -> Values:
    return np.asarray(rankdata(values), dtype=np.float64)


def _within(ranks: Values, groups: npt.NDArray[np.intp]) -> Values:
    """Return ranks without the mean of their group, scaled to a length of 1."""
    centred = ranks - (np.bincount(groups, ranks) / np.bincount(groups))[groups]
    norm = float(np.linalg.norm(centred))
    return np.asarray(centred / norm if norm > 0 else centred)


def _shuffled(groups: npt.NDArray[np.intp], rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return the positions of the runs, permuted within each group."""
    order = np.arange(len(groups))
    for group in range(int(groups.max()) + 1):
        own = np.flatnonzero(groups == group)
        order[own] = rng.permutation(own)
    return order


def _steady(shares: Values, a: int, b: int) -> bool:
    spread = shares[:, [a, b]].std(axis=0).min()
    return bool((shares[:, a] + shares[:, b]).std() <= STEADY * spread)


def _depend(columns: Table, a: int, b: int) -> bool:
    """Return whether two columns depend on each other beyond doubt."""
    cells = columns.keep(np.array([a, b])).codes()
    known = cells[~np.isnan(cells).any(axis=1)]
    if len(known) < 3 or (np.ptp(known, axis=0) == 0).any():
        return False
    correlation = abs(float(np.corrcoef(rankdata(known, axis=0).T)[0, 1]))
    return bool(correlation >= max(LEAST_DEPENDENCE, SURE / np.sqrt(len(known) - 1)))
