"""FLAML's own log in MLflow during a search that is explained: the metric that was given, and the best run marked for good."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from typing import Any

from automl_explain.integrations.searches.flaml._tap import MetricTap


@contextmanager
def own_log(automl: Any, metric: Any, tap: MetricTap) -> Iterator[None]:
    """Let FLAML log the metric that it was given, not the tap, and mark the best run after every run is logged.

    A thread that logs a run sets the tag `flaml.best_run` to False. If the best run is marked meanwhile, the thread either
    fails the search, since the database has the tag since a moment ago, or takes the mark away.
    """
    integration = automl.mlflow_integration
    if integration is None:
        yield
        return
    record, log = integration.record_state, integration.log_automl

    def recorded(*args: Any, **kwargs: Any) -> Any:
        automl._state.metric = metric
        try:
            return record(*args, **kwargs)
        finally:
            automl._state.metric = tap

    def logged(*args: Any, **kwargs: Any) -> Any:
        wait(integration.futures)
        return log(*args, **kwargs)

    integration.record_state, integration.log_automl = recorded, logged
    try:
        yield
    finally:
        del integration.record_state, integration.log_automl
