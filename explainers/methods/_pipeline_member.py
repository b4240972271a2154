"""Members of an ensemble that are pipelines: their models are explained, in terms of the ensemble's columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from automl_explain.explainers.methods._base import Attribution, Engine, Question
from automl_explain.explainers.model._fitted_model import Prepared
from automl_explain.explainers.tables._table import Table


class PreparedEngine:
    """Explains the model after the preprocessing; a raw column's value is that of all columns made from it."""

    def __init__(self, question: Question, build: Callable[[Question], Engine]) -> None:
        structure = question.model.structure
        assert isinstance(structure, Prepared)
        assert structure.model.feature_map is not None
        players, n_players = question.players, question.n_players
        if players is None or n_players is None:
            n_players = len(structure.model.feature_map.raw_names)
            players = np.arange(n_players)
        self._structure = structure
        self._engine = build(
            replace(
                question,
                model=structure.model,
                background=None if question.background is None else structure.table(question.background),
                players=structure.players(players),
                n_players=n_players,
            )
        )
        self.method, self.reason = self._engine.method, self._engine.reason
        self.notes, self.base_values = self._engine.notes, self._engine.base_values

    def attribute(self, rows: Table) -> Attribution:
        """Return the attribution of raw rows."""
        return self._engine.attribute(self._structure.table(rows))
