"""Rows of a table found again after it was shuffled, split and converted."""

import numpy as np
import pandas as pd

from automl_explain.explainers.tables._found_rows import find_same_rows

RANDOM = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "number": RANDOM.integers(0, 5, 200),
        "town": pd.Categorical(RANDOM.choice(["a", "b"], 200)),
        "pay": RANDOM.normal(size=200).round(1),
    }
)


def blocks(size=64):
    return (TABLE.iloc[start : start + size] for start in range(0, len(TABLE), size))


def test_every_row_is_found_with_its_cells():
    order = RANDOM.permutation(200)[:120]
    wanted = TABLE.iloc[order].astype({"number": float, "town": object}).reset_index(drop=True)
    found = find_same_rows(wanted, blocks())
    assert len(set(found)) == 120
    pd.testing.assert_frame_equal(
        TABLE.iloc[found].reset_index(drop=True).astype(object), TABLE.iloc[order].reset_index(drop=True).astype(object)
    )


def test_a_row_that_is_repeated_is_found_each_time():
    assert find_same_rows(TABLE.iloc[[3, 3, 3]], blocks()) is not None


def test_a_row_that_is_not_there():
    assert find_same_rows(TABLE.iloc[:2].assign(pay=99.0), blocks()) is None
