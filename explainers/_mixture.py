"""Exact combination of members: Shapley values are linear in the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._engine import Attribution, Engine, Question
from automl_explain.explainers._model import Mixture
from automl_explain.explainers._outputs import all_outputs
from automl_explain.explainers._table import Table

Values = npt.NDArray[np.float64]


class MixtureEngine:
    """Linear combination of the members' values, each member explained by the engine its own structure asks for."""

    method = "mixture"

    def __init__(self, question: Question, build: Callable[[Question], Engine]) -> None:
        structure = question.model.structure
        assert isinstance(structure, Mixture)
        self._structure = structure
        time_budget = question.settings.time_budget
        share = None if time_budget is None else time_budget / len(structure.members)
        settings = replace(question.settings, time_budget=share)
        self._engines = [build(replace(question, model=member, settings=settings)) for member in structure.members]
        self.base_values = structure.constant + self._combine(
            [
                all_outputs(engine.base_values, member)
                for engine, member in zip(self._engines, structure.members, strict=True)
            ]
        )
        parts = [
            f"{member.name} by {engine.method}" for member, engine in zip(structure.members, self._engines, strict=True)
        ]
        self.reason = (
            f"the output is a weighted sum of {len(parts)} members, so their values add up exactly: "
            + ", ".join(dict.fromkeys(parts))
        )
        self.notes = tuple(dict.fromkeys(note for engine in self._engines for note in engine.notes))

    def attribute(self, rows: Table) -> Attribution:
        """Return the weighted sum of the members' values."""
        values, variances, notes = [], [], []
        for engine, member in zip(self._engines, self._structure.members, strict=True):
            part = engine.attribute(rows)
            notes += [f"{member.name}: {note}" for note in part.notes]
            values.append(all_outputs(part.values, member, centred=True))
            if part.standard_errors is None:
                variances.append(np.zeros_like(values[-1]))
            else:
                variances.append(all_outputs(part.standard_errors, member, centred=True) ** 2)
        exact = not any(variance.any() for variance in variances)
        errors = None if exact else np.sqrt(self._combine(variances, power=2))
        return Attribution(self._combine(values), errors, tuple(dict.fromkeys(notes)))

    def _combine(self, parts: list[Values], power: int = 1) -> Values:
        """Sum of the members' outputs (leading axis) times their weights."""
        terms = [
            np.tensordot(weights.T**power, part, axes=1)
            for weights, part in zip(self._structure.weights, parts, strict=True)
        ]
        return np.asarray(np.sum(terms, axis=0))
