"""One trial of an Optuna study, as an objective sees it: where fitted models are handed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.tables._table import Table, as_table
from automl_explain.integrations.searches._cv_folds import stack_rows
from automl_explain.integrations.searches._explain_runs import CapturedRun, Tables, last_step, learner_name
from automl_explain.integrations.searches._memory import model_bytes

if TYPE_CHECKING:
    from automl_explain.integrations.optuna import TrialExplainer


class TrialCapture:
    """One trial of a study, as `TrialExplainer.trial` hands it to the objective.

    Parameters
    ----------
    explainer : TrialExplainer
    number : int
        The trial's number.
    kind : {"trial", "refit", "ensemble"}, default "trial"
        Refit and ensemble: what a study ends with.
    """

    def __init__(self, explainer: TrialExplainer, number: int, kind: str = "trial") -> None:
        self.number, self.kind = number, kind
        self.learner = "none"
        self.name = ""
        self.config: dict[str, Any] = {}
        self.loss: float | None = None
        self.nbytes = 0
        self.failed = False
        self.running = False
        self.told = False
        self._explainer = explainer
        self.models: list[Any] = []
        self._rows: list[Table] = []
        self._n_rows: list[int] = []
        self._background: list[Table] = []
        self._released = False
        self._why = "the objective captured no model"

    def capture(self, model: Any, X_valid: Any = None, X_train: Any = None) -> None:
        """Note a fitted model; it is explained when the search has ended.

        Called once for each fold, the trial's explanation is the mean over the folds' models, with its spread, of rows
        out of every fold. The model must not be fitted again afterwards: make a new one for each trial and fold.

        Parameters
        ----------
        model : object
            Anything that `explain_model` takes.
        X_valid : ndarray, DataFrame or csr_matrix, optional
            The rows explained; default: those that the explainer was given.
        X_train : ndarray, DataFrame or csr_matrix, optional
            This model's background; default: the explainer's.

        Notes
        -----
        Nothing is raised into the search: what cannot be used is the reason of a failed run, unless
        ``on_error="raise"``.
        """
        if self._released:
            return  # what remains of the trial is not what was scored
        try:
            self._note(model, X_valid, X_train)
        except Exception as error:  # a model that is not fitted raises what its own library has for that
            if self._explainer.options.on_error == "raise":
                raise
            known = isinstance(error, AutoMLExplainError)
            self.release(str(error) if known else f"{type(error).__name__}: {error}", failed=True)

    def _note(self, model: Any, X_valid: Any, X_train: Any) -> None:
        explainer = self._explainer
        if any(last_step(model) is last_step(other) for other in self.models):
            raise InvalidInputError(
                "The same model object was captured twice in one trial; what it was the first time is lost. Fit a new one "
                "for each fold, such as sklearn.base.clone(model)."
            )
        explainer._release_others_with(model, self)
        if X_valid is None and explainer._valid is None:
            raise InvalidInputError(
                "There are no rows to explain: pass them to capture(model, X_valid) or TrialExplainer(X_train, X_valid)."
            )
        if X_valid is not None:
            rows, n_rows = explainer._rows(as_table(X_valid, "X_valid"))
        else:
            assert explainer._valid is not None
            rows, n_rows = explainer._valid
        if X_train is not None:
            self._background.append(explainer._sampled(as_table(X_train, "X_train"), explainer.options.background))
        if X_valid is not None or not self._rows:
            self._rows.append(rows)
            self._n_rows.append(n_rows)
        self.models.append(model)
        self.learner = learner_name(model)
        self.nbytes += model_bytes(model)

    def release(self, why: str, *, failed: bool = False) -> None:
        """Let go of the models."""
        self.models, self._rows, self._background, self.nbytes = [], [], [], 0
        self._why, self.failed, self._released = why, failed, True

    def as_run(self, metric: str, features: Sequence[str] | None) -> CapturedRun:
        """Return the trial as the code after a search takes it."""
        run = CapturedRun(
            self.number, self.learner, self.config, self.loss, metric, self.kind,
            why=self._why, failed=self.failed, name=self.name,
        )  # fmt: skip
        if not self.models:
            return run
        options, models, kind = self._explainer.options, self.models, self.kind
        share = max(options.max_rows // len(self._rows), 1)
        rows = stack_rows([table.sample(share, options.random_state) for table in self._rows])
        background = stack_rows(self._background or [self._explainer._background])
        tables = Tables(background.sample(options.background, options.random_state), rows, sum(self._n_rows))
        run.read, run.why, run.nbytes, run.tables = lambda: _read(models, tables, kind), "", self.nbytes, tables
        return run


def _read(models: list[Any], tables: Tables, kind: str) -> FittedModel | list[FittedModel]:
    described = [replace(describe(model, tables.background.data), kind=kind) for model in models]
    return described[0] if len(described) == 1 else described
