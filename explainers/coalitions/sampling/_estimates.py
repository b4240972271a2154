"""Shapley values and standard errors from the outputs of a design's coalitions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from automl_explain.explainers.coalitions.sampling._coalition_sampling import Design
from automl_explain.explainers.coalitions.sampling._index_models import OF_CHANGES, IndexColumns, IndexFit
from automl_explain.explainers.compiled._arrays import Floats, Values
from automl_explain.explainers.compiled._thread_pools import one_thread_per_product

MOST_OUTPUTS = 8
"""Outputs of a row to which index models are fitted, those that vary most."""
SAME = 1e-6
"""Rounding errors of probabilities: how far they may lie outside of 0 to 1, and the sum of two from 1."""
ROUNDING = 1e-12
"""Standard errors, relative to the values, below which there is nothing to reduce."""


def estimates(design: Design, known: Values, full: Values) -> tuple[Values, Values]:
    """Return values and standard errors, each (K, n, P), of the design's estimate with the smallest standard errors.

    Parameters
    ----------
    design : Design
    known : ndarray, shape (K, m, n)
        Outputs of the coalitions minus those of the empty one.
    full : ndarray, shape (K, n, 1)
        The same of the grand coalition.
    """

    def attribution(estimate: Values, share: Values) -> Values:
        return np.asarray((estimate @ known).transpose(0, 2, 1) + share * full)

    values = attribution(design.estimate, design.share)
    errors = np.zeros_like(values)
    if design.exact:
        return values, errors
    least = np.inf
    for other in (design, *design.others):
        own = _spread(other, [attribution(estimate, share) for estimate, share in other.blocks])
        total = (own**2).sum(axis=-1, keepdims=True)
        better, least = total < least, np.minimum(total, least)
        values = np.where(better, attribution(other.estimate, other.share), values)
        errors = np.where(better, own, errors)
    return values, errors


def with_index_models(
    design: Design, known: Values, full: Values, base: Floats, found: tuple[Values, Values], *, is_probability: bool
) -> tuple[Values, Values]:
    """Return values and standard errors with index models as control variates, where their standard errors are smaller.

    Parameters
    ----------
    design, known, full
        As in `estimates`, whose result is `found`.
    base : ndarray, shape (K,)
        Outputs of the empty coalition.
    found : tuple of ndarray
    is_probability : bool
        Whether the outputs are probabilities, so that a logistic function may tell them.
    """
    values, errors = (part.copy() for part in found)
    n_outputs, _, n_rows = known.shape
    ends = np.array([[True], [False]]).repeat(design.coalitions.shape[1], axis=1)
    columns = IndexColumns.of(np.vstack([design.coalitions, ends]))
    mirrored = np.zeros(n_rows, bool)
    if n_outputs == 2:
        mirrored = np.abs(known[0] + known[1]).max(axis=0) <= SAME
    varies = known.var(axis=1)
    order = np.argsort(-varies, axis=0, kind="stable")[:MOST_OUTPUTS]
    with one_thread_per_product():
        games = []
        for row in range(n_rows):
            fitted = [0] if mirrored[row] else order[:, row].tolist()
            for k in (k for k in fitted if varies[k, row] > 0.0):
                outputs = base[k] + np.append(known[k, :, row], [full[k, row, 0], 0.0])
                inside = -SAME <= outputs.min() <= outputs.max() <= 1.0 + SAME
                fit = IndexFit(columns, outputs, is_logistic=is_probability and bool(inside))
                games.append(_FittedGame(k, row, outputs, fit, outputs - fit.model.fitted(columns)))
        for game, same in zip(games, _spreads_of_rests(design, games), strict=True):
            at = game.output, game.row
            least, size = (float((part[at] ** 2).sum()) for part in (errors, values))
            if least > ROUNDING**2 * size and min(float((one**2).sum()) for one in same) < least:
                own = _of_game(design, columns, game, same)
                if (own[1] ** 2).sum() < least:
                    values[at], errors[at] = own
    values[1:, mirrored] = full[:, mirrored].sum(axis=0) / values.shape[2] - values[:1, mirrored]
    errors[1:, mirrored] = errors[:1, mirrored]
    return values, errors


@dataclass(frozen=True, eq=False)
class _FittedGame:
    """An index model fitted to one output of a row.

    Parameters
    ----------
    output, row : int
    outputs : ndarray, shape (m + 2,)
        Outputs of the coalitions, the last two those of the grand and the empty one.
    fit : IndexFit
    rest : ndarray, shape (m + 2,)
        What the model leaves of them.
    """

    output: int
    row: int
    outputs: Floats
    fit: IndexFit
    rest: Floats


def _spreads_of_rests(design: Design, games: Sequence[_FittedGame]) -> Iterator[tuple[Floats, ...]]:
    """Yield, for each game, the standard errors of what its model leaves, by each estimate of the design.

    The estimate's standard errors are at least these: if they are no smaller than without a model, nothing more is computed.
    """
    if games:
        rests = np.stack([game.rest for game in games], axis=1)
        found = [
            _spread(each, [_of_rest(estimate, share[:, None], rests) for estimate, share in each.blocks])
            for each in (design, *design.others)
        ]
        yield from zip(*(own.T for own in found), strict=True)


def _of_game(
    design: Design, columns: IndexColumns, game: _FittedGame, same: tuple[Floats, ...]
) -> tuple[Floats, Floats]:
    """Return the values and standard errors, (P,), of a game.

    The standard errors are those with a model fitted again without each block, or with the same model for all blocks, whichever
    is larger: the first know that the model is fitted to few outputs, the second, `same`, what it leaves. Those of the model's
    own values come on top.
    """
    model = game.fit.model
    of_model, of_walks = model.shapley_values()
    rough, _ = model.shapley_values(OF_CHANGES)
    left_out = [np.append(~estimate.any(axis=0), [False, False]) for estimate, _ in design.blocks]
    parts = [
        (game.outputs - other.fitted(columns), other.shapley_values(OF_CHANGES)[0] - rough)
        for other in game.fit.without(left_out)
    ]
    found = []
    for each, of_same in zip((design, *design.others), same, strict=True):
        again = [_of_rest(*block, own) + change for block, (own, change) in zip(each.blocks, parts, strict=True)]
        errors = np.hypot(np.maximum(_spread(each, again), of_same), of_walks)
        found.append((_of_rest(each.estimate, each.share, game.rest) + of_model, errors))
    return min(found, key=lambda one: float((one[1] ** 2).sum()))


def _of_rest(estimate: Floats, share: Floats, rest: Floats) -> Floats:
    """Return the estimate of what a model leaves of the outputs, the last two of which are the grand and the empty one."""
    return np.asarray(estimate @ (rest[:-2] - rest[-1]) + share * (rest[-2] - rest[-1]))


def _spread(design: Design, left_out: Sequence[Values]) -> Values:
    """Return the standard errors of the delete-a-group jackknife from the estimates without each block."""
    n_blocks, every = len(left_out), np.stack(left_out)
    return np.asarray(
        design.inflation * np.sqrt((n_blocks - 1) / n_blocks * ((every - every.mean(axis=0)) ** 2).sum(axis=0))
    )
