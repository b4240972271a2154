"""The explainers of tabular models: `TabularExplainer`, which chooses, and those of one kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.pipeline import Pipeline

from automl_explain.explainers._errors import (
    AutoMLExplainError,
    InvalidInputError,
    UnsupportedModelError,
)
from automl_explain.explainers.explanation._additivity import check_additivity
from automl_explain.explainers.explanation._explanation import Explanation, MemberExplanation
from automl_explain.explainers.explanation._fidelity import Fidelity
from automl_explain.explainers.explanation._row_sampling import as_policy, batch_rows, explain_in_batches
from automl_explain.explainers.explanation._selection import find_features
from automl_explain.explainers.methods._background import read_weighted
from automl_explain.explainers.methods._base import Engine, Question, Settings
from automl_explain.explainers.methods._kernel import KernelEngine
from automl_explain.explainers.methods._linear import LinearEngine
from automl_explain.explainers.methods._members import share_out
from automl_explain.explainers.methods._rules import build_engine
from automl_explain.explainers.model._class_outputs import expand_binary
from automl_explain.explainers.model._column_transformers import as_transformer
from automl_explain.explainers.model._feature_space import in_feature_space, raw_players
from automl_explain.explainers.model._fitted_model import FittedModel, Linear, Opaque
from automl_explain.explainers.model._names import class_names, feature_names
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.model._predict_function import describe_function
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.model._task import with_task
from automl_explain.explainers.tables._table import Table, arrange, as_table, check_same_columns, conform

FeatureSpace = Literal["engineered", "raw"]


class TabularExplainer:
    """Explains any fitted model over a table, by the explainer its structure asks for.

    Tree ensembles and linear models, and weighted sums of them, are explained exactly; other models from their
    predictions, with standard errors. `explain_local(...).reason` says which way was taken and why.

    Parameters
    ----------
    model : object
        A fitted estimator, Pipeline, search, FLAML AutoML, booster, or a function from a table to predictions.
    initialization_examples : ndarray, DataFrame or csr_matrix of shape (B, f_raw)
        The background: rows that stand for absent features, as the model takes them. Tree and linear models use all of
        them. A result of `shap.kmeans` is taken with its weights.
    features : sequence of str, optional
        Column names, for tables without names.
    classes : sequence, optional
        Class names to show in place of the model's labels, in the model's order.
    output : {"auto", "probability", "log_odds", "response", "margin"}, default "auto"
        Unit of the values. "auto" is the one in which the model is additive: log-odds for boosters and logistic
        models, probability for forests, response for regressions. Another space is explained in its own right, as the
        game of that output, never by rescaling.
    feature_space : {"engineered", "raw"}, optional
        Explain the columns that the model's last step reads, or the table's own columns. Default: "engineered", or
        "raw" when `transformations` are given.
    transformations : fitted transformer, or list of (columns, fitted transformer), optional
        Preprocessing that stands before `model`, such as a ColumnTransformer; tables are then those before it.
    allow_all_transformations : bool, default False
        Explain raw columns also where the preprocessing mixes them, by masking them before it; False: refuse.
    random_state : int, default 0
        Seed of sampled coalitions; the global random state is never touched.
    n_jobs : int, optional
        Threads of compiled kernels; default: all cores of the process.
    progress : bool, optional
        True: a progress bar; False: none; default: one that appears after two seconds.
    nsamples : int, optional
        Coalitions per row for models explained from coalitions, 4 f at least. Default: all for up to 11 features, or 14
        where an ensemble's members can be read; beyond, and for many rows, 2 f + 2048 or fewer.
    max_evaluations : int, optional
        Mixed rows whose output may be computed in one call, by default 4 million where they are predicted and 100 million
        where members can be read; ignored with `nsamples`.
    background_size : int, optional
        Background rows kept for such models, by default 50, or 100 where members can be read; the explanation's notes say
        which ones.
    background_summary : {"representative", "kmeans"}, default "representative"
        Rows spread evenly over the model's predictions, or weighted means of similar rows, with values the columns have.
    tolerance : float, optional
        Look at more and more coalitions of such a model, until every standard error is at most this, in the unit of the
        output, or `max_evaluations` or `time_budget` is reached; the explanation's notes say which.
    time_budget : float, optional
        Seconds that explaining rows may take for such models: the best values so far are returned, with their standard
        errors. A first look at every row is always taken. With ``include_local=False`` it is the
        time of each batch.
    is_function : bool, default False
        Call `model` itself for predictions, whatever methods it has. Plain functions are recognised without it; it goes
        without `transformations`.
    explain_subset : sequence of str or int, optional
        Features, by name or position, whose values among all features are returned, in that order; the sum of the others'
        is `Explanation.left_out`.
    model_task : {"classification", "regression"}, optional
        Default: what the model says itself, which may not be contradicted. A function or model known by one column of
        predictions is taken for a regression; as a classification, they are probabilities of the second of two classes.

    Raises
    ------
    UnsupportedModelError
        If the model cannot be explained.
    InvalidInputError
        If a table or parameter does not fit the model.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from automl_explain import TabularExplainer
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = RandomForestClassifier(n_estimators=20, random_state=0).fit(X, y)
    >>> explanation = TabularExplainer(model, X).explain_local(X.iloc[:5])
    >>> explanation.local_importance_values.shape
    (2, 5, 30)
    >>> explanation.output_space
    'probability'
    """

    _structures: ClassVar[tuple[type, ...]] = ()
    """Structures the explainer takes; empty: any."""
    _needs_background: ClassVar[bool] = True
    fidelity: Fidelity | None = None
    """How well a surrogate imitates the model, where one is explained in its place."""

    def __init__(
        self,
        model: Any,
        initialization_examples: Any = None,
        *,
        features: Sequence[str] | None = None,
        classes: Sequence[Any] | None = None,
        output: str = "auto",
        feature_space: FeatureSpace | None = None,
        transformations: Any = None,
        allow_all_transformations: bool = False,
        random_state: int = 0,
        n_jobs: int | None = None,
        progress: bool | None = None,
        nsamples: int | None = None,
        max_evaluations: int | None = None,
        background_size: int | None = None,
        tolerance: float | None = None,
        time_budget: float | None = None,
        is_function: bool = False,
        background_summary: str = "representative",
        explain_subset: Sequence[Any] | None = None,
        model_task: str | None = None,
    ) -> None:
        settings = Settings(
            random_state, n_jobs, progress, nsamples, max_evaluations, background_size, tolerance, time_budget,
            background_summary,
        )  # fmt: skip
        if is_function and transformations is not None:
            raise InvalidInputError(
                "The 'is_function' parameter goes without 'transformations': pass a function that transforms as well."
            )
        if transformations is not None:
            transformer = as_transformer(transformations, as_table(initialization_examples, "initialization_examples"))
            model = Pipeline([("transformations", transformer), ("model", model)])
        space = feature_space or ("engineered" if transformations is None else "raw")
        initialization_examples, weights = read_weighted(initialization_examples)
        described = (describe_function if is_function else describe)(model, initialization_examples)
        described = with_task(described, model_task)
        raw = self._read_background(described, initialization_examples)
        self.model = in_feature_space(self._in_space(described, output, raw), space, allow_all_transformations)
        self._check_structure(self.model)
        self._raw = space == "raw"
        self._input_names = self.model.input_names or (None if raw is None else raw.names)
        self._n_inputs = self.model.n_inputs if raw is None else raw.n_columns
        self._given_names = features
        with self._reading("initialization_examples"):
            background = None if raw is None else self._engineer(raw)
        self._like = raw
        self.features = feature_names(features, self.model, background, self._n_inputs, raw=self._raw)
        self.classes = class_names(classes, self.model)
        players, n_players = raw_players(self.model) if self._raw else (None, None)
        n_columns = background.n_columns if background is not None else self.model.n_features or 0
        find_features(explain_subset, self.features, n_players or n_columns, "explain_subset")
        self._subset = None if explain_subset is None else tuple(explain_subset)
        self._question = Question(self.model, background, players, n_players, settings, weights)
        with self._reading("initialization_examples"):
            self._engine = self._build(self._question)

    @property
    def method(self) -> str:
        """Name of the engine in use: tree, linear, mixture or kernel."""
        return self._engine.method

    @property
    def reason(self) -> str:
        """Why that engine was chosen, in words."""
        return self._engine.reason

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the values must know."""
        return self._engine.notes

    @property
    def expected_values(self) -> np.ndarray:
        """Mean output over the background, (C,), or (1,) for a regression."""
        return expand_binary(self._engine.base_values, self.model)

    def explain_local(self, X: Any) -> Explanation:
        """Explain rows one by one.

        Parameters
        ----------
        X : ndarray, DataFrame or csr_matrix of shape (n, f_raw)
            Rows as the model takes them; a 1-D array or Series is one row.

        Returns
        -------
        Explanation

        Raises
        ------
        ColumnMismatchError
            If the columns are not those of the background.
        AdditivityError
            If the values do not add up to the predictions.
        """
        raw, rows = self._read(X)
        with self._reading("X"):
            predictions = predict_finite(self.model, rows.data)
            attribution = self._engine.attribute(rows)
        errors = attribution.standard_errors
        values = expand_binary(attribution.values, self.model, centred=True)
        if errors is not None:
            errors = np.abs(expand_binary(errors, self.model, centred=True))
        explanation = Explanation(
            local_importance_values=self._by_class(values),
            method=self.method,
            reason=self.reason,
            predictions=predictions,
            model_kind=self.model.kind,
            standard_errors=self._by_class(errors),
            notes=(*self.notes, *attribution.notes),
            fidelity=self.fidelity,
            **self._about(raw, rows),
        )
        check_additivity(explanation)
        return explanation.select(self._subset, why="chosen by explain_subset")

    def explain_members(self, X: Any) -> MemberExplanation:
        """Say what each member of an ensemble brings to the predictions of rows, and to the value of every feature.

        Features are split among the members where the output is a weighted sum of the members' outputs: votes, bagged and
        calibrated models, stacks with a linear final estimator in the space of its scores, which of a logistic one is
        ``output="log_odds"``. The shares add up to the values of `explain_local`, unless a `time_budget` ends the two at
        different numbers of coalitions. Other ensembles' output is split as a whole; `MemberExplanation.reason` says which
        of both it is.

        Parameters
        ----------
        X : ndarray, DataFrame or csr_matrix of shape (n, f_raw)
            Rows as the model takes them; a 1-D array or Series is one row.

        Returns
        -------
        MemberExplanation

        Raises
        ------
        UnsupportedModelError
            If the model has no members: it is a single model, or a hard vote.
        ColumnMismatchError
            If the columns are not those of the background.
        AdditivityError
            If the contributions do not add up to the predictions.
        """
        raw, rows = self._read(X)
        with self._reading("X"):
            predictions = predict_finite(self.model, rows.data)
            shares = share_out(self._question, self._engine, rows)
        explanation = MemberExplanation(
            members=shares.names,
            local_member_values=self._by_class(shares.totals, 1),
            local_importance_values=self._by_class(shares.values, 1),
            member_expected_values=shares.base_values,
            reason=shares.reason,
            predictions=predictions,
            standard_errors=self._by_class(shares.errors, 1),
            notes=(*self.notes, *shares.notes),
            **self._about(raw, rows),
        )
        check_additivity(explanation)
        return explanation.select(self._subset)

    def explain_global(
        self, X: Any, *, sampling_policy: Any = None, include_local: bool = True, batch_size: int | None = None
    ) -> Explanation:
        """Explain a table as a whole: the mean absolute value of each feature over its rows.

        Parameters
        ----------
        X : ndarray, DataFrame or csr_matrix of shape (n, f_raw)
            Rows as the model takes them.
        sampling_policy : SamplingPolicy or int, optional
            Explain a draw of so many rows instead of all; the explanation's notes say so.
        include_local : bool, default True
            Keep the values of each row; False keeps only the global ones, in constant memory.
        batch_size : int, optional
            Rows explained at a time with ``include_local=False``; default: as many as take 64 MiB, 4096 at most.

        Returns
        -------
        Explanation
        """
        table, note = as_table(X), None
        if sampling_policy is not None:
            table, note = as_policy(sampling_policy).choose(table)
        if include_local:
            explanation = self.explain_local(table)
        else:
            n_values = self.model.n_outputs * max(table.n_columns, self.model.n_features or 0)
            explanation = explain_in_batches(
                self.explain_local, table, batch_rows(n_values) if batch_size is None else batch_size
            )
        return explanation if note is None else replace(explanation, notes=(*explanation.notes, note))

    def _in_space(self, model: FittedModel, output: str, raw: Table | None) -> FittedModel:
        return model.in_space(output, _some_rows(model, raw))

    def _build(self, question: Question) -> Engine:
        return build_engine(question)

    def _check_structure(self, model: FittedModel) -> None:
        structure = model.structure
        if self._structures and not isinstance(structure, self._structures):
            kinds = " or ".join(kind.__name__ for kind in self._structures)
            why = f" ({structure.why})" if isinstance(structure, Opaque) else ""
            raise UnsupportedModelError(
                f"{type(self).__name__} explains models of the structure {kinds}; {model.name} in "
                f"{model.output_space} is {type(structure).__name__}{why}. Use TabularExplainer with a background, "
                "which chooses, or KernelExplainer, which explains any model."
            )

    def _read_background(self, model: FittedModel, examples: Any) -> Table | None:
        if examples is None:
            if self._needs_background:
                raise InvalidInputError(
                    f"{type(self).__name__} needs 'initialization_examples': rows, such as the training data, that stand "
                    "for absent features."
                )
            self._check_structure(model)
            return None
        table = as_table(examples, "initialization_examples")
        return check_same_columns(table, model.input_names, model.n_inputs, "initialization_examples")

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        """Say of which table it is that a model's own code refuses the values."""
        try:
            yield
        except AutoMLExplainError:
            raise
        except (ValueError, TypeError) as error:
            raise InvalidInputError(f"{self.model.name} cannot take the values of {what}: {error}") from error

    def _read(self, X: Any) -> tuple[Table, Table]:
        """Return rows as the user has them, and engineered."""
        table = arrange(as_table(X), self._input_names or self._given_names)
        raw = check_same_columns(table, self._input_names, self._n_inputs, "X")
        with self._reading("X"):
            raw = raw if self._like is None else conform(raw, self._like)
            return raw, self._engineer(raw)

    def _about(self, raw: Table, rows: Table) -> dict[str, Any]:
        """What every kind of explanation says of the model and its rows."""
        return {
            "expected_values": self.expected_values,
            "features": self.features,
            "classes": self.classes,
            "output_space": self.model.output_space,
            "data": raw if self._raw else rows,
            "is_raw": self._raw or (self.model.preprocessing is None and self.model.feature_map is None),
            "feature_map": None if self._raw else self.model.feature_map,
        }

    def _by_class(self, values: np.ndarray | None, axis: int = 0) -> Any:
        """Values as explanations have them: those of a regression without the axis of its one output."""
        return values if values is None or self.model.classes is not None else values.take(0, axis)

    def _engineer(self, raw: Table) -> Table:
        if self.model.preprocessing is None:
            return raw
        table, n_read = as_table(self.model.transform(raw.data)), self.model.n_features
        if n_read not in (None, table.n_columns):
            raise InvalidInputError(
                f"The preprocessing makes {table.n_columns} columns of the table; {self.model.name} reads {n_read}."
            )
        return table


class LinearExplainer(TabularExplainer):
    """Explains models that are linear in their columns, exactly. Parameters are those of `TabularExplainer`."""

    _structures = (Linear,)

    def _build(self, question: Question) -> Engine:
        return LinearEngine(question)


class KernelExplainer(TabularExplainer):
    """Explains any model from its predictions alone. Parameters are those of `TabularExplainer`."""

    def _build(self, question: Question) -> Engine:
        return KernelEngine(question)


def _some_rows(model: FittedModel, raw: Table | None) -> Any:
    """A few engineered rows, on which links between output spaces are recognised."""
    return None if raw is None else model.transform(raw.take(np.arange(min(64, len(raw)))).data)
