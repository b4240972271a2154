"""Preprocessing given as a list of (columns, fitted transformer), as in sklearn-pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.tables._table import Table

Positions = npt.NDArray[np.intp]
"""Column positions."""


class ColumnList:
    """A transformer that applies fitted transformers to their own columns and concatenates the outputs.

    Parameters
    ----------
    parts : sequence of (columns, transformer)
        One column or a list of columns, by name or position. The transformer may be None, which passes the columns
        through, or a list of transformers that are applied in this order.
    names : sequence or None
        Columns of the table that is transformed. Default: the columns that the parts name.
    n_columns : int, optional
        Number of columns, for tables without names.

    Raises
    ------
    InvalidInputError
        If the list is empty, has an element of another form, or names unknown columns.
    """

    def __init__(
        self, parts: Sequence[tuple[Any, Any]], names: Sequence[Any] | None = None, n_columns: int | None = None
    ) -> None:
        if not parts:
            raise InvalidInputError(
                "The 'transformations' list must hold at least one tuple (columns, fitted transformer)."
            )
        for part in parts:
            if (
                not isinstance(part, tuple)
                or len(part) < 2
                or not _are_columns(part[0])
                or not all(hasattr(s, "transform") for s in _steps(part[1]))
            ):
                raise InvalidInputError(
                    "The 'transformations' list must hold tuples (columns, fitted transformer), where None in place of the "
                    f"transformer passes columns through. Got {part!r}."
                )
        self._parts = [(part[0], _steps(part[1])) for part in parts]
        if names is None and n_columns is None:
            names, n_columns = _columns_of([columns for columns, _ in self._parts])
        self.feature_names_in_ = None if names is None else np.asarray(names, dtype=object)
        self.n_features_in_ = len(names) if names is not None else n_columns
        self.parts()

    def transform(self, table: Any) -> Any:
        """Return the concatenated outputs of all parts."""
        blocks = []
        for columns, steps in self._parts:
            block = _choose(table, columns)
            for step in steps:
                try:
                    block = step.transform(block)
                except (ValueError, TypeError) as error:  # scikit-learn's NotFittedError is a ValueError
                    raise InvalidInputError(
                        f"{type(step).__name__} for {columns!r} in the 'transformations' cannot transform its columns: {error} "
                        "Pass a fitted transformer. A column name passes a Series to it, a list of names a DataFrame."
                    ) from error
            blocks.append(block if sparse.issparse(block) else np.asarray(block).reshape(table.shape[0], -1))
        if any(sparse.issparse(block) for block in blocks):
            return sparse.hstack(blocks, format="csr")
        return np.hstack(blocks)

    def parts(self) -> list[tuple[Positions, list[Any]]]:
        """Return, for each part, the positions of its columns and its transformers in the order of application."""
        names = () if self.feature_names_in_ is None else self.feature_names_in_
        by_name = {name: position for position, name in enumerate(names)}
        n_inputs = self.n_features_in_ or 0
        chosen = [columns for columns, _ in self._parts]
        unknown = [one for columns in chosen for one in _listed(columns) if isinstance(one, str) and one not in by_name]
        found = [] if unknown else [positions_of(columns, by_name, n_inputs) for columns in chosen]
        unknown += [one for positions in found for one in positions.tolist() if not 0 <= one < n_inputs]
        if unknown:
            raise InvalidInputError(f"The 'transformations' name columns that the data lacks: {unknown[:5]}.")
        return [(positions, steps) for positions, (_, steps) in zip(found, self._parts, strict=True)]


def as_transformer(given: Any, examples: Table | None) -> Any:
    """Return the 'transformations' of a user as one transformer for tables with the columns of `examples`.

    Without examples, a list is taken to apply to a table of the columns that it names.

    Raises
    ------
    InvalidInputError
        If `given` is neither a transformer nor a list of columns and transformers.
    """
    if isinstance(given, list | tuple):
        if examples is None:
            return ColumnList(given)
        return ColumnList(given, examples.data.columns if examples.is_frame else None, examples.n_columns)
    if not hasattr(given, "transform"):
        raise InvalidInputError(
            "The 'transformations' parameter must be a fitted transformer, or a list of tuples (columns, fitted transformer). "
            f"Got {given!r}."
        )
    return given


def positions_of(columns: Any, by_name: dict[Any, int], n_inputs: int) -> Positions:
    """Return the positions of columns given in a form that scikit-learn accepts: name, names, positions, slice or mask."""
    if isinstance(columns, slice):
        if isinstance(columns.start, str) or isinstance(columns.stop, str):
            first = 0 if columns.start is None else by_name[columns.start]
            last = n_inputs - 1 if columns.stop is None else by_name[columns.stop]
            return np.arange(first, last + 1)
        return np.arange(n_inputs)[columns]
    listed = _listed(columns)
    if listed and all(isinstance(one, bool | np.bool_) for one in listed):
        return np.flatnonzero(listed)
    found = [by_name[one] if isinstance(one, str) else int(one) for one in listed]
    return np.array([one + n_inputs if one < 0 else one for one in found], dtype=np.intp)


def _are_columns(columns: Any) -> bool:
    """Whether these are columns as scikit-learn takes them: one or several names, positions or flags, or a slice."""
    if isinstance(columns, slice):
        return True
    kinds = (str, int, np.integer, bool, np.bool_)
    return isinstance(columns, kinds) or (np.iterable(columns) and all(isinstance(one, kinds) for one in columns))


def _columns_of(chosen: Sequence[Any]) -> tuple[list[str] | None, int | None]:
    """Return the names of the columns that are chosen by name, or the number of those that are chosen by position."""
    listed: list[Any] = [
        one for columns in chosen for one in ([columns] if isinstance(columns, slice) else _listed(columns))
    ]
    if all(isinstance(one, str) for one in listed):
        return list(dict.fromkeys(listed)), None
    if all(isinstance(one, int | np.integer) and not isinstance(one, bool) and one >= 0 for one in listed):
        return None, max(map(int, listed)) + 1
    raise InvalidInputError(
        "The 'transformations' list must give every column by name, or every column by its position from 0, where there are "
        f"no initialization_examples. Got {listed[:5]}."
    )


def _listed(columns: Any) -> list[Any]:
    if isinstance(columns, slice):
        return [end for end in (columns.start, columns.stop) if isinstance(end, str)]
    return [columns] if np.isscalar(columns) else list(columns)


def _steps(transformer: Any) -> list[Any]:
    if transformer is None:
        return []
    return list(transformer) if isinstance(transformer, list | tuple) else [transformer]


def _choose(table: Any, columns: Any) -> Any:
    if not isinstance(table, pd.DataFrame):
        return table[:, columns if isinstance(columns, slice) else np.atleast_1d(columns)]
    if not any(isinstance(one, str) for one in _listed(columns)):
        return table.iloc[:, columns]
    return table.loc[:, columns] if isinstance(columns, slice) else table[columns]
