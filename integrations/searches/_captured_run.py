"""What a search hands over to be explained: the runs that a tap captured, and the job of explaining them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.tables._table import Table
from automl_explain.integrations.history._run_history import RunHistory
from automl_explain.integrations.sealed._kept_models import KeptModels
from automl_explain.integrations.searches._options import ExplainabilityOptions


@dataclass(frozen=True, eq=False)
class RunTables:
    """The tables on which a run is explained.

    Parameters
    ----------
    background : Table
        Rows that stand for absent features.
    rows : Table
        The rows explained.
    n_validation : int
        Number of validation rows from which `rows` were drawn.
    """

    background: Table
    rows: Table
    n_validation: int


@dataclass(eq=False)
class CapturedRun:
    """A trial or final model that a tap has captured.

    Parameters
    ----------
    number : int
        Order in the search.
    learner, config, loss, metric, kind, sample_size
        As in `Run`.
    read : callable or None
        Returns the description of the model, or one description per fold; None if there is no model to explain.
    why : str
        Why there is no model.
    failed : bool
        Whether the missing model is an error. If False, the run was skipped.
    nbytes : int
        Estimated memory of the model.
    tables : RunTables, optional
        Tables of this run, if they differ from those of the other runs.
    part_losses : tuple of float
        Losses of its parts, such as folds. Empty: they are not known.
    measure : callable, optional
        Returns losses of parts that can be computed from the model; called after the run has been explained.
    score : callable, optional
        Returns scores on the validation rows by name; called for the best run and final models. None: they are not known, or
        the model was fitted to these rows.
    fitted_to_rows : bool
        Whether the model, or one of several, was fitted to rows that are explained. How well it predicts them then says
        little.
    name : str
        Name of the run in another system, by which the history finds it.
    kept_as : str
        Name under which its models were kept during the search; empty: its id, if they were kept.
    to_keep : callable, optional
        Returns what is kept in the place of `read`, if that holds more than the models.
    """

    number: int
    learner: str
    config: Mapping[str, Any]
    loss: float | None
    metric: str
    kind: str = "trial"
    sample_size: int | None = None
    read: Callable[[], FittedModel | list[FittedModel]] | None = None
    why: str = ""
    nbytes: int = 0
    tables: RunTables | None = None
    failed: bool = False
    fitted_to_rows: bool = False
    name: str = ""
    part_losses: tuple[float, ...] = ()
    measure: Callable[[], tuple[float, ...]] | None = None
    score: Callable[[], dict[str, float]] | None = None
    kept_as: str = ""
    to_keep: Callable[[], Callable[[], FittedModel | list[FittedModel]]] | None = None
    id: str = field(default="", init=False)

    def release(self, why: str) -> None:
        """Drop the model and record why."""
        self.read, self.why, self.nbytes, self.tables, self.measure, self.score = None, why, 0, None, None, None

    def as_row(self) -> dict[str, Any]:
        """Return the run as `RunHistory.add_runs` takes it."""
        names = ("number", "learner", "config", "loss", "metric", "kind", "sample_size", "why", "name", "part_losses")
        row = {name: getattr(self, name) for name in names}
        status = "captured" if self.read else "failed" if self.failed else "skipped"
        return row | {"status": status}


@dataclass(frozen=True, eq=False)
class ExplanationJob:
    """The runs of one search to explain: by when, how, and where the results are kept.

    Parameters
    ----------
    history : RunHistory
        Where runs and explanations are kept.
    search : str
        Id of the search.
    options : ExplainabilityOptions
    deadline : float
        Time on the clock `time.monotonic` after which no further trial is explained.
    tables : RunTables, optional
        Tables for the runs that have none of their own.
    features : sequence of str, optional
        Column names, for tables without names.
    kept : KeptModels, optional
        Keeps the models until they are explained.
    complete : bool, default False
        Whether these are all runs of the search, so that no other is left that was recorded while it went on.
    """

    history: RunHistory
    search: str
    options: ExplainabilityOptions
    deadline: float
    tables: RunTables | None = None
    features: Sequence[str] | None = None
    kept: KeptModels | None = None
    complete: bool = False


def learner_name(model: Any) -> str:
    """Return the class name of a model; of its last step if it is a pipeline."""
    return type(last_step(model)).__name__


def last_step(model: Any) -> Any:
    """Return the last step of a pipeline; any other model as it is."""
    return model.steps[-1][1] if hasattr(model, "steps") else model


def in_order(runs: Sequence[CapturedRun]) -> list[CapturedRun]:
    """Return the final models, then the trials by loss. Trials with equal losses stay in the order of the search."""

    def key(run: CapturedRun) -> tuple[bool, float, int]:
        loss = run.loss if run.loss is not None and not math.isnan(run.loss) else math.inf
        return run.kind == "trial", loss, run.number

    return sorted(runs, key=key)
