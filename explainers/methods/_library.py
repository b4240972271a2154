"""SHAP values computed by the model's own library, for trees that cannot be read."""

from __future__ import annotations

import numpy as np

from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.methods._base import Attribution, Question
from automl_explain.explainers.model._feature_map import pool_players
from automl_explain.explainers.model._structures import OwnValues
from automl_explain.explainers.tables._table import Table

CHUNK_ROWS = 16_384
"""Rows per call of the library, which prepares its trees again in every call."""


class OwnValuesEngine:
    """Path-dependent SHAP values computed by the model's own library."""

    method = "library"

    def __init__(self, question: Question) -> None:
        structure = question.model.structure
        assert isinstance(structure, OwnValues)
        self._question = question
        self._structure = structure
        self.base_values = structure.base_values
        self.reason = (
            f"{structure.why}: values are {structure.library}'s own; absent features follow the trees' covers. With a "
            "background they are computed from predictions instead"
        )
        notes = [structure.caution] if structure.caution else []
        if question.players is not None and len(np.unique(question.players)) < len(question.players):
            notes.append("The value of a raw column is the sum over the engineered columns made from it.")
        self.notes: tuple[str, ...] = tuple(notes)

    def attribute(self, rows: Table) -> Attribution:
        """Return the library's values for engineered rows."""
        question, parts = self._question, []
        with progress_bar(len(rows), "explaining rows", question.settings.progress) as advance:
            for start in range(0, len(rows), CHUNK_ROWS):
                block = rows.take(np.arange(start, min(start + CHUNK_ROWS, len(rows))))
                values = self._structure.values(block.data, question.settings.n_jobs)
                parts.append(pool_players(values, question.players, question.n_players))
                advance(len(block))
        return Attribution(np.concatenate(parts, axis=1))
