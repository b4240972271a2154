"""`Experiment`: a name under which configurations are searched and their runs are found."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.integrations.history._run import Run, Runs, final_unexplained
from automl_explain.integrations.history._run_history import RunHistory
from automl_explain.search._config import AutoMLConfig
from automl_explain.search.engines._base import FinishedSearch
from automl_explain.search.engines._registry import run_engine


@dataclass(frozen=True, eq=False)
class ExperimentRun:
    """A finished search of an experiment.

    Parameters
    ----------
    experiment : str
        Name of the experiment.
    config : AutoMLConfig
        The configuration.
    found : FinishedSearch
        The result of the search.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from automl_explain import AutoMLConfig, Experiment
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> config = AutoMLConfig(X=X, y=y, engine="optuna", max_iter=2, estimators=["lgbm"])
    >>> run = Experiment("iris").submit(config)
    >>> [one.kind for one in run.runs], run.final_run.status
    (['trial', 'trial', 'refit'], 'explained')
    """

    experiment: str
    config: AutoMLConfig
    found: FinishedSearch

    def get_output(self) -> tuple[Run | None, Any]:
        """Return the best run and the fitted model.

        Returns
        -------
        tuple of Run, object
            The best run, for `retrieve_model_explanation`; None if ``model_explainability=False``. The fitted model, for
            `explain_model`; with the flaml engine, its `AutoML`.
        """
        return self.found.best_run, self.found.model

    @property
    def runs(self) -> list[Run]:
        """Every trial and the final model; empty if ``model_explainability=False``."""
        return Runs(self.found.runs)

    @property
    def final_run(self) -> Run | None:
        """The run of the fitted model: the refit, the ensemble, or the best trial itself."""
        return self.found.final_run

    def __repr__(self) -> str:
        best = self.found.best_run
        found = f"{len(self.runs)} runs, best {best.id}" if best else f"model {type(self.found.model).__name__}"
        return "\n".join([*final_unexplained(self.runs), f"ExperimentRun({self.experiment!r}, {found})"])


class Experiment:
    """A name for searches that belong together.

    Parameters
    ----------
    name : str
        Recorded with every search.

    Raises
    ------
    InvalidInputError
        If the name is empty or not a text.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from automl_explain import AutoMLConfig, Experiment, retrieve_model_explanation
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> config = AutoMLConfig(task="classification", X=X, y=y, max_iter=3, estimators=["lgbm"])
    >>> run = Experiment("iris").submit(config)
    >>> best_run, fitted_model = run.get_output()
    >>> shap_values, expected_values, values, names, _, _ = retrieve_model_explanation(best_run)
    >>> len(shap_values), fitted_model.predict(X[:2]).tolist()
    (3, [0, 0])
    >>> len(Experiment("iris").runs()) >= 3
    True
    """

    @checked
    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name.strip():
            raise InvalidInputError(f"An experiment needs a name. Got {name!r}.")
        self.name = name

    def __repr__(self) -> str:
        return f"Experiment({self.name!r})"

    def submit(self, config: AutoMLConfig) -> ExperimentRun:
        """Search, explain every run, and return the result.

        Parameters
        ----------
        config : AutoMLConfig
            What is searched, and how.

        Returns
        -------
        ExperimentRun
            The runs, the best one, and the fitted model.

        Raises
        ------
        InvalidInputError
            If `config` is not an `AutoMLConfig`.
        AutoMLExplainError
            If no model could be trained or scored.
        HistoryError
            If the history cannot be written.
        """
        if not isinstance(config, AutoMLConfig):
            raise InvalidInputError(f"submit takes an AutoMLConfig. Got {type(config).__name__}.")
        return ExperimentRun(self.name, config, run_engine(config, self.name))

    def runs(self, *, history: RunHistory | str | os.PathLike[str] | None = None) -> list[Run]:
        """Return the runs of every search that was submitted under this name, in this process or another.

        Parameters
        ----------
        history : RunHistory or path-like, optional
            Default: the user's run history.

        Returns
        -------
        list of Run
            Oldest search first.
        """
        history = RunHistory.read(history)
        named = [one for one in history.searches() if history.search(one)["facts"].get("experiment") == self.name]
        return [run for search in named for run in history.runs(search)]
