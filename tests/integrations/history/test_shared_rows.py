"""Rows that the runs of a search share are stored once, and kept while an explanation needs them."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from automl_explain import Explanation, HistoryError, InvalidInputError, RunHistory, RunNotFoundError
from automl_explain.explainers.bundles._array_file import read_bundle, write_bundle
from automl_explain.explainers.explanation._storage import encode_rows
from automl_explain.explainers.tables._table import Table
from automl_explain.integrations.history._index import Index
from automl_explain.integrations.history._shared_rows import RowsSeen
from tests.integrations.history.stored import explanation, trial


def search_of(history, n_runs, *, rows=None, **changes):
    """Store explanations of a new search; of these rows, or each of its own."""
    search = history.start_search("flaml", "binary", {})
    ids = history.add_runs(search, [trial(number) for number in range(n_runs)])
    for seed, run_id in enumerate(ids):
        made = explanation(seed=seed, **changes)
        history.store(run_id, made if rows is None else replace(made, data=rows.alone()), share_rows=True)
    return search, ids


def files(history):
    return sorted(path.name for path in (history.directory / "explanations").iterdir())


def shared(history):
    return [name for name in files(history) if name.startswith("rows-")]


def dense(table):
    return table.data.toarray() if table.is_sparse else table.data


@pytest.mark.parametrize("data", ["array", "sparse", "frame"])
def test_equal_rows_are_stored_once_and_come_back(data, history):
    rows = explanation(n_features=4, data=data).data
    _, ids = search_of(history, 3, rows=rows, n_features=4)
    search_of(history, 2, rows=explanation(n_features=4, data=data).data, n_features=4)  # equal, but another table
    assert len(shared(history)) == 1
    for seed, run_id in enumerate(ids):
        found, expected = history.explanation(run_id), explanation(n_features=4, seed=seed)
        assert np.array_equal(found.local_importance_values, expected.local_importance_values)
        if data == "frame":
            pd.testing.assert_frame_equal(found.data.data, rows.data)
        else:
            assert type(found.data.data) is type(rows.data)
            assert np.array_equal(dense(found.data), dense(rows))


def test_runs_with_other_rows_have_their_own(history):
    _, ids = search_of(history, 3)
    assert len(shared(history)) == 3
    for seed, run_id in enumerate(ids):
        assert np.array_equal(history.explanation(run_id).data.data, explanation(seed=seed).data.data)


def test_an_explanation_without_rows_shares_none(history):
    _, (run_id,) = search_of(history, 1, data=None)
    assert shared(history) == []
    assert history.explanation(run_id).data is None


def test_what_is_saved_elsewhere_holds_its_own_rows(history, tmp_path):
    _, (run_id,) = search_of(history, 1)
    found = history.explanation(run_id)
    found.save(tmp_path / "alone.zip")
    assert np.array_equal(Explanation.load(tmp_path / "alone.zip").data.data, found.data.data)
    assert read_bundle(tmp_path / "alone.zip", "explanation", 4)[0]["protocol"] == 3


def test_removing_a_search_keeps_the_rows_that_others_need(history):
    rows = explanation(seed=99).data
    first, _ = search_of(history, 2, rows=rows)
    second, ids = search_of(history, 2, rows=rows)
    third, _ = search_of(history, 1)
    assert len(shared(history)) == 2
    history.remove_search(third)
    assert len(shared(history)) == 1
    history.remove_search(first)
    assert history.searches() == [second]
    assert [run.id for run in history.runs()] == ids
    for run_id in ids:
        assert np.array_equal(history.explanation(run_id).data.data, rows.data)
    history.remove_search(second)
    assert files(history) == []
    assert history.runs() == []
    with pytest.raises(RunNotFoundError, match="no search"):
        history.remove_search(second)


def test_names_and_losses_of_parts_go_with_their_search(history):
    search = history.start_search("flaml", "binary", {})
    history.add_runs(search, [trial(0, name="outside", part_losses=(0.1, 0.2))])
    history.remove_search(search)
    assert history.named("outside") == []
    again = history.start_search("flaml", "binary", {}, search=search)
    history.add_runs(again, [trial(0)])
    assert history.part_losses(again) == {}


def test_rows_that_are_gone_are_named(history):
    _, (run_id,) = search_of(history, 1)
    (name,) = shared(history)
    (history.directory / "explanations" / name).unlink()
    with pytest.raises(HistoryError, match=name):
        history.explanation(run_id)


def test_a_file_cannot_name_rows_outside_its_folder(history, tmp_path):
    _, (run_id,) = search_of(history, 1)
    (path,) = (history.directory / "explanations").glob(f"{run_id}*")
    manifest, arrays = read_bundle(path, "explanation", 4)
    facts = {name: value for name, value in manifest.items() if name not in ("kind", "protocol")}
    write_bundle(path, "explanation", 4, facts | {"rows": "../../secret"}, arrays)
    with pytest.raises(InvalidInputError, match="its rows are"):
        history.explanation(run_id)


def test_a_kept_index_is_shared_by_threads_and_closed(history):
    search = history.start_search("flaml", "binary", {})
    ids = history.add_runs(search, [trial(number) for number in range(40)])
    with history.kept_open(), ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda run_id: history.store(run_id, explanation(), share_rows=True), ids))
        with history.kept_open():
            assert len(RunHistory(history.directory).runs()) == 40  # committed, for other processes too
    assert all(run.status == "explained" for run in history.runs())
    assert not (history.directory / "history.sqlite-wal").exists()


def test_an_error_within_a_kept_index_undoes_its_transaction(history):
    search = history.start_search("flaml", "binary", {})
    with history.kept_open():
        with pytest.raises(HistoryError, match="UNIQUE"):
            history.add_runs(search, [trial(0), trial(0)])
        assert history.runs() == []
        history.add_runs(search, [trial(0)])
    assert len(history.runs()) == 1


def test_a_history_is_pickled_without_its_connection(history):
    with history.kept_open():
        again = pickle.loads(pickle.dumps(history))
        assert isinstance(again._index, Index)
        assert again.runs() == []


def test_rows_that_a_search_shares_are_encoded_once(history, monkeypatch):
    encoded = []
    monkeypatch.setattr(f"{RowsSeen.__module__}.encode_rows", lambda table: encoded.append(table) or encode_rows(table))
    rows = Table(np.arange(15.0).reshape(5, 3), ("a", "b", "c"))
    with history.kept_open():
        _, ids = search_of(history, 3, rows=rows)
    assert len(encoded) == 1
    assert len(shared(history)) == 1
    np.testing.assert_array_equal(history.explanation(ids[2]).data.data, rows.data)


def test_rows_that_were_written_over_are_stored_as_they_are_now(history):
    rows = Table(np.arange(15.0).reshape(5, 3), ("a", "b", "c"))
    _, first = search_of(history, 1, rows=rows)
    with history.kept_open():
        search_of(history, 1, rows=rows)
    rows.data[:] = 7.0
    _, second = search_of(history, 1, rows=rows)
    np.testing.assert_array_equal(history.explanation(first[0]).data.data, np.arange(15.0).reshape(5, 3))
    np.testing.assert_array_equal(history.explanation(second[0]).data.data, np.full((5, 3), 7.0))
