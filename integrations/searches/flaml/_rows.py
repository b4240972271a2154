"""The rows of a FLAML search: those that the caller gave, those that models are scored on, and those they are explained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from flaml.automl.ml import get_y_pred, metric_loss_score

from automl_explain.explainers.tables._table import as_table
from automl_explain.integrations.history._scores import usual_scores
from automl_explain.integrations.readers._flaml import own_rows
from automl_explain.integrations.searches._captured_run import RunTables
from automl_explain.integrations.searches._options import ExplainabilityOptions
from automl_explain.integrations.searches._row_noise import RowNumbers, block_losses, quick_loss


@dataclass(frozen=True, eq=False)
class Shared:
    """The number of training rows of a trial, the tables that its models are explained on, and when they were written."""

    n_training: int
    tables: RunTables
    at: int


@dataclass(frozen=True, eq=False)
class ScoredRows:
    """The validation rows on which FLAML scores all trials, as it passes them to a metric."""

    X: Any
    y: Any
    labels: Any
    weights: Any
    groups: Any

    def block_losses(self, model: Any, metric: str, task: Any, loss: float | None) -> tuple[float, ...]:
        """Return the losses of a model, or of its answers for these rows, on blocks of them; empty for rows in groups."""
        if self.groups is not None:
            return ()
        truth, weights = np.asarray(self.y), None if self.weights is None else np.asarray(self.weights)
        predicted = np.asarray(get_y_pred(model, self.X, metric, task))

        def loss_of(rows: RowNumbers) -> float:
            some = None if weights is None else weights[rows]
            return float(metric_loss_score(metric, predicted[rows], truth[rows], self.labels, sample_weight=some))

        quick = None if weights is not None or loss is None else quick_loss(metric, truth, predicted, self.labels)
        found = () if quick is None else block_losses(quick, len(truth), loss)  # the search's own loss confirms it
        return found or block_losses(loss_of, len(truth), loss)

    def scores(self, model: Any, task: Any) -> dict[str, float]:
        """Return the usual scores of a model that FLAML has fitted; empty for rows in groups."""
        if self.groups is not None:
            return {}
        predicted = model.predict(self.X)
        if not task.is_classification():
            return usual_scores(self.y, predicted)
        shares = model.predict_proba(self.X)
        return usual_scores(self.y, predicted, shares, range(shares.shape[1]))


def own_tables(
    tables: RunTables,
    X_train: Any,
    valid: tuple[Any, Any],
    preprocess: Callable[[Any], Any],
    options: ExplainabilityOptions,
) -> RunTables:
    """Return the caller's rows in place of those that FLAML has preprocessed.

    Parameters
    ----------
    tables : RunTables
        The preprocessed rows.
    X_train : table
        The caller's training rows.
    valid : tuple of table or None, array-like or None
        The caller's validation rows and their labels; None if FLAML has taken some of the training rows.
    preprocess : callable
        FLAML's preprocessing.
    options : ExplainabilityOptions
    """
    train = as_table(X_train)
    if valid[0] is None:
        rows = own_rows(tables.rows, train, preprocess)
    else:
        rows = as_table(valid[0]).with_labels(valid[1]).sample(options.max_rows, options.random_state)
    return RunTables(own_rows(tables.background, train, preprocess), rows, tables.n_validation)


def with_own_labels(tables: RunTables, coder: Any) -> RunTables:
    """Return tables with the caller's labels in place of the codes that FLAML's label encoder made, if there is one."""
    codes = tables.rows.labels
    if not coder or codes is None:  # FLAML says False where it leaves tables as they are
        return tables
    return replace(tables, rows=tables.rows.with_labels(coder.inverse_transform(np.asarray(codes, dtype=np.int64))))


def fetched(table: Any) -> Any:
    """Return a table; one that lies in Ray's object store is fetched from there, as FLAML does."""
    cls = type(table)
    if cls.__name__ != "ObjectRef" or cls.__module__.partition(".")[0] != "ray":
        return table
    import ray

    return ray.get(table)


def features(X_train: Any, dataframe: Any, label: Any) -> Any:
    """Return the columns of the caller's training table without the label."""
    return X_train if X_train is not None else dataframe.drop(columns=label)


def raw_columns(X_train: Any, dataframe: Any, label: Any) -> list[Any] | None:
    """Return the names of the caller's columns; None if the table has none."""
    if X_train is None and dataframe is None:
        return None  # FLAML raises the error
    table = features(X_train, dataframe, label)
    return list(table.columns) if isinstance(table, pd.DataFrame) else None
