"""Columns and arrays of a page: every cell becomes a number and goes back to what the model takes."""

import gzip
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from automl_explain import InvalidInputError
from automl_explain.dashboard.data._arrays import ArrayBlock
from automl_explain.dashboard.data._columns import column_cells, read_column, table_of
from automl_explain.explainers.tables._table import as_table

TYPES = {"u1": ("<u1", 255), "u2": ("<u2", 65535), "u4": ("<u4", 2**32 - 1), "f4": ("<f4", None), "f8": ("<f8", None)}


def unpacked(place, packed):
    """What the page reads, written again in Python."""
    dtype, missing = TYPES[place["column"]]
    block = np.frombuffer(gzip.decompress(packed), np.uint8)
    width = np.dtype(dtype).itemsize
    grouped = block[place["at"] : place["at"] + place["n"] * width].reshape(width, place["n"])
    stored = np.ascontiguousarray(grouped.T).view(dtype).ravel().astype(np.float64)
    if missing is None:
        return stored
    return np.where(stored == missing, np.nan, (stored + place.get("from", 0)) / place.get("scale", 1))


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        ([0.0, 1.0, np.nan, 254.0], "u1"),
        ([0.0, 255.0], "u2"),
        ([1000.0, 1254.0, np.nan], "u1"),
        ([-1.0, 40_000.0], "u2"),
        ([-(2.0**30), 2.0**30], "u4"),
        ([0.1, 17.99, -3.5], "u2"),
        ([-0.0, 1.0], "u1"),
        ([0.5, 0.25, 2.0**-20], "f4"),
        ([0.1234567890123, 1.0], "f8"),
        ([1e300, np.inf, np.nan], "f8"),
        ([2.0**31], "f4"),
        ([], "u1"),
    ],
)
def test_arrays_are_stored_without_loss_in_the_smallest_type(numbers, kind):
    block = ArrayBlock()
    block.add([1.5, 2.5])
    place = block.add(numbers)
    assert place["column"] == kind
    found = unpacked(place, block.packed())
    np.testing.assert_array_equal(found, numbers)
    assert block.add(numbers) == place  # equal arrays are stored once


@given(st.lists(st.floats(width=64) | st.integers(-(10**9), 10**9).map(lambda i: i / 1000), max_size=20))
def test_any_array_is_stored_without_loss(numbers):
    block = ArrayBlock()
    place = block.add(numbers)
    np.testing.assert_array_equal(unpacked(place, block.packed()), np.array(numbers, dtype=np.float64))


def frame():
    times = pd.to_datetime(["2020-01-01", None, "2021-02-03"])
    return pd.DataFrame(
        {
            "whole": [1, 2, 3],
            "gaps": [1.5, np.nan, 2],
            "size": pd.Categorical(["x", None, "y"], categories=["y", "x", "z"]),
            "numbers as categories": pd.Categorical([1, 2, 1]),
            "text": ["u", None, "v"],
            "string": pd.array(["q", None, "r"], dtype="string"),
            "flag": [True, False, True],
            "flag with gaps": pd.array([True, None, False], dtype="boolean"),
            "flag as object": [True, None, False],
            "date": times,
            "date in Paris": times.tz_localize("Europe/Paris"),
            "whole with gaps": pd.array([1, None, 3], dtype="Int64"),
            "mixed": [1, "1", None],
            "time": pd.to_timedelta([1, None, 3], unit="h"),
            "single": np.array([0.1, 0.2, 0.3], dtype=np.float32),
        }
    )


KINDS = [
    "integer",
    "number",
    "category",
    "category",
    "category",
    "category",
    "boolean",
    "boolean",
    "boolean",
    "date",
    "date",
    "integer",
    "category",
    "duration",
    "number",
]


def test_every_kind_of_cell_goes_to_the_page_and_back():
    table = as_table(frame())
    columns = [read_column(name, column_cells(table, j)) for j, name in enumerate(table.names)]
    assert [column.kind for column in columns] == KINDS
    assert columns[2].level_names == ["y", "x", "z"]
    numbers = np.column_stack([column.to_numbers(column_cells(table, j)) for j, column in enumerate(columns)])
    assert numbers.dtype == np.float64
    assert numbers[2, 9] == pd.Timestamp("2021-02-03").timestamp() * 1000
    assert np.isnan(numbers[1, [1, 2, 4, 5, 7, 8, 9, 10, 11, 13]]).all()
    pd.testing.assert_frame_equal(table_of(columns, numbers, table).data, frame())


@pytest.mark.parametrize(
    "data", [np.arange(6.0).reshape(3, 2), np.arange(6).reshape(3, 2), sparse.csr_matrix(np.eye(3))]
)
def test_arrays_and_sparse_matrices_keep_their_type(data):
    table = as_table(data)
    columns = [read_column(str(j), column_cells(table, j)) for j in range(table.n_columns)]
    numbers = np.column_stack([column.to_numbers(column_cells(table, j)) for j, column in enumerate(columns)])
    back = table_of(columns, numbers, table).data
    assert type(back) is type(data)
    assert back.dtype == data.dtype
    assert (back != data).sum() == 0


def test_an_edited_integer_may_become_a_fraction_or_missing():
    column = read_column("n", pd.Series([1, 2]))
    assert column.to_cells(np.array([1.5, 2.0])).tolist() == [1.5, 2.0]
    assert column.to_cells(np.array([np.nan, 2.0])).isna().tolist() == [True, False]


def test_levels_come_from_all_tables():
    column = read_column("city", pd.Series(["b", "a"]), pd.Series(["c", None]))
    assert column.levels == ("a", "b", "c")
    assert column.to_cells(np.array([2.0])).tolist() == ["c"]


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_dates_and_durations_that_are_no_number_of_nanoseconds_stay_as_they_are(unit):
    day = np.array(["9999-12-31", "NaT", "0001-01-01"], dtype=f"M8[{unit}]")
    for cells in (pd.Series(day), pd.Series(day - day[2])):
        column = read_column("until", cells)
        pd.testing.assert_series_equal(column.to_cells(column.to_numbers(cells)), cells)
    assert read_column("until", pd.Series(day)).to_numbers(pd.Series(day))[0] == 253402214400e3


def test_an_edited_date_out_of_the_range_of_its_type_is_refused():
    column = read_column("until", pd.Series(np.array(["2020-01-01"], dtype="M8[ns]")))
    with pytest.raises(InvalidInputError, match="'until' is out of the range of its type"):
        column.to_cells(np.array([253402214400e3]))


PARIS = ZoneInfo("Europe/Paris")
UNEVEN = {
    "keys": pd.Series([2**60 + 1, 5, 2**62]),
    "unsigned keys": pd.Series([2**64 - 1, 5], dtype="uint64"),
    "keys with gaps": pd.Series(pd.array([2**60 + 1, None], dtype="Int64")),
    "keys as objects": pd.Series([2**80, None, 3], dtype=object),
    "keys that share a number": pd.Series([2**60 + 1, 2**60 + 2, 5]),
    "integers as objects": pd.Series([1, None, 3], dtype=object),
    "texts with NaN": pd.Series(["u", np.nan], dtype=object),
    "texts with None": pd.Series(["u", None], dtype=object),
    "flags with NaN": pd.Series([True, np.nan], dtype=object),
    "dates in Paris": pd.Series([datetime(2020, 1, 1, tzinfo=PARIS), None], dtype=object),
    "dates here and there": pd.Series(
        [datetime(2020, 1, 1, tzinfo=PARIS), datetime(2020, 1, 1, tzinfo=UTC)], dtype=object
    ),
    "naive dates": pd.Series([datetime(2020, 1, 1, 3, 4, 5), None], dtype=object),
    "nanoseconds": pd.Series(np.array([1_600_000_000_123_456_789], dtype="M8[ns]")),
    "nanoseconds in Paris": pd.Series(np.array([1_600_000_000_123_456_789], dtype="M8[ns]")).dt.tz_localize(PARIS),
    "long durations": pd.Series(np.array([10**18 + 1], dtype="m8[ns]")),
    "long doubles": pd.Series(np.array([1, 1 + np.finfo(np.longdouble).eps], dtype=np.longdouble)[1:]),
}
"""Cells that float64 does not hold, or that are not what pandas would make of their numbers."""


@pytest.mark.parametrize("cells", UNEVEN.values(), ids=UNEVEN)
def test_cells_come_back_exactly(cells):
    column = read_column("c", cells)
    back = column.to_cells(column.to_numbers(cells))
    pd.testing.assert_series_equal(back, cells, check_exact=True)
    assert [getattr(cell, "tzinfo", None) for cell in back] == [getattr(cell, "tzinfo", None) for cell in cells]
    assert [cell is None for cell in back] == [cell is None for cell in cells]


def test_integers_that_share_a_number_are_categories():
    assert read_column("c", UNEVEN["keys that share a number"]).kind == "category"
    assert read_column("c", UNEVEN["keys"]).kind == "integer"


def test_an_edited_date_has_the_zone_of_its_column():
    column = read_column("c", UNEVEN["dates in Paris"])
    assert column.to_cells(np.array([0.0]))[0] == pd.Timestamp("1970-01-01 01:00", tz=PARIS)
    assert column.to_cells(np.array([0.0]))[0].tzinfo == PARIS
    mixed = read_column("c", UNEVEN["dates here and there"])
    assert mixed.to_cells(np.array([0.0]))[0] == pd.Timestamp("1970-01-01", tz=UTC)


def test_ordered_categories_stay_ordered():
    cells = pd.Series(pd.Categorical(["S", None, "L"], categories=["S", "M", "L"], ordered=True))
    column = read_column("size", cells)
    pd.testing.assert_series_equal(column.to_cells(column.to_numbers(cells)), cells)


@pytest.mark.parametrize("code", [3.0, -1.0, 0.5])
def test_a_number_that_is_no_level_is_refused(code):
    column = read_column("city", pd.Series(["b", "a", "c"]))
    with pytest.raises(InvalidInputError, match="'city' must be the position of one of its 3 levels"):
        column.to_cells(np.array([code]))


def test_cells_that_are_lists_are_refused():
    with pytest.raises(InvalidInputError, match="Column 'l' has cells"):
        read_column("l", pd.Series([[1], [2]], name="l"))
