"""Which coalitions are sampled: walks, or pairs with a regression, and what helps it. These rules alone decide."""

from __future__ import annotations

MOST_REGRESSED = 512
"""Most players for a regression, whose cost grows with their cube; that of walks is proportional to their number."""
WALKS_BELOW: tuple[tuple[int, int, float], ...] = (
    (1, 1, 5.0),
    (1, 8, 4.0),
    (17, 1, 8.0),
    (17, 8, 8.0),
    (17, 16, 10.0),
    (17, 40, 16.0),
    (17, 80, 24.0),
)
"""From this many players and background rows on, walks are used below this number of coalitions per player; the last row
that applies counts.

Walks have a smaller error if there are few coalitions: a player's error comes from its own interactions only, and each
background row has walks of its own, whose errors average out. With more coalitions, a regression with a control variate has
a smaller error, since it learns the interactions of up to three players, the sooner the fewer players there are.
`python -m tests.benchmarks.bench_small_budgets` compares their errors with those of other libraries.
"""
WALKS_BELOW_INDEXED = 4.0
"""The same for a regression with index models, the fewest coalitions per player of a regression."""
MOST_INDEXED = 200
"""Most players of an index model, whose cost grows with their square."""
OPERATIONS_PER_SECOND = 5e9
"""A low estimate of the speed of matrix products."""


def index_models_suit(n_players: int, n_background: int, *, predicted: bool) -> bool:
    """Return whether index models are fitted to the outputs of coalitions: if each is one prediction, and not computed faster."""
    return predicted and n_background == 1 and n_players <= MOST_INDEXED


def walks_suit(n_players: int, n_coalitions: int, n_background: int, *, indexed: bool = False) -> bool:
    """Return whether walks are used for this number of coalitions; a regression otherwise, with index models if `indexed`."""
    if n_players <= 24 and 2**n_players - 2 <= n_coalitions:
        return False  # the design has all coalitions
    below = [each for players, rows, each in WALKS_BELOW if n_players >= players and n_background >= rows][-1]
    below = WALKS_BELOW_INDEXED if indexed else below
    return n_players > MOST_REGRESSED or n_coalitions < below * n_players


def fewest_coalitions(n_players: int) -> int:
    """Return the number of coalitions of one round of walks, the fewest that are sampled."""
    return max(1, 2 * (n_players - 1))


def design_seconds(n_players: int, n_coalitions: int, n_fitted: int, n_solved: int) -> float:
    """Return an upper estimate of the time for making a design with a control variate fitted to `n_fitted` pairs.

    `n_solved` is the number of systems that are solved.
    """
    n_pairs, fitted = n_coalitions / 2, min(n_coalitions / 2, n_fitted)
    one = 25.0 * n_players**3 + 6.0 * n_pairs * n_players**2 + 4.0 * fitted**2 * n_players
    return (n_solved * one + 3.0 * fitted**3) / OPERATIONS_PER_SECOND


def index_seconds(n_players: int, n_coalitions: int, n_fits: int) -> float:
    """Return an upper estimate of the time for fitting index models to so many outputs of rows."""
    return n_fits * (25.0 * n_coalitions * n_players**2 + 8.0 * n_players**3 + 5e7) / OPERATIONS_PER_SECOND
