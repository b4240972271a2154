"""`ExplainabilityOptions`: which runs of a search are explained, on which rows, and within which time and memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.metadata import version
from importlib.util import find_spec
from numbers import Integral, Real
from typing import Any, Literal

from automl_explain.explainers._arguments import check_seed, checked, nearest
from automl_explain.explainers._errors import InvalidInputError, MissingExtraError

SHARE_OF_SEARCH = 0.25
"""Share of the search's own time that explaining may take if no budget is given."""
SHORTEST_BUDGET = 10.0
"""Seconds that explaining may take after any search, however short."""

BACKENDS = {"ray": "ray", "dask": "distributed", "spark": "pyspark"}
"""Name of a backend -> package that it needs."""


@dataclass(frozen=True)
class ExplainabilityOptions:
    """How the runs of a search are explained.

    Parameters
    ----------
    which : {"all", "improving", "best"} or int, default "all"
        All runs, the runs that improved on all earlier ones, the best run, or this number of the best runs. The final model
        is always explained.
    max_rows : int, default 2000
        Validation rows explained for each run.
    background : int, default 200
        Training rows that stand for absent features.
    output : {"auto", "probability", "log_odds", "response", "margin"}, default "auto"
        Unit of the values.
    feature_space : {"raw", "engineered", "both"}, default "raw"
        Explain the user's own columns, or the columns that the learners see, which a preprocessing has made of them. With
        "both", each run has both explanations, the engineered one as `ModelExplanation.engineered`.
    time_budget : float, optional
        Seconds that explaining may take. Default: a quarter of the search's time, at least 10. Runs are explained best
        first; runs that are not reached are recorded as skipped. A model that does not answer is given up some time after the
        budget has ended, and its run is recorded as failed: after a fifth of the budget, at least 10 seconds; for the final
        model and the best run after as much time again, at least 30 seconds.
    memory_limit : float, default 2.0
        GiB of captured models kept during the search. The worst are released first and recorded as skipped. Files of worker
        processes may take as much; models beyond it are not kept.
    on_error : {"record", "raise"}, default "record"
        Record a run that could not be explained as failed, with the reason, or raise the error after the search.
    n_jobs : int, optional
        Runs explained at the same time; default: all cores of the process, or all slots of the `backend`.
    backend : {"ray", "dask", "spark"}, optional
        Explain the runs on the workers of the Ray, Dask client or Spark session in use, which get the models and rows by
        the engine's own serialization; for searches of thousands of runs. A model that cannot be sent is explained in this
        process. Default: in threads of this process.
    isolation : {"thread", "process"}, default "thread"
        Where this machine explains runs: in threads of this process, where a model that does not answer is left behind and
        goes on in its thread, or in processes of their own, which are ended then. A model that crashes its process is one
        failed run. A process is started for each run explained at the same time, and takes seconds and memory to import what
        a model needs; models that cannot be pickled are failed.
    random_state : int, default 0
        Seed of the rows drawn.
    keep_scoring : bool, default True
        Keep the scoring explainers of the final model and of the best trial in the history, for `scoring_explainer` and
        ``automl-explain bundle``.
    keep_labels : bool, default False
        Keep the true labels of the explained rows with each run. `ModelExplanation.performance` then needs none, and
        ``automl-explain show``, notebooks and the report tell how good the predictions of these rows are. None are kept for
        models that were fitted to these rows, such as the folds of a cross-validation together, or a refit to all rows.
    keep_models : bool, default False
        Keep the models in files of the history as they come, until explaining has ended. If the process dies,
        `resume_search` or ``automl-explain resume`` explains what was not. They take as much of the disk as `memory_limit`
        says; models beyond it are not kept.
    progress : bool, optional
        If True, show a progress bar on stderr; if False, none. Default: a bar that appears after two seconds.

    Raises
    ------
    InvalidInputError
        If a value cannot be used.
    MissingExtraError
        If the engine of `backend` is not installed, or there is no Java for Spark.

    Examples
    --------
    >>> from automl_explain import ExplainabilityOptions
    >>> options = ExplainabilityOptions(which=10, max_rows=500, time_budget=120)  # the ten best runs, within two minutes
    >>> options.seconds(search_seconds=3600), ExplainabilityOptions().seconds(3600)
    (120, 900.0)
    """

    which: Literal["all", "improving", "best"] | int = "all"
    max_rows: int = 2000
    background: int = 200
    output: str = "auto"
    feature_space: Literal["raw", "engineered", "both"] = "raw"
    time_budget: float | None = None
    memory_limit: float = 2.0
    on_error: Literal["record", "raise"] = "record"
    n_jobs: int | None = None
    backend: Literal["ray", "dask", "spark"] | None = None
    isolation: Literal["thread", "process"] = "thread"
    random_state: int = 0
    keep_scoring: bool = True
    keep_labels: bool = False
    keep_models: bool = False
    progress: bool | None = None

    def __post_init__(self) -> None:
        choices: dict[str, tuple[Any, ...]] = {
            "which": ("all", "improving", "best"),
            "output": ("auto", "probability", "log_odds", "response", "margin"),
            "feature_space": ("raw", "engineered", "both"),
            "on_error": ("record", "raise"),
            "isolation": ("thread", "process"),
        }
        for name, allowed in choices.items():
            value = getattr(self, name)
            number = name == "which" and _is_number(value, Integral) and value >= 1
            if not (isinstance(value, str) and value in allowed) and not number:
                extra = " or a number of runs, 1 or more" if name == "which" else ""
                raise InvalidInputError(f"The {name!r} option must be one of {allowed}{extra}. Got {value!r}.")
        for name in ("max_rows", "background", "n_jobs"):
            value = getattr(self, name)
            if not (name == "n_jobs" and value is None) and not (_is_number(value, Integral) and value >= 1):
                raise InvalidInputError(f"The {name!r} option must be a whole number, 1 or more. Got {value!r}.")
        if not (_is_number(self.memory_limit, Real) and self.memory_limit > 0):
            raise InvalidInputError(f"The 'memory_limit' option must be greater than 0. Got {self.memory_limit!r}.")
        if self.time_budget is not None and not (_is_number(self.time_budget, Real) and self.time_budget >= 0):
            raise InvalidInputError(f"The 'time_budget' option must be 0 or more seconds. Got {self.time_budget!r}.")
        check_seed(self.random_state)
        if self.backend is not None:
            if self.isolation == "process":
                raise InvalidInputError(
                    f"With backend={self.backend!r} runs are explained in processes of the cluster: leave isolation out."
                )
            _check_backend(self.backend)
        for name in ("keep_scoring", "keep_labels", "keep_models"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidInputError(f"The {name!r} option must be True or False. Got {getattr(self, name)!r}.")
        if self.progress is not None and not isinstance(self.progress, bool):
            raise InvalidInputError(f"The 'progress' option must be True, False or None. Got {self.progress!r}.")

    @classmethod
    def read(cls, options: ExplainabilityOptions | Mapping[str, Any] | None) -> ExplainabilityOptions:
        """Return options from an instance, a mapping of names to values, or None for the defaults.

        Parameters
        ----------
        options : ExplainabilityOptions, mapping or None
            What a user passed.

        Returns
        -------
        ExplainabilityOptions
            The options, checked.

        Raises
        ------
        InvalidInputError
            If a name is unknown or a value cannot be used.
        """
        if isinstance(options, cls):
            return options
        if options is not None and not isinstance(options, Mapping):
            raise InvalidInputError(
                f"The 'explainability_options' must be ExplainabilityOptions or a mapping. Got {type(options).__name__}."
            )
        given = dict(options or {})
        known = [field.name for field in fields(cls)]
        for name in given:
            if name not in known:
                guess = nearest(str(name), known)
                hint = f" Did you mean {guess!r}?" if guess else f" There are: {', '.join(known)}."
                raise InvalidInputError(f"There is no explainability option {name!r}.{hint}")
        return cls(**given)

    @checked
    def seconds(self, search_seconds: float) -> float:
        """Return the seconds that explaining may take after a search of that length.

        Parameters
        ----------
        search_seconds : float
            Seconds that the search took.

        Returns
        -------
        float
            `time_budget`, or its default for this search.
        """
        if self.time_budget is not None:
            return self.time_budget
        return max(SHORTEST_BUDGET, SHARE_OF_SEARCH * search_seconds)


def made_with(options: ExplainabilityOptions, *libraries: str) -> dict[str, Any]:
    """Return what is recorded with a search about its explanations: the options and the versions of libraries."""
    always = ("automl-explain", "scikit-learn", "numpy", "pandas")
    return {
        "options": {field.name: getattr(options, field.name) for field in fields(options)},
        "versions": {library: version(library) for library in (*always, *libraries)},
    }


def _check_backend(name: Any) -> None:
    """Refuse an engine before the search, whose runs it explains when the search is over."""
    if not isinstance(name, str) or name not in BACKENDS:
        raise InvalidInputError(f"The 'backend' option must be one of {tuple(BACKENDS)} or None. Got {name!r}.")
    if not has_package(name):
        raise MissingExtraError(
            f"Explaining runs with backend={name!r} needs {BACKENDS[name]}: pip install 'automl-explain[{name}]'"
        )
    if name == "spark":
        need_java()


def has_package(name: str) -> bool:
    """Return whether the package of an engine of clusters is installed."""
    return find_spec(BACKENDS[name]) is not None


def need_java() -> None:
    """Raise a `MissingExtraError` if there is no Java, without which Spark cannot start on this machine."""
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise MissingExtraError(
            "Spark needs Java, and there is neither a program java on the PATH nor JAVA_HOME. Install a Java runtime, such as "
            "Debian's package default-jre-headless."
        )


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
