"""How well sums of values describe the outputs of coalitions, which tells good approximations from bad ones."""

from __future__ import annotations

import numpy as np

from automl_explain.explainers.coalitions._game import Game
from automl_explain.explainers.compiled._arrays import Values
from automl_explain.explainers.methods._base import Question
from automl_explain.explainers.model._class_outputs import expand_binary
from automl_explain.explainers.tables._table import Table

PAIRS = 128
"""Coalitions that are drawn; each is evaluated together with its complement."""


def coalition_r2(question: Question, background: Table, share: Values, rows: Table, values: Values) -> float:
    """Return 1 - (squared error of sums of values) / (variance of the outputs), over coalitions of all sizes alike.

    Parameters
    ----------
    question : Question
    background : Table
        Rows that provide the values of absent players.
    share : ndarray, shape (B,)
        Their weights.
    rows : Table
        n rows.
    values : ndarray, shape (K, n, P)
        Values to be judged.
    """
    game = Game(question.model, background, question.players, share, question.settings.n_jobs)
    values = expand_binary(values, question.model, centred=True)
    coalitions = _paired(values.shape[2], question.settings.random_state)
    wanted = game.values(rows, coalitions)
    sums = np.einsum("knp,mp->nmk", values, coalitions.astype(np.float64))
    variance = np.square(wanted - wanted.mean(axis=1, keepdims=True)).sum(axis=(0, 1))
    error = np.square(wanted - sums).sum(axis=(0, 1))
    judged = variance > 0.0
    return float(np.mean(1.0 - error[judged] / variance[judged])) if judged.any() else 1.0


def _paired(n_players: int, random_state: int) -> np.ndarray:
    """Return coalitions (2 * PAIRS, P) with sizes drawn uniformly, and their complements."""
    rng = np.random.default_rng([random_state, n_players])
    sizes = rng.integers(1, max(2, n_players), PAIRS)
    ranks = np.argsort(rng.random((PAIRS, n_players)), axis=1)
    half = ranks < sizes[:, None]
    return np.vstack([half, ~half])
