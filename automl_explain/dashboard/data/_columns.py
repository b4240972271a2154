"""Columns of a user's table as the page has them: each cell is a number, and goes back to what the model takes.

A number stays as it is, a boolean is 0 or 1, a date milliseconds since 1970 in UTC, a duration seconds, and a category its
position among the levels of its column. NaN is a missing cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.formatting._names import one_line
from automl_explain.explainers.tables._column_codes import category_codes
from automl_explain.explainers.tables._table import Table

Numbers = npt.NDArray[np.float64]
Kind = Literal["number", "integer", "boolean", "category", "date", "duration"]
MILLISECONDS, SECONDS = 1e6, 1e9
"""Nanoseconds of one."""
UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""Units in which numpy and pandas count times -> nanoseconds. Dates such as 9999-12-31 are no number of nanoseconds."""


@dataclass(frozen=True, eq=False)
class PageColumn:
    """One column.

    Parameters
    ----------
    name : str
    kind : {"number", "integer", "boolean", "category", "date", "duration"}
    dtype : numpy or pandas dtype
        Type of the cells in the user's table.
    levels : tuple or None
        The values of a category, as the model takes them.
    """

    name: str
    kind: Kind
    dtype: Any
    levels: tuple[Any, ...] | None = None

    @property
    def level_names(self) -> list[str] | None:
        """The levels as text."""
        return None if self.levels is None else [one_line(level) for level in self.levels]

    def to_numbers(self, cells: pd.Series) -> Numbers:
        """Return cells of this column as the page has them; a cell that is no level becomes NaN."""
        if self.levels is not None:
            return category_codes(cells, pd.Index(self.levels, dtype=object))
        if self.kind == "date":
            return _from_times(pd.to_datetime(cells, utc=True).dt.tz_localize(None), MILLISECONDS)
        if self.kind == "duration":
            return _from_times(cells, SECONDS)
        return np.asarray(pd.to_numeric(cells).to_numpy(dtype=np.float64, na_value=np.nan))

    def to_cells(self, numbers: Numbers) -> pd.Series:
        """Return cells as the model takes them.

        Raises
        ------
        InvalidInputError
            If a number is no cell of this column, such as one that is no position of a level.
        """
        missing = np.isnan(numbers)
        if self.levels is not None:
            return self._categories(numbers, missing)
        if self.kind in ("date", "duration"):
            times = self._times(numbers, missing)
            if isinstance(self.dtype, pd.DatetimeTZDtype):
                return times.dt.tz_localize("UTC").astype(self.dtype)
            return times.astype(object if self.dtype == object else self.dtype)
        if self.kind == "boolean":
            return _booleans(numbers, missing, self.dtype)
        if self.kind == "integer" and missing.any() and not pd.api.types.is_extension_array_dtype(self.dtype):
            return pd.Series(numbers)  # as pandas does for integers with a missing cell
        if pd.api.types.is_integer_dtype(self.dtype) and np.any(numbers[~missing] != np.rint(numbers[~missing])):
            return pd.Series(numbers)
        return pd.Series(numbers).mask(missing).astype(self.dtype)

    def _times(self, numbers: Numbers, missing: npt.NDArray[np.bool_]) -> pd.Series:
        is_date = self.kind == "date"
        unit = "us" if self.dtype == object else pd.Series(dtype=self.dtype).dt.unit
        counts = np.rint(np.where(missing, 0, numbers) * (MILLISECONDS if is_date else SECONDS) / UNITS[unit])
        if np.any(np.abs(counts) >= 2.0**63):
            raise InvalidInputError(f"A cell of {self.name!r} is out of the range of its type, {self.dtype}.")
        return pd.Series(counts.astype(np.int64).astype(f"{'M' if is_date else 'm'}8[{unit}]")).mask(missing)

    def _categories(self, numbers: Numbers, missing: npt.NDArray[np.bool_]) -> pd.Series:
        assert self.levels is not None
        codes = np.where(missing, 0, numbers)
        if np.any((codes != np.rint(codes)) | (codes < 0) | (codes >= max(len(self.levels), 1))):
            raise InvalidInputError(
                f"A cell of {self.name!r} must be the position of one of its {len(self.levels)} levels. Got {numbers.tolist()}."
            )
        pairs = zip(missing.tolist(), codes.astype(int).tolist(), strict=True)
        values = [None if is_missing else self.levels[code] for is_missing, code in pairs]
        if isinstance(self.dtype, pd.CategoricalDtype):
            known = self.dtype.categories
            levels = known.append(pd.Index(self.levels).difference(known, sort=False))
            return pd.Series(pd.Categorical(values, levels, ordered=self.dtype.ordered))
        made = pd.Series(values, dtype=object)
        return made if self.dtype == object else made.astype(self.dtype)


def read_column(name: str, cells: pd.Series, *more: pd.Series) -> PageColumn:
    """Return the description of a column.

    Parameters
    ----------
    name : str
    cells : Series
        The cells of the rows explained.
    *more : Series
        The same column in other tables, whose categories are levels too.
    """
    dtype = cells.dtype
    kind = _kind(cells)
    if kind != "category":
        return PageColumn(name, kind, dtype)
    return PageColumn(name, kind, dtype, tuple(_levels([cells, *more])))


def column_cells(table: Table, position: int) -> pd.Series:
    """Return one column of a table as a series with the table's own type."""
    return table.data.iloc[:, position] if table.is_frame else pd.Series(table.column(position))


def table_of(columns: Sequence[PageColumn], rows: Numbers, like: Table) -> Table:
    """Return rows of numbers, (n, f), as a table in the format of another one.

    Raises
    ------
    InvalidInputError
        If a number is no cell of its column.
    """
    cells = {j: column.to_cells(rows[:, j]) for j, column in enumerate(columns)}
    if like.is_frame:
        return Table(pd.DataFrame(cells).set_axis(like.data.columns, axis=1), like.names)
    if like.is_sparse:
        return Table(type(like.data)(rows), like.names)
    made = pd.DataFrame(cells).to_numpy()
    return Table(made if like.data.dtype == object else made.astype(like.data.dtype), like.names)


def _kind(cells: pd.Series) -> Kind:
    dtype = cells.dtype
    if pd.api.types.is_bool_dtype(dtype) and not isinstance(dtype, pd.CategoricalDtype):
        return "boolean"
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if pd.api.types.is_integer_dtype(dtype):
        return "integer"
    if pd.api.types.is_numeric_dtype(dtype):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "date"
    if pd.api.types.is_timedelta64_dtype(dtype):
        return "duration"
    return OBJECT_KINDS.get(pd.api.types.infer_dtype(cells, skipna=True), "category")


OBJECT_KINDS: dict[str, Kind] = {
    "boolean": "boolean",
    "integer": "integer",
    "floating": "number",
    "mixed-integer-float": "number",
    "datetime": "date",
    "datetime64": "date",
    "empty": "number",
}
"""What pandas finds in a column of objects -> kind."""


def _levels(columns: Sequence[pd.Series]) -> list[Any]:
    """Return the distinct values: in the order of a category type, then the others, sorted as text."""
    first = columns[0].dtype
    known = list(first.categories) if isinstance(first, pd.CategoricalDtype) else []
    try:
        found = dict.fromkeys(value for cells in columns for value in cells.dropna().unique())
    except TypeError as error:
        raise InvalidInputError(
            f"Column {columns[0].name!r} has cells that are neither numbers, texts nor dates, which the dashboard cannot show."
        ) from error
    for value in known:
        found.pop(value, None)
    return [*known, *sorted(found, key=lambda value: (str(type(value)), str(value)))]


def _from_times(times: pd.Series, unit: float) -> Numbers:
    """Return dates or durations as numbers of a unit of so many nanoseconds."""
    stamps = times.to_numpy()
    own = UNITS[np.datetime_data(stamps.dtype)[0]]
    counts = stamps.astype(np.int64).astype(np.float64)
    return np.where(np.isnat(stamps), np.nan, counts * (own / unit) if own > unit else counts / (unit / own))


def _booleans(numbers: Numbers, missing: npt.NDArray[np.bool_], dtype: Any) -> pd.Series:
    if not missing.any():
        return pd.Series(numbers != 0).astype(dtype)
    flags = pd.Series(numbers != 0, dtype=object).mask(missing, None)
    return flags.astype(dtype) if pd.api.types.is_extension_array_dtype(dtype) else flags
