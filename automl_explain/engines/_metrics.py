"""The metrics that searches optimise, by the names that FLAML gave them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._table import nearest

if TYPE_CHECKING:
    from automl_explain._data import Dataset

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
"""Kind of prediction -> what "auto" stands for."""


def check_metric(name: object, dataset: Dataset) -> None:
    """Raise `InvalidInputError` for a metric that cannot score the data; another search would ignore or fail on it."""
    check_known("metric", [name], ["auto", *METRICS[dataset.kind]], dataset.kind)


def check_known(setting: str, names: Sequence[object], known: Sequence[str], kind: str) -> None:
    """Raise `InvalidInputError` for a name that a setting has not for this kind of prediction."""
    for name in names:
        if name not in known:
            guess = nearest(name, known) if isinstance(name, str) else None
            hint = f"Did you mean {guess!r}?" if guess else f"There are: {', '.join(known)}."
            article = "" if kind == "regression" else " classification"
            raise InvalidInputError(f"{setting!r} has no {name!r} for a {kind}{article}. {hint}")
