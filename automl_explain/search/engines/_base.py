"""The interface of a search engine: its settings, its two functions, and its result."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from automl_explain.integrations.history._run import Run, best_trial, final_of
from automl_explain.integrations.history._run_history import RunHistory
from automl_explain.integrations.searches._options import ExplainabilityOptions
from automl_explain.search._dataset import Dataset


class SearchSettings(Protocol):
    """The settings that an engine reads: those of an `AutoMLConfig`, already checked."""

    @property
    def dataset(self) -> Dataset:
        """Training and validation rows."""

    @property
    def model_explainability(self) -> bool:
        """Whether the runs are explained."""

    @property
    def engine(self) -> str:
        """Name of the engine."""

    @property
    def time_budget(self) -> float:
        """Seconds of search."""

    @property
    def max_iter(self) -> int | None:
        """Greatest number of trials."""

    @property
    def metric(self) -> str:
        """Metric that the search optimises."""

    @property
    def estimators(self) -> Sequence[str] | None:
        """Learners to try."""

    @property
    def cv(self) -> int | None:
        """Folds of a cross-validation; None: models are scored on validation rows."""

    @property
    def ensemble(self) -> bool | Literal["voting"]:
        """Whether the best learners are stacked at the end, or "voting": whether they vote."""

    @property
    def objective(self) -> Callable[..., float] | None:
        """A custom objective."""

    @property
    def seed(self) -> int:
        """Seed of the search."""

    @property
    def explainability_options(self) -> ExplainabilityOptions | Mapping[str, Any] | None:
        """How the runs are explained."""

    @property
    def history(self) -> RunHistory | str | os.PathLike[str] | None:
        """Where the runs are kept; None: the user's run history."""


@dataclass(frozen=True, eq=False)
class FinishedSearch:
    """The result of a search engine.

    Parameters
    ----------
    model : object
        The fitted model: anything that `explain_model` takes.
    runs : list of Run, optional
        Every trial and the final model, explained; empty if ``model_explainability=False``.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import FinishedSearch
    >>> print(FinishedSearch(Ridge()).best_run)  # a search without explanations
    None
    """

    model: Any
    runs: list[Run] = field(default_factory=list)

    @property
    def best_run(self) -> Run | None:
        """The trial with the lowest loss, or the final model if no trial was scored; None without explanations."""
        return best_trial(self.runs) or self.final_run

    @property
    def final_run(self) -> Run | None:
        """The run of `model`: the refit, the ensemble, or the best trial itself."""
        return final_of(self.runs)


class SearchEngine(Protocol):
    """The engine of ``AutoMLConfig(engine=...)``: a module or object with two functions.

    A package adds an engine under the entry-point group ``automl_explain.engines``; in its `pyproject.toml`::

        [project.entry-points."automl_explain.engines"]
        grid = "mypackage.grid"

    Notes
    -----
    An engine explains its runs with one of the library's integrations: the `AutoML` of `automl_explain.integrations.flaml`,
    a `TrialExplainer`, an `ExplainingScorer`, or `explain_model(..., best_run=run)` for runs that it adds to the
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

    def check(self, config: SearchSettings) -> None:
        """Raise an error for settings that the engine cannot search.

        Called when the configuration is made. The data are in `config.dataset`.

        Parameters
        ----------
        config : AutoMLConfig
            The configuration.

        Raises
        ------
        InvalidInputError
            If a setting cannot be used; the message names those that can.
        """

    def search(self, config: SearchSettings, experiment: str | None = None) -> FinishedSearch:
        """Search, and explain the runs unless ``model_explainability=False``.

        Parameters
        ----------
        config : AutoMLConfig
            A configuration that `check` accepted.
        experiment : str, optional
            Recorded with the search as its fact ``"experiment"``, by which `Experiment.runs` finds it.

        Raises
        ------
        AutoMLExplainError
            If no model could be trained or scored.
        """
