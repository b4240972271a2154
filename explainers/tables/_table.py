"""`Table`: rows and named columns in the format of the caller.

A model must get rows in the format it was trained on. A table therefore keeps the caller's data (ndarray, DataFrame or
csr matrix): rows are selected or mixed, but columns are never re-encoded on the way to a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from automl_explain.explainers._arguments import nearest
from automl_explain.explainers._errors import ColumnMismatchError, InvalidInputError
from automl_explain.explainers.tables._column_codes import column_codes, distinct_floats
from automl_explain.explainers.tables._formats import read_table

RowNumbers = npt.NDArray[np.intp]
"""Row numbers."""


@dataclass(frozen=True, eq=False)
class Table:
    """A table in its own format.

    Parameters
    ----------
    data : ndarray of shape (n, f), DataFrame, or csr_matrix / csr_array
        The rows as the model takes them.
    names : tuple of str or None
        Column names as text; None if the data has none.
    origin : tuple of (Table, ndarray of int), or None
        The table from which `take` took these rows, and their numbers in it. None: the rows were not taken from another one.
    labels : ndarray of shape (n,), or None
        True labels of the rows, which stay with them when rows are selected; no model reads them. None: they are not known.
    """

    data: Any
    names: tuple[str, ...] | None = None
    origin: tuple[Table, RowNumbers] | None = field(default=None, repr=False)
    labels: npt.NDArray[Any] | None = field(default=None, repr=False)
    _made: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        return int(self.data.shape[0])

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return int(self.data.shape[1])

    @property
    def is_frame(self) -> bool:
        """Whether the data is a DataFrame."""
        return isinstance(self.data, pd.DataFrame)

    @property
    def is_sparse(self) -> bool:
        """Whether the data is a sparse matrix."""
        return bool(sparse.issparse(self.data))

    def take(self, rows: RowNumbers) -> Table:
        """Return the given rows, in that order."""
        data = self.data.iloc[rows] if self.is_frame else self.data[rows]
        whole, numbers = (self, rows) if self.origin is None else (self.origin[0], self.origin[1][rows])
        return Table(data, self.names, (whole, numbers), None if self.labels is None else self.labels[rows])

    def part(self, rows: RowNumbers) -> Table:
        """Return the given rows, which a table that many explainers read takes once for all."""
        return self.take(rows)

    def alone(self) -> Table:
        """Return the same rows as a table of their own, which has kept no results of `once`."""
        return Table(self.data, self.names, labels=self.labels)

    def with_labels(self, labels: Any) -> Table:
        """Return the same rows with true labels; without, if there is not one label for each row."""
        found = np.asarray(labels)
        found = found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found
        return replace(self, labels=found if found.shape == (len(self),) else None)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return the result of a function of these rows, which is called once for each key."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    @property
    def is_numeric(self) -> bool:
        """Whether all values are numbers or booleans."""
        if self.is_frame:
            return all(map(pd.api.types.is_numeric_dtype, self.data.dtypes))
        return self.data.dtype.kind in "biuf"

    def through(self, function: Callable[[Any], Any], *, by_table: bool) -> Any:
        """Return what a function of tables gives for these rows.

        Parameters
        ----------
        function : callable
            From a table to an array with the same rows.
        by_table : bool
            Whether its result for a row with text depends on the table's other rows. It is then applied to the table from
            which the rows were taken.
        """
        if self.origin is None or not by_table or self.is_numeric:
            return function(self.data)
        whole, numbers = self.origin
        return function(whole.data)[numbers]

    def keep(self, columns: npt.NDArray[np.intp]) -> Table:
        """Return the given columns, in that order."""
        data = self.data.iloc[:, columns] if self.is_frame else self.data[:, columns]
        return Table(data, None if self.names is None else tuple(self.names[j] for j in columns.tolist()))

    def sample(self, n_rows: int, random_state: int) -> Table:
        """Return at most `n_rows` rows drawn without replacement, in their original order."""
        if len(self) <= n_rows:
            return self
        return self.take(draw_rows(len(self), n_rows, random_state))

    def column(self, position: int) -> npt.NDArray[Any]:
        """Return one column as an array; categories as their values."""
        if self.is_frame:
            series = self.data.iloc[:, position]
            return np.asarray(series.astype(object) if isinstance(series.dtype, pd.CategoricalDtype) else series)
        if self.is_sparse:
            return np.asarray(self.data[:, [position]].todense()).ravel()
        return np.asarray(self.data[:, position])

    def codes(self) -> npt.NDArray[np.float64]:
        """Return a float64 matrix with equal numbers for equal cells of a column: numbers stay, the rest becomes codes."""
        if self.is_sparse:
            return np.asarray(self.data.todense(), dtype=np.float64)
        if not self.is_frame:
            if self.data.dtype.kind in "iu" and self.data.dtype.itemsize == 8:
                return np.column_stack([distinct_floats(self.data[:, j]) for j in range(self.n_columns)])
            if self.data.dtype.kind in "biuf":
                return np.asarray(self.data, dtype=np.float64)
            return np.column_stack([column_codes(pd.Series(self.data[:, j])) for j in range(self.n_columns)])
        if not self.n_columns:
            return np.empty((len(self), 0))
        return np.column_stack([column_codes(self.data.iloc[:, j]) for j in range(self.n_columns)])


def draw_rows(total: int, n_rows: int, random_state: int) -> RowNumbers:
    """Return at most `n_rows` row numbers below `total`, drawn without replacement, in ascending order."""
    if total <= n_rows:
        return np.arange(total)
    return np.sort(np.random.default_rng(random_state).choice(total, n_rows, replace=False))


def as_table(data: Any, what: str = "X") -> Table:
    """Read a user's table.

    Parameters
    ----------
    data : ndarray, DataFrame, sparse matrix, polars or pyarrow table, nested list, or object with data and group_names
        A 1-D array, or a Series, is one row. Frames of other libraries become pandas frames.
    what : str
        Name of the table in error messages.

    Raises
    ------
    InvalidInputError
        If it is not a table, or has no rows or no columns.
    """
    if isinstance(data, Table):
        return data
    table = Table(*read_table(data, what))
    if not table.n_columns or not len(table):
        raise InvalidInputError(f"{what} must have rows and columns. Got shape {tuple(table.data.shape)}.")
    return table


def check_same_columns(table: Table, names: Sequence[str] | None, n_columns: int | None, what: str) -> Table:
    """Return the table with the columns `names`, in that order.

    Columns are matched by name if both sides have names, otherwise by position.

    Raises
    ------
    ColumnMismatchError
        If columns are missing or unknown, or their number differs.
    """
    if names is not None and table.names is not None:
        if tuple(names) == table.names:
            return table
        position = {_plain(name): j for j, name in enumerate(table.names)} | {n: j for j, n in enumerate(table.names)}
        position |= {name: j for j, name in enumerate(_joined_levels(table)) if name not in position}
        order = [position.get(name, position.get(_plain(name))) for name in names]
        missing = [name for name, found in zip(names, order, strict=True) if found is None]
        if missing:
            raise ColumnMismatchError(_missing_columns(what, missing, names, table.names))
        if order == list(range(table.n_columns)):
            return table
        data = table.data.iloc[:, order] if table.is_frame else table.data[:, order]
        return Table(data, tuple(table.names[j] for j in order if j is not None))
    expected = n_columns if names is None else len(names)
    if expected is not None and table.n_columns != expected:
        raise ColumnMismatchError(
            f"{what} must have {expected} columns, as the training data had. Got {table.n_columns}."
        )
    return table


def spelled_as(names: tuple[str, ...] | None, table: Table) -> tuple[str, ...] | None:
    """Return names as the caller's table spells them, if a library has only replaced their blanks; otherwise unchanged."""
    own = table.names
    if names is None or own is None or names == own:
        return names
    replaced = tuple(map(_plain, own)) == tuple(map(_plain, names)) or _joined_levels(table) == names
    return own if replaced else names


def _joined_levels(table: Table) -> tuple[str, ...]:
    """Return the labels of columns of several levels as XGBoost writes them; empty for other tables."""
    if not table.is_frame or not isinstance(table.data.columns, pd.MultiIndex):
        return ()
    return tuple(" ".join(map(str, label)) for label in table.data.columns)


def arrange(table: Table, names: Sequence[str] | None) -> Table:
    """Return the table with its columns in the order of `names`, if these are its columns; otherwise unchanged.

    Names given with an array name its columns, so a frame with the same columns must not be read by position.
    """
    if table.names is None or not np.iterable(names):
        return table
    wanted = tuple(map(str, names))
    same = len(wanted) == table.n_columns and set(wanted) == set(table.names)
    return check_same_columns(table, wanted, None, "X") if same else table


def stack_rows(tables: Sequence[Table], *, ignore_index: bool = True) -> Table:
    """Return the rows of tables of the same format and columns, in order.

    Category columns keep one dtype: the categories of the last table, followed by values that only the others have.

    Parameters
    ----------
    tables : sequence of Table
        At least one.
    ignore_index : bool, default True
        Number the rows of a frame anew; if False, keep the index of each frame.
    """
    first = tables[0]
    parts = [table.data for table in tables]
    if len(parts) == 1:
        return first
    known = [table.labels for table in tables if table.labels is not None]
    labels = np.concatenate(known) if len(known) == len(tables) else None
    if first.is_frame:
        stacked = pd.concat(_with_common_categories(parts), ignore_index=ignore_index)
    else:
        stacked = sparse.vstack(parts, format="csr") if first.is_sparse else np.vstack(parts)
    return Table(stacked, first.names, labels=labels)


def conform(table: Table, like: Table, what: str = "X") -> Table:
    """Return the table in the format of another with the same columns: frame or array, sparse or dense, categories.

    A row given as a Series, or a table read from a file, has lost the category types of the other one.
    """
    if like.is_frame and not table.is_frame:
        dense = table.data.toarray() if table.is_sparse else table.data
        table = Table(pd.DataFrame(dense, columns=like.data.columns).infer_objects(), like.names)
    elif not like.is_frame and table.is_frame:
        table = Table(table.data.to_numpy(), like.names)
    elif like.is_frame and not table.data.columns.equals(like.data.columns):
        table = Table(table.data.set_axis(like.data.columns, axis=1), like.names)  # such as 1 in place of "1"
    if like.is_sparse and not table.is_sparse:
        try:
            return Table(sparse.csr_matrix(table.data))
        except (ValueError, TypeError) as error:
            raise InvalidInputError(f"{what} must hold numbers, as the sparse background does: {error}") from error
    if table.is_sparse and not like.is_sparse:
        return Table(table.codes())
    if not like.is_frame:
        return table
    changed = {
        name: _with_new_values(wanted, table.data[name])
        for name, wanted in like.once("categories", lambda: _categories(like.data))
        if not isinstance(table.data[name].dtype, pd.CategoricalDtype)
    }
    return Table(table.data.astype(changed), table.names) if changed else table


def _categories(frame: pd.DataFrame) -> list[tuple[Any, pd.CategoricalDtype]]:
    """Return the columns of category dtype and their types."""
    return [(name, dtype) for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)]


def _with_common_categories(frames: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Give each category column one dtype in all frames, so that stacking keeps it."""
    changed = {}
    for name, dtype in frames[-1].dtypes.items():
        if isinstance(dtype, pd.CategoricalDtype) and any(frame[name].dtype != dtype for frame in frames):
            for frame in frames:
                dtype = _with_new_values(dtype, frame[name])
            changed[name] = dtype
    return [frame.astype(changed) for frame in frames] if changed else frames


def _with_new_values(dtype: pd.CategoricalDtype, series: pd.Series) -> pd.CategoricalDtype:
    new = pd.Index(series.dropna().unique()).difference(dtype.categories, sort=False)
    return pd.CategoricalDtype(dtype.categories.append(new) if len(new) else dtype.categories, ordered=dtype.ordered)


def _plain(name: str) -> str:
    """Return a column name as LightGBM stores it, with underscores for blanks."""
    return re.sub(r"\s", "_", name)


def _missing_columns(what: str, missing: list[str], names: Sequence[str], present: Sequence[str]) -> str:
    unknown = [name for name in present if name not in names]
    message = f"{what} lacks {len(missing)} of the training data's columns: {missing[:5]}."
    guess = next((close for name in unknown if (close := nearest(name, missing))), None)
    if guess:
        culprit = next(name for name in unknown if nearest(name, missing) == guess)
        return f"{message} Column {culprit!r} is not in the training data. Did you mean {guess!r}?"
    return f"{message} It has {len(present)}: {list(present[:8])}. Pass the same columns as in training."
