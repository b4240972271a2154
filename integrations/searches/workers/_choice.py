"""Who explains the runs of a search, by its options."""

from __future__ import annotations

from typing import Any

from automl_explain.explainers._errors import MissingExtraError
from automl_explain.explainers._fallback import logger
from automl_explain.explainers.model._registry import load
from automl_explain.integrations.searches._captured_run import RunTables
from automl_explain.integrations.searches._options import ExplainabilityOptions
from automl_explain.integrations.searches.workers._explain_run import RunSettings
from automl_explain.integrations.searches.workers._workers import Cluster, Engine, ThisProcess, Workers

_PLACE = "automl_explain.integrations.searches.workers._clusters"
CLUSTERS = {name: f"{_PLACE}:{name.capitalize()}" for name in ("ray", "dask", "spark")}
"""Name of a backend -> its class."""
PROCESSES = "automl_explain.integrations.searches.workers._processes:Processes"
"""Engine of ``isolation="process"``."""


def workers_for(options: ExplainabilityOptions, tables: RunTables | None, features: Any) -> Workers:
    """Return who explains the runs of a search.

    If a cluster cannot be reached when the search is over, which may have taken hours, its runs are explained here, and the
    log says so.
    """
    common = None if tables is None else RunSettings(tables, options, features)
    if options.isolation == "process":
        return Cluster("processes", load(PROCESSES)(), common, must_send=True)
    if options.backend is None:
        return ThisProcess()
    try:
        engine: Engine = load(CLUSTERS[options.backend])()
        return Cluster(options.backend, engine, common)
    except Exception as error:
        # Engines raise errors of their own.
        if isinstance(error, MissingExtraError):
            raise
        logger.warning(
            "the workers of %s cannot be reached, and the runs are explained in this process: %s",
            options.backend,
            error,
        )
        return ThisProcess()
