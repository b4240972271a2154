"""Options of the caller that affect how values are computed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from automl_explain.explainers._arguments import check_seed
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.compiled._jit import count_threads
from automl_explain.explainers.methods._background import SUMMARIES

WHOLE = ("nsamples", "max_evaluations", "background_size")
"""Options that must be integers; the other numbers may be fractions."""


@dataclass(frozen=True)
class SamplingOptions:
    """How many coalitions are evaluated, and against which background rows.

    The options apply to models whose values are computed from coalitions: black-box models, and ensembles that are not
    weighted sums of their members. They have no effect on trees, linear models and weighted sums of these, which are
    explained exactly over the whole background. Sums of kernels use only the options of the background and `time_budget`,
    for which part of the background is left out.

    Parameters
    ----------
    nsamples : int, optional
        Coalitions per row; at least 2 f - 2 are used for f features. Default: all coalitions of up to 11 features, or of up
        to 14 if the members of an ensemble can be read; otherwise 2 f + 2048, and fewer if there are many rows.
    max_evaluations : int, optional
        Maximum number of outputs of masked rows computed in one call. Default: 4 million if masked rows are predicted, 100
        million if the members of an ensemble can be read. Ignored if `nsamples` is given.
    tolerance : float, optional
        Evaluate more coalitions until all standard errors are at most this value, in the unit of the output, or until
        `max_evaluations` or `time_budget` is reached. A note of the explanation says which. Default: no tolerance.
    time_budget : float, optional
        Maximum time of one call, in seconds. When it ends, the best values so far are returned with their standard errors;
        every row gets at least a first estimate, if necessary from a part of the background or for groups of features.
        With ``include_local=False`` it is the time per batch. Default: no limit.
    background_size : int, optional
        Maximum number of background rows in use. Default: 50, or 100 if the members of an ensemble can be read, or 200 for
        sums of kernels. A note of the explanation says how the rows were chosen.
    background_summary : {"representative", "kmeans"}, default "representative"
        How background rows are reduced to that number. "representative" chooses rows spread evenly over the model's
        predictions; "kmeans" uses weighted means of similar rows, made of values that occur in the columns.

    Raises
    ------
    InvalidInputError
        If a number is not positive, or `background_summary` is unknown.

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
        if not isinstance(self.background_summary, str) or self.background_summary not in SUMMARIES:
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
    """Settings of a computation, the same for all engines.

    Parameters
    ----------
    sampling : SamplingOptions
    random_state : int
        Seed of sampled coalitions.
    n_jobs : int or None
        Threads of compiled kernels. None: all cores available to the process.
    progress : bool or None
        Whether to show a progress bar. None: show one after two seconds.
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
        """Return a copy of the settings with some sampling options changed."""
        return replace(self, sampling=replace(self.sampling, **changes))


def read_settings(sampling: SamplingOptions | None, random_state: int, n_jobs: int | None, progress: Any) -> Settings:
    """Return the settings for the parameters of a caller; `sampling` may be None for the defaults."""
    return Settings(SamplingOptions() if sampling is None else sampling, random_state, n_jobs, progress)
