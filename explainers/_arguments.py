"""Arguments of public functions are checked by the table of constraints before a function does anything."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._constraints import constraint_of
from automl_explain.explainers._errors import InvalidInputError

P = ParamSpec("P")
R = TypeVar("R")


def check_arguments(given: Mapping[str, Any], function: str = "") -> None:
    """Check arguments of a function, given its qualified name, by the table.

    Raises
    ------
    InvalidInputError
        If one is not what the table says; the message says what was expected and what came.
    """
    for name, value in given.items():
        constraint = constraint_of(function, name)
        if constraint is not None and not constraint.takes(value):
            raise InvalidInputError(f"The {name!r} parameter must be {constraint.what}. Got {_shown(value)}.")


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Check the arguments of a function by the table before it is called."""
    kinds = {name: parameter.kind for name, parameter in inspect.signature(function).parameters.items()}
    positional = [
        name
        for name, kind in kinds.items()
        if kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    ]

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        named = {
            name: value for name, value in kwargs.items() if name in kinds
        }  # others mean what a function passes them to
        check_arguments(dict(zip(positional, args, strict=False)) | named, function.__qualname__)
        return function(*args, **kwargs)

    call.__dict__["is_checked"] = True
    return call


def array_of(value: Any, expected: str) -> npt.NDArray[Any]:
    """Return an array of a value.

    Raises
    ------
    InvalidInputError
        If none can be made of it, such as of lists of several lengths; the message begins with what was expected.
    """
    try:
        return np.asarray(value)
    except (ValueError, TypeError, MemoryError, RecursionError) as error:
        raise InvalidInputError(f"{expected}. Got {_shown(value)}, of which no array can be made.") from error


def off_device(value: Any) -> Any:
    """Return a tensor without its gradient, in the memory of the CPU, in a type that numpy has; anything else unchanged."""
    for step in ("detach", "cpu"):
        value = getattr(value, step)() if hasattr(value, step) else value
    return value.float() if str(getattr(value, "dtype", "")) == "torch.bfloat16" else value


def _shown(value: Any) -> str:
    if isinstance(value, str | bytes | int | float | type(None)):
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:57]}..."
    return type(value).__name__


def check_choice(name: str, given: Any, known: Collection[str]) -> None:
    """Raise `InvalidInputError` unless an argument is one of the known words."""
    if not isinstance(given, str) or given not in known:
        guess = nearest(given, list(known)) if isinstance(given, str) else None
        hint = f" Did you mean {guess!r}?" if guess else ""
        raise InvalidInputError(f"The {name!r} parameter must be one of {list(known)}. Got {given!r}.{hint}")


def check_seed(random_state: Any) -> None:
    """Raise `InvalidInputError` unless the seed is a non-negative integer."""
    if not isinstance(random_state, int | np.integer) or isinstance(random_state, bool) or random_state < 0:
        raise InvalidInputError(f"The 'random_state' parameter must be an integer, 0 or more. Got {random_state!r}.")


def nearest(name: str, known: Sequence[str]) -> str | None:
    """Return the known name that is most similar to `name`, or None if no name is similar."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return close[0] if close else None
