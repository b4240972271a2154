"""What a search engine is, and which there are."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol, cast

from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError, MissingExtraError
from automl_explain.explainers.tables._table import nearest
from automl_explain.integrations.history._run import Run, best_trial, final_of

if TYPE_CHECKING:
    from automl_explain.search._config import AutoMLConfig

ENTRY_POINT_GROUP = "automl_explain.search.engines"
BUILT_IN = {
    "flaml": "automl_explain.search.engines._flaml",
    "optuna": "automl_explain.search.engines._optuna",
}
"""Name of an engine -> module with its `check` and `search`. Installed packages add theirs as entry points."""


@dataclass(frozen=True, eq=False)
class FinishedSearch:
    """What a search engine returns.

    Parameters
    ----------
    model : object
        What predicts: anything that `explain_model` takes.
    runs : list of Run, optional
        Every trial and the final model, explained; empty where ``model_explainability=False``.
    """

    model: Any
    runs: list[Run] = field(default_factory=list)

    @property
    def best_run(self) -> Run | None:
        """The trial with the lowest loss, or the model where no trial was scored; None without explanations."""
        return best_trial(self.runs) or self.final_run

    @property
    def final_run(self) -> Run | None:
        """The run of `model`: the refit, the ensemble, or the best trial itself."""
        return final_of(self.runs)


class SearchEngine(Protocol):
    """What ``AutoMLConfig(engine=...)`` names: a module or object with two functions.

    An installed package adds an engine under the entry-point group ``automl_explain.search.engines``; in its `pyproject.toml`::

        [project.entry-points."automl_explain.search.engines"]
        grid = "mypackage.grid"

    Notes
    -----
    An engine explains its runs with what the library has for that: the `AutoML` of `automl_explain.integrations.flaml`, a
    `TrialExplainer`, an `ExplainingScorer`, or `explain_model(..., best_run=run)` on runs that it adds to the
    `RunHistory`.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from automl_explain import FinishedSearch
    >>> from automl_explain.integrations.sklearn_search import ExplainingScorer
    >>> def search(config, experiment=None):
    ...     data = config.dataset
    ...     facts = {"experiment": experiment}
    ...     scorer = ExplainingScorer("accuracy", data.X_train, history=config.history, facts=facts)
    ...     grid = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}, scoring=scorer)
    ...     grid.fit(data.X_train, data.y_train)
    ...     return FinishedSearch(grid, scorer.explain(grid))
    >>> from sklearn.datasets import load_iris
    >>> from automl_explain import AutoMLConfig
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> search(AutoMLConfig(X=X, y=y)).final_run.kind
    'refit'
    """

    def check(self, config: AutoMLConfig) -> None:
        """Refuse what the engine cannot search.

        Called when the configuration is made; its data stand in `config.dataset`.

        Raises
        ------
        InvalidInputError
            If a setting cannot be used; says which could.
        """

    def search(self, config: AutoMLConfig, experiment: str | None = None) -> FinishedSearch:
        """Search, and explain the runs unless ``model_explainability=False``.

        Parameters
        ----------
        config : AutoMLConfig
            Checked.
        experiment : str, optional
            Recorded with the search as its fact ``"experiment"``, by which `Experiment.runs` finds it.

        Raises
        ------
        AutoMLExplainError
            If no model could be trained or scored.
        """


def find_engine(name: str) -> SearchEngine:
    """Return an engine by its name.

    Raises
    ------
    InvalidInputError
        If there is none of that name, or it is no engine.
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
            f"The engine {name!r} must be a module or an object, no class, with check(config) and search(config, "
            f"experiment), as SearchEngine says. Got {where}."
        )
    return cast(SearchEngine, engine)


def run_engine(config: AutoMLConfig, experiment: str | None = None) -> FinishedSearch:
    """Search a configuration with the engine that it names."""
    found = find_engine(config.engine).search(config, experiment)
    if not isinstance(found, FinishedSearch):
        raise InvalidInputError(
            f"The engine {config.engine!r} must return a FinishedSearch. Got {type(found).__name__}."
        )
    if config.model_explainability and found.best_run is None:
        raise AutoMLExplainError(f"The engine {config.engine!r} recorded no run.")
    return found
