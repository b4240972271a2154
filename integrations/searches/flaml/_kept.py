"""Models of FLAML's trials in a form that can be kept: with the preprocessing of their search, without its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.tables._shared_tables import SharedTables
from automl_explain.integrations.readers._flaml import in_search, mean_of, sharing_steps
from automl_explain.integrations.sealed._kept_models import KeptModels
from automl_explain.integrations.searches._captured_run import CapturedRun, RunTables
from automl_explain.integrations.searches._kept_runs import keep_run
from automl_explain.integrations.searches._options import ExplainabilityOptions
from automl_explain.integrations.searches.flaml._tap import MetricTap, Trial

PREPARING = ("_transformer", "_label_transformer", "raw_columns_", "word_parents_", "_words")
"""What of an AutoML object says how rows are preprocessed and what labels are called."""


def without_rows(automl: Any) -> Any:
    """Return an AutoML object that preprocesses as another one does, and holds nothing else of it."""
    kept = object.__new__(type(automl))
    vars(kept).update({name: vars(automl)[name] for name in PREPARING if name in vars(automl)})
    kept._state = SimpleNamespace(task=automl._state.task)
    return kept


def described(models: Sequence[Any], automl: Any, kind: str, shared: SharedTables | None = None) -> FittedModel:
    """Describe a model of a search, or the mean of those of its folds."""
    members = [describe(model if shared is None else sharing_steps(model, shared)) for model in models]
    return in_search(members[0] if len(members) == 1 else mean_of(members), automl, kind, shared)


class TrialKeeper:
    """Keeps the models of trials as they end.

    Parameters
    ----------
    tap : MetricTap
    kept : KeptModels
    options : ExplainabilityOptions
    name : callable
        From the number of a trial to the id of its run.
    captured : callable
        From a trial to its run.
    tables : callable
        Returns the tables on which trials are explained.
    """

    def __init__(
        self,
        tap: MetricTap,
        kept: KeptModels,
        options: ExplainabilityOptions,
        name: Callable[[int], str],
        captured: Callable[[Trial], CapturedRun],
        tables: Callable[[], RunTables],
    ) -> None:
        self._tap, self._kept, self._options = tap, kept, options
        self._name, self._captured, self._tables = name, captured, tables
        self._drawn: tuple[Any, RunTables] | None = None

    def __call__(self, trial: Trial) -> None:
        """Keep the models of a trial. The tables are drawn again where a trial has seen more rows than those before."""
        if self._drawn is None or self._drawn[0] is not self._tap.train:
            self._drawn = self._tap.train, self._tables()
        run = replace(self._captured(trial), tables=self._drawn[1], **self._tap.told_of(trial))
        keep_run(self._kept, self._name(trial.number), run, self._options, None)
