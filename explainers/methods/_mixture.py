"""Values of a weighted sum of models: the weighted sum of their values, by linearity of the Shapley value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.methods._base import Attribution, Engine, Question
from automl_explain.explainers.model._class_outputs import expand_binary
from automl_explain.explainers.model._fitted_model import FittedModel, Mixture
from automl_explain.explainers.tables._table import Table

Values = npt.NDArray[np.float64]


class MixtureEngine:
    """Weighted sum of the members' values, each member explained by the engine for its structure."""

    method = "mixture"

    def __init__(self, question: Question, build: Callable[[Question], Engine]) -> None:
        structure = question.model.structure
        assert isinstance(structure, Mixture)
        self._structure = structure
        time_budget = question.settings.sampling.time_budget
        share = None if time_budget is None else time_budget / len(structure.members)
        settings = question.settings.with_sampling(time_budget=share)
        self._engines = [build(replace(question, model=member, settings=settings)) for member in structure.members]
        self.base_parts = [
            weigh(expand_binary(engine.base_values, member), weights)
            for engine, member, weights in zip(self._engines, structure.members, structure.weights, strict=True)
        ]
        self.base_values = np.asarray(structure.constant + np.sum(self.base_parts, axis=0))
        parts = [
            f"{member.name} by {engine.method}" for member, engine in zip(structure.members, self._engines, strict=True)
        ]
        self.reason = (
            f"the output is a weighted sum of {len(parts)} member{'s'[: len(parts) > 1]}, so their values add up exactly: "
            + ", ".join(dict.fromkeys(parts))
        )
        self.notes = tuple(dict.fromkeys(note for engine in self._engines for note in engine.notes))

    @property
    def engines(self) -> list[Engine]:
        """The engine of each member."""
        return self._engines

    def attribute(self, rows: Table) -> Attribution:
        """Return the weighted sum of the members' values."""
        parts = self.parts(rows)
        variances = [part.standard_errors**2 for part in parts if part.standard_errors is not None]
        notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
        values = np.sum([part.values for part in parts], axis=0)
        errors = np.sqrt(np.sum(variances, axis=0)) if variances else None
        outputs = [part.outputs for part in parts if part.outputs is not None]
        together = (
            np.asarray(self._structure.constant + np.sum(outputs, axis=0)) if len(outputs) == len(parts) else None
        )
        return Attribution(values, errors, notes, outputs=together)

    def parts(self, rows: Table) -> list[Attribution]:
        """Return the values and outputs of each member times its weights."""
        return [
            self._part(engine.attribute(rows), member, weights)
            for engine, member, weights in zip(
                self._engines, self._structure.members, self._structure.weights, strict=True
            )
        ]

    def _part(self, own: Attribution, member: FittedModel, weights: Values) -> Attribution:
        errors = own.standard_errors
        if errors is not None:
            errors = np.sqrt(weigh(expand_binary(errors, member, centred=True) ** 2, weights**2))
        values = weigh(expand_binary(own.values, member, centred=True), weights)
        outputs = None if own.outputs is None else expand_binary(own.outputs, member, axis=1) @ weights
        return Attribution(values, errors, tuple(f"{member.name}: {note}" for note in own.notes), outputs=outputs)


def weigh(values: Values, weights: Values) -> Values:
    """Multiply values of a member's outputs, (K_member, ...), by its weights: values of the ensemble's outputs, (K, ...)."""
    return np.asarray(np.tensordot(weights.T, values, axes=1))
