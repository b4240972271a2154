"""Codes of columns: equal cells get equal numbers, and different cells different ones."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from automl_explain import explain_model
from automl_explain.explainers.tables._column_codes import column_codes
from automl_explain.explainers.tables._table import as_table

KEYS = 2**60 + np.array([3, 0, 1, 0, 2])
ORDER = [3, 0, 1, 0, 2]

LONG = {
    "int64": pd.Series(KEYS),
    "uint64": pd.Series(KEYS.astype(np.uint64) + 2**63),
    "negative": pd.Series(KEYS - 2**61),
    "Int64": pd.Series(KEYS, dtype="Int64"),
    "arrow": pd.Series(KEYS, dtype="int64[pyarrow]"),
    "dates": pd.Series(pd.to_datetime(KEYS)),
    "zoned dates": pd.Series(pd.to_datetime(KEYS, utc=True)),
    "durations": pd.Series(pd.to_timedelta(KEYS)),
}


@pytest.mark.parametrize("name", LONG)
def test_long_integers_that_lie_close_together_stay_apart(name):
    assert column_codes(LONG[name]).tolist() == ORDER


@pytest.mark.parametrize("name", ["Int64", "arrow", "dates"])
def test_missing_cells_beside_long_integers(name):
    series = LONG[name].copy()
    series.iloc[1] = pd.NA
    codes = column_codes(series)
    assert np.isnan(codes[1])
    assert len(set(codes[[0, 2, 3, 4]].tolist())) == 4


def test_arrays_of_keys():
    assert as_table(np.column_stack([KEYS, KEYS])).codes().T.tolist() == [ORDER, ORDER]


def test_integers_that_float64_holds_are_unchanged():
    numbers = [5, 2**53, -7]
    assert column_codes(pd.Series(numbers)).tolist() == numbers
    assert column_codes(pd.Series([2**60, 2**61])).tolist() == [2.0**60, 2.0**61]


CELLS = {
    "lists": [[1.0, 2.0], [3.0], [1.0, 2.0], None],
    "dicts": [{"a": 1}, {"a": 2}, {"a": 1}, None],
    "sets": [{1}, {2}, {1}, None],
    "arrays": [np.arange(2000), np.arange(2000)[::-1], np.arange(2000), None],
    "mixed": [[1], "[1]", [1], None],
}


@pytest.mark.parametrize("name", CELLS)
def test_cells_that_cannot_be_hashed(name):
    codes = column_codes(pd.Series(CELLS[name], dtype=object))
    assert codes[0] == codes[2] != codes[1]
    assert np.isnan(codes[3])


def test_cells_that_cannot_be_pickled_equal_themselves():
    cells = [[lambda: 0], [lambda: 0]]
    codes = column_codes(pd.Series([cells[0], cells[1], cells[0]], dtype=object))
    assert codes[0] == codes[2] != codes[1]


NUMBERS = np.random.default_rng(0).normal(size=(40, 2))
READ = {"lists": lambda cell: cell[0], "dicts": lambda cell: cell["v"], "sets": lambda cell: next(iter(cell))}
WRITE = {"lists": lambda v: [v, 2.0], "dicts": lambda v: {"v": v}, "sets": lambda v: {v}}


@pytest.mark.parametrize("space", ["raw", "engineered"])
@pytest.mark.parametrize("name", READ)
def test_cells_before_a_transformer(name, space):
    frame = pd.DataFrame({"a": NUMBERS[:, 0], "cells": [WRITE[name](float(v)) for v in NUMBERS[:, 1]]})
    unpack = FunctionTransformer(lambda table: np.column_stack([table["a"], [READ[name](c) for c in table["cells"]]]))
    model = make_pipeline(unpack, Ridge()).fit(frame, NUMBERS @ [1.0, 2.0])
    explained = explain_model(model, frame.iloc[:20], frame.iloc[:5], feature_space=space)
    expected = (NUMBERS[:5] - NUMBERS[:20].mean(axis=0)) * model[-1].coef_
    np.testing.assert_allclose(explained.shap_values, expected, atol=1e-9)


@pytest.mark.parametrize("as_rows", [pd.DataFrame, np.asarray], ids=["frame", "array"])
def test_a_model_of_keys_that_lie_close_together(as_rows):
    keys = np.column_stack([2**60 + np.arange(40), 2**60 + np.arange(40)[::-1]])
    rows = as_rows(keys)

    def remainder(table):
        return ((np.asarray(table)[:, 0] - 2**60) % 7).astype(float)

    explained = explain_model(remainder, rows[:20], rows[:5])
    own = remainder(keys[:5]) - remainder(keys[:20]).mean()
    np.testing.assert_allclose(explained.shap_values, np.column_stack([own, np.zeros(5)]), atol=1e-9)
