"""The tap on a FLAML search: a metric that computes what FLAML would, and notes the model it is given.

FLAML calls a metric once for each trial (holdout) or fold (cross-validation) with the fitted learner. The tap notes the
learner and returns at once; nothing is explained while the search runs.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flaml.automl.logger import logger
from flaml.automl.ml import default_cv_score_agg_func, get_y_pred, metric_loss_score

from automl_explain.integrations._model_size import keep_within_memory, model_bytes
from automl_explain.integrations._options import ExplainabilityOptions


@dataclass
class Trial:
    """One configuration that FLAML scored: its models (one, or one per fold), and its loss."""

    number: int
    learner_class: type
    config: dict[str, Any]
    loss: float | None
    sample_size: int | None
    models: list[Any] = field(default_factory=list)
    why: str = ""
    nbytes: int = 0

    def release(self, why: str) -> None:
        """Let go of the models."""
        self.models, self.why, self.nbytes = [], why, 0


class MetricTap:
    """A FLAML metric that stands in for another and keeps the models that pass through it.

    Parameters
    ----------
    metric : str or callable
        The metric that FLAML was asked for, "auto" included.
    aggregate : callable or None
        The user's ``cv_score_agg_func``.
    log_training_metric : bool or None
        Whether FLAML was asked to log the training loss as well.
    options : ExplainabilityOptions
        Which runs are wanted, and how much memory their models may hold.
    """

    def __init__(
        self, metric: Any, aggregate: Any, log_training_metric: bool | None, options: ExplainabilityOptions
    ) -> None:
        self.metric = metric
        self.user_aggregate = aggregate
        self._log_training_metric = bool(log_training_metric)
        self._options = options
        self._wrapper: Any = None
        self.listener: Callable[[float], object] | None = None
        self.trials: list[Trial] = []
        self.train: Any = None
        self.validation: Any = None
        self.metric_name = metric if isinstance(metric, str) else getattr(metric, "__name__", type(metric).__name__)

    def __call__(
        self,
        X_val: Any,
        y_val: Any,
        estimator: Any,
        labels: Any,
        X_train: Any,
        y_train: Any,
        weight_val: Any = None,
        weight_train: Any = None,
        config: Any = None,
        groups_val: Any = None,
        groups_train: Any = None,
    ) -> tuple[float, dict[str, Any]]:
        """Return the loss and what FLAML logs, as the metric itself would, and note the model."""
        arguments = (X_val, y_val, estimator, labels, X_train, y_train, weight_val, weight_train, config)
        if callable(self.metric):
            loss, log = self.metric(*arguments, groups_val, groups_train)
        else:
            loss, log = self._named_metric(*arguments[:8], groups_val, groups_train)
        self._note(estimator, config, loss, X_train, X_val)
        return loss, log

    def end_of_folds(self, losses: list[float], logs: list[Any]) -> Any:
        """Aggregate the folds of a cross-validated trial as FLAML or the user does, and note the trial's loss."""
        result = (self.user_aggregate or default_cv_score_agg_func)(losses, logs)
        if self.trials:
            self.trials[-1].loss = float(result[0])
            keep_within_memory(self.trials, self._options.memory_limit)
        self._wrapper = None
        return result

    def _named_metric(
        self,
        X_val: Any,
        y_val: Any,
        estimator: Any,
        labels: Any,
        X_train: Any,
        y_train: Any,
        weight_val: Any,
        weight_train: Any,
        groups_val: Any,
        groups_train: Any,
    ) -> tuple[float, dict[str, Any]]:
        """Compute a metric that FLAML knows by name, "auto" resolved as FLAML does."""
        task = estimator._task
        name = task.default_metric(self.metric)
        self.metric_name = name
        started = time.time()
        predicted = _numeric(get_y_pred(estimator, X_val, name, task))
        log: dict[str, Any] = {"pred_time": (time.time() - started) / X_val.shape[0]}
        try:
            loss = metric_loss_score(name, predicted, y_val, labels, weight_val, groups_val)
        except ValueError as error:  # FLAML's own answer to a model that predicts inf or NaN
            loss = np.inf
            logger.warning(f"ValueError {error} happened in `metric_loss_score`, set `val_loss` to `np.inf`")
        if self._log_training_metric:
            on_train = get_y_pred(estimator, X_train, name, task)
            log["train_loss"] = metric_loss_score(name, on_train, y_train, labels, weight_train, groups_train)
        return loss, log

    def _note(self, wrapper: Any, config: Any, loss: Any, X_train: Any, X_val: Any) -> None:
        config = dict(config or {})
        if wrapper is not self._wrapper:
            self.trials.append(
                Trial(len(self.trials), type(wrapper), config, float(loss), config.get("FLAML_sample_size"))
            )
            self._wrapper = wrapper
            if self.listener is not None:
                self.listener(float(loss))
        trial = self.trials[-1]
        # The largest training table seen stands for the data: early trials see only its beginning.
        if self.train is None or X_train.shape[0] > self.train.shape[0]:
            self.train, self.validation = X_train, X_val
        if type(wrapper.estimator).__module__.startswith("sklearn.dummy"):
            trial.release("FLAML put a constant model in its place: the trial ran out of time or memory")
        elif not trial.why:
            trial.models.append(copy.copy(wrapper))
            trial.nbytes += model_bytes(wrapper.estimator)
            keep_within_memory(self.trials, self._options.memory_limit)


def _numeric(predicted: Any) -> Any:
    """FLAML turns predictions that are no numbers into text before it scores them."""
    if isinstance(predicted, np.ndarray) and not np.issubdtype(predicted.dtype, np.number):
        return predicted.astype(str)
    return predicted
