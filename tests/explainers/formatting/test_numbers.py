"""Numbers, cells and names as text."""

import numpy as np
import pandas as pd
import pytest

from automl_explain.explainers.formatting._names import counted, listed, one_line, quoted, shortened, unit_text
from automl_explain.explainers.formatting._numbers import (
    cell_text,
    correlation_text,
    loss_text,
    minus,
    number_text,
    seconds_text,
    share_text,
    typeset_number,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.5, "0.500"), (-12.345, "-12.3"), (999.6, "1,000"), (99.96, "100"), (1e9, "1.0e+09"),
     (1e-9, "1.0e-09"), (0.00123, "0.00123"), (float("nan"), "nan"), (152.4, "152")],
)  # fmt: skip
def test_numbers(value, text):
    assert number_text(value) == text


def test_signs():
    assert number_text(0.5, signed=True) == "+0.500"
    assert typeset_number(-0.5) == "−0.500"  # noqa: RUF001
    assert typeset_number(None) == "–"  # noqa: RUF001
    assert minus("a-b") == "a-b"


@pytest.mark.parametrize(
    ("cell", "text"),
    [(np.nan, "missing"), (None, "missing"), (pd.NaT, "missing"), (pd.NA, "missing"), (True, "True"), (3, "3"),
     (3.0, "3"), (28213.7, "28214"), (0.123456, "0.1235"), (np.datetime64("2024-03-01"), "2024-03-01"),
     (pd.Timestamp("2024-03-01 10:30"), "2024-03-01 10:30"), ("a\nb", "a b"), (float("inf"), "inf"),
     ("x" * 40, "xxxxxxxxxx…xxxxx")],
)  # fmt: skip
def test_cells(cell, text):
    assert cell_text(cell) == text


def test_shares_correlations_losses_and_seconds():
    assert share_text(0.1234) == "12.3%"
    assert share_text(-0.05, signed=True) == "-5.0%"
    assert correlation_text(0.5) == "+0.50"
    assert correlation_text(float("nan")) == ""
    assert loss_text(0.00712283) == "0.0071228"
    assert loss_text(None) == seconds_text(None) == "–"  # noqa: RUF001
    assert seconds_text(1.234) == "1.23"


def test_names():
    assert one_line(" a\n\tb ") == "a b"
    assert one_line("") == "(empty)"
    assert shortened("abcdefghij", 7) == "abcd…ij"
    assert shortened("abcdefghij", 7, keep_end=False) == "abcdef…"
    assert all(len(shortened("a b " * 30, width)) <= width for width in range(1, 60))
    assert quoted("a\nb") == "“a b”"
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert (counted(1, "run"), counted(1200, "run")) == ("1 run", "1,200 runs")
    assert (unit_text("log_odds"), unit_text("roc_auc")) == ("log-odds", "roc_auc")
