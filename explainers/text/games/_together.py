"""Players that fill columns of counts together: words of one hash, or the occurrences of a word."""

from __future__ import annotations

from collections.abc import Callable
from math import comb
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from automl_explain.explainers.text._text_values import Values
from automl_explain.explainers.text.games._normalised import Group

Ints = npt.NDArray[np.intp]

MOST_TOGETHER = 8
"""Players of a group all of whose coalitions are looked at."""
MOST_ALIKE = 60
"""Players of a group of which only the number matters."""


class Sharing(NamedTuple):
    """Terms of one word each, by whether their player has its columns alone."""

    alone: Ints
    """The terms of players that share no column."""
    groups: tuple[Ints, ...]
    """The terms of each group of players that are connected by columns."""


def sharing(players: Ints, places: Ints, counts: Values, n_columns: int) -> Sharing | None:
    """Return how players share columns; None if a group has too many.

    Parameters
    ----------
    players, places : ndarray of int, shape (q,)
        The player and the column of each term.
    counts : ndarray, shape (q,)
        How often each term is in the text, with its sign.
    n_columns : int
    """
    if not len(players):
        return Sharing(np.empty(0, np.intp), ())
    n_nodes = n_columns + int(players.max()) + 1
    links = sparse.coo_matrix((np.ones(len(players)), (places, n_columns + players)), shape=(n_nodes, n_nodes))
    label = connected_components(links, directed=False)[1][places]
    pairs = np.unique(np.column_stack([label, players]), axis=0)
    size = np.bincount(pairs[:, 0])[label]
    groups = tuple(np.flatnonzero(label == one) for one in np.unique(label[size > 1]))
    for own in groups:
        most = MOST_ALIKE if _alike(players[own], places[own], counts[own]) else MOST_TOGETHER
        if size[own[0]] > most:
            return None
    return Sharing(np.flatnonzero(size == 1), groups)


def group_of(
    players: Ints, places: Ints, counts: Values, coef: Values, order: int, weigh: Callable[[Values], Values]
) -> Group:
    """Return a group from its terms.

    Parameters
    ----------
    players, places : ndarray of int, shape (q,)
        The player, from 0 to m - 1, and the column, from 0 to c - 1, of each term.
    counts : ndarray, shape (q,)
    coef : ndarray, shape (K, c)
        Coefficients of the columns.
    order : int
        Order of the norm.
    weigh : callable
        From counts (E, c) to the columns before the norm.
    """
    m = int(players.max()) + 1
    if _alike(players, places, counts):
        masks = np.tri(m + 1, m, -1)
        numbers = np.arange(m + 1)
        times = np.array([float(comb(m, s)) for s in numbers])
        holds = np.tile(times * numbers / m, (m, 1))
    else:
        masks = ((np.arange(2**m)[:, None] >> np.arange(m)) & 1).astype(float)
        numbers, times, holds = masks.sum(axis=1).astype(np.intp), np.ones(2**m), masks.T
    table = np.zeros((len(players), coef.shape[1]))
    table[np.arange(len(players)), places] = counts
    rows = weigh(masks[:, players] @ table)
    return Group(coef @ rows.T, (np.abs(rows) ** order).sum(axis=1), numbers, times, holds)


def sums_of_group(group: Group) -> Values:
    """Return the Shapley values (K, m) of a group if its columns are not normalised: of a game of its own."""
    m = len(group.holds)
    with_it = np.array([1.0 / (s * comb(m, s)) if s else 0.0 for s in group.numbers])
    without = np.array([1.0 / ((m - s) * comb(m, s)) if s < m else 0.0 for s in group.numbers])
    return np.asarray(group.weights @ (group.holds * with_it - (group.times - group.holds) * without).T)


def _alike(players: Ints, places: Ints, counts: Values) -> bool:
    """Whether each player has one term, all terms fill one column, and all are counted alike."""
    one_each = len(np.unique(players)) == len(players)
    return one_each and bool((places == places[0]).all() and (counts == counts[0]).all())
