"""What arguments of public functions may be: one table of parameters, checked before a function does anything.

Parameters of one name mean the same everywhere, so that the table is by name. It says which types are taken; the function
itself checks what only it can know, such as whether a name exists.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np

from automl_explain.explainers._errors import InvalidInputError

P = ParamSpec("P")
R = TypeVar("R")


class Constraint(NamedTuple):
    """What an argument may be.

    Parameters
    ----------
    takes : callable
        Whether a value is taken.
    what : str
        What is expected, for the message.
    wrong : tuple
        Values that are not taken, for tests.
    """

    takes: Callable[[Any], bool]
    what: str
    wrong: tuple[Any, ...]


def _or_none(constraint: Constraint) -> Constraint:
    wrong = tuple(value for value in constraint.wrong if value is not None)
    return Constraint(lambda value: value is None or constraint.takes(value), f"{constraint.what}, or None", wrong)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return hasattr(value, "__len__") and hasattr(value, "__iter__") and not hasattr(value, "tocsr")


class _Sparse:
    """Stands for a sparse matrix in tests: it has a length that cannot be told."""

    tocsr = None

    def __len__(self) -> int:
        raise TypeError


TEXT = Constraint(lambda value: isinstance(value, str), "text", (0, None, [], {}, np.array(["a"]), b"a"))
FLAG = Constraint(
    lambda value: isinstance(value, bool | np.bool_), "True or False", ("yes", None, [], np.array([1, 2]), 2)
)
COUNT = Constraint(
    lambda value: _is_whole(value) and value >= 0,
    "an integer, 1 or more",
    (1.5, "a", None, True, -1, [], np.array([1, 2])),
)
LIST = Constraint(_is_list, "a list", (0, 1.5, None, _Sparse(), len))
LABELS = Constraint(
    lambda value: _is_list(value) and not isinstance(value, Mapping | set | frozenset | str | bytes),
    "an array of labels",
    (0, None, {}, set(), "ab", _Sparse()),
)
MAPPING = Constraint(lambda value: isinstance(value, Mapping), "a mapping", (0, None, "a", [1], np.array([1, 2])))
PATH = Constraint(lambda value: isinstance(value, str | os.PathLike), "a path", (0, None, 1.5, b"a", []))
AXES = Constraint(
    lambda value: hasattr(value, "get_figure") and hasattr(value, "barh"),
    "axes of matplotlib",
    (0, None, "a", np.array([1])),
)
EXPLANATION = Constraint(
    lambda value: hasattr(value, "global_importance_values") and hasattr(value, "num_features"),
    "an Explanation",
    (0, None, "a", [], np.array([1])),
)
FEATURE_MAP = Constraint(
    lambda value: hasattr(value, "raw_names") and hasattr(value, "parent"), "a FeatureMap", (0, None, "a", [])
)

FUNCTION = Constraint(callable, "a function", (0, None, "a", [], np.array([1])))

PARAMETERS: dict[str, Constraint] = {
    "output": TEXT,
    "model_task": _or_none(TEXT),
    "feature_space": _or_none(TEXT),
    "features": _or_none(LIST._replace(what="a list of names")),
    "classes": _or_none(LIST._replace(what="a list of names")),
    "explain_subset": _or_none(LIST._replace(what="a list of one or more features")),
    "categorical_features": LIST,
    "explainable_model_args": _or_none(MAPPING),
    "augment_data": FLAG,
    "fine_tune": FLAG,
    "sample_around_instance": FLAG,
    "include_local": FLAG,
    "progress": _or_none(FLAG),
    "top_k": _or_none(COUNT),
    "stacked": _or_none(FLAG),
    "ax": _or_none(AXES),
    "feature_map": _or_none(FEATURE_MAP),
    "directory": _or_none(PATH),
    "y_train": _or_none(LABELS),
    "y_test": _or_none(LABELS),
    "members": FLAG,
    "reference": EXPLANATION,
    "preprocess": _or_none(FUNCTION),
}
"""Name of a parameter -> what it may be."""


def check_arguments(given: Mapping[str, Any]) -> None:
    """Check arguments by the table.

    Raises
    ------
    InvalidInputError
        If one is not what the table says; the message says what was expected and what came.
    """
    for name, value in given.items():
        constraint = PARAMETERS.get(name)
        if constraint is not None and not constraint.takes(value):
            raise InvalidInputError(f"The {name!r} parameter must be {constraint.what}. Got {_shown(value)}.")


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Check the arguments of a function by the table before it is called."""
    positional = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        check_arguments(dict(zip(positional, args, strict=False)) | kwargs)
        return function(*args, **kwargs)

    call.__dict__["is_checked"] = True
    return call


def _shown(value: Any) -> str:
    if isinstance(value, str | bytes | int | float | type(None)):
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:57]}..."
    return type(value).__name__


def check_seed(random_state: Any) -> None:
    """Raise `InvalidInputError` unless the seed is a non-negative integer."""
    if not _is_whole(random_state) or random_state < 0:
        raise InvalidInputError(f"The 'random_state' parameter must be an integer, 0 or more. Got {random_state!r}.")


def nearest(name: str, known: Sequence[str]) -> str | None:
    """Return the known name that is most similar to `name`, or None if no name is similar."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return close[0] if close else None
