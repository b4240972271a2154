"""Exact Shapley values of tree ensembles."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.methods._base import Attribution, Question
from automl_explain.explainers.predictions._structure_outputs import KnownOutputs, NumberRules
from automl_explain.explainers.tables._table import Table
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.explainers.trees._tree_shap import Interventional, PathDependent


class TreeEngine:
    """TreeSHAP: interventional over all background rows, or path-dependent without a background."""

    method = "tree"

    def __init__(self, question: Question) -> None:
        trees = question.model.structure
        assert isinstance(trees, Trees)
        self._question, self._rules = question, NumberRules.of_trees(trees)
        self.notes: tuple[str, ...] = ()
        self._solver: Interventional | PathDependent
        if question.background is None:
            self._solver = PathDependent(trees, player=question.players, n_rows=question.n_rows)
            self.reason = "a tree ensemble, explained exactly along its paths; absent features follow the trees' covers"
        else:
            background = question.model.encoded(question.background.data, "the background")
            self._solver = Interventional(
                trees, background, question.weights, player=question.players, n_rows=question.n_rows
            )
            self.reason = (
                f"a tree ensemble, explained exactly from its trees; absent features come from all {len(background)} "
                "background rows"
            )
        self.base_values = np.asarray(self._solver.base_values)
        self.known_outputs = KnownOutputs(self._solver.predictor, self._solver.background_outputs)

    def attribute(self, rows: Table) -> Attribution:
        """Return exact values of engineered rows."""
        settings = self._question.settings
        matrix = self._question.model.read(rows)
        with progress_bar(len(matrix), "explaining rows", settings.progress) as advance:
            made = self._solver.explain(matrix, n_jobs=settings.n_jobs, progress=advance)
        outputs = made.outputs if self._rules.allow(matrix) else None
        return Attribution(self._every_player(made.values, 1), outputs=outputs)

    def values_of_few(self, encoded: Any) -> npt.NDArray[np.float64] | None:
        """Return exact values of one or two encoded rows, (K, n, P), if no bar is to be shown."""
        if self._question.settings.progress:
            return None
        return self._every_player(self._solver.shap_values(encoded), 1)

    def interactions(self, rows: Table) -> npt.NDArray[np.float64]:
        """Return exact interaction values of engineered rows, (K, n, P, P)."""
        settings = self._question.settings
        matrix = self._question.model.read(rows)
        with progress_bar(len(matrix), "explaining rows", settings.progress) as advance:
            values = self._solver.interaction_values(matrix, n_jobs=settings.n_jobs, progress=advance)
        return self._every_player(values, 2)

    def _every_player(self, values: npt.NDArray[np.float64], axes: int) -> npt.NDArray[np.float64]:
        """Return values of all players, with 0 for raw columns that have no engineered column."""
        missing = (self._question.n_players or values.shape[-1]) - values.shape[-1]
        if missing <= 0:
            return values
        return np.pad(values, [(0, 0)] * (values.ndim - axes) + [(0, missing)] * axes)
