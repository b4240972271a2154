"""FLAML's own log in MLflow during a search that is explained: the metric that was given, and the best run marked for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import ExitStack, contextmanager
from typing import Any

from automl_explain.integrations.searches.flaml._tap import MetricTap


@contextmanager
def own_log(automl: Any, metric: Any, tap: MetricTap) -> Iterator[None]:
    """Let FLAML log the metric that it was given, not the tap, and the best run after every run is logged."""
    integration = automl.mlflow_integration
    if integration is None:
        yield
        return
    with ExitStack() as stack:
        stack.enter_context(_replaced(integration, "record_state", _with_metric(automl._state, metric, tap)))
        stack.enter_context(_replaced(integration, "log_automl", _after(integration)))
        yield


def _with_metric(state: Any, metric: Any, tap: MetricTap) -> Callable[[Any], Any]:
    def replace(record: Any) -> Any:
        def recorded(*args: Any, **kwargs: Any) -> Any:
            state.metric = metric
            try:
                return record(*args, **kwargs)
            finally:
                state.metric = tap

        return recorded

    return replace


def _after(integration: Any) -> Callable[[Any], Any]:
    """Wait for FLAML's threads before the best run is marked.

    A thread that logs a run sets the tag `flaml.best_run` to False. It either fails the search, if the database has the tag
    since a moment ago, or takes the mark away.
    """

    def replace(log: Any) -> Any:
        def logged(*args: Any, **kwargs: Any) -> Any:
            wait(integration.futures)
            return log(*args, **kwargs)

        return logged

    return replace


@contextmanager
def _replaced(integration: Any, name: str, replace: Callable[[Any], Any]) -> Iterator[None]:
    """Replace a method of an object until the block ends."""
    setattr(integration, name, replace(getattr(integration, name)))
    try:
        yield
    finally:
        delattr(integration, name)
