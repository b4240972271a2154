"""Exact combination of members: Shapley values are linear in the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from automl_explain.explainers._engine import Attribution, Engine, Question
from automl_explain.explainers._model import Mixture
from automl_explain.explainers._outputs import all_outputs
from automl_explain.explainers._table import Table


class MixtureEngine:
    """Weighted sum of the members' values, each member explained by the engine its own structure asks for."""

    method = "mixture"

    def __init__(self, question: Question, build: Callable[[Question], Engine]) -> None:
        structure = question.model.structure
        assert isinstance(structure, Mixture)
        self._members = structure.members
        self._weights = structure.weights
        self._engines = [build(replace(question, model=member)) for member in structure.members]
        self.base_values = np.sum(
            [
                weight * all_outputs(engine.base_values, member)
                for weight, engine, member in zip(self._weights, self._engines, self._members, strict=True)
            ],
            axis=0,
        )
        methods = sorted({engine.method for engine in self._engines})
        self.reason = (
            f"the output is a weighted sum of {len(self._engines)} members, so their values add up exactly "
            f"({', '.join(methods)}): {self._engines[0].reason}"
        )
        self.notes = tuple(dict.fromkeys(note for engine in self._engines for note in engine.notes))

    def attribute(self, rows: Table) -> Attribution:
        """Return the weighted sum of the members' values."""
        total, variance = None, None
        for weight, engine, member in zip(self._weights, self._engines, self._members, strict=True):
            part = engine.attribute(rows)
            values = weight * all_outputs(part.values, member, centred=True)
            total = values if total is None else total + values
            if part.standard_errors is not None:
                square = (weight * np.abs(all_outputs(part.standard_errors, member, centred=True))) ** 2
                variance = square if variance is None else variance + square
        assert total is not None
        return Attribution(total, None if variance is None else np.sqrt(variance))
