"""How much an output changes while the players of one example are removed, most important first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Values = Callable[[Bools], Matrix]
"""From the players that are present, (M, P), to the outputs of the example, (M, K)."""

MEASURES = ("comprehensiveness", "sufficiency", "deletion_auc")
LEAVE_ONE_OUT, RANDOM = "leave one out", "random"
STEPS = 20
"""Parts into which the players are divided for the area under the curve."""


class DeletionSettings(NamedTuple):
    """How rankings are measured: the share of players removed, and the number of random orders."""

    share: float = 0.2
    n_random: int = 10
    of_classes: bool = False
    """Whether outputs are those of classes, of which an example may have a single one; otherwise one is a regression."""
    most_players: int = 2000
    """Most players for which each is left out once."""


def measure_rankings(
    values: Values,
    scores: Mapping[str, Matrix],
    rng: np.random.Generator,
    settings: DeletionSettings,
    unsigned: Collection[str] = (),
) -> dict[str, Matrix]:
    """Measure rankings of the players of one example, beside leaving one out and random orders.

    The output is the largest one; of a regression, the output in the direction in which the players move it.

    Parameters
    ----------
    values : callable
        Outputs of the example for the players present.
    scores : mapping of str to ndarray of shape (K, P)
        Names of the rankings, and the importance of each player for each output; (1, P) is the same for all outputs.
    rng : Generator
    settings : DeletionSettings
    unsigned : collection of str
        Rankings whose importance has no sign, such as attention.

    Returns
    -------
    dict of str to ndarray of shape (3,)
        The measures in `MEASURES` of each ranking, then those of `LEAVE_ONE_OUT`, where there are not too many players,
        and `RANDOM`.
    """
    n_players = next(iter(scores.values())).shape[1]
    ends = values(np.array([np.ones(n_players, np.bool_), np.zeros(n_players, np.bool_)]))
    output = int(ends[0].argmax())
    may_fall = ends.shape[1] == 1 and not settings.of_classes
    sign = -1.0 if may_fall and ends[0, 0] < ends[1, 0] else 1.0

    def of(present: Bools) -> Matrix:
        return sign * values(present)[:, output]

    full = sign * float(ends[0, output])
    orders = {
        name: [_order((1.0 if name in unsigned else sign) * each[output if len(each) > 1 else 0])]
        for name, each in scores.items()
    }
    if n_players <= settings.most_players:
        orders[LEAVE_ONE_OUT] = [_order(full - of(~np.eye(n_players, dtype=np.bool_)))]
    orders[RANDOM] = [rng.permutation(n_players) for _ in range(settings.n_random)]
    every = [order for some in orders.values() for order in some]
    masks = np.concatenate([_masks(order, settings.share) for order in every])
    measured = iter(_measures(part, full, n_players) for part in np.split(of(masks), len(every)))
    return {name: np.mean([next(measured) for _ in some], axis=0) for name, some in orders.items()}


def _order(scores: Matrix) -> npt.NDArray[np.intp]:
    return np.argsort(-scores, kind="stable")


def _counts(n_players: int) -> npt.NDArray[np.intp]:
    """Return how many players are removed at each point of the curve."""
    return np.unique(np.round(np.linspace(0, n_players, min(n_players, STEPS) + 1)).astype(np.intp))


def _masks(order: npt.NDArray[np.intp], share: float) -> Bools:
    """Return the coalitions without the first `share` of an order, with these alone, and along the curve."""
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    first = max(1, round(share * len(order)))
    curve = rank >= _counts(len(order))[:, None]
    return np.concatenate([[rank >= first, rank < first], curve])


def _measures(outputs: Matrix, full: float, n_players: int) -> Matrix:
    removed = _counts(n_players) / n_players
    area = float((outputs[2:-1] + outputs[3:]) @ np.diff(removed)) / 2.0
    return np.array([full - outputs[0], full - outputs[1], area])
