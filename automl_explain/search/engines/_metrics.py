"""The metrics that searches optimise, under FLAML's names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from automl_explain.explainers._arguments import nearest
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.integrations.history._scores import usual_scores

if TYPE_CHECKING:
    from automl_explain.search._dataset import Dataset

OF_LABELS = ("accuracy", "micro_f1", "macro_f1")
METRICS = {
    "binary": ("log_loss", "roc_auc", "roc_auc_weighted", "ap", "f1", *OF_LABELS),
    "multiclass": (
        *("log_loss", "roc_auc_ovr", "roc_auc_ovo", "roc_auc_ovr_weighted", "roc_auc_ovo_weighted"),
        *OF_LABELS,
    ),
    "regression": ("r2", "rmse", "mae", "mse", "mape"),
}
"""Kind of prediction -> metrics that can score it."""
USUAL = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "r2"}
"""Kind of prediction -> the metric "auto"."""


Loss = Callable[[Any, Any], float]
"""Function from true and predicted values to the minimised loss."""


def _area(**how: str) -> Loss:
    return lambda y, predicted: 1.0 - roc_auc_score(y, predicted, **how)


def _f1(average: str) -> Loss:
    return lambda y, predicted: 1.0 - f1_score(y, predicted, average=average)


LOSSES: dict[str, dict[str, Loss]] = {
    "numbers": {
        "r2": lambda y, predicted: 1.0 - r2_score(y, predicted),
        "rmse": root_mean_squared_error,
        "mae": mean_absolute_error,
        "mse": mean_squared_error,
        "mape": mean_absolute_percentage_error,
    },
    "labels": {
        "accuracy": lambda y, predicted: 1.0 - accuracy_score(y, predicted),
        "f1": _f1("binary"),
        "micro_f1": _f1("micro"),
        "macro_f1": _f1("macro"),
    },
    "probability of the second class": {
        "roc_auc": _area(),
        "roc_auc_weighted": _area(average="weighted"),
        "ap": lambda y, predicted: 1.0 - average_precision_score(y, predicted),
    },
    "probabilities": {
        "log_loss": lambda y, predicted: log_loss(y, predicted, labels=np.arange(predicted.shape[1])),
        "roc_auc_ovr": _area(multi_class="ovr"),
        "roc_auc_ovo": _area(multi_class="ovo"),
        "roc_auc_ovr_weighted": _area(multi_class="ovr", average="weighted"),
        "roc_auc_ovo_weighted": _area(multi_class="ovo", average="weighted"),
    },
}
"""Predictions that a metric reads -> metric -> the loss that FLAML minimises for it."""


def check_metric(name: object, dataset: Dataset) -> None:
    """Raise `InvalidInputError` for a metric that cannot score the data, and that a search would ignore or fail on."""
    check_known("metric", [name], ["auto", *METRICS[dataset.kind]], dataset.kind)


def check_known(setting: str, names: Sequence[object], known: Sequence[str], kind: str) -> None:
    """Raise `InvalidInputError` for a name that a setting does not have for this kind of prediction."""
    for name in names:
        if name not in known:
            guess = nearest(name, known) if isinstance(name, str) else None
            hint = f" Did you mean {guess!r}?" if guess else ""
            what = kind if kind == "regression" else f"{kind} classification"
            raise InvalidInputError(f"{setting!r} has no {name!r} for a {what}.{hint} There are: {', '.join(known)}.")


def loss_of_rows(metric: str, model: Any, X: Any, y: Any) -> Callable[[npt.NDArray[np.intp]], float]:
    """Return the loss that FLAML minimises for a metric, 1 minus a score or an error, as a function of row numbers.

    Parameters
    ----------
    metric : str
        One of `METRICS`.
    model : object
        A fitted model. It predicts all rows once.
    X, y : table, array of shape (n,)
        Rows, and their labels or numbers.
    """
    reads = next(what for what, losses in LOSSES.items() if metric in losses)
    truth, predicted = _truth_and_predicted(reads, metric, model, X, y)
    return lambda rows: float(LOSSES[reads][metric](truth[rows], predicted[rows]))


def scores_of_model(model: Any, X: Any, y: Any) -> dict[str, float]:
    """Return the usual scores of a fitted model on rows with known labels or numbers."""
    classes = getattr(model, "classes_", ())
    shares = model.predict_proba(X) if len(classes) and hasattr(model, "predict_proba") else None
    return usual_scores(y, model.predict(X), shares, np.asarray(classes).tolist())


def _truth_and_predicted(reads: str, metric: str, model: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """Return true and predicted values as a metric reads them."""
    if reads == "numbers":
        return np.asarray(y), np.asarray(model.predict(X), dtype=np.float64)
    if reads == "labels":
        return _codes(model, y), _codes(model, model.predict(X))
    if not hasattr(model, "predict_proba"):
        raise InvalidInputError(
            f"{metric} needs probabilities, which {type(model).__name__} does not predict: try accuracy."
        )
    probabilities = model.predict_proba(X)
    return _codes(model, y), probabilities if reads == "probabilities" else probabilities[:, 1]


def _codes(model: Any, labels: Any) -> Any:
    """Return the classes as 0, 1, ... for any labels."""
    return pd.Index(model.classes_).get_indexer(pd.Index(np.ravel(labels)))
