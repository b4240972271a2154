"""`ExplainabilityOptions`: which runs of a search are explained, on which rows, and within which time and memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.metadata import version
from numbers import Integral, Real
from typing import Any, Literal

from automl_explain.explainers._arguments import check_seed, nearest
from automl_explain.explainers._errors import InvalidInputError

SHARE_OF_SEARCH = 0.25
"""Share of the search's own time that explaining may take if no budget is given."""
SHORTEST_BUDGET = 10.0
"""Seconds that explaining may take after any search, however short."""


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
        first; runs that are not reached are recorded as skipped.
    memory_limit : float, default 2.0
        GiB of captured models kept during the search. The worst are released first and recorded as skipped.
    on_error : {"record", "raise"}, default "record"
        Record a run that could not be explained as failed, with the reason, or raise the error after the search.
    n_jobs : int, optional
        Runs explained at the same time; default: all cores of the process.
    random_state : int, default 0
        Seed of the rows drawn.
    keep_scoring : bool, default True
        Keep the scoring explainers of the final model and of the best trial in the history, for `scoring_explainer` and
        ``automl-explain bundle``.
    keep_labels : bool, default False
        Keep the true labels of the explained rows with each run. `ModelExplanation.performance` then needs none, and
        ``automl-explain show``, notebooks and the report tell how good the predictions of these rows are. None are kept for
        models that were fitted to these rows, such as the folds of a cross-validation together, or a refit to all rows.
    progress : bool, optional
        If True, show a progress bar on stderr; if False, none. Default: a bar that appears after two seconds.

    Raises
    ------
    InvalidInputError
        If a value cannot be used.
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
    random_state: int = 0
    keep_scoring: bool = True
    keep_labels: bool = False
    progress: bool | None = None

    def __post_init__(self) -> None:
        choices: dict[str, tuple[Any, ...]] = {
            "which": ("all", "improving", "best"),
            "output": ("auto", "probability", "log_odds", "response", "margin"),
            "feature_space": ("raw", "engineered", "both"),
            "on_error": ("record", "raise"),
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
        for name in ("keep_scoring", "keep_labels"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidInputError(f"The {name!r} option must be True or False. Got {getattr(self, name)!r}.")
        if self.progress is not None and not isinstance(self.progress, bool):
            raise InvalidInputError(f"The 'progress' option must be True, False or None. Got {self.progress!r}.")

    @classmethod
    def read(cls, options: ExplainabilityOptions | Mapping[str, Any] | None) -> ExplainabilityOptions:
        """Return options from an instance, a mapping of names to values, or None for the defaults."""
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
                guess = nearest(name, known)
                hint = f" Did you mean {guess!r}?" if guess else f" There are: {', '.join(known)}."
                raise InvalidInputError(f"There is no explainability option {name!r}.{hint}")
        return cls(**given)

    def seconds(self, search_seconds: float) -> float:
        """Return the seconds that explaining may take after a search of that length."""
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


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
