"""What is recorded of a FLAML search: when it begins, and when it has ended."""

from __future__ import annotations

from typing import Any

from automl_explain.integrations.readers._flaml import raw_map
from automl_explain.integrations.searches._options import ExplainabilityOptions, made_with
from automl_explain.integrations.searches.flaml._rows import Shared
from automl_explain.integrations.searches.flaml._tap import MetricTap

LIBRARIES = ("flaml", "lightgbm", "xgboost")
"""Libraries whose versions are recorded with a search."""


def first_facts(automl: Any, options: ExplainabilityOptions) -> dict[str, Any]:
    """Return what is known of the search of an AutoML object when it begins."""
    known = {
        "experiment": automl._experiment,
        "metric": str(automl._state.metric),
        "evaluation": automl._state.eval_method,
    }
    return {name: value for name, value in known.items() if value is not None} | made_with(options, *LIBRARIES)


def facts_of(
    automl: Any, tap: MetricTap, seen: Shared, options: ExplainabilityOptions, search_seconds: float
) -> dict[str, Any]:
    """Return what is known of the search when it has ended."""
    state = automl._state
    feature_map = raw_map(automl.feature_transformer, automl.raw_columns_, automl.word_parents_)
    return {
        **({} if automl._experiment is None else {"experiment": automl._experiment}),
        "metric": tap.metric_name,
        "loss": state.error_metric if isinstance(tap.metric, str) else tap.metric_name,
        "search_seconds": round(search_seconds, 3),
        "evaluation": state.eval_method,
        "training_rows": seen.n_training,
        "validation_rows": seen.tables.n_validation,
        "dropped_columns": [] if feature_map is None else list(feature_map.dropped),
        **made_with(options, *LIBRARIES),
    }
