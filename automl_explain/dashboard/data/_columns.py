"""Columns of a user's table as the page has them: each cell is a number, and goes back to what the model takes.

A number stays as it is, a boolean is 0 or 1, a date milliseconds since 1970 in UTC, a duration seconds, and a category its
position among the levels of its column. NaN is a missing cell. A cell that float64 does not hold, such as a long integer, is
kept beside its number, so that it comes back as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
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
    missing : object
        What stands for a missing cell in a column of objects, such as None or NaN.
    zone : tzinfo or None
        Time zone of the dates in a column of objects.
    exact : dict
        Number -> the cell, for cells of the user's table that are not exactly what their number says.
    """

    name: str
    kind: Kind
    dtype: Any
    levels: tuple[Any, ...] | None = None
    missing: Any = None
    zone: Any = None
    exact: Mapping[float, Any] = field(default_factory=dict, repr=False)

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
        made = self._cells(numbers, missing)
        known = {place: self.exact[number] for place, number in enumerate(numbers.tolist()) if number in self.exact}
        if self.dtype == object:
            cells = made.to_numpy(dtype=object, copy=True)
            cells[missing] = self.missing
            for place, cell in known.items():
                cells[place] = cell
            return pd.Series(cells, dtype=object)
        if known:
            made.iloc[list(known)] = pd.Series(list(known.values()), dtype=self.dtype).astype(made.dtype)
        return made

    def _cells(self, numbers: Numbers, missing: npt.NDArray[np.bool_]) -> pd.Series:
        """Return cells by what their numbers say."""
        if self.levels is not None:
            return self._categories(numbers, missing)
        if self.kind in ("date", "duration"):
            return self._times(numbers, missing)
        if self.kind == "boolean":
            return _booleans(numbers, missing, self.dtype)
        is_whole = bool(np.all(numbers[~missing] == np.rint(numbers[~missing])))
        if self.dtype == object:
            as_cell = int if self.kind == "integer" and is_whole else float
            return pd.Series(
                [number if gap else as_cell(number) for number, gap in zip(numbers.tolist(), missing, strict=True)],
                dtype=object,
            )
        if pd.api.types.is_integer_dtype(self.dtype):
            has_gaps = missing.any() and not pd.api.types.is_extension_array_dtype(self.dtype)
            if has_gaps or not is_whole:
                return pd.Series(numbers)  # as pandas does for integers with a missing cell
        return pd.Series(numbers).mask(missing).astype(self.dtype)

    def _times(self, numbers: Numbers, missing: npt.NDArray[np.bool_]) -> pd.Series:
        is_date = self.kind == "date"
        unit = "us" if self.dtype == object else pd.Series(dtype=self.dtype).dt.unit
        counts = np.rint(np.where(missing, 0, numbers) * (MILLISECONDS if is_date else SECONDS) / UNITS[unit])
        if np.any(np.abs(counts) >= 2.0**63):
            raise InvalidInputError(f"A cell of {self.name!r} is out of the range of its type, {self.dtype}.")
        times = pd.Series(counts.astype(np.int64).astype(f"{'M' if is_date else 'm'}8[{unit}]")).mask(missing)
        zone = self.dtype.tz if isinstance(self.dtype, pd.DatetimeTZDtype) else self.zone
        return (times if zone is None else times.dt.tz_localize("UTC").dt.tz_convert(zone)).astype(self.dtype)

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
    kind, is_objects = _kind(cells), cells.dtype == np.dtype(object)
    gaps = pd.concat([one[one.isna()].head(1) for one in (cells, *more)]) if is_objects else ()
    column = PageColumn(name, kind, cells.dtype, missing=next(iter(gaps), None))
    if kind != "category":
        column = replace(column, zone=_zone(cells) if kind == "date" and is_objects else None)
        exact = _not_numbers(column, cells)
        if exact is not None:
            return replace(column, exact=exact)
    return replace(column, kind="category", levels=tuple(_levels([cells, *more])))


def _not_numbers(column: PageColumn, cells: pd.Series) -> dict[float, Any] | None:
    """Return the cells that are not what their number says, by it; None if integers would share a number."""
    own, numbers = cells.reset_index(drop=True), column.to_numbers(cells)
    with np.errstate(invalid="ignore"):  # integers near 2^63, whose float64 is no such integer
        back = column.to_cells(numbers)
    changed = (own != back).to_numpy(dtype=bool, na_value=False) & own.notna().to_numpy()
    if column.zone is not None:  # equal instants in other zones are other cells
        changed |= [
            getattr(one, "tzinfo", None) != getattr(other, "tzinfo", None) for one, other in zip(own, back, strict=True)
        ]
    if not changed.any():
        return {}
    near = np.isin(numbers, numbers[changed])
    pairs = dict(zip(numbers[near].tolist(), own[near], strict=True))
    return None if column.kind == "integer" and len(pairs) < own[near].nunique() else pairs


def _zone(cells: pd.Series) -> Any:
    """Return the time zone of dates; UTC if they have several, None if they have none."""
    zones = {cell.tzinfo for cell in cells.dropna()}
    return next(iter(zones), None) if len(zones) < 2 else UTC


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
