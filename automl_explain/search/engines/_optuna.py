"""The engine "optuna": a study of four learners, or of a custom objective."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pandas as pd
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import KFold, StratifiedKFold

from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError
from automl_explain.integrations._vote import about_ensemble
from automl_explain.integrations.optuna import TrialCapture, TrialExplainer
from automl_explain.integrations.searches._captured_run import learner_name
from automl_explain.integrations.searches._options import ExplainabilityOptions
from automl_explain.integrations.searches._row_noise import block_losses
from automl_explain.integrations.searches._search_bar import search_bar
from automl_explain.search.engines._base import FinishedSearch, SearchSettings
from automl_explain.search.engines._ensemble import ensemble_of
from automl_explain.search.engines._metrics import USUAL, check_known, check_metric, loss_of_rows, scores_of_model
from automl_explain.search.engines._space import first_trials, learners_of, suggest
from automl_explain.search.engines._time_left import TimeLeft

if TYPE_CHECKING:
    from automl_explain.search._dataset import Dataset

STACKED = 3
"""Number of models in an ensemble: the best of each learner first."""
STACK_FOLDS = 5
"""Folds on whose predictions the ensemble's final model is trained."""
LOGGERS = ("optuna.storages._in_memory", "optuna.study.study", "optuna.study._optimize", "optuna.study._tell")
"""Loggers with messages about each trial, which the progress bar and the run history show as well."""


def check(config: SearchSettings) -> None:
    """Raise an error for a metric or learner that the engine does not have for this kind of prediction.

    Raises
    ------
    InvalidInputError
        If a setting cannot be used; the message suggests the nearest valid one.
    """
    names = list(config.estimators or [])
    check_metric(config.metric, config.dataset)
    check_known("estimators", names, learners_of(config.dataset.task), config.dataset.kind)
    if config.objective is not None and names:
        raise InvalidInputError("A custom objective creates its own models: leave 'estimators' out.")


def search(config: SearchSettings, experiment: str | None = None) -> FinishedSearch:
    """Search with Optuna's TPE sampler and explain the trials.

    Raises
    ------
    AutoMLExplainError
        If no model could be trained or scored.
    """
    work = _Search(config)
    explainer = _explainer(config, work.metric, experiment) if config.model_explainability else None
    with _quiet():
        study = optuna.create_study(
            study_name=experiment or "automl-explain", sampler=optuna.samplers.TPESampler(seed=config.seed)
        )
        with explainer or nullcontext():
            work.optimize(study, explainer)
            model = work.final_model(study, explainer)
    return FinishedSearch(model, [] if explainer is None else explainer.runs)


def _explainer(config: SearchSettings, metric: str, experiment: str | None) -> TrialExplainer:
    data, own = config.dataset, config.objective
    facts = {
        # A custom objective may return something else than the metric.
        "metric": metric if own is None else getattr(own, "__name__", type(own).__name__),
        "evaluation": f"cross-validation, {config.cv} folds" if config.cv else "holdout",
        "training_rows": len(data.y_train),
    }
    facts |= {} if data.y_valid is None else {"validation_rows": len(data.y_valid)}
    facts |= {} if experiment is None else {"experiment": experiment}
    # The same names for all trials: pipelines would generate them, and models without a pipeline have none.
    names = [f"x{j}" for j in range(data.X_train.shape[1])] if sparse.issparse(data.X_train) else None
    options = ExplainabilityOptions.read(config.explainability_options)
    return TrialExplainer(
        data.X_train,
        data.X_valid,
        y_valid=data.y_valid,
        explainability_options=options,
        history=config.history,
        features=names,
        facts=facts,
    )


class TrialLoss:
    """The second argument of a custom objective: called with an unfitted model, it returns the loss.

    A trial has one model, which may become the final model of the search. A second model in the same trial, called or
    captured, is an error and ends the search. To choose between models, use `trial.suggest_categorical`.

    Parameters
    ----------
    work : object
        The search, which creates one object per trial.
    number : int
        The trial's number.
    seen : TrialCapture or None
        Captures the trial's models; None without explanations.

    Attributes
    ----------
    data : Dataset
        The rows: `X_train`, `y_train`, and `X_valid`, `y_valid`, which are None with ``cv``.

    Examples
    --------
    >>> from lightgbm import LGBMClassifier
    >>> from sklearn.datasets import load_iris
    >>> from automl_explain import AutoMLConfig, Experiment
    >>> def objective(trial, loss_of):
    ...     leaves = trial.suggest_int("num_leaves", 2, 15)
    ...     return loss_of(LGBMClassifier(n_estimators=10, num_leaves=leaves, verbose=-1))
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> config = AutoMLConfig(X=X, y=y, engine="optuna", objective=objective, max_iter=3)
    >>> best_run, fitted_model = Experiment("iris").submit(config).get_output()
    >>> best_run.learner, fitted_model.predict(X[:2]).tolist()
    ('LGBMClassifier', [0, 0])
    """

    def __init__(self, work: _Search, number: int, seen: TrialCapture | None) -> None:
        self.data: Dataset = work.data
        self._work, self._number, self._seen = work, number, seen
        self._has_model = False

    def __call__(self, model: Any) -> float:
        """Fit copies of a model, on the training rows or in folds, and return the loss by the configured metric.

        Parameters
        ----------
        model : estimator
            An unfitted model. At the end, the best one is fitted again on all rows, or stacked with ``ensemble=True``.

        Returns
        -------
        float
            The loss as FLAML defines it: 1 minus a score such as roc_auc, or an error.

        Raises
        ------
        InvalidInputError
            If the trial already has a model.
        """
        self._take_place()
        losses = []
        started = time.monotonic()
        for train, X_valid, y_valid in self._work.splits():
            fitted = clone(model).fit(*train)
            loss_of = loss_of_rows(self._work.metric, fitted, X_valid, y_valid)
            losses.append(loss_of(np.arange(len(y_valid))))
            self._note(fitted, X_valid, y_valid)
            if self._seen is not None and self._work.config.cv is None:
                self._seen.measure = partial(block_losses, loss_of, len(y_valid))
                self._seen.score = partial(scores_of_model, fitted, X_valid, y_valid)
        self._work.recipes[self._number] = model
        self._work.seconds[self._number] = time.monotonic() - started
        if self._work.config.cv is None:
            self._work.trained[self._number] = fitted
        return float(np.mean(losses))

    def capture(self, model: Any, X_valid: Any = None) -> None:
        """Capture a model that the objective has fitted and scores itself; the best one is the search's fitted model.

        Parameters
        ----------
        model : object
            A fitted model: anything that `explain_model` takes.
        X_valid : table, optional
            The rows explained. Default: the validation rows, or with ``cv`` the training rows.

        Raises
        ------
        InvalidInputError
            If ``ensemble=True``, which needs models that this object fits, or if the trial already has a model.
        """
        if self._work.config.ensemble:
            raise InvalidInputError(
                "ensemble=True stacks models that the search fits: return loss_of(unfitted_model), or leave ensemble out."
            )
        self._take_place()
        self._work.fitted[self._number] = model
        default = self.data.X_train if self.data.X_valid is None else self.data.X_valid
        labels = self.data.y_train if self.data.y_valid is None else self.data.y_valid
        self._note(model, *((default, labels) if X_valid is None else (X_valid, None)))

    def _take_place(self) -> None:
        if self._has_model:
            raise InvalidInputError(
                f"Trial {self._number} already has a model, and got a second one. Call loss_of(model) or "
                "loss_of.capture(model) once per trial. To choose between models, use trial.suggest_categorical; for folds, "
                "use AutoMLConfig(cv=...)."
            )
        self._has_model = True

    def _note(self, model: Any, X_valid: Any, y_valid: Any) -> None:
        if self._seen is not None:
            self._seen.capture(model, X_valid, y_valid=y_valid)


class _Search:
    """A running search: its settings, and the candidates for its final model."""

    def __init__(self, config: SearchSettings) -> None:
        self.config, self.data = config, config.dataset
        self.metric = USUAL[self.data.kind] if config.metric == "auto" else config.metric
        self.names = list(config.estimators or learners_of(self.data.task))
        self.recipes: dict[int, Any] = {}
        """Trial -> unfitted model."""
        self.fitted: dict[int, Any] = {}
        """Trial -> model that the objective fitted itself; only for the best trial so far."""
        self.trained: dict[int, Any] = {}
        """Trial -> model that was scored on the validation rows; only for the best trial so far."""
        self.seconds: dict[int, float] = {}
        """Trial -> seconds in which its recipe was fitted and scored."""
        self.time_left = TimeLeft(config.time_budget)
        self._y = _labels(self.data.y_train)
        self._y_valid = None if self.data.y_valid is None else _labels(self.data.y_valid)

    def splits(self) -> Iterator[tuple[tuple[Any, Any], Any, Any]]:
        """Yield training rows with their labels, validation rows, and their labels: once, or once for each fold."""
        X, y = self.data.X_train, self._y
        if self.data.X_valid is not None:
            yield (X, y), self.data.X_valid, self._y_valid
            return
        assert self.config.cv is not None
        for train, valid in self._folds(self.config.cv).split(X, y):
            yield (_rows(X, train), y[train]), _rows(X, valid), y[valid]

    def optimize(self, study: optuna.Study, explainer: TrialExplainer | None) -> None:
        """Run trials until the time budget or the number of trials is reached."""
        config = self.config
        if config.objective is None:
            for trial in first_trials(self.names, self.data):
                study.enqueue_trial(trial)

        def objective(trial: optuna.Trial) -> float:
            with explainer.trial(trial) if explainer else nullcontext() as seen:
                return self._loss(trial, seen)

        def told(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
            self._keep_best(study)
            if trial.values:
                tell(trial.values[0])

        progress = ExplainabilityOptions.read(config.explainability_options).progress
        with search_bar(config.time_budget, config.max_iter, progress) as tell:
            study.optimize(
                objective,
                n_trials=config.max_iter,
                timeout=config.time_budget,
                # A learner that fails is a failed run; an error in a custom objective is raised.
                catch=(Exception,) if config.objective is None else (),
                callbacks=[told],
            )
        done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        if not done:
            why = {reason for trial in study.trials if (reason := trial.user_attrs.get("why"))}
            said = f" One reason: {sorted(why)[0]}" if why else ""
            raise AutoMLExplainError(f"None of the {len(study.trials)} trials could be scored by {self.metric}.{said}")

    def _loss(self, trial: optuna.Trial, seen: TrialCapture | None) -> float:
        loss_of = TrialLoss(self, trial.number, seen)
        if self.config.objective is not None:
            return self.config.objective(trial, loss_of)
        name, model = suggest(trial, self.names, self.data, self.config.seed)
        try:
            return loss_of(model)
        except Exception as error:
            trial.set_user_attr("why", f"{type(error).__name__}: {error}")
            raise
        finally:
            if seen is not None:
                seen.learner = name

    def _keep_best(self, study: optuna.Study) -> None:
        """Drop the models that can no longer become the final model."""
        for models in (self.fitted, self.trained):
            best = min(models, key=lambda number: _loss_of(study.trials[number]), default=None)
            for number in [number for number in models if number != best]:
                del models[number]

    def final_model(self, study: optuna.Study, explainer: TrialExplainer | None) -> Any:
        """Return the final model, and capture it unless it is the model of the best trial."""
        best = study.best_trial.number
        if best in self.fitted:
            return self.fitted[best]
        if best not in self.recipes:
            raise AutoMLExplainError(
                f"The best trial, {best}, has no model: the objective must return loss_of(model), or call "
                "loss_of.capture(model)."
            )
        chosen = self._to_stack(study) if self.config.ensemble else []
        if len(chosen) > 1 and not self.time_left.affords(
            "the ensemble", (STACK_FOLDS + 1) * sum(self.seconds[number] for number in chosen)
        ):
            chosen = []
        if (
            best in self.trained
            and len(chosen) < 2
            and not self.time_left.affords("the refit on all rows", self.seconds[best])
        ):
            return self.trained[best]
        X, y = self._all_rows()
        if len(chosen) > 1:
            names = [self._learner(study.trials[number]) for number in chosen]
            models = [self.recipes[number] for number in chosen]
            model = ensemble_of(models, names, self.config, self._folds(_most_folds(self.data.task, y))).fit(X, y)
            learner, weights = about_ensemble(model, names)
            about: dict[str, Any] = {"kind": "ensemble", "learner": learner, "config": weights}
        else:
            model = clone(self.recipes[best]).fit(X, y)
            about = {"learner": self._learner(study.best_trial), "config": study.best_trial.params}
        if explainer is not None:
            # Without their labels: the model was fitted to these rows.
            explainer.capture_final(study, model, X if self.data.X_valid is None else self.data.X_valid, **about)
        return model

    def _learner(self, trial: optuna.trial.FrozenTrial) -> str:
        return (
            str(trial.params["learner"]) if self.config.objective is None else learner_name(self.recipes[trial.number])
        )

    def _to_stack(self, study: optuna.Study) -> list[int]:
        """Return the trials whose models make the ensemble: the best of each learner, then the next best."""
        ranked = sorted(self.recipes, key=lambda number: (_loss_of(study.trials[number]), number))
        ranked = [number for number in ranked if _loss_of(study.trials[number]) < np.inf]
        place: dict[int, int] = {}
        of_learner: dict[str, int] = {}
        for number in ranked:
            learner = self._learner(study.trials[number])
            place[number] = of_learner[learner] = of_learner.get(learner, -1) + 1
        return sorted(ranked, key=lambda number: (place[number], ranked.index(number)))[:STACKED]

    def _all_rows(self) -> tuple[Any, Any]:
        if self.data.X_valid is None:
            return self.data.X_train, self._y
        parts, y = [self.data.X_train, self.data.X_valid], np.concatenate([self._y, self._y_valid])
        return sparse.vstack(parts, format="csr") if sparse.issparse(parts[0]) else pd.concat(parts), y

    def _folds(self, n_splits: int) -> Any:
        splitter = KFold if self.data.task == "regression" else StratifiedKFold
        return splitter(n_splits, shuffle=True, random_state=self.config.seed)


def _loss_of(trial: optuna.trial.FrozenTrial) -> float:
    return float("inf") if trial.state != optuna.trial.TrialState.COMPLETE else float(trial.values[0])


def _most_folds(task: str, y: Any) -> int:
    """Folds of an ensemble: no more than the rarest class has rows."""
    return STACK_FOLDS if task == "regression" else min(STACK_FOLDS, int(np.unique(y, return_counts=True)[1].min()))


def _labels(y: pd.Series) -> Any:
    """Return a target in the types that scikit-learn takes: nullable and category types become plain ones."""
    if pd.api.types.is_float_dtype(y.dtype) or pd.api.types.is_integer_dtype(y.dtype):
        return y.to_numpy()
    return y.astype(object).infer_objects().to_numpy()


def _rows(X: Any, rows: Any) -> Any:
    return X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress Optuna's log messages of this thread's searches."""
    thread = threading.get_ident()

    def other_thread(record: logging.LogRecord) -> bool:
        return record.thread != thread or record.levelno >= logging.ERROR

    loggers = [logging.getLogger(name) for name in LOGGERS]
    for logger in loggers:
        logger.addFilter(other_thread)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(other_thread)
