"""Preprocessing and encoding as arrays: each output column is a copy, a few steps, or a look-up of one input column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.tables._column_functions import STEPS, ColumnFunction

Matrix = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Stepped:
    """Output columns that the same steps are applied to.

    Parameters
    ----------
    to, source : ndarray of int, shape (k,)
        Positions of the output columns and of their input columns.
    names : tuple of str
        Names of the steps.
    numbers : ndarray of float64, shape (len(names), k)
        The number of each step for each column.
    """

    to: Positions
    source: Positions
    names: tuple[str, ...]
    numbers: Matrix


@dataclass(frozen=True, eq=False)
class LookedUp:
    """Output columns that are looked up by the code of a category.

    Parameters
    ----------
    to, source : ndarray of int, shape (k,)
        Positions of the output columns and of their input columns.
    start, size : ndarray of int, shape (k,)
        First of the column's `values`, and its number of categories. The value of a missing cell follows theirs.
    values : ndarray of float64
        Values of all columns.
    """

    to: Positions
    source: Positions
    start: Positions
    size: Positions
    values: Matrix


def _nothing() -> Positions:
    return np.zeros(0, np.intp)


def _no_look_ups() -> LookedUp:
    return LookedUp(_nothing(), _nothing(), _nothing(), _nothing(), np.zeros(0))


@dataclass(frozen=True, eq=False)
class ColumnMap:
    """A function from coded tables (n, f) to matrices (n, k), column by column.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Numbers of columns f and k.
    stepped : tuple of Stepped
    looked_up : LookedUp
    """

    n_inputs: int
    n_outputs: int
    stepped: tuple[Stepped, ...] = ()
    looked_up: LookedUp = field(default_factory=_no_look_ups)

    def __post_init__(self) -> None:
        _check(self)

    @cached_property
    def is_identity(self) -> bool:
        """Whether each output column is the input column at the same position."""
        if self.n_inputs != self.n_outputs or len(self.looked_up.to) or len(self.stepped) > 1:
            return False
        return all(
            not part.names and np.array_equal(part.to, part.source) and len(part.to) == self.n_outputs
            for part in self.stepped
        )

    def __call__(self, matrix: Matrix) -> Matrix:
        """Return the output columns of coded rows."""
        if self.is_identity:
            return matrix
        out = np.empty((len(matrix), self.n_outputs))
        for part in self.stepped:
            cells = matrix[:, part.source]
            for name, numbers in zip(part.names, part.numbers, strict=True):
                cells = STEPS[name](cells, numbers)
            out[:, part.to] = cells
        found = self.looked_up
        if len(found.to):
            codes = matrix[:, found.source]
            out[:, found.to] = found.values[np.where(np.isnan(codes), found.size, codes).astype(np.intp) + found.start]
        return out


def identity(n_columns: int) -> ColumnMap:
    """Return the map that returns its input."""
    every = np.arange(n_columns)
    return ColumnMap(n_columns, n_columns, (Stepped(every, every, (), np.zeros((0, n_columns))),))


def collect(
    n_inputs: int, functions: Sequence[ColumnFunction], looked_up: dict[int, Matrix], sizes: dict[int, int]
) -> ColumnMap:
    """Return the map of some column functions.

    Parameters
    ----------
    n_inputs : int
    functions : sequence of ColumnFunction
        One for each output column.
    looked_up : dict
        Output column -> value of each category of its input column, and of a missing cell.
    sizes : dict
        Input column of categories -> number of its categories.
    """
    groups: dict[tuple[str, ...], list[int]] = {}
    for to, function in enumerate(functions):
        if to not in looked_up:
            groups.setdefault(tuple(name for name, _ in function.steps), []).append(to)
    stepped = []
    for names, columns in groups.items():
        numbers = np.array([[number for _, number in functions[to].steps] for to in columns], dtype=np.float64)
        source = np.array([functions[to].source for to in columns], np.intp)
        stepped.append(
            Stepped(np.array(columns, np.intp), source, names, numbers.reshape(len(columns), len(names)).T.copy())
        )
    if not looked_up:
        return ColumnMap(n_inputs, len(functions), tuple(stepped))
    order = sorted(looked_up)
    source = np.array([functions[to].source for to in order], np.intp)
    lengths = np.array([len(looked_up[to]) for to in order])
    found = LookedUp(
        np.array(order, np.intp),
        source,
        np.cumsum(lengths) - lengths,
        np.array([sizes[one] for one in source.tolist()], np.intp),
        np.concatenate([looked_up[to] for to in order]),
    )
    return ColumnMap(n_inputs, len(functions), tuple(stepped), found)


def encode_map(made: ColumnMap, name: str, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Return a map as JSON, and put its arrays among `arrays` under names that begin with `name`."""
    if made.is_identity:
        return {"inputs": made.n_inputs, "outputs": made.n_outputs, "identity": True}
    for number, part in enumerate(made.stepped):
        arrays |= {
            f"{name}.{number}.to": part.to,
            f"{name}.{number}.source": part.source,
            f"{name}.{number}.numbers": part.numbers,
        }
    found = made.looked_up
    if len(found.to):
        arrays |= {f"{name}.table.{key}": getattr(found, key) for key in ("to", "source", "start", "size", "values")}
    steps = [list(part.names) for part in made.stepped]
    return {"inputs": made.n_inputs, "outputs": made.n_outputs, "steps": steps, "table": len(found.to) > 0}


def decode_map(facts: dict[str, Any], name: str, arrays: dict[str, npt.NDArray[Any]]) -> ColumnMap:
    """Return the map that `encode_map` wrote; an `InvalidInputError` if it is not one."""
    if facts.get("identity"):
        if facts["inputs"] != facts["outputs"] or not 0 <= facts["outputs"] <= MOST_COLUMNS:
            raise InvalidInputError(NOT_SOUND)
        return identity(int(facts["outputs"]))
    stepped = tuple(
        Stepped(
            _positions(arrays[f"{name}.{number}.to"]),
            _positions(arrays[f"{name}.{number}.source"]),
            tuple(map(str, names)),
            np.ascontiguousarray(arrays[f"{name}.{number}.numbers"], dtype=np.float64),
        )
        for number, names in enumerate(facts["steps"])
    )
    found = _no_look_ups()
    if facts["table"]:
        to, source, start, size = (
            _positions(arrays[f"{name}.table.{key}"]) for key in ("to", "source", "start", "size")
        )
        found = LookedUp(
            to, source, start, size, np.ascontiguousarray(arrays[f"{name}.table.values"], dtype=np.float64)
        )
    return ColumnMap(int(facts["inputs"]), int(facts["outputs"]), stepped, found)


MOST_COLUMNS = 10_000_000
"""Columns of a map that has no arrays of its own, in a file that a stranger may have written."""
NOT_SOUND = "A map of columns reads or writes columns that do not exist; the file is damaged."


def _positions(array: npt.NDArray[Any]) -> Positions:
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise InvalidInputError(f"Positions of columns must be whole numbers. Got {array.dtype} of {array.ndim} axes.")
    return np.ascontiguousarray(array, dtype=np.intp)


def _check(made: ColumnMap) -> None:
    """Refuse a map that would read or write outside its arrays, or leave an output column empty."""
    found = made.looked_up
    parts = [*((part.to, part.source) for part in made.stepped), (found.to, found.source)]
    written = np.concatenate([to for to, _ in parts]) if parts else _nothing()
    sound = len(written) == made.n_outputs and np.array_equal(np.sort(written), np.arange(made.n_outputs))
    for to, source in parts:
        sound &= to.shape == source.shape and not (len(source) and (source.min() < 0 or source.max() >= made.n_inputs))
    for part in made.stepped:
        sound &= all(name in STEPS for name in part.names) and part.numbers.shape == (len(part.names), len(part.to))
    if len(found.to):
        shapes = found.start.shape == found.size.shape == found.to.shape and found.values.ndim == 1
        sound &= shapes and bool((found.start >= 0).all() and (found.size >= 0).all())
        sound &= shapes and bool((found.start + found.size < len(found.values)).all())
    if not sound:
        raise InvalidInputError(NOT_SOUND)
