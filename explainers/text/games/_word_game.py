"""Values of the players of one text: exact by structure, or from the outputs of coalitions of words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from automl_explain.explainers.methods._base import Question
from automl_explain.explainers.methods._kernel import PREDICTED, KernelEngine
from automl_explain.explainers.methods._settings import Settings
from automl_explain.explainers.methods._tree import TreeEngine
from automl_explain.explainers.model._class_outputs import expand_binary
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._structures import Matrix, Opaque
from automl_explain.explainers.tables._table import Table
from automl_explain.explainers.text._masking import Masks
from automl_explain.explainers.text._text_values import Values
from automl_explain.explainers.text.games._bag_of_words import TextTerms
from automl_explain.explainers.text.games._text_model import TextModel

COALITIONS_PER_WORD = 10
"""Masked texts per word that are predicted by default; below, estimates are rough."""
FEWEST_COALITIONS = 500
"""Masked texts that are predicted at least by default, for texts whose coalitions are not all predicted."""
MASKS_AT_ONCE = 1 << 22
"""Cells of masks whose texts are evaluated at a time."""


@dataclass(frozen=True, eq=False)
class GameValues:
    """Values of the players of one text.

    Parameters
    ----------
    values : ndarray, shape (K, P)
    errors : ndarray of shape (K, P), or None
        Standard errors; None for exact values.
    notes : tuple of str
    """

    values: Values
    errors: Values | None = None
    notes: tuple[str, ...] = ()


def linear_values(model: TextModel, terms: TextTerms) -> GameValues:
    """Return the exact values of a linear model of words that are not normalised."""
    assert model.linear is not None
    return GameValues(expand_binary(terms.linear_values(model.linear.coef), model.model, centred=True))


def tree_values(model: TextModel, terms: TextTerms, settings: Settings) -> GameValues:
    """Return the exact values of trees, each of whose columns is filled by one word alone, against a text without words."""
    described = model.model
    background = Table(model.table(sparse.csr_matrix((1, terms.n_columns))))
    engine = TreeEngine(Question(described, background, settings=replace(settings, progress=False)))
    row = Table(model.table(terms.rows(np.ones((1, terms.n_players), bool))))
    found = expand_binary(engine.attribute(row).values[:, 0], described, centred=True)
    player_of = np.full(
        terms.n_columns + 1, terms.n_players
    )  # nobody's, of a column that the text does not fill, and of -1
    columns, owners = terms.players_of_columns()
    player_of[columns] = owners
    player_of = player_of[:-1] if model.counts is None else player_of[model.counts.columns]
    values = np.zeros((len(found), terms.n_players + 1))
    np.add.at(values.T, player_of, found.T)
    return GameValues(values[:, :-1])


def coalition_values(
    outputs: Callable[[Masks], Matrix],
    n_players: int,
    model: FittedModel,
    settings: Settings,
    *,
    most: float = np.inf,
) -> GameValues:
    """Return values from the outputs of coalitions: all of them if there are few players, otherwise a sample.

    Parameters
    ----------
    outputs : callable
        From masks (m, P) to the outputs (m, K) of masked texts.
    n_players : int
    model : FittedModel
        The model that the outputs are of.
    settings : Settings
    most : float
        Masked texts that may be predicted by default. Infinite if the outputs are sums that take little time.
    """
    if n_players == 0:
        return GameValues(np.zeros((model.n_outputs, 0)))
    ends = outputs(np.array([[False], [True]]).repeat(n_players, axis=1))
    if n_players == 1:
        return GameValues((ends[1] - ends[0])[:, None])
    sampling = settings.sampling
    is_open = sampling.nsamples is None and sampling.tolerance is None and sampling.time_budget is None
    is_cheap = most == np.inf
    if not is_cheap and is_open and sampling.max_evaluations is None and n_players > PREDICTED.all_up_to:
        usual = min(2 * n_players + 2048, max(FEWEST_COALITIONS, COALITIONS_PER_WORD * n_players))
        settings = settings.with_sampling(nsamples=int(min(usual, most)))
    step = max(1, MASKS_AT_ONCE // n_players)

    def of_table(table: Values) -> Matrix:
        masks = table > 0.5
        parts = [outputs(masks[start : start + step]) for start in range(0, len(masks), step)]
        found = np.concatenate(parts)
        if is_cheap:  # products round differently with other numbers of rows
            found[~masks.any(axis=1)], found[masks.all(axis=1)] = ends[0], ends[1]
        return found

    game = FittedModel(
        {model.output_space: of_table}, model.output_space, model.task, Opaque("a game of words"),
        classes=model.classes, n_features=n_players, name=model.name,
    )  # fmt: skip
    engine = KernelEngine(Question(game, Table(np.zeros((1, n_players))), settings=settings))
    found = engine.attribute(Table(np.ones((1, n_players))))
    errors = found.standard_errors
    return GameValues(found.values[:, 0], None if errors is None else errors[:, 0], found.notes)
