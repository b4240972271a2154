"""The table of search engines, and the functions that find and run one."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points
from typing import Any, cast

from automl_explain.explainers._arguments import nearest
from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError, MissingExtraError
from automl_explain.search.engines._base import FinishedSearch, SearchEngine, SearchSettings

ENTRY_POINT_GROUP = "automl_explain.engines"
BUILT_IN = {
    "flaml": "automl_explain.search.engines._flaml",
    "optuna": "automl_explain.search.engines._optuna",
}
"""Name of an engine -> module with its `check` and `search`. Installed packages add engines as entry points."""


def find_engine(name: str) -> SearchEngine:
    """Return an engine by its name.

    Raises
    ------
    InvalidInputError
        If there is no engine of this name, or it is not an engine.
    MissingExtraError
        If the engine needs a package that is not installed.
    """
    installed = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    load: Callable[[], Any]
    if isinstance(name, str) and name in BUILT_IN:
        load, where = partial(importlib.import_module, BUILT_IN[name]), BUILT_IN[name]
    elif isinstance(name, str) and name in installed:
        load, where = installed[name].load, installed[name].value
    else:
        known = [*BUILT_IN, *installed]
        guess = nearest(name, known) if isinstance(name, str) else None
        hint = f" Did you mean {guess!r}?" if guess else ""
        raise InvalidInputError(f"The engine must be one of {', '.join(known)}. Got {name!r}.{hint}")
    try:
        engine = load()
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"The engine {name!r} needs {error.name}, which is not installed: pip install {error.name}"
        ) from error
    except (ImportError, AttributeError) as error:
        raise InvalidInputError(f"The engine {name!r} cannot be loaded from {where}: {error}.") from error
    if isinstance(engine, type) or not all(callable(getattr(engine, part, None)) for part in ("check", "search")):
        raise InvalidInputError(
            f"The engine {name!r} must be a module or an object, not a class, with check(config) and search(config, "
            f"experiment); see SearchEngine. Got {where}."
        )
    return cast(SearchEngine, engine)


def run_engine(config: SearchSettings, experiment: str | None = None) -> FinishedSearch:
    """Search a configuration with its engine."""
    found = find_engine(config.engine).search(config, experiment)
    if not isinstance(found, FinishedSearch):
        raise InvalidInputError(
            f"The engine {config.engine!r} must return a FinishedSearch. Got {type(found).__name__}."
        )
    if config.model_explainability and found.best_run is None:
        raise AutoMLExplainError(
            f"The engine {config.engine!r} recorded no run. Return the runs in FinishedSearch(model, runs)."
        )
    return found
