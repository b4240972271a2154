"""What the facts of a manifest and the arrays beside it may be: tables of kinds, checked before anything is made of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from automl_explain.explainers._errors import InvalidInputError

Kind = Callable[[Any], bool]
"""Whether a part of JSON is of a kind."""
LARGEST = 2**53
"""Size up to which a float, and JSON, have all whole numbers."""


def text(part: Any) -> bool:
    """Whether it is a text."""
    return isinstance(part, str)


def flag(part: Any) -> bool:
    """Whether it is true or false."""
    return type(part) is bool


def whole(part: Any) -> bool:
    """Whether it is a whole number, 0 or more, that any array can hold."""
    return type(part) is int and 0 <= part <= LARGEST


def number(part: Any) -> bool:
    """Whether it is a number, NaN and infinities included, which Python's JSON has."""
    return type(part) is float or (type(part) is int and abs(part) <= LARGEST)


def anything(part: Any) -> bool:
    """Whether it is anything at all: such as a class label, which is checked where it is decoded."""
    return True


def optional(kind: Kind) -> Kind:
    """Return the kind of null or another kind."""
    return lambda part: part is None or kind(part)


def one_of(*words: Any) -> Kind:
    """Return the kind of some words."""
    return lambda part: (part is None or type(part) in (str, bool)) and part in words


def list_of(kind: Kind) -> Kind:
    """Return the kind of lists."""
    return lambda part: isinstance(part, list) and all(map(kind, part))


def mapping_of(kinds: Mapping[str, Kind]) -> Kind:
    """Return the kind of mappings that hold these parts, each of its kind; others may be there as well."""
    return lambda part: isinstance(part, dict) and all(kind(part.get(name)) for name, kind in kinds.items())


def check_facts(facts: Any, kinds: Mapping[str, Kind]) -> None:
    """Check facts by a table of kinds.

    Raises
    ------
    InvalidInputError
        If one is of another kind, or missing; the message names it.
    """
    for name, kind in kinds.items():
        require(isinstance(facts, dict) and kind(facts.get(name)), name)


def check_arrays(arrays: Mapping[str, Any], kinds: Mapping[str, str], *, missing: Collection[str]) -> None:
    """Check the types of arrays.

    Parameters
    ----------
    arrays : mapping of str to ndarray
    kinds : mapping of str to str
        Kinds of dtype of each, such as "iu".
    missing : collection of str
        Names of those that may be missing.

    Raises
    ------
    InvalidInputError
        If one is of another type or missing; the message names it.
    """
    for name, kind in kinds.items():
        array = arrays.get(name)
        require(name in missing if array is None else array.dtype.kind in kind, name)


def require(holds: Any, name: str) -> None:
    """Raise `InvalidInputError` for a part of a file unless a condition holds."""
    if not holds:
        raise InvalidInputError(f"The file is damaged or was changed: its {name!r} does not fit the other parts.")
