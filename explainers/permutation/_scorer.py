"""Conversion of the 'metric' parameter to a scikit-learn scorer, for which more is always better."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer, get_scorer_names, make_scorer

from automl_explain.explainers._errors import InvalidInputError


class Metric(NamedTuple):
    """Name of a metric, and its scorer: a function of estimator, X and y for which more is better."""

    name: str
    scorer: Callable[..., Any]


DEFAULTS = ((ClassifierMixin, "accuracy"), (RegressorMixin, "r2"))
"""Mixin classes and the scorers that equal their `score` methods."""


def find_metric(metric: Any, estimator: Any, is_error_metric: bool | None) -> Metric:
    """Read the 'metric' parameter.

    Parameters
    ----------
    metric : str, callable or None
        One of: the name of a scikit-learn scorer; a scorer, called with estimator, X and y; one of scikit-learn's metric
        functions; another function of true and predicted values; None for the estimator's own `score`.
    estimator : object
        The estimator that is scored.
    is_error_metric : bool or None
        Whether less is better, for a function of true and predicted values that scikit-learn does not define.

    Raises
    ------
    InvalidInputError
        If the metric is unknown, or `is_error_metric` is needed and missing, or not needed and given.
    """
    if metric is None:
        found = _default(estimator)
    elif isinstance(metric, str):
        found = Metric(metric, _by_name(metric))
    elif not callable(metric):
        raise InvalidInputError(
            f"The 'metric' parameter must be the name of a scikit-learn scorer, a scorer or a function of true and "
            f"predicted values. Got {type(metric).__name__}."
        )
    else:
        return _of_function(metric, is_error_metric)
    if is_error_metric is not None:
        raise InvalidInputError(
            "The 'is_error_metric' parameter applies only to your own metric functions; leave it out."
        )
    return found


def _default(estimator: Any) -> Metric:
    last = estimator
    while hasattr(last, "steps"):
        last = last.steps[-1][1]
    for mixin, name in DEFAULTS:
        if getattr(type(last), "score", None) is mixin.score:
            return Metric(name, get_scorer(name))
    return Metric("score", lambda model, X, y, **weights: model.score(X, y, **weights))


def _by_name(name: str) -> Callable[..., Any]:
    names = get_scorer_names()
    if name in names:
        scorer: Callable[..., Any] = get_scorer(name)
        return scorer
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    close = close or [known for known in names if name.lower() in known][:3]
    hint = f"Did you mean {' or '.join(map(repr, close))}?" if close else f"There are: {', '.join(names)}."
    raise InvalidInputError(f"The 'metric' parameter must be the name of a scikit-learn scorer. Got {name!r}. {hint}")


@cache
def _scorers_of_functions() -> dict[Any, str]:
    """Return the scorer of each of scikit-learn's metric functions; of several, the one with the shortest name."""
    found: dict[Any, str] = {}
    for name in sorted(get_scorer_names(), key=lambda name: (len(name), name), reverse=True):
        found[getattr(get_scorer(name), "_score_func", None)] = name
    return found


def _of_function(function: Callable[..., Any], is_error_metric: bool | None) -> Metric:
    name = getattr(function, "__name__", None)
    known = _scorers_of_functions().get(function)
    if known is not None:
        if is_error_metric is not None and is_error_metric != (get_scorer(known)._sign < 0):
            kind = "a score, for which more is better" if is_error_metric else "an error, for which less is better"
            raise InvalidInputError(f"The 'is_error_metric' parameter is {is_error_metric}, but {name} is {kind}.")
        return Metric(known, get_scorer(known))
    if _n_required(function) != 2:
        if is_error_metric is not None:
            raise InvalidInputError(
                "The 'is_error_metric' parameter applies only to functions of true and predicted values. A scorer includes "
                "its sign: leave it out."
            )
        return Metric(name or _name_of(function), function)
    if is_error_metric is None:
        raise InvalidInputError(
            f"It is not known whether a higher {name or function!r} is better. Pass is_error_metric=True if lower is better, "
            "is_error_metric=False if higher is better, or a scorer from sklearn.metrics.make_scorer."
        )
    return Metric(name or _name_of(function), make_scorer(function, greater_is_better=not is_error_metric))


def _name_of(scorer: Any) -> str:
    """Return the name of a scorer's function, or of its class."""
    function = getattr(scorer, "_score_func", None)
    return getattr(function, "__name__", type(scorer).__name__)


def _n_required(function: Callable[..., Any]) -> int:
    """Return the number of parameters without a default that can be passed by position."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError as error:  # of some that are built in
        raise InvalidInputError(
            f"The 'metric' parameter must be a function whose parameters can be read. Got {function!r}."
        ) from error
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in by_position and p.default is inspect.Parameter.empty for p in parameters)
