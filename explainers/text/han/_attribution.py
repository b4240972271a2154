"""Importance of the words of one text: contributions along a path of word vectors, and attention."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.neural._path import path_contributions
from automl_explain.explainers.text.han._surrogate import Matrix, Surrogate
from automl_explain.explainers.text.han._vocabulary import NumberedText

INTERVALS = 8
"""Intervals of the path from absent words to the text."""


class WordImportance(NamedTuple):
    """Importance of the P distinct words of a text.

    Parameters
    ----------
    signed : ndarray, shape (K, P)
        Contributions to the outputs of the network; `base` plus their sum is its output for the text.
    attention : ndarray, shape (P,)
        Attention, which sums to 1; zeros for a text without words.
    base : ndarray, shape (K,)
        Output of the network if all words are absent.
    """

    signed: Matrix
    attention: Matrix
    base: Matrix


def word_importance(surrogate: Surrogate, text: NumberedText, n_players: int) -> WordImportance:
    """Return the importance of the distinct words of a text to a network, both ways.

    Signed importance is the gradient by the words' vectors, integrated along the straight path from absent words, which are
    zero, to the text; a word that occurs several times has the sum. What the intervals miss is shared in proportion, so that
    the contributions add up.

    Parameters
    ----------
    surrogate : Surrogate
    text : NumberedText
    n_players : int
        Number of distinct words P.
    """
    network, words = surrogate.over_vectors(text), surrogate.word_vectors(text).reshape(1, -1)
    points = np.linspace(0.0, 1.0, INTERVALS + 1)[:, None] * words
    base = network.outputs(points[:1])[0]
    part = path_contributions(network, points[1:], points[:-1], 1).values.sum(axis=1)  # all intervals at once
    by_word = part.reshape(len(part), len(text.numbers), -1).sum(axis=2)
    signed = np.array([_by_player(each, text.players, n_players) for each in by_word])
    return WordImportance(signed, _by_player(surrogate.attention(text), text.players, n_players), base)


def _by_player(values: Matrix, players: npt.NDArray[np.int64], n_players: int) -> Matrix:
    known = players >= 0
    return np.asarray(np.bincount(players[known], values[known], n_players)[:n_players].astype(np.float64))
