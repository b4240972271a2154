"""How values are computed: what a caller may choose of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._validation import check_seed
from automl_explain.explainers.compiled._jit import count_threads
from automl_explain.explainers.methods._background import SUMMARIES

WHOLE = ("nsamples", "max_evaluations", "background_size")
"""Options that are whole numbers; the other numbers may have a fraction."""


@dataclass(frozen=True)
class SamplingOptions:
    """How many coalitions are evaluated, and against which background rows.

    They apply to models whose values are computed from coalitions: black boxes, and ensembles that are no weighted sums of
    their members. Trees, linear models and weighted sums of them are explained exactly over the whole background,
    whatever the options say.

    Parameters
    ----------
    nsamples : int, optional
        Coalitions per row, at least 4 f for f features. Default: all of them for up to 11 features, or up to 14 where the
        members of an ensemble can be read; otherwise 2 f + 2048, and fewer where there are many rows.
    max_evaluations : int, optional
        Most outputs of masked rows computed in one call. Default: 4 million where masked rows are predicted, 100 million
        where the members of an ensemble can be read. Ignored with `nsamples`.
    tolerance : float, optional
        Evaluate more coalitions until every standard error is at most this, in the unit of the output, or until
        `max_evaluations` or `time_budget` is reached. The explanation's notes say which.
    time_budget : float, optional
        Seconds that one call may take. The best values so far are returned, with their standard errors; every row gets at
        least a first estimate. With ``include_local=False`` it is the time of each batch.
    background_size : int, optional
        Background rows in use. Default: 50, or 100 where members can be read, or 200 for sums of kernels. The explanation's
        notes say how they were chosen.
    background_summary : {"representative", "kmeans"}, default "representative"
        Rows spread evenly over the model's predictions, or weighted means of similar rows, made of values that the columns
        have.

    Raises
    ------
    InvalidInputError
        If a number is not positive, or there is no such summary.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> from automl_explain import SamplingOptions, TabularExplainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> options = SamplingOptions(nsamples=200, background_size=20)
    >>> explainer = TabularExplainer(KNeighborsRegressor().fit(X, y), X, sampling=options)
    >>> explainer.explain_local(X.iloc[:2]).standard_errors.shape
    (2, 10)
    """

    nsamples: int | None = None
    max_evaluations: int | None = None
    tolerance: float | None = None
    time_budget: float | None = None
    background_size: int | None = None
    background_summary: str = "representative"

    def __post_init__(self) -> None:
        if self.background_summary not in SUMMARIES:
            raise InvalidInputError(
                f"The 'background_summary' parameter must be one of {sorted(SUMMARIES)}. Got {self.background_summary!r}."
            )
        for name in (*WHOLE, "tolerance", "time_budget"):
            value = getattr(self, name)
            if value is None:
                continue
            kinds = (int, np.integer) if name in WHOLE else (int, float, np.integer, np.floating)
            if isinstance(value, bool) or not isinstance(value, kinds) or not value > 0:
                what = "a whole number, 1 or more" if name in WHOLE else "a number above 0"
                raise InvalidInputError(f"The {name!r} parameter must be {what}. Got {value!r}.")


@dataclass(frozen=True)
class Settings:
    """How an engine computes: the same for every engine.

    Parameters
    ----------
    sampling : SamplingOptions
    random_state : int
        Seed of sampled coalitions.
    n_jobs : int or None
        Threads of compiled kernels; None: all cores of the process.
    progress : bool or None
        Whether there is a progress bar; None: one that appears after two seconds.
    """

    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    random_state: int = 0
    n_jobs: int | None = None
    progress: bool | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.sampling, SamplingOptions):
            raise InvalidInputError(
                "The 'sampling' parameter must be SamplingOptions, such as SamplingOptions(nsamples=500). "
                f"Got {self.sampling!r}."
            )
        check_seed(self.random_state)
        count_threads(self.n_jobs)

    def with_sampling(self, **changes: Any) -> Settings:
        """Return the same settings with some of the sampling options changed."""
        return replace(self, sampling=replace(self.sampling, **changes))


def read_settings(sampling: SamplingOptions | None, random_state: int, n_jobs: int | None, progress: Any) -> Settings:
    """Return the settings that a caller's parameters ask for; None for the default sampling options."""
    return Settings(SamplingOptions() if sampling is None else sampling, random_state, n_jobs, progress)
