"""Preprocessing column by column, as data: which input column each output column is made from, and by which steps.

A reader whose preprocessing can be written this way makes it a `Columnwise` function. A model with it can be stored without
the objects of its library.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.tables._moments import PARTS
from automl_explain.explainers.tables._table import Table

Numbers: TypeAlias = npt.NDArray[np.float64]


class NotColumnwiseError(Exception):
    """Raised for a step that is not a function of single columns, or that has no form as data; the message names it."""


def _fill(cells: Numbers, value: Numbers) -> Numbers:
    return np.where(np.isnan(cells), value, cells)


def _is_missing(cells: Numbers, _: Numbers) -> Numbers:
    return np.isnan(cells).astype(np.float64)


def _equals(cells: Numbers, value: Numbers) -> Numbers:
    return np.asarray((cells == value) | (np.isnan(cells) & np.isnan(value)), dtype=np.float64)


def _missing_if(cells: Numbers, value: Numbers) -> Numbers:
    with np.errstate(over="ignore"):
        return np.where(cells.astype(np.float32) == value.astype(np.float32), np.nan, cells)


def _as_category(cells: Numbers, unknown: Numbers) -> Numbers:
    return np.where(cells.astype(np.float32) < 0, unknown, cells)


def _part(take: Callable[[Numbers], Numbers]) -> Callable[[Numbers, Numbers], Numbers]:
    return lambda cells, _: take(cells)


STEPS: dict[str, Callable[[Numbers, Numbers], Numbers]] = {
    "fill": _fill,
    "minus": np.subtract,
    "plus": np.add,
    "times": np.multiply,
    "over": np.divide,
    "at_least": np.maximum,
    "at_most": np.minimum,
    "is_missing": _is_missing,
    "missing_if": _missing_if,
    "as_category": _as_category,
    "equals": _equals,
    **{name: _part(take) for name, take in PARTS.items()},
}
"""Name of a step -> function of cells (n, k) and the step's number for each column (k,), which applies it."""


@dataclass(frozen=True)
class ColumnFunction:
    """One output column as a function of one input column.

    Parameters
    ----------
    source : int
        Position of the input column.
    steps : tuple of (str, float)
        Names of `STEPS` with their numbers, in the order of application, if the input column holds numbers or dates, which
        are microseconds. No steps: the cells are passed on.
    known : tuple or None
        Values of the input column that the preprocessing knows, if it holds categories. None: they are not listed.
    """

    source: int
    steps: tuple[tuple[str, float], ...] = ()
    known: tuple[Any, ...] | None = None

    def then(self, *steps: tuple[str, float], known: Any = None) -> ColumnFunction:
        """Return the function followed by more steps."""
        return replace(
            self, steps=(*self.steps, *steps), known=self.known if known is None or self.steps else tuple(known)
        )


class Columnwise(ABC):
    """A function of tables that can say what it does to each column."""

    @abstractmethod
    def __call__(self, table: Any) -> Any:
        """Return the table of output columns."""

    def known(self, table: Any) -> Table | None:
        """Return the output columns of a table that were computed before; None if they were not."""
        return None

    @abstractmethod
    def columns(self, inputs: tuple[ColumnFunction, ...]) -> tuple[ColumnFunction, ...]:
        """Return the output columns, given the columns of the table as functions of the columns before it.

        Raises
        ------
        NotColumnwiseError
            If an output column depends on several inputs, or on one in a way that `STEPS` do not have.
        """


@dataclass(frozen=True)
class Chained(Columnwise):
    """Two functions of tables, one after the other."""

    first: Callable[[Any], Any]
    second: Callable[[Any], Any]

    def __call__(self, table: Any) -> Any:
        """Return the output of the second function."""
        return self.second(self.first(table))

    def columns(self, inputs: tuple[ColumnFunction, ...]) -> tuple[ColumnFunction, ...]:
        """Return the columns of both functions together."""
        return columns_of(self.second, columns_of(self.first, inputs))


def columns_of(function: Callable[[Any], Any], inputs: tuple[ColumnFunction, ...]) -> tuple[ColumnFunction, ...]:
    """Return the output columns of any function of tables.

    Raises
    ------
    NotColumnwiseError
        If it is not a `Columnwise` function.
    """
    if not isinstance(function, Columnwise):
        raise NotColumnwiseError(f"{getattr(function, '__name__', type(function).__name__)} may mix columns")
    return function.columns(inputs)


def input_columns(n_columns: int) -> tuple[ColumnFunction, ...]:
    """Return the columns of a table as functions of themselves."""
    return tuple(ColumnFunction(j) for j in range(n_columns))
