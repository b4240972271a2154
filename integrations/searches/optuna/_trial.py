"""`TrialCapture`: one trial of an Optuna study, to which an objective passes its fitted models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.tables._table import Table, stack_rows
from automl_explain.integrations.searches._captured_run import CapturedRun, RunTables, last_step, learner_name
from automl_explain.integrations.searches._memory import model_bytes
from automl_explain.integrations.searches._options import ExplainabilityOptions
from automl_explain.integrations.searches._row_noise import block_losses
from automl_explain.integrations.searches._word_columns import searched_table


@dataclass(frozen=True, eq=False)
class CaptureContext:
    """What all trials of one `TrialExplainer` share.

    Parameters
    ----------
    options : ExplainabilityOptions
    background : Table
        Background of the models that are captured without one.
    valid : Table or None
        Rows explained for the models that are captured without any.
    n_valid : int
        Number of rows from which `valid` was drawn.
    release_others : callable
        Called with each captured model and its trial; releases the other trials that captured the same model object.
    """

    options: ExplainabilityOptions
    background: Table
    valid: Table | None
    n_valid: int
    release_others: Callable[[Any, TrialCapture], None]


class TrialCapture:
    """One trial of a study, as `TrialExplainer.trial` passes it to the objective.

    Parameters
    ----------
    context : CaptureContext
        What the trial shares with the other trials of its explainer.
    number : int
        The trial's number.
    kind : {"trial", "refit", "ensemble"}, default "trial"
        A trial, or a final model of the study.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> import optuna
    >>> from automl_explain.integrations.optuna import TrialExplainer
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> study = optuna.create_study()
    >>> with TrialExplainer(X, X) as explainer:
    ...     trial = study.ask()
    ...     with explainer.trial(trial) as seen:  # a TrialCapture
    ...         seen.capture(DecisionTreeClassifier(max_depth=2).fit(X, y))
    ...     _ = study.tell(trial, 0.1)
    >>> explainer.runs[0].learner, explainer.runs[0].status
    ('DecisionTreeClassifier', 'explained')
    """

    def __init__(self, context: CaptureContext, number: int, kind: str = "trial") -> None:
        self.number, self.kind = number, kind
        self.learner = "none"
        self.name = ""
        self.config: dict[str, Any] = {}
        self.loss: float | None = None
        self.nbytes = 0
        self.failed = False
        self.running = False
        self.told = False
        self.measure: Callable[[], tuple[float, ...]] | None = None
        self.score: Callable[[], dict[str, float]] | None = None
        self._context = context
        self.models: list[Any] = []
        self._rows: list[Table] = []
        self._n_rows: list[int] = []
        self._background: list[Table] = []
        self._released = False
        self._why = "the objective captured no model"

    def capture(
        self, model: Any, X_valid: Any = None, X_train: Any = None, *, y_valid: Any = None, row_losses: Any = None
    ) -> None:
        """Keep a fitted model, to be explained when the search has ended.

        If it is called once per fold, the trial's explanation is the mean over the folds' models, with its spread, of rows
        drawn from all folds. Do not fit the model again afterwards: make a new one for each trial and fold.

        Parameters
        ----------
        model : object
            Anything that `explain_model` takes.
        X_valid : ndarray, DataFrame or csr_matrix, optional
            The rows explained. Default: the `X_valid` of the explainer.
        X_train : ndarray, DataFrame or csr_matrix, optional
            The background of this model. Default: that of the explainer.
        y_valid : array-like of shape (n,), optional
            True labels of the rows explained, which are kept with ``ExplainabilityOptions(keep_labels=True)``.
        row_losses : array-like of shape (n,), optional
            Loss of each validation row, such as its squared error, the same rows in all trials. `SearchExplanation` tells
            from them which runs are near-best. Not used if the trial has several models.

        Notes
        -----
        Nothing is raised into the search unless ``on_error="raise"``: a model or table that cannot be used makes a failed
        run, with the reason.
        """
        if self._released:
            return  # the models captured earlier are gone, so that the rest is not what was scored
        try:
            self._note(model, X_valid, X_train, y_valid)
            if row_losses is not None:
                losses = _row_losses(row_losses)
                self.measure = lambda: block_losses(lambda rows: float(losses[rows].mean()), len(losses))
        except Exception as error:  # the model's own library may raise anything
            if self._context.options.on_error == "raise":
                raise
            known = isinstance(error, AutoMLExplainError)
            self.release(str(error) if known else f"{type(error).__name__}: {error}", failed=True)

    def _note(self, model: Any, X_valid: Any, X_train: Any, y_valid: Any) -> None:
        context = self._context
        if any(last_step(model) is last_step(other) for other in self.models):
            raise InvalidInputError(
                "The same model object was captured twice in one trial, and its first state is lost. Fit a new model for "
                "each fold, such as sklearn.base.clone(model)."
            )
        context.release_others(model, self)
        if X_valid is None and context.valid is None:
            raise InvalidInputError(
                "There are no rows to explain: pass them to capture(model, X_valid) or TrialExplainer(X_train, X_valid)."
            )
        if X_train is not None:
            self._background.append(self._sampled(searched_table(X_train, "X_train"), context.options.background))
        if X_valid is not None:
            table = searched_table(X_valid, "X_valid").with_labels(y_valid)
            self._rows.append(self._sampled(table, context.options.max_rows))
            self._n_rows.append(len(table))
        elif context.valid is not None and not self._rows:
            self._rows.append(context.valid)
            self._n_rows.append(context.n_valid)
        self.models.append(model)
        self.learner = learner_name(model)
        self.nbytes += model_bytes(model)

    def _sampled(self, table: Table, n_rows: int) -> Table:
        return table.sample(n_rows, self._context.options.random_state)

    def release(self, why: str, *, failed: bool = False) -> None:
        """Drop the models and record why.

        Parameters
        ----------
        why : str
            The reason, which the run records.
        failed : bool, default False
            Whether the run is recorded as failed instead of skipped.
        """
        self.models, self._rows, self._background, self.nbytes, self.measure = [], [], [], 0, None
        self.score = None
        self._why, self.failed, self._released = why, failed, True

    def as_run(self, metric: str, features: Sequence[str] | None) -> CapturedRun:
        """Return the trial as a `CapturedRun`.

        Parameters
        ----------
        metric : str
            Name of the loss.
        features : sequence of str or None
            Column names, for tables without names.

        Returns
        -------
        CapturedRun
            What is explained after the search.
        """
        run = CapturedRun(
            self.number, self.learner, self.config, self.loss, metric, self.kind,
            why=self._why, failed=self.failed, name=self.name,
        )  # fmt: skip
        if not self.models:
            return run
        options, models, kind = self._context.options, self.models, self.kind
        share = max(options.max_rows // len(self._rows), 1)
        rows = stack_rows([self._sampled(table, share) for table in self._rows], ignore_index=False)
        background = stack_rows(self._background or [self._context.background])
        tables = RunTables(self._sampled(background, options.background), rows, sum(self._n_rows))
        run.read, run.why, run.nbytes, run.tables = lambda: _read(models, tables, kind), "", self.nbytes, tables
        run.fitted_to_rows = len(models) > 1
        run.measure, run.score = (self.measure, self.score) if len(models) == 1 else (None, None)
        return run


def _row_losses(losses: Any) -> npt.NDArray[np.float64]:
    try:
        read = np.asarray(losses, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"The 'row_losses' must be numbers. Got {type(losses).__name__}: {error}.") from error
    if read.ndim != 1 or not np.isfinite(read).all():
        raise InvalidInputError(
            f"The 'row_losses' must be one finite number for each validation row. Got an array of shape {read.shape}."
        )
    return read


def _read(models: list[Any], tables: RunTables, kind: str) -> FittedModel | list[FittedModel]:
    described = [replace(describe(model, tables.background.data), kind=kind) for model in models]
    return described[0] if len(described) == 1 else described
