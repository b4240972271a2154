"""Examples of networks: one array of any shape, several of them, or a table, as one flat table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._arguments import off_device
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.neural._network import Arrays, Matrix, NetworkInput

TENSORS = ("torch", "tensorflow", "jax", "jaxlib")
"""Packages whose arrays are tensors."""
SHOWN = 5
"""Shapes that an error message shows."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Examples of a network as the caller gave them.

    Parameters
    ----------
    arrays : tuple of ndarray
        One array per input, (n, *shape).
    names : tuple of str
        Names of the inputs; empty if there is one without a name.
    what : str
        Name of the examples in error messages.
    """

    arrays: Arrays
    names: tuple[str, ...] = ()
    what: str = "initialization_examples"

    def __len__(self) -> int:
        return len(self.arrays[0])

    @property
    def inputs(self) -> tuple[NetworkInput, ...]:
        """Shape, dtype and name of each input."""
        names = self.names or ("",) * len(self.arrays)
        return tuple(
            NetworkInput(array.shape[1:], array.dtype.name, name)
            for array, name in zip(self.arrays, names, strict=True)
        )

    def flat(self) -> Matrix:
        """Return all inputs side by side as one table, (n, f)."""
        return np.hstack([array.reshape(len(array), -1).astype(np.float64) for array in self.arrays])


def is_table(data: Any) -> bool:
    """Whether examples are a table, and not arrays of other shapes or several inputs."""
    if isinstance(data, Mapping) or _is_several(data):
        return False
    shape: Any = getattr(data, "shape", None)
    return not hasattr(shape, "__len__") or len(shape) <= 2


def is_tensor(data: Any) -> bool:
    """Whether examples are a tensor of a framework rather than an array or a frame."""
    return hasattr(data, "shape") and type(data).__module__.partition(".")[0] in TENSORS


def as_examples(data: Any, what: str, like: tuple[NetworkInput, ...] | None = None) -> Examples:
    """Read examples of a network.

    Parameters
    ----------
    data : array or tensor of shape (n, *shape), sequence of them, or mapping from name to array
        One array per input of the network.
    what : str
        Name of the examples in error messages.
    like : tuple of NetworkInput, optional
        The inputs that are expected. One example without the axis of examples is then one row.

    Raises
    ------
    InvalidInputError
        If they are not numbers, or their shapes differ from the expected ones or each other's.
    """
    names: tuple[str, ...] = ()
    if isinstance(data, Mapping):
        data = data if like is None else _in_order(data, like, what)
        names = tuple(map(str, data))
        parts = list(data.values())
    else:
        parts = list(data) if _is_several(data) else [data]
    if like is not None and len(like) != len(parts):
        raise InvalidInputError(f"{what} must have {len(like)} inputs, as the background has. Got {len(parts)}.")
    arrays = [_as_numbers(part, what) for part in parts]
    if like is not None:
        arrays = [_shaped(array, each, what) for array, each in zip(arrays, like, strict=True)]
    elif len(arrays) > 1 and not names:
        names = tuple(f"input{number}" for number in range(len(arrays)))
    lengths = {array.shape[:1] for array in arrays}
    if any(array.ndim < 2 for array in arrays) or len(lengths) != 1 or lengths == {(0,)}:
        shapes = [array.shape for array in arrays[:SHOWN]]
        raise InvalidInputError(
            f"{what} must be arrays of shape (n, ...), with the same number n > 0 of examples for each input. Got the shapes "
            f"{shapes}."
        )
    return Examples(tuple(arrays), names)


def cell_names(inputs: tuple[NetworkInput, ...]) -> tuple[str, ...]:
    """Return a name for each cell of an example, such as "pixels[0, 3]"; a flat input without a name gives "x3"."""
    names = []
    for each in inputs:
        for place in np.ndindex(*each.shape):
            if each.name or len(each.shape) > 1:
                names.append(f"{each.name or 'x'}[{', '.join(map(str, place))}]")
            else:
                names.append(f"x{place[0]}")
    return tuple(names)


def unflat(values: npt.NDArray[np.float64], inputs: tuple[NetworkInput, ...]) -> tuple[npt.NDArray[np.float64], ...]:
    """Return values (..., f) as one array per input, (..., *shape)."""
    parts, start = [], 0
    for each in inputs:
        size = prod(each.shape)
        parts.append(values[..., start : start + size].reshape(*values.shape[:-1], *each.shape))
        start += size
    return tuple(parts)


def _in_order(data: Mapping[Any, Any], like: tuple[NetworkInput, ...], what: str) -> Mapping[Any, Any]:
    """Return a mapping in the order of the expected inputs."""
    wanted, given = [each.name for each in like], {str(name): part for name, part in data.items()}
    if set(given) != set(wanted):
        raise InvalidInputError(f"{what} must have the inputs {wanted}, as the background has. Got {list(given)}.")
    return {name: given[name] for name in wanted}


def _is_several(data: Any) -> bool:
    return isinstance(data, list | tuple) and bool(data) and all(len(getattr(part, "shape", ())) >= 2 for part in data)


def _as_numbers(data: Any, what: str) -> npt.NDArray[Any]:
    array = np.asarray(off_device(data))
    if array.dtype.kind not in "biuf":
        raise InvalidInputError(f"{what} must hold numbers. Got an array of dtype {array.dtype}.")
    return array


def _shaped(array: npt.NDArray[Any], like: NetworkInput, what: str) -> npt.NDArray[Any]:
    array = array[None] if array.shape == like.shape else array
    if array.shape[1:] != like.shape:
        raise InvalidInputError(
            f"{what} must have the shape (n, {', '.join(map(str, like.shape))}), as the background has. Got {array.shape}."
        )
    return array
