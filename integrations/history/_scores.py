"""Scores that people know, from the losses that searches minimise, and those measured on validation rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl_explain.integrations.history._entry_files import Writable, keep_small
from automl_explain.integrations.history._noted import noted
from automl_explain.integrations.history.index_tables._schema import SCORES
from automl_explain.integrations.sealed._places import place_of

ONE_MINUS = ("roc_auc", "accuracy", "f1", "micro_f1", "macro_f1", "ap", "r2", "ndcg")
"""Metrics whose loss is 1 minus the score; also those that begin with one of them and an underscore."""
ERRORS = ("log_loss", "rmse", "mae", "mse", "mape", "brier_score")
"""Metrics whose loss is the metric itself; also those with a name that ends with one of `ENDS`."""
ENDS = ("_error", "_deviance")
SHOWN = {"r2": "R2", "roc_auc": "ROC AUC", "ap": "average precision", "log_loss": "log loss"} | {
    name: name.upper() for name in ("rmse", "mae", "mse", "mape")
}
"""Metric -> its name in tables and sentences."""


def score_of(metric: str, loss: float | None) -> float | None:
    """Return the score for a loss, such as 0.33 for the loss 0.67 of "r2"; None if the metric is not known.

    A metric that a search maximises, whose loss is its negative, is named with a hyphen before it.
    """
    if loss is None:
        return None
    if metric.startswith("-"):
        return -loss
    if metric in ERRORS or metric.endswith(ENDS):
        return loss
    is_one_minus = any(metric == name or metric.startswith(f"{name}_") for name in ONE_MINUS)
    return 1.0 - loss if is_one_minus else None


def score_name(metric: str) -> str:
    """Return the name of a metric as people write it."""
    name = metric.removeprefix("-")
    return SHOWN.get(name, name)


def usual_scores(
    truth: Any, predicted: Any, probabilities: Any = None, classes: Sequence[Any] = ()
) -> dict[str, float]:
    """Return the usual scores of predictions: accuracy, log loss and ROC AUC, or R2, RMSE and MAE.

    Parameters
    ----------
    truth, predicted : array-like of shape (n,)
        Labels or numbers.
    probabilities : ndarray of shape (n, C), optional
    classes : sequence
        Labels in the order of the probabilities; empty for a regression.
    """
    from sklearn import metrics  # slow; only searches and explicit questions need it

    if not len(classes):
        truth, predicted = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
        found = {
            "R2": metrics.r2_score(truth, predicted) if len(truth) > 1 else np.nan,
            "RMSE": metrics.root_mean_squared_error(truth, predicted),
            "MAE": metrics.mean_absolute_error(truth, predicted),
        }
        return {name: float(value) for name, value in found.items() if np.isfinite(value)}
    position = {label: j for j, label in enumerate(classes)}
    codes = np.array([position[label] for label in np.asarray(truth).tolist()])
    found = {"accuracy": float(np.mean([position.get(one) for one in np.asarray(predicted).tolist()] == codes))}
    if probabilities is not None:
        probabilities = np.clip(probabilities, 0.0, 1.0)  # beyond the ends by rounding
        found["log loss"] = float(metrics.log_loss(codes, probabilities, labels=np.arange(len(classes))))
        seen = np.unique(codes)
        if len(seen) == len(classes):
            binary = len(classes) == 2
            area = metrics.roc_auc_score(codes, probabilities[:, 1] if binary else probabilities, multi_class="ovr")
            found["ROC AUC"] = float(area)
    return found


def keep_scores(history: Writable, run_id: str, scores: Mapping[str, float]) -> None:
    """Keep the validation scores of a run in a history, unless it was removed meanwhile."""
    keep_small(history, SCORES, run_id, json.dumps(dict(scores)).encode())


def scores_of(store: Any, run_id: str) -> dict[str, float]:
    """Return the validation scores of a run; empty if there are none, or if they cannot be read, which is logged."""
    directory = getattr(store, "directory", None)
    return {} if directory is None else noted(place_of(Path(directory), SCORES, run_id, ".json"), "validation scores")
