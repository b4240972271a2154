"""Files of explanations: a table comes back with the values and the types of all its cells, or is not saved."""

import datetime as dt
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from automl_explain import Explanation, InvalidInputError
from automl_explain.explainers.tables._table import as_table

pa = pytest.importorskip("pyarrow")

N = 4
GAPS = [None, 0, 1, 2]
"""Values of a column of small whole numbers with gaps."""
TIMES = ["2024-03-31T01:30", None, "1999-12-31T23:59:59.123456", "2024-10-27T00:30"]


def saved(data, path):
    table = as_table(data)
    values = np.arange(float(len(table) * table.n_columns)).reshape(len(table), -1)
    Explanation(values, np.zeros(1), None, None, "response", "tree", "why", data=table).save(path)
    return Explanation.load(path).data


def times(zone=None, unit="ns"):
    plain = pd.Series(pd.to_datetime(TIMES, format="ISO8601")).dt.as_unit(unit)
    return plain if zone is None else plain.dt.tz_localize("UTC").dt.tz_convert(zone)


def arrow(values, kind):
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.array(values, kind)])))


ARROW = {
    "int8": pa.int8(), "int64": pa.int64(), "uint16": pa.uint16(), "float": pa.float32(), "double": pa.float64(),
    "bool": pa.bool_(), "string": pa.string(), "large string": pa.large_string(), "decimal": pa.decimal128(9, 2),
    "binary": pa.binary(), "date32": pa.date32(), "date64": pa.date64(), "time": pa.time64("us"),
    "duration": pa.duration("ms"), "timestamp": pa.timestamp("s"), "zoned": pa.timestamp("us", tz="Asia/Tokyo"),
    "list": pa.list_(pa.int64()), "dictionary": pa.dictionary(pa.int8(), pa.string()),
    "struct": pa.struct([("a", pa.int64())]), "null": pa.null(),
}  # fmt: skip
ARROW_CELLS = {
    "float": [None, 0.5, -1.0, 2.0], "double": [None, 0.1, -1.0, 2.0], "bool": [True, None, False, True],
    "string": ["a", None, "", "é"], "large string": ["a", None, "", "é"], "dictionary": ["b", None, "a", "b"],
    "decimal": [Decimal("1.25"), None, Decimal("-3"), Decimal("0")], "binary": [b"\x00", None, b"", b"x"],
    "date32": [dt.date(2020, 2, 29), None, dt.date(1, 1, 1), dt.date(2024, 1, 1)], "list": [[1], None, [], [2, 3]],
    "date64": [dt.date(2020, 2, 29), None, dt.date(1969, 1, 1), dt.date(2024, 1, 1)],
    "time": [dt.time(1, 2, 3), None, dt.time(0), dt.time(23)], "struct": [{"a": 1}, None, {"a": None}, {"a": 2}],
    "duration": [dt.timedelta(1), None, dt.timedelta(0), dt.timedelta(seconds=-1)], "null": [None] * 4,
    "timestamp": [dt.datetime(2020, 1, 1), None, dt.datetime(1969, 1, 1), dt.datetime(2024, 5, 5)],
    "zoned": [dt.datetime(2020, 1, 1, tzinfo=dt.UTC), None, dt.datetime(1969, 1, 1, tzinfo=dt.UTC), None],
}  # fmt: skip
OBJECTS = {
    "words": ["a", "b", "", "é"],
    "words with gaps": ["a", None, "b", np.nan],
    "kinds of missing": [None, pd.NA, pd.NaT, float("nan")],
    "python numbers": [1, 2.5, True, 2**70],
    "numpy numbers": [np.int8(1), np.float32(0.1), np.bool_(True), np.datetime64("2020-01-01")],
    "infinite": [float("inf"), float("-inf"), -0.0, 0.0],
    "dates": [dt.date(2020, 1, 1), None, dt.datetime(2020, 1, 1, 5), dt.time(3, 4)],
    "zoned moments": [
        dt.datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Paris"), fold=1), dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        dt.datetime(2020, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30))), None,
    ],
    "timestamps": [
        pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-01T05", tz="Asia/Tokyo"), pd.Timedelta("1D"), dt.timedelta(1, 2, 3)
    ],
    "exact numbers": [Decimal("1.10"), Decimal("NaN"), 1 + 2j, uuid.UUID(int=7)],
    "bytes": [b"a", b"", b"\xff", None],
    "spans": [pd.Period("2024-01", "M"), pd.Interval(0, 1, "left"), pd.Interval(pd.Timestamp(0), pd.Timestamp(1)), None],
    "lists": [[1, "a", None], (1, (2,)), {"a": [1.5]}, {1: pd.NA}],
    "sets": [{1, 2}, frozenset("ab"), set(), None],
    "arrays": [np.arange(3), np.array(["a", None], dtype=object), np.zeros((0, 2)), None],
}  # fmt: skip
COLUMNS = {
    **{kind: pd.Series(np.array([0, 1, 1, 0], dtype=kind)) for kind in (
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
        "complex64", "complex128",
    )},
    "large integers": pd.Series([2**63 - 1, -(2**63), 2**60 + 1, 0]),
    "float with gaps": pd.Series([np.nan, np.inf, -np.inf, -0.0]),
    **{kind: pd.Series(pd.array(GAPS, dtype=kind)) for kind in (
        "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64",
    )},
    "large nullable": pd.Series(pd.array([2**60 + 1, None, -(2**62) + 1, 0], dtype="Int64")),
    "NaN beside NA": pd.Series(
        pd.arrays.FloatingArray(np.array([np.nan, 0.0, 1.0, np.nan]), np.array([False, True, False, False]))
    ),
    "boolean": pd.Series(pd.array([True, None, False, True], dtype="boolean")),
    "string, python": pd.Series(["a", None, "", "é"], dtype=pd.StringDtype("python")),
    "string, pyarrow": pd.Series(["a", None, "", "é"], dtype=pd.StringDtype("pyarrow")),
    "str": pd.Series(["a", None, "", "é"], dtype="str"),
    **{f"times in {unit}": times(unit=unit) for unit in ("s", "ms", "us", "ns")},
    **{f"times in {zone}": times(zone) for zone in ("UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu")},
    "times in seconds and Paris": times("Europe/Paris", "s"),
    "times at a fixed distance": times(dt.timezone(dt.timedelta(hours=-3, minutes=-30))),
    **{f"durations in {unit}": pd.Series(np.array([1, -2, 3, "NaT"], dtype=f"m8[{unit}]")) for unit in ("s", "ms", "us", "ns")},
    "category of words": pd.Series(pd.Categorical(["b", None, "a", "b"], categories=["b", "a", "unused"])),
    "ordered category": pd.Series(pd.Categorical(["b", None, "a", "b"], categories=["b", "a"], ordered=True)),
    "category of numbers": pd.Series(pd.Categorical([10, 2, None, 2])),
    "category of small numbers": pd.Series(pd.Categorical(np.array([10, 2, 3, 2], dtype="int8"))),
    "category of fractions": pd.Series(pd.Categorical([0.5, 2.0, None, 2.0])),
    "category of truths": pd.Series(pd.Categorical([True, False, None, True])),
    "category of dates": pd.Series(pd.Categorical(times("Europe/Paris"))),
    "category of mixed cells": pd.Series(pd.Categorical(["a", 1, None, (2, 3)])),
    "category of nullable numbers": pd.Series(pd.Categorical(pd.array([1, None, 2, 1], dtype="Int64"))),
    "category without categories": pd.Series(pd.Categorical([None] * 4)),
    "category of bins": pd.cut(pd.Series([0.1, 0.5, 0.9, np.nan]), 2),
    **{f"period {freq}": pd.Series(pd.PeriodIndex(["2024-01", "2023-12", "NaT", "1969-01"], freq=freq)) for freq in (
        "M", "D", "Q-NOV", "Y", "W-SUN", "h",
    )},
    "intervals": pd.Series(pd.arrays.IntervalArray.from_tuples([(0, 1), (1, 2), None, (2, 3)], closed="both")),
    "intervals of times": pd.Series(pd.interval_range(pd.Timestamp("2024", tz="UTC"), periods=4)),
    "sparse": pd.Series(pd.arrays.SparseArray([0, 1, 0, 2])),
    "sparse with gaps": pd.Series(pd.arrays.SparseArray([np.nan, 1.0, np.nan, 2.0])),
    **{f"object: {name}": pd.Series(cells, dtype=object) for name, cells in OBJECTS.items()},
    **{f"arrow {name}": arrow(ARROW_CELLS.get(name, GAPS), kind) for name, kind in ARROW.items()},
}  # fmt: skip
NO_INDEX = ("arrow", "object: lists", "object: sets", "object: arrays", "sparse", "complex", "float16")
"""Columns that pandas does not take as an index, or of which the index has another type."""
INDEXES = [name for name in COLUMNS if not name.startswith(NO_INDEX)]


def assert_same(found, expected):
    assert type(found) is type(expected)
    assert list(found.dtypes) == list(expected.dtypes)
    same_cell(list(found.columns), list(expected.columns))
    for name in range(expected.shape[1]):
        for mine, theirs in zip(found.iloc[:, name], expected.iloc[:, name], strict=True):
            same_cell(mine, theirs)
    pd.testing.assert_index_equal(found.index, expected.index, exact=True)
    pd.testing.assert_index_equal(found.columns, expected.columns, exact=True)
    for mine, theirs in ((found.index, expected.index), (found.columns, expected.columns)):
        assert mine.names == theirs.names
        assert getattr(mine, "freq", None) == getattr(theirs, "freq", None)


def same_cell(mine, theirs):
    assert type(mine) is type(theirs)
    if isinstance(theirs, list | tuple):
        assert len(mine) == len(theirs)
        for one, other in zip(mine, theirs, strict=True):
            same_cell(one, other)
    elif isinstance(theirs, dict):
        same_cell(list(mine.items()), list(theirs.items()))
    elif isinstance(theirs, np.ndarray):
        assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
        same_cell(mine.ravel().tolist(), theirs.ravel().tolist())
    elif isinstance(theirs, dt.datetime | dt.time) and theirs is not pd.NaT:
        assert (mine, mine.tzinfo, mine.fold) == (theirs, theirs.tzinfo, theirs.fold)
    elif isinstance(theirs, set | frozenset | pd.Interval):
        assert mine == theirs
    else:
        assert repr(mine) == repr(theirs)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_comes_back_with_its_type(name, tmp_path):
    frame = pd.DataFrame({"column": COLUMNS[name], "other": range(N)})
    assert_same(saved(frame, tmp_path / "file").data, frame)


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_comes_back_with_its_type(name, tmp_path):
    index = pd.Index(COLUMNS[name], name=("a", 1))
    for own in (index, pd.MultiIndex.from_arrays([index, list("wxyz")], names=[None, 3])):
        frame = pd.DataFrame({"column": range(N)}, index=own)
        assert_same(saved(frame, tmp_path / "file").data, frame)


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(5, 13, 2, name="n"), pd.date_range("2024-01-01", periods=N, freq="MS"),
        pd.date_range("2024-03-30", periods=N, freq="D", tz="Europe/Paris"), pd.timedelta_range(0, periods=N, freq="h"),
        pd.period_range("2024", periods=N, freq="Q"), pd.Index([3, 1, 1, 2]), pd.Index([1, "a", None, 2.5], dtype=object),
    ],
    ids=lambda index: type(index).__name__,
)  # fmt: skip
def test_kinds_of_indexes_come_back(index, tmp_path):
    frame = pd.DataFrame({"column": range(N)}, index=index)
    assert_same(saved(frame, tmp_path / "file").data, frame)


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1], [10, 2], ["a", 3], [pd.Timestamp("2024"), "b"], pd.date_range("2024", periods=2, freq="D"),
        pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", None]), pd.Index([True, False], name="flag"),
        pd.CategoricalIndex(["v", "w"], categories=["w", "v"]),
    ],
    ids=str,
)  # fmt: skip
def test_column_labels_come_back(labels, tmp_path):
    frame = pd.DataFrame(np.zeros((N, 2)), columns=labels)
    found = saved(frame, tmp_path / "file")
    assert_same(found.data, frame)
    assert found.names == tuple(map(str, frame.columns))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_frames_of_any_columns_rows_and_indexes_come_back(data, tmp_path):
    names = data.draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=12, unique=True))
    rows = data.draw(st.lists(st.integers(0, N - 1), min_size=1, max_size=7))
    levels = data.draw(st.lists(st.sampled_from(INDEXES), max_size=3))
    frame = pd.DataFrame({name: COLUMNS[name] for name in names})
    if levels:
        frame.index = pd.MultiIndex.from_arrays([pd.Index(COLUMNS[name]) for name in levels])
        if len(levels) == 1:
            frame.index = pd.Index(COLUMNS[levels[0]], name="level")
    frame = frame.iloc[rows]
    assert_same(saved(frame, tmp_path / "file").data, frame)


CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals() | st.dates()
    | st.datetimes(timezones=st.none() | st.timezones()) | st.timedeltas() | st.times() | st.uuids() | st.complex_numbers()
    | st.sampled_from([pd.NA, pd.NaT, np.int16(3), np.float32(0.1), np.str_("a")]),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(CELLS, min_size=1, max_size=6))
def test_columns_of_any_python_objects_come_back_or_are_refused(cells, tmp_path):
    column = pd.Series([None] * len(cells), dtype=object)
    for row, cell in enumerate(cells):
        column.iat[row] = cell
    frame = pd.DataFrame({"column": column})
    assert_same(saved(frame, tmp_path / "file").data, frame)


@pytest.mark.parametrize(
    "array",
    [
        np.array([["a", 1], [None, 2.5]], dtype=object), np.array([["a", "bc"]]), np.array([[b"a", b"b"]]),
        np.array([["2024-01-01", "NaT"]], dtype="M8[D]"), np.array([[1, 2]], dtype="m8[s]"), np.array([[1j, 2]]),
        np.array([[True, False]]), np.array([[1, 2]], dtype=np.float16), np.array([[1, 2]], dtype=">i4"),
    ],
    ids=lambda array: str(array.dtype),
)  # fmt: skip
def test_arrays_come_back(array, tmp_path):
    found = saved(array, tmp_path / "file").data
    assert type(found) is np.ndarray
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    same_cell(found, array)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.int8, bool])
def test_sparse_tables_come_back(kind, dtype, tmp_path):
    matrix = kind(np.array([[0, 1, 0], [1, 0, 0]], dtype=dtype))
    found = saved(matrix, tmp_path / "file").data
    assert type(found) is kind
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.toarray(), matrix.toarray())


def test_class_labels_come_back(tmp_path):
    classes = (
        pd.Timestamp("2024-01-01", tz="UTC"),
        dt.date(2024, 1, 2),
        np.datetime64("2024-01-03"),
        1,
        True,
        "a",
        None,
        (1, 2),
    )
    values = np.zeros((len(classes), 2, 3))
    explanation = Explanation(values, np.zeros(len(classes)), None, classes, "response", "tree", "why")
    explanation.save(tmp_path / "file")
    same_cell(Explanation.load(tmp_path / "file").classes, classes)


class Own:
    """A cell of the user's own type."""


class Words(str):
    """A kind of text."""


class Zone(dt.tzinfo):
    """A time zone without a name."""

    def utcoffset(self, when):
        return dt.timedelta(hours=1)

    def dst(self, when):
        return dt.timedelta(0)


@pytest.mark.parametrize(
    "cells",
    [[Own()], [Words("a")], [[Own()]], [pd.DataFrame()], [dt.datetime(2020, 1, 1, tzinfo=Zone())], [range(2)]],
    ids=lambda cells: type(cells[0]).__name__,
)
def test_what_cannot_come_back_is_refused_by_column_and_leaves_no_file(cells, tmp_path):
    column = pd.Series([None], dtype=object)
    column.iat[0] = cells[0]
    with pytest.raises(InvalidInputError, match=r"Column 'odd' cannot be stored: .* cannot be stored in a file\. "):
        saved(pd.DataFrame({"odd": column}), tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_cells_that_can_change_are_not_shared(tmp_path):
    column = pd.Series([[1], [1]], dtype=object)
    found = saved(pd.DataFrame({"column": column}), tmp_path / "file").data["column"]
    found[0].append(2)
    assert found[1] == [1]
