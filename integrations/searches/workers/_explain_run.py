"""One run of a search: its explanation within the time that it may take, wherever it is computed."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from automl_explain.explainers._fallback import fall_back
from automl_explain.explainers._tabular_explainer import OneTableExplainer, TabularExplainer
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.methods._kernel import predicts_mixed_rows
from automl_explain.explainers.methods._members import has_members
from automl_explain.explainers.methods._settings import SamplingOptions
from automl_explain.explainers.model._explained_model import engineer
from automl_explain.explainers.model._fitted_model import Composite, FittedModel
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.model._structures import Opaque, RadialBasis
from automl_explain.explainers.neural._network import Network
from automl_explain.explainers.tables._table import Table
from automl_explain.integrations.planning._plan import expected_seconds
from automl_explain.integrations.searches._captured_run import RunTables
from automl_explain.integrations.searches._cv_folds import mean_over_folds
from automl_explain.integrations.searches._options import ExplainabilityOptions

SLOW_BACKGROUND = 25
"""Background rows of a slow run: one whose model is not explained from its structure alone."""
FEW_COALITIONS, MANY_COALITIONS = 8, 64
"""Coalitions evaluated per row and column of a slow run; many for the best run and the final models, if their members'
structure gives the outputs of masked rows."""
FEWEST_ROWS = 10
"""A slow run is skipped if fewer rows than this can be explained in its share of the time."""
PATIENCE = 2.0
"""Seconds that any run explained from its structure may take. If all its rows would take longer, fewer are explained."""
CERTAIN = 1.0
"""A slow run is not timed first if all its rows are expected to take less than this many seconds."""
LEAST_SECONDS = 1.0
"""Seconds that a slow run may take at least if it is explained whatever the time: then by fewer coalitions, with their errors."""
PROBED_ROWS = 16
"""Rows of a run explained from its structure whose explanation is timed."""
QUICK = 0.1
"""Seconds that the rows of a slow run which are timed beside the first one take at least."""
LEAST_PER_ROW = 1e-9
"""Seconds of a row that are too few to be measured."""


@dataclass(frozen=True, eq=False)
class RunSettings:
    """On what the model of a run is explained, and how: plain data, which a worker process may get.

    Parameters
    ----------
    tables : RunTables
    options : ExplainabilityOptions
    features : sequence of str, optional
        Column names, for tables without names.
    """

    tables: RunTables
    options: ExplainabilityOptions
    features: Sequence[str] | None = None


class Allowance(NamedTuple):
    """What a run may take, as its plan says.

    Parameters
    ----------
    seconds : float
    must : bool
        Explain at least a few rows, regardless of the time.
    expected : float
        Seconds that other models of its kind took for all rows.
    members : bool
        Include the member contributions of an ensemble.
    """

    seconds: float
    must: bool
    expected: float
    members: bool


def explain_run(
    models: FittedModel | list[FittedModel], settings: RunSettings, allowance: Allowance
) -> Explanation | str:
    """Return the explanation of a run, of the mean over its folds if it has several models, or why there is none."""
    seconds, must, expected, members = allowance
    if isinstance(models, list):
        return _explain_folds(models, settings, seconds, must=must)
    return explain_within(models, settings, seconds, must=must, members=members, expected=expected)


def _explain_folds(
    models: list[FittedModel], settings: RunSettings, seconds: float, *, must: bool
) -> Explanation | str:
    parts: list[Explanation] = []
    for model in models:
        n_rows = parts[0].num_examples if parts else None
        part = explain_within(model, settings, seconds / len(models), must=must, n_rows=n_rows)
        if isinstance(part, str):
            return part
        parts.append(part)
    return mean_over_folds(parts)


def explain_within(
    model: FittedModel,
    settings: RunSettings,
    seconds: float,
    *,
    must: bool = False,
    n_rows: int | None = None,
    members: bool = False,
    expected: float = math.inf,
) -> Explanation | str:
    """Explain a model in about this time: all rows if that is fast enough, otherwise as many as the time allows.

    Parameters
    ----------
    model : FittedModel
    settings : RunSettings
    seconds : float
    must : bool
        Explain at least a few rows, regardless of the time.
    n_rows : int, optional
        Explain this many rows, regardless of the time.
    members : bool
        Include the member contributions of an ensemble.
    expected : float
        Seconds that other models of its kind took for all rows, if it cannot be explained from its structure alone.

    Returns
    -------
    Explanation, or the reason in words why there is none
    """
    rows, options = settings.tables.rows, settings.options
    if options.output != "auto" and options.output not in model.outputs:
        return f"{model.name} has no output in {options.output}, only in {', '.join(model.outputs)}"
    slow = _is_slow(model, options.output)
    make = partial(
        _explainer, model, settings.tables, settings, len(rows) if n_rows is None else n_rows, slow=slow, must=must
    )
    explainer = make()
    if not slow:
        seconds = max(seconds, PATIENCE)
        expected = expected_seconds(explainer.model.structure, len(rows), len(settings.tables.background))
    elif must:
        seconds = max(seconds, LEAST_SECONDS)
    known = len(rows) if expected <= seconds else int(len(rows) * seconds / expected) if expected <= CERTAIN else 0
    if n_rows is None and expected <= (CERTAIN if slow else seconds) and known >= min(FEWEST_ROWS, len(rows)):
        n_rows = known
    elif n_rows is None:
        cost = RowCost(0.0, _row_seconds(model, settings.tables, must=must) if slow else 0.0)
        if cost.of(FEWEST_ROWS) <= seconds:  # otherwise a row alone may take too long
            cost = row_cost(explainer, rows, 1 if slow else PROBED_ROWS, QUICK if slow else 0.0)
        elif must:
            explainer = make(within=seconds)
        affordable = int(min(cost.rows_within(seconds), len(rows)))
        if affordable < min(FEWEST_ROWS, len(rows)) and not must:
            return (
                f"too slow for its share of the time: {FEWEST_ROWS} rows would take {cost.of(FEWEST_ROWS):.2g} s, and its "
                f"share was {seconds:.2g} s. Set a larger ExplainabilityOptions(time_budget=...)"
            )
        n_rows = max(affordable, FEWEST_ROWS)
    elif (
        slow and n_rows * _row_seconds(model, settings.tables, must=must) > seconds
    ):  # of another fold, on as many rows
        explainer = make(within=seconds)
    rows = rows.sample(n_rows, options.random_state)
    explanation = explainer.explain_local(rows)
    if members and has_members(explainer.model):
        explanation = _with_members(explanation, explainer, rows)
    if len(rows) < settings.tables.n_validation:
        note = f"rows: {len(rows):,} of {settings.tables.n_validation:,} validation rows, drawn at random"
        explanation = replace(explanation, notes=(*explanation.notes, note))
    return explanation


def _with_members(explanation: Explanation, explainer: TabularExplainer, rows: Table) -> Explanation:
    """Return an explanation with the contributions of the members, or with a note that says why they are missing."""

    def without(why: str) -> Explanation:
        return replace(explanation, notes=(*explanation.notes, f"{why}: no contributions of members"))

    return fall_back(
        "Splitting the output among the members",
        lambda: replace(explanation, members=explainer.explain_members(rows)),
        without,
    )


def _is_slow(model: FittedModel, output: str) -> bool:
    """Whether a model cannot be explained from its structure alone in this output space."""
    structured = not isinstance(model.structure, Opaque | Network | Composite | RadialBasis)
    return not structured or output not in ("auto", model.output_space)


def _row_seconds(model: FittedModel, tables: RunTables, *, must: bool) -> float:
    """Return about how long a row of a slow run takes if its masked rows are predicted; 0 if they are not."""
    if not predicts_mixed_rows(model.structure):
        return 0.0
    background = engineer(model, tables.background, "the background")
    seconds = math.inf
    for _ in range(2):  # the first call may load a library
        started = time.monotonic()
        predict_finite(model, background.data, "the background")
        seconds = min(seconds, time.monotonic() - started)
    return seconds / len(background) * SLOW_BACKGROUND * tables.rows.n_columns * _per_column(model, must=must)


def _per_column(model: FittedModel, *, must: bool) -> int:
    return MANY_COALITIONS if must and not predicts_mixed_rows(model.structure) else FEW_COALITIONS


def _explainer(
    model: FittedModel,
    tables: RunTables,
    settings: RunSettings,
    n_rows: int,
    *,
    slow: bool,
    must: bool,
    within: float | None = None,
) -> TabularExplainer:
    options, sampling = settings.options, None
    if slow:
        n_samples = tables.rows.n_columns * _per_column(model, must=must)
        sampling = SamplingOptions(nsamples=n_samples, background_size=SLOW_BACKGROUND, time_budget=within)
    return OneTableExplainer(
        n_rows,
        model,
        tables.background,
        features=settings.features,
        output=options.output,
        feature_space="engineered" if options.feature_space == "engineered" else "raw",
        sampling=sampling,
        random_state=options.random_state,
        n_jobs=1,
        progress=False,
    )


class RowCost(NamedTuple):
    """What explaining rows takes: seconds for any table, such as of preparing it, and for each row."""

    fixed: float
    per_row: float

    def of(self, n_rows: int) -> float:
        """Return the seconds that so many rows take."""
        return self.fixed + n_rows * self.per_row

    def rows_within(self, seconds: float) -> float:
        """Return how many rows can be explained in these seconds."""
        return max(seconds - self.fixed, 0.0) / self.per_row


def row_cost(explainer: TabularExplainer, rows: Table, first: int, at_least: float) -> RowCost:
    """Return the time that explaining rows takes.

    The first rows are explained once before they are timed, so that compilation is not counted. If `at_least` is given, a few
    more rows are timed, up to three times, until those beside the first take that many seconds: what any table takes is
    then not taken for the cost of a row.
    """
    explainer.explain_local(rows.take(np.arange(min(first, len(rows)))))
    n_rows = min(first, len(rows))
    few = _seconds(explainer, rows, n_rows)
    per_row, more = max(few / n_rows, LEAST_PER_ROW), n_rows
    for _ in range(3):
        if more == len(rows) or (more - n_rows) * per_row >= at_least:
            break
        more = min(len(rows), more + max(2, int(at_least / per_row)))
        extra = _seconds(explainer, rows, more) - few
        per_row = max(extra / (more - n_rows), few / (10 * more), LEAST_PER_ROW)
    return RowCost(max(few - n_rows * per_row, 0.0), per_row)


def _seconds(explainer: TabularExplainer, rows: Table, n_rows: int) -> float:
    some = rows.take(np.arange(n_rows))
    started = time.monotonic()
    explainer.explain_local(some)
    return time.monotonic() - started
