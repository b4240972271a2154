"""Cells of date columns become microseconds and come back; parts of dates are those of pandas; what is no date is refused."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from automl_explain import InvalidInputError
from automl_explain.explainers.tables._moments import PARTS, date_numbers, dates_of

RANDOM = np.random.default_rng(0)
TIMES = pd.Series(pd.to_datetime(RANDOM.integers(-4 * 10**15, 6 * 10**15, 3000), unit="us").astype("datetime64[us]"))
TIMES[::17] = pd.NaT
DTYPES = ["datetime64[s]", "datetime64[ms]", "datetime64[us]", "datetime64[ns]", "datetime64[us, UTC]"]
DTYPES += ["datetime64[ns, Europe/Paris]", "datetime64[us, UTC+05:30]"]


def column(dtype):
    return (TIMES.dt.tz_localize("UTC") if "," in dtype else TIMES).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_columns_and_iso_texts_become_numbers_and_come_back(dtype):
    times = column(dtype)
    numbers = date_numbers(times, dtype)
    pd.testing.assert_series_equal(dates_of(numbers, dtype), times)
    naive = times.dt.tz_convert("UTC").dt.tz_localize(None) if "," in dtype else times
    assert np.array_equal(numbers[times.notna()], naive.dropna().astype("datetime64[us]").astype(np.int64))
    texts = [None if time is pd.NaT else time.isoformat() for time in times]
    for given in (texts, times.tolist(), times.astype(object), pd.Series(texts, dtype="category")):
        assert np.array_equal(date_numbers(given, dtype), numbers, equal_nan=True)


@pytest.mark.parametrize("part", PARTS)
def test_parts_are_those_of_pandas_and_python(part):
    of_pandas = {"dayofweek": "day_of_week", "dayofyear": "day_of_year"}.get(part, part)
    ordinals = pd.Series([np.nan if time is pd.NaT else time.toordinal() for time in TIMES])
    wanted = ordinals if part == "ordinal" else getattr(TIMES.dt, of_pandas)
    assert np.array_equal(PARTS[part](date_numbers(TIMES, "datetime64[us]")), wanted.astype(float), equal_nan=True)


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2024-01-31", "2024-01-31"),
        (" 2024-01-31T10:20 ", "2024-01-31T10:20"),
        ("2024-01-31 10:20:30.5", "2024-01-31T10:20:30.500000"),
        ("2024-01-31T10:20:30.123456000", "2024-01-31T10:20:30.123456"),
        ("9999-12-31", "9999-12-31"),
        (dt.date(2024, 1, 31), "2024-01-31"),
        (np.datetime64("2024-01-31"), "2024-01-31"),
    ],
)
def test_forms_of_a_date(cell, moment):
    assert date_numbers([cell], "datetime64[us]") == [float(np.datetime64(moment, "us").astype(np.int64))]


@pytest.mark.parametrize("cell", [None, np.nan, pd.NaT, pd.NA, np.datetime64("NaT")])
def test_missing_cells(cell):
    assert np.isnan(date_numbers([cell], "datetime64[us]")).all()


@pytest.mark.parametrize(
    ("cell", "dtype", "message"),
    [
        ("2024-02-30", "datetime64[us]", "2024-02-30.*day is out of range"),
        ("2024-01-31T25:00", "datetime64[us]", "hour must be"),
        ("31.1.2024", "datetime64[us]", "such as '2024-01-31'.*31.1.2024"),
        (1706659200000, "datetime64[us]", "1706659200000.*date_format='iso'"),
        (True, "datetime64[us]", "'True' \\(bool\\)"),
        ("2024-01-31T00:00:00Z", "datetime64[us]", "without a time zone"),
        ("2024-01-31", "datetime64[us, UTC]", "with a time zone"),
        (pd.Timestamp("2024-01-31", tz="UTC"), "datetime64[ns]", "without a time zone"),
        ("2024-01-31T00:00:00.1234567", "datetime64[us]", "to the microsecond"),
        (pd.Timestamp(1), "datetime64[ns]", "to the microsecond"),
        ("0001-01-01T00:00:00+05:00", "datetime64[us, UTC]", "out of range"),
    ],
)
def test_what_is_no_date_of_the_column_is_refused(cell, dtype, message):
    for given in ([cell], pd.Series([cell], dtype=object)):
        with pytest.raises(InvalidInputError, match=message):
            date_numbers(given, dtype)


def test_a_date_out_of_the_range_of_its_type_is_refused():
    far = date_numbers(["9999-12-31"], "datetime64[us]")
    assert dates_of(far, "datetime64[us]")[0] == pd.Timestamp("9999-12-31")
    for numbers, dtype in (
        (far, "datetime64[ns]"),
        (np.array([1e300]), "datetime64[us]"),
        (np.array([np.inf]), "datetime64[us]"),
    ):
        with pytest.raises(InvalidInputError, match="out of the range"):
            dates_of(numbers, dtype)
