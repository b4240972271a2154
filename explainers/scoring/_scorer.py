"""`Scorer`: a model and its explainer as data, which explains and predicts rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._additivity import check_additivity, settled
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._fidelity import Fidelity
from automl_explain.explainers.explanation._selection import find_features
from automl_explain.explainers.methods._base import Attribution, Engine, Question
from automl_explain.explainers.methods._kernel import KernelEngine
from automl_explain.explainers.methods._rules import build_engine
from automl_explain.explainers.methods._settings import Settings
from automl_explain.explainers.methods.neural._choice import network_engine
from automl_explain.explainers.model._class_outputs import expand_binary
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.model._fitted_model import Composite, FittedModel, Mixture
from automl_explain.explainers.scoring._column_map import ColumnMap
from automl_explain.explainers.scoring._schema import Schema
from automl_explain.explainers.tables._table import Table

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Scorer:
    """All that is needed to explain and to predict rows.

    Parameters
    ----------
    schema : Schema
        The caller's columns.
    intake : ColumnMap
        From the caller's coded rows to the table that `model` reads.
    model : FittedModel
        The model over coded tables.
    background : ndarray of shape (B, f), or None
        Background rows as `model` reads them. None: path-dependent values.
    weights : ndarray of shape (B,), or None
        Weights of the background rows.
    players : ndarray of int, shape (f,), or None
        Player of each column that `model` reads.
    n_players : int or None
    engine_name : str
        Method that the explainer used, which the same structure may leave open: "" , "kernel" or a method of networks.
    settings : Settings
    features, classes, is_raw, is_raw_space, feature_map, fidelity, subset
        As in the explainer.
    method, reason, notes
        What the explainer said of its values.
    kind : str
        The scoring explainer's name in the table of kinds.
    fingerprint : str
        SHA-256 of the model's data.
    """

    schema: Schema
    intake: ColumnMap
    model: FittedModel
    background: Matrix | None
    weights: Matrix | None
    players: npt.NDArray[np.intp] | None
    n_players: int | None
    engine_name: str
    features: tuple[str, ...] | None
    classes: tuple[Any, ...] | None
    is_raw: bool
    is_raw_space: bool
    feature_map: FeatureMap | None
    method: str
    reason: str
    notes: tuple[str, ...]
    kind: str
    settings: Settings = field(default_factory=Settings)
    fidelity: Fidelity | None = None
    subset: tuple[Any, ...] | None = None
    fingerprint: str = ""

    @cached_property
    def engine(self) -> Engine:
        """The engine that computes the values, made from the stored data."""
        background = None if self.background is None else self.stored(self.background)
        settings = replace(self.settings, progress=False)
        question = Question(self.model, background, self.players, self.n_players, settings, self.weights)
        if self.engine_name == "kernel":
            return KernelEngine(question)
        if self.engine_name:
            return network_engine(question, self.engine_name)
        return build_engine(question)

    @cached_property
    def expected_values(self) -> Matrix:
        """Mean output over the background, (C,), or (1,) for regression."""
        return expand_binary(self.engine.base_values, self.model)

    @cached_property
    def identity(self) -> str:
        """SHA-256 of everything that the values depend on: the model, the background and the settings."""
        settings = (self.settings.sampling, self.settings.random_state)
        facts = (self.engine_name, self.features, self.is_raw_space, self.n_players, self.subset, settings)
        made = hashlib.sha256(f"{self.fingerprint} {facts}".encode())
        for array in (self.background, self.weights, self.players):
            made.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
        return made.hexdigest()

    @cached_property
    def feature_labels(self) -> tuple[str, ...]:
        """Names of the features of `explanation`."""
        n_players = self.n_players or len(self.schema.columns)
        labels = self.features or tuple(f"x{j}" for j in range(n_players))
        chosen = find_features(self.subset, self.features, len(labels), "explain_subset")
        return labels if chosen is None else tuple(labels[j] for j in chosen.tolist())

    @property
    def input_shapes(self) -> tuple[tuple[str, tuple[int, ...]], ...] | None:
        """Name and shape of each input of a network whose rows are no table; None for tables."""
        return None

    @property
    def some_row(self) -> Matrix:
        """A row that `read` may have returned, (1, f)."""
        return np.zeros((1, self.intake.n_outputs)) if self.background is None else self.background[:1]

    def code(self, X: Any) -> Matrix:
        """Return the caller's rows as numbers; see `Schema.read`."""
        return self.schema.read(X)

    def read(self, X: Any) -> Matrix:
        """Return rows as `model` reads them; see `Schema.read`."""
        return self.intake(self.code(X))

    def stored(self, matrix: Matrix) -> Table:
        """Return background rows as a table of `model`."""
        return Table(matrix)

    def table(self, matrix: Matrix) -> Table:
        """Return read rows as a table of `model`."""
        return Table(matrix)

    def outputs(self, matrix: Matrix, space: str | None = None) -> Matrix:
        """Return the outputs of read rows, (n, C), in the space of the values or another one."""
        found: Matrix = self.model.outputs[space or self.model.output_space](self.table(matrix).data)  # type: ignore[index]
        if not np.isfinite(found).all():
            raise InvalidInputError(
                f"{self.model.name} predicted NaN or infinity in {space or self.model.output_space} for a row; Shapley values "
                "need finite outputs."
            )
        return found

    def attribution(self, matrix: Matrix) -> Attribution:
        """Return the values of read rows for each class, (C, n, P)."""
        made = self.engine.attribute(self.table(matrix))
        values = expand_binary(made.values, self.model, centred=True)
        errors = made.standard_errors
        if errors is not None:
            errors = np.abs(expand_binary(errors, self.model, centred=True))
        return Attribution(values, errors, made.notes, made.coalition_r2)

    def explanation(self, X: Any) -> Explanation:
        """Explain rows; see `ScoringExplainer.explain_local`."""
        coded = self.code(X)
        matrix = self.intake(coded)
        predictions, made = self.outputs(matrix), self.attribution(matrix)
        values, errors = made.values, made.standard_errors
        if isinstance(self.model.structure, Mixture | Composite):
            values = settled(values, predictions - self.expected_values)
        of_regression = self.model.classes is None
        grouped = self.is_raw_space and self.n_players not in (None, coded.shape[1])
        data = (
            Table(coded, self.schema.names) if self.is_raw_space else Table(self.table(matrix).codes(), self.features)
        )
        explanation = Explanation(
            local_importance_values=values[0] if of_regression else values,
            expected_values=self.expected_values,
            features=self.features,
            classes=self.classes,
            output_space=self.model.output_space,
            method=self.method,
            reason=self.reason,
            data=None if grouped else data,
            predictions=predictions,
            is_raw=self.is_raw,
            feature_map=None if self.is_raw_space else self.feature_map,
            standard_errors=errors if errors is None or not of_regression else errors[0],
            notes=(*self.notes, *made.notes),
            model_kind=self.model.kind,
            fidelity=self.fidelity,
            coalition_r2=made.coalition_r2,
            input_shapes=None if grouped else self.input_shapes,
        )
        check_additivity(explanation)
        return explanation.select(self.subset, why="chosen by explain_subset")

    def labels(self, matrix: Matrix) -> npt.NDArray[Any]:
        """Return the predicted class of each read row; the output for a regression; the outputs for several targets."""
        outputs = self.outputs(matrix)
        if self.classes is None:
            return outputs[:, 0]
        if self.model.task == "multitarget":
            return outputs
        return np.asarray([self.classes[best] for best in np.argmax(outputs, axis=1).tolist()])
