"""What the service counts, in Prometheus' format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from automl_explain.explainers._errors import MissingExtraError

try:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
    from prometheus_client.core import GaugeMetricFamily
except ImportError as error:
    raise MissingExtraError("The service needs prometheus-client: pip install 'automl-explain[serve]'") from error

if TYPE_CHECKING:
    from automl_explain.service.models._importance import RollingImportance

SECONDS = (0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MOST_FEATURES = 200
"""Features of a model whose importance is shown, the most important first."""


class Metrics:
    """Counters of one application, in a registry of its own.

    Parameters
    ----------
    versions : mapping
        Model -> version.
    importances : mapping
        Model -> its rolling importance.
    """

    def __init__(self, versions: Mapping[str, str], importances: Mapping[str, RollingImportance]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "automl_explain_requests", "Requests by route and status.", ["route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "automl_explain_request_seconds", "Time to the answer.", ["route"], buckets=SECONDS, registry=self.registry
        )
        self.rows = Counter(
            "automl_explain_rows", "Rows scored, by model and protocol.", ["model", "protocol"], registry=self.registry
        )
        self.pending = Gauge("automl_explain_pending", "Requests waiting or worked on.", registry=self.registry)
        self.ready = Gauge(
            "automl_explain_ready", "1 after a score of each model has succeeded.", registry=self.registry
        )
        info = Gauge("automl_explain_bundle", "Bundles served.", ["model", "version"], registry=self.registry)
        for name, version in versions.items():
            info.labels(name, version).set(1)
        self.registry.register(_Importances(importances))

    def text(self) -> bytes:
        """Return all counters as text."""
        return generate_latest(self.registry)


class _Importances:
    """Collects the rolling importance of each feature when it is asked for."""

    def __init__(self, importances: Mapping[str, RollingImportance]) -> None:
        self._importances = importances

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "automl_explain_importance",
            "Rolling mean absolute value of a feature, over the classes.",
            labels=["model", "feature"],
        )
        for name, rolling in self._importances.items():
            for feature, value in rolling.top(MOST_FEATURES):
                family.add_metric([name, feature], value)
        yield family
        drift = GaugeMetricFamily(
            "automl_explain_importance_moved",
            "Share of the importance, from 0 to 1, that moved to other features since training.",
            labels=["model"],
        )
        for name, rolling in self._importances.items():
            moved = rolling.moved()
            if moved is not None:
                drift.add_metric([name], moved)
        yield drift

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return []
