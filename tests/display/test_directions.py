"""In which direction features move the output: numbers, dates, categories and shapes, in words and in a terminal."""

import numpy as np
import pandas as pd
import pytest

from automl_explain import Explanation, InvalidInputError, ModelExplanation
from automl_explain.display._directions import directions_text
from automl_explain.explainers.tables._table import as_table

ROWS = 40
X = pd.DataFrame(
    {
        "rising": np.arange(ROWS, dtype=float),
        "falling": np.arange(ROWS, dtype=float),
        "since": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(ROWS), "D"),
        "hump": np.arange(ROWS, dtype=float),
        "plan": pd.Categorical(np.array(["basic", "pro"])[np.arange(ROWS) % 2]),
        "unused": 1.0,
        "gaps": np.where(np.arange(ROWS) % 4 == 0, np.nan, np.arange(ROWS)),
    }
)


@pytest.fixture(scope="module")
def explained():
    order = np.arange(ROWS) - (ROWS - 1) / 2
    values = np.column_stack(
        [
            order,
            -order / 2,
            order**3 / 1000,
            100 - order**2,
            np.where(X["plan"] == "pro", -3.0, 3.0),
            0 * order,
            order / 8,
        ]
    )
    return ModelExplanation(
        Explanation(values, np.zeros(1), tuple(X.columns), None, "response", "tree", "trees", data=as_table(X))
    )


def test_each_kind_of_column_has_its_direction(explained):
    table = explained.directions()
    assert table.index.tolist() == explained.overall_imp
    words = table["direction"]
    assert words["rising"] == "higher values raise it"
    assert words["falling"] == "higher values lower it"
    assert words["since"] == "later dates raise it"
    assert words["plan"] == "basic +3.00, pro -3.00"
    assert words["unused"] == "none"
    assert words["gaps"] == "higher values raise it"  # the missing cells have none
    parts = words["hump"].split(", ")
    assert [part.rpartition(" ")[0] for part in parts[:2]] == ["10 to 19", "20 to 29"]
    assert table["correlation"]["falling"] == pytest.approx(-1)
    assert np.isnan(table["correlation"]["plan"])
    assert explained.directions(top_k=2).shape == (2, 3)


def test_what_rounding_leaves_of_zero_has_no_direction():
    values = np.column_stack([np.linspace(-1, 1, ROWS), 1e-17 * np.linspace(-1, 1, ROWS)])
    table = ModelExplanation(
        Explanation(
            values, np.zeros(1), ("rising", "unused"), None, "response", "kernel", "", data=as_table(X.iloc[:, [0, 1]])
        )
    ).directions()
    assert table["direction"].tolist() == ["higher values raise it", "none"]
    assert table["importance"].tolist() == [pytest.approx(np.abs(values[:, 0]).mean()), 0.0]


def test_a_class_is_chosen_by_name(explained):
    values = explained.explanation.local_importance_values
    both = Explanation(
        np.stack([-values, values]),
        np.zeros(2),
        tuple(X.columns),
        ("no", "yes"),
        "log_odds",
        "tree",
        "",
        data=as_table(X),
    )
    assert ModelExplanation(both).directions()["direction"]["rising"] == "higher values raise it"
    assert ModelExplanation(both).directions("no")["direction"]["rising"] == "higher values lower it"
    with pytest.raises(InvalidInputError, match="no class 'maybe'"):
        ModelExplanation(both).directions("maybe")


def test_the_terminal_has_the_same_in_80_columns(explained):
    text = directions_text(explained, 10)
    assert max(map(len, text.splitlines())) <= 80
    for words in explained.directions()["direction"]:
        assert words in " ".join(text.split())


def test_without_rows_there_is_no_direction():
    empty = Explanation(None, np.zeros(1), ("a",), None, "response", "tree", "", global_values=np.ones(1))
    assert directions_text(empty, 10) == ""
    with pytest.raises(InvalidInputError):
        ModelExplanation(empty).directions()
