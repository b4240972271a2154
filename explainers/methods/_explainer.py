"""Base classes: `RowExplainer` for explainers of rows, `ShapleyExplainer` for those that compute Shapley values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError, UnsupportedModelError
from automl_explain.explainers._pickling import Picklable
from automl_explain.explainers.explanation._additivity import adds_up, check_additivity, settled
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._fidelity import Fidelity
from automl_explain.explainers.explanation._selection import find_features
from automl_explain.explainers.formatting._html import render
from automl_explain.explainers.methods._base import Attribution, Engine, Question
from automl_explain.explainers.methods._fallback import attributed, failures
from automl_explain.explainers.methods._settings import Settings
from automl_explain.explainers.methods._small_calls import SmallCalls, learned
from automl_explain.explainers.methods._tree import TreeEngine
from automl_explain.explainers.model._class_outputs import expand_binary
from automl_explain.explainers.model._explained_model import ExplainedModel, RowsRead
from automl_explain.explainers.model._fitted_model import Composite, FittedModel, Mixture
from automl_explain.explainers.model._structures import Opaque
from automl_explain.explainers.parts._partitioned import partitioned_engine
from automl_explain.explainers.parts._row_sampling import explain_table
from automl_explain.explainers.predictions._predictions import Predictions
from automl_explain.explainers.tables._table import Table, spelled_as


class RowExplainer(Picklable, ABC):
    """Base class of explainers that explain single rows, and tables from the explanations of their rows.

    Parameters
    ----------
    explained : ExplainedModel
        The model in the space that is explained. It reads all tables.
    explain_subset : sequence of str or int, or None
        Features to return, by name or position. None: all features.
    """

    @checked
    def __init__(self, explained: ExplainedModel, explain_subset: Sequence[Any] | None) -> None:
        self._explained = explained
        find_features(explain_subset, explained.features, explained.n_features, "explain_subset")
        self._subset = None if explain_subset is None else tuple(explain_subset)

    @property
    def model(self) -> FittedModel:
        """Description of the model, in the output and feature space that is explained."""
        return self._explained.model

    @property
    def features(self) -> tuple[str, ...] | None:
        """Names of the features; None if they have no names."""
        return self._explained.features

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """Names of the classes; None for regression."""
        return self._explained.classes

    @abstractmethod
    def explain_local(self, X: Any) -> Explanation:
        """Explain each row."""

    def __call__(self, X: Any) -> Explanation:
        """Explain each row, as `explain_local` does."""
        return self.explain_local(X)

    @checked
    def explain_global(
        self, X: Any, *, sampling_policy: Any = None, include_local: bool = True, batch_size: int | None = None
    ) -> Explanation:
        """Explain a whole table by the mean absolute value of each feature over its rows.

        Parameters
        ----------
        X : ndarray, DataFrame or csr_matrix of shape (n, f_raw), or a table in partitions
            Rows as the model takes them. Tables in partitions are frames of Spark and Dask, datasets of Ray and of
            pyarrow; they may have more columns. Their partitions are explained where they are and merged, and no values
            of rows are kept.
        sampling_policy : SamplingPolicy or int, optional
            Explain a sample of the rows, of this size or drawn by this policy. Default: all rows. A note of the
            explanation gives the number of rows drawn.
        include_local : bool, default True
            Keep the values of each row. If False, keep only the global values, in constant memory.
        batch_size : int, optional
            Rows per batch with ``include_local=False``. Default: as many rows as fit in 64 MiB, at most 4096.

        Returns
        -------
        Explanation
            With `include_local`, the values of each row, too.

        Raises
        ------
        ColumnMismatchError
            If the columns differ from those of the background.
        InvalidInputError
            If `X` is not a table, a parameter is not valid, or the model cannot predict the rows.
        AdditivityError
            If Shapley values do not add up to the predictions.
        """
        if (engine := partitioned_engine(X)) is not None:
            if sampling_policy is not None or batch_size is not None:
                raise InvalidInputError(
                    "The 'sampling_policy' and 'batch_size' parameters are for tables in memory. Draw rows of a table in "
                    "partitions by its own method, such as sample."
                )
            return engine(self, X)
        return explain_table(
            self.explain_local,
            X,
            self.model.n_outputs * self._explained.n_features,
            sampling_policy=sampling_policy,
            include_local=include_local,
            batch_size=batch_size,
        )


class ShapleyExplainer(RowExplainer):
    """An explained model and the engine that computes its Shapley values.

    Subclasses read their parameters, choose the engine and call this constructor.

    Parameters
    ----------
    explained : ExplainedModel
        The model in the space that is explained. It reads all tables.
    engine : Engine
        Computes the values.
    explain_subset : sequence of str or int, or None
        Features to return, by name or position. None: all features.
    settings : Settings or None
        The settings of the engine. None: the defaults.
    question : Question, optional
        The question about the model, which is answered from its predictions if the engine raises. None: the error is raised.
    """

    fidelity: Fidelity | None = None
    """Fidelity of the surrogate, if a surrogate is explained in place of the model."""

    @checked
    def __init__(
        self,
        explained: ExplainedModel,
        engine: Engine,
        explain_subset: Sequence[Any] | None = None,
        settings: Settings | None = None,
        *,
        question: Question | None = None,
    ) -> None:
        super().__init__(explained, explain_subset)
        self._engine, self._question = engine, question
        known = engine.known_outputs if isinstance(engine, TreeEngine) else None
        self._predictions = Predictions(explained.model, explained.engineered, known)
        self._settings = settings or Settings()
        self._small_calls: SmallCalls | None = None

    @property
    def _players(self) -> tuple[npt.NDArray[np.intp] | None, int | None]:
        """Player of each column that the structure of the model reads, and their number; see `Question`."""
        return self._explained.players

    @property
    def method(self) -> str:
        """Name of the engine in use, such as tree, linear, mixture or kernel."""
        return self._engine.method

    @property
    def reason(self) -> str:
        """Why that engine was chosen."""
        return self._engine.reason

    def _repr_html_(self) -> str:
        facts = [
            f"{type(self).__name__} of {self.model.name}: {self._explained.n_features:,} features, in {self.model.output_space}",
            f"{self.method}: {self.reason}",
            *self.notes,
        ]
        return render("notebook/tables.html", facts=facts, tables=[])

    @property
    def notes(self) -> tuple[str, ...]:
        """What readers of the values need to know."""
        return tuple(dict.fromkeys((*self._engine.notes, *failures(self.model.structure))))

    @property
    def expected_values(self) -> np.ndarray:
        """Mean output over the background, of shape (C,), or (1,) for regression."""
        return expand_binary(self._engine.base_values, self.model)

    def explain_local(self, X: Any) -> Explanation:
        """Explain each row.

        Parameters
        ----------
        X : ndarray, DataFrame or csr_matrix of shape (n, f_raw)
            Rows as the model takes them; a 1-D array or Series is one row.

        Returns
        -------
        Explanation
            Values, predictions and the rows.

        Raises
        ------
        ColumnMismatchError
            If the columns differ from those of the background.
        InvalidInputError
            If `X` is not a table, or the model cannot predict its rows.
        AdditivityError
            If the values do not add up to the predictions.
        """
        few = None if self._small_calls is None else self._small_calls(X)
        if few is not None:
            return few
        rows = self._explained.read(X)
        predictions = self._predictions(rows.engineered)
        attribution = self._attribute(rows.engineered)
        errors = attribution.standard_errors
        values = expand_binary(attribution.values, self.model, centred=True)
        if isinstance(self.model.structure, Mixture | Composite):
            values = settled(values, predictions - self.expected_values)
        if errors is not None:
            errors = np.abs(expand_binary(errors, self.model, centred=True))
        explanation = Explanation(
            local_importance_values=self._explained.by_class(values),
            method=self.method,
            reason=self.reason,
            predictions=predictions,
            model_kind=self.model.kind,
            standard_errors=self._explained.by_class(errors),
            notes=(*self.notes, *attribution.notes),
            fidelity=self.fidelity,
            coalition_r2=attribution.coalition_r2,
            **self._about(rows),
        )
        if not adds_up(explanation):
            if not self._predictions.asks_library:
                explanation = replace(explanation, predictions=self._predictions.of_library(rows.engineered))
            check_additivity(explanation, lambda: self._predictions.of_library(rows.engineered))
        elif self._subset is None:
            self._small_calls = learned(self._explained, self._engine, self._predictions, rows, explanation)
        return explanation if self._subset is None else explanation.select(self._subset, why="chosen by explain_subset")

    def _attribute(self, rows: Table) -> Attribution:
        """Compute the attribution of engineered rows."""
        if self._question is None:
            return self._engine.attribute(rows)
        self._engine, attribution = attributed(self._question, self._engine, rows)
        return attribution

    def _about(self, rows: RowsRead) -> dict[str, Any]:
        """Return the fields about the model and its rows that all kinds of explanations share."""
        explained = self._explained
        return {
            "expected_values": self.expected_values,
            "features": spelled_as(self.features, rows.given),
            "classes": self.classes,
            "output_space": self.model.output_space,
            "data": (rows.given if explained.is_raw_space else rows.engineered).alone(),
            "is_raw": explained.is_raw,
            "feature_map": None if explained.is_raw_space else self.model.feature_map,
        }


def question_of(explained: ExplainedModel, settings: Settings, n_rows: int | None = None) -> Question:
    """Return the question about an explained model that its engine answers; `n_rows` rows will be explained, or many."""
    players, n_players = explained.players
    return Question(explained.model, explained.engineered, players, n_players, settings, explained.weights, n_rows)


def check_background(examples: Any, explainer: str) -> None:
    """Raise `InvalidInputError` if an explainer that needs a background has none."""
    if examples is None:
        raise InvalidInputError(
            f"{explainer} needs 'initialization_examples': rows, such as the training data, that provide the values of absent "
            "features."
        )


def check_structure(model: FittedModel, structures: tuple[type, ...], explainer: str) -> None:
    """Raise `UnsupportedModelError` unless the model has one of the structures that an explainer supports."""
    structure = model.structure
    if isinstance(structure, structures):
        return
    kinds = " or ".join(kind.__name__ for kind in structures)
    why = f" ({structure.why})" if isinstance(structure, Opaque) else ""
    raise UnsupportedModelError(
        f"{explainer} explains models of the structure {kinds}; {model.name} in {model.output_space} is "
        f"{type(structure).__name__}{why}. Use TabularExplainer with a background, which chooses a method for the "
        "model, or KernelExplainer, which explains any model."
    )
