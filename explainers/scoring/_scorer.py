"""`Scorer`: a model and its explainer as data, which explains and predicts rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._additivity import check_additivity, settled
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._selection import find_features
from automl_explain.explainers.methods._base import Attribution, Engine, Question
from automl_explain.explainers.methods._kernel import KernelEngine
from automl_explain.explainers.methods._rules import build_engine
from automl_explain.explainers.methods.neural._choice import network_engine
from automl_explain.explainers.model._class_outputs import expand_binary
from automl_explain.explainers.model._fitted_model import Composite, FittedModel, Mixture
from automl_explain.explainers.model._links import LINKS
from automl_explain.explainers.scoring._scorer_parts import Account, Game, Labels
from automl_explain.explainers.scoring.columns._cells import cells_of
from automl_explain.explainers.scoring.columns._column_map import ColumnMap
from automl_explain.explainers.scoring.columns._schema import Schema, are_mappings
from automl_explain.explainers.scoring.models._outputs import linked_spaces
from automl_explain.explainers.tables._table import Table, as_table, check_same_columns

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
    game : Game
        How the values are computed.
    labels : Labels
        Names of what is explained.
    account : Account
        What the explainer said of its values.
    kind : str
        The scoring explainer's name in the table of kinds.
    fingerprint : str
        SHA-256 of the model's data.
    """

    schema: Schema
    intake: ColumnMap
    model: FittedModel
    game: Game
    labels: Labels
    account: Account
    kind: str
    fingerprint: str = ""

    @cached_property
    def engine(self) -> Engine:
        """The engine that computes the values, made from the stored data."""
        game = self.game
        background = None if game.background is None else self.stored(game.background)
        settings = replace(game.settings, progress=False)
        question = Question(self.model, background, game.players, game.n_players, settings, game.weights)
        if game.engine_name == "kernel":
            return KernelEngine(question)
        if game.engine_name:
            return network_engine(question, game.engine_name)
        return build_engine(question)

    @cached_property
    def expected_values(self) -> Matrix:
        """Mean output over the background, (C,), or (1,) for regression."""
        return expand_binary(self.engine.base_values, self.model)

    @cached_property
    def identity(self) -> str:
        """SHA-256 of everything that the values depend on: the model, the background and the settings."""
        game, labels = self.game, self.labels
        settings = (game.settings.sampling, game.settings.random_state)
        facts = (game.engine_name, labels.features, labels.is_raw_space, game.n_players, labels.subset, settings)
        made = hashlib.sha256(f"{self.fingerprint} {facts}".encode())
        for array in (game.background, game.weights, game.players):
            made.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
        return made.hexdigest()

    @cached_property
    def feature_labels(self) -> tuple[str, ...]:
        """Names of the features of `explanation`."""
        n_players = self.game.n_players or len(self.schema.columns)
        labels = self.labels.features or tuple(f"x{j}" for j in range(n_players))
        chosen = find_features(self.labels.subset, self.labels.features, len(labels), "explain_subset")
        return labels if chosen is None else tuple(labels[j] for j in chosen.tolist())

    @property
    def input_shapes(self) -> tuple[tuple[str, tuple[int, ...]], ...] | None:
        """Name and shape of each input of a network whose rows are no table; None for tables."""
        return None

    @property
    def some_row(self) -> Matrix:
        """A row that `read` may have returned, (1, f)."""
        return np.zeros((1, self.intake.n_outputs)) if self.game.background is None else self.game.background[:1]

    @property
    def shares_outputs(self) -> bool:
        """Whether outputs that are found on the way to the values are those of `outputs`."""
        return True

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
        space = space or self.model.output_space
        return self._finite(self.model.outputs[space](self.table(matrix).data), space)  # type: ignore[index]

    def _finite(self, outputs: Matrix, space: str) -> Matrix:
        if not np.isfinite(outputs).all():
            raise InvalidInputError(
                f"{self.model.name} predicted NaN or infinity in {space} for a row; Shapley values need finite outputs."
            )
        return outputs

    def score(self, matrix: Matrix) -> tuple[Matrix, Attribution]:
        """Return the outputs of read rows, (n, C), and their values, in one pass over the model if it gives both."""
        if not self.shares_outputs:
            return self.outputs(matrix), self.attribution(matrix)
        made = self.attribution(matrix)
        if made.outputs is None:
            return self.outputs(matrix), made
        return self._finite(made.outputs, self.model.output_space), made

    def linked(self, outputs: Matrix, space: str) -> Matrix | None:
        """Return outputs in another space than that of the values, given those; None if rows are needed for them."""
        if space == self.model.output_space:
            return outputs
        name = linked_spaces(self.model).get(space)
        return None if name is None else np.asarray(LINKS[name](outputs))

    def attribution(self, matrix: Matrix) -> Attribution:
        """Return the values of read rows for each class, (C, n, P)."""
        made = self.engine.attribute(self.table(matrix))
        values = expand_binary(made.values, self.model, centred=True)
        errors = made.standard_errors
        if errors is not None:
            errors = np.abs(expand_binary(errors, self.model, centred=True))
        outputs = None if made.outputs is None else expand_binary(made.outputs, self.model, axis=1)
        return Attribution(values, errors, made.notes, made.coalition_r2, outputs)

    def explanation(self, X: Any, *, with_rows: bool = True) -> Explanation:
        """Explain rows, which the explanation keeps or not; see `ScoringExplainer.explain_local`."""
        coded = self.code(X)
        matrix = self.intake(coded)
        predictions, made = self.outputs(matrix), self.attribution(matrix)
        values, errors = made.values, made.standard_errors
        if isinstance(self.model.structure, Mixture | Composite):
            values = settled(values, predictions - self.expected_values)
        of_regression = self.model.classes is None
        data = self._shown(X, coded, matrix, values.shape[-1]) if with_rows else None
        explanation = Explanation(
            local_importance_values=values[0] if of_regression else values,
            expected_values=self.expected_values,
            features=self.labels.features,
            classes=self.labels.classes,
            output_space=self.model.output_space,
            method=self.account.method,
            reason=self.account.reason,
            data=data,
            predictions=predictions,
            is_raw=self.labels.is_raw,
            feature_map=None if self.labels.is_raw_space else self.labels.feature_map,
            standard_errors=errors if errors is None or not of_regression else errors[0],
            notes=(*self.account.notes, *made.notes),
            model_kind=self.model.kind,
            fidelity=self.account.fidelity,
            coalition_r2=made.coalition_r2,
            input_shapes=None if data is None else self.input_shapes,
        )
        check_additivity(explanation)
        return explanation.select(self.labels.subset, why="chosen by explain_subset")

    def _shown(self, X: Any, coded: Matrix, matrix: Matrix, n_features: int) -> Table | None:
        """Return the rows in the columns that are explained, as the caller passed them; None if there is no such table."""
        if not (self.labels.is_raw or self.labels.is_raw_space):
            engineered = self.table(matrix)
            return Table(engineered.data, self.labels.features) if engineered.n_columns == n_features else None
        if coded.shape[1] != n_features:
            return None
        if self.schema.all_numbers and (are_mappings(X) or isinstance(X, np.ndarray)):
            return Table(coded, self.labels.features)
        if are_mappings(X):
            columns = zip(self.schema.columns, coded.T, strict=True)
            frame = pd.DataFrame({column.name: cells_of(column, numbers) for column, numbers in columns})
            return Table(frame, self.schema.names)
        given = as_table(X)
        return check_same_columns(given, self.schema.names if self.schema.named else None, None, "X").alone()
