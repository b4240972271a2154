"""Stacking of the rows of several tables."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from automl_explain.explainers.tables._column_codes import category_codes
from automl_explain.explainers.tables._table import as_table, stack_rows


def frame(categories, values, first=0):
    column = pd.Categorical(values, categories=categories)
    return as_table(
        pd.DataFrame({"c": column, "x": np.arange(len(values)) * 1.0}, index=range(first, first + len(values)))
    )


def test_category_columns_keep_one_dtype_that_begins_with_the_last_tables_categories():
    tables = [frame(["a", "new"], ["new", "a"]), frame(["b"], [None]), frame(["b", "a"], ["a", "b"])]
    stacked = stack_rows(tables)
    assert list(stacked.data["c"].cat.categories) == ["b", "a", "new"]
    assert stacked.data["c"].astype(object).tolist()[:2] == ["new", "a"]
    assert stacked.data["c"].isna().tolist() == [False, False, True, False, False]


@pytest.mark.parametrize(("ignore_index", "expected"), [(True, [0, 1, 2, 3]), (False, [7, 8, 20, 21])])
def test_the_index_is_numbered_anew_or_kept(ignore_index, expected):
    tables = [frame(["a"], ["a", "a"], 7), frame(["a"], ["a", "a"], 20)]
    assert stack_rows(tables, ignore_index=ignore_index).data.index.tolist() == expected


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix, sparse.csr_array])
def test_arrays_and_sparse_tables_keep_their_format(make):
    a, b = np.eye(3), np.arange(6.0).reshape(2, 3)
    stacked = stack_rows([as_table(make(a)), as_table(make(b))])
    assert isinstance(stacked.data, type(make(a)))
    np.testing.assert_array_equal(stacked.codes(), np.vstack([a, b]))


@pytest.mark.parametrize("kind", ["category", object])
def test_codes_are_positions_among_the_given_categories(kind):
    column = pd.Series(["b", None, "unknown", "a"], dtype=kind)
    np.testing.assert_array_equal(category_codes(column, ["a", "b"]), [1.0, np.nan, np.nan, 0.0])
