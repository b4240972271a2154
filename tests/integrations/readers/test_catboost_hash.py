"""The hash by which CatBoost names the category of a one-hot split."""

import sys

import catboost
import numpy as np
import pandas as pd
import pytest

from automl_explain import MissingExtraError, explain_model
from automl_explain.integrations.readers._catboost_categories import category_hash

KNOWN = {
    "": 797982799,
    "a": -805065478,
    "no": -1101447917,
    "1234": -1848678467,
    "Zürich": -885768184,
    "漢字": 1480446872,
    "northern": -1007206738,
    "two words, 20 bytes..": 172916670,
    "x" * 33: 1424607287,
    "y" * 64: 1213635094,
    "z" * 65: 1972452671,
    "ab" * 64: -1975697952,
    "é🙂" * 50: 1947203406,
}
"""Low 32 bits of CityHash64, version 1.0.2, by a second implementation; one text at least for each range of lengths that
the hash treats differently. Version 1.1 gives other numbers."""


@pytest.fixture(scope="module")
def towns():
    table = pd.DataFrame({"town": ["Zürich", "northern", "a"] * 20, "x": np.arange(60.0)})
    return table, (table["town"] == "a").astype(int) + table["x"] / 60


def fitted(table, y):
    model = catboost.CatBoostRegressor(iterations=5, verbose=0, allow_writing_files=False, one_hot_max_size=5)
    return model.fit(table, y, cat_features=["town"] if "town" in table else [])


@pytest.mark.parametrize("text", KNOWN, ids=lambda text: f"{len(text.encode())}")
def test_the_hashes_are_those_of_the_version_that_catboost_uses(text):
    assert category_hash(text) == KNOWN[text]


def test_without_the_hash_models_with_categories_say_what_to_install(towns, monkeypatch):
    table, y = towns
    model = fitted(table, y)
    assert explain_model(model, table, table[:5]).method == "tree"
    monkeypatch.setitem(sys.modules, "clickhouse_cityhash.cityhash", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'automl-explain\[catboost\]'"):
        explain_model(model, table, table[:5])


def test_without_the_hash_models_of_numbers_are_explained(towns, monkeypatch):
    table, y = towns
    numbers = table[["x"]]
    model = fitted(numbers, y)
    monkeypatch.setitem(sys.modules, "clickhouse_cityhash.cityhash", None)
    assert explain_model(model, numbers, numbers[:5]).method == "tree"
