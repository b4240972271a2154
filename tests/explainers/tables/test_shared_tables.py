"""Tables that many explainers read: what is made of them once, and that it is bounded and theirs alone."""

import cloudpickle
import numpy as np
import pandas as pd

from automl_explain.explainers.tables._shared_tables import MOST_KEPT, SharedTables


def counted():
    calls = []

    def double(data):
        calls.append(data)
        return data * 2

    return double, calls


def test_an_engineered_table_and_its_parts_are_made_once():
    own, made = pd.DataFrame({"a": ["x", "y", "z"]}), pd.DataFrame({"a": [1.0, 2.0, 3.0]})
    tables = SharedTables([(own, made)])
    table = tables.engineered(own)
    assert table.data is made
    assert table.names == ("a",)
    assert tables.engineered(own.copy()) is None
    rows = np.array([0, 2])
    part = table.part(rows)
    assert part is table.part(np.array([0, 2]))
    assert part.data["a"].tolist() == [1.0, 3.0]
    double, calls = counted()
    for data in (made, part.data, made, part.data):
        assert tables.once(data, "double", double)["a"].tolist() == (data["a"] * 2).tolist()
    assert len(calls) == 2
    tables.once(made, "other", double)
    assert len(calls) == 3


def test_other_tables_are_not_kept():
    tables = SharedTables([(np.zeros((2, 1)), np.ones((2, 1)))])
    double, calls = counted()
    for _ in range(2):
        assert tables.once(np.ones((2, 1)), "double", double).tolist() == [[2.0], [2.0]]
    assert len(calls) == 2


def test_what_is_kept_is_bounded():
    own, made = np.zeros((50, 1)), np.arange(50.0)[:, None]
    tables = SharedTables([(own, made)])
    table = tables.engineered(own)
    for key in range(3 * MOST_KEPT):
        assert table.once(key, lambda key=key: key) == key
        assert table.part(np.array([key % 50])).data.item() == key % 50
    assert len(tables._recent._made) <= MOST_KEPT
    assert len(table.parts) <= MOST_KEPT


def test_another_process_shares_nothing():
    own = np.zeros((2, 1))
    assert cloudpickle.loads(cloudpickle.dumps(SharedTables([(own, own)]))).engineered(own) is None
