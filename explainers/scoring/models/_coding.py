"""How an object is stored as JSON and arrays, and read: a table from its class to a `Coding`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.bundles._facts import require

Facts: TypeAlias = dict[str, Any]
Arrays: TypeAlias = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Coding:
    """How objects of one class are stored.

    Parameters
    ----------
    write : callable
        From an object, a name and the arrays, to which it adds its own, to facts.
    read : callable
        From facts, a name and the arrays to the object.
    """

    write: Callable[[Any, str, Arrays], Facts]
    read: Callable[[Facts, str, Arrays], Any]


def write(codings: dict[type, Coding], made: Any, name: str, arrays: Arrays) -> Facts:
    """Return an object as the table of its kind stores it, under the name of its class."""
    return {"as": type(made).__name__, **codings[type(made)].write(made, name, arrays)}


def read(codings: dict[type, Coding], facts: Facts, name: str, arrays: Arrays) -> Any:
    """Return the object that `write` has stored.

    Raises
    ------
    InvalidInputError
        If the table does not have its class.
    """
    found = {kind.__name__: coding for kind, coding in codings.items()}.get(facts["as"])
    if found is None:
        raise InvalidInputError(
            f"The bundle holds a {facts['as']!r}, which this version of automl-explain cannot read."
        )
    return found.read(facts, name, arrays)


def floats(arrays: Arrays, name: str, n_axes: int, *, finite: bool = True) -> npt.NDArray[np.float64]:
    """Return an array of float64 with so many axes."""
    require(name in arrays, name)
    found = arrays[name]
    require(found.dtype == np.float64 and found.ndim == n_axes and (not finite or np.isfinite(found).all()), name)
    return np.require(found, np.float64, ["C", "W"])
