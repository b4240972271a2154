"""The run history: what is stored comes back to the bit, whoever writes, and whatever happens to them."""

import sqlite3

import numpy as np
import pandas as pd
import pytest

from automl_explain import Explanation, HistoryError, RunHistory, retrieve_model_explanation
from automl_explain.explainers.model._feature_map import FeatureMap
from tests.integrations.history.stored import explanation, trial


@pytest.mark.parametrize("classes", [None, ("no", "yes"), (0, 1, 2), ("a", "b", "c", "d")])
@pytest.mark.parametrize("data", ["array", "sparse", "frame", None])
def test_what_is_stored_comes_back_to_the_bit(history, run, classes, data):
    stored = explanation(classes=classes, data=data, feature_map=FeatureMap(("a", "b"), np.array([0, 0, 1])))
    history.store(run.id, stored)
    found = RunHistory(history.directory).run(run.id).explanation
    for name in ("local_importance_values", "expected_values", "predictions"):
        assert getattr(found, name).tobytes() == np.ascontiguousarray(getattr(stored, name)).tobytes()
        assert getattr(found, name).dtype == getattr(stored, name).dtype
    for name in ("features", "classes", "output_space", "method", "reason", "notes", "is_raw", "standard_errors"):
        assert getattr(found, name) == getattr(stored, name), name
    assert found.feature_map.raw_names == ("a", "b")
    assert found.feature_map.parent.tolist() == [0, 0, 1]
    assert found.additivity_error == stored.additivity_error
    if data == "frame":
        pd.testing.assert_frame_equal(found.data.data, stored.data.data, check_freq=False)
    elif data == "sparse":
        assert (found.data.data != stored.data.data).nnz == 0
    elif data == "array":
        assert np.array_equal(found.data.data, stored.data.data)
    else:
        assert found.data is None


def test_standard_errors_and_global_only_explanations_are_kept(history, run):
    sampled = explanation(standard_errors=np.full((2, 5, 3), 0.125))
    history.store(run.id, sampled)
    assert np.array_equal(run.explanation.standard_errors, sampled.standard_errors)
    pooled = Explanation(None, np.zeros(2), ("a", "b"), ("n", "y"), "probability", "kernel", "why",
                         global_values=np.array([0.5, 0.25]), class_values=np.array([[0.5, 0.25], [0.5, 0.25]]))  # fmt: skip
    history.store(run.id, pooled)
    found = run.explanation
    assert found.local_importance_values is None
    assert found.get_ranked_global_names() == ["a", "b"]
    assert np.array_equal(found.per_class_values, pooled.per_class_values)


def test_nan_and_infinite_values_survive(history, run):
    values = np.array([[np.nan, np.inf, -np.inf, -0.0]])
    history.store(run.id, Explanation(values, np.array([0.0]), None, None, "response", "tree", "why"))
    assert run.explanation.local_importance_values.tobytes() == values.tobytes()


def test_a_run_comes_back_as_it_was_recorded(history):
    search = history.start_search("flaml", "binary", {"metric": "auto", "rows": np.int64(3)})
    ids = history.add_runs(search, [
        trial(0), trial(1, loss=float("inf"), status="skipped", why="no model"), trial(2, loss=None, kind="refit"),
        trial(3, loss=float("nan")),
    ])  # fmt: skip
    assert ids == [f"{search}-0000", f"{search}-0001", f"{search}-refit", f"{search}-0003"]
    first, second, third, fourth = history.runs(search)
    assert (first.learner, first.loss, first.status, first.why, first.sample_size) == (
        "lgbm",
        0.25,
        "captured",
        "",
        100,
    )
    assert first.config == {"n_estimators": 4, "learning_rate": 0.1, "booster": None}
    assert (second.loss, second.status, second.why) == (None, "skipped", "no model")
    assert (third.kind, third.loss, fourth.loss) == ("refit", None, None)
    assert history.search(search)["facts"] == {"metric": "auto", "rows": 3}
    assert first.as_dict()["config"] == dict(first.config)


def test_statuses_follow_what_happens(history, run):
    assert run.status == "captured"
    history.set_status(run.id, "failed", "ValueError: no")
    assert (history.run(run.id).status, history.run(run.id).why) == ("failed", "ValueError: no")
    history.store(run.id, explanation(), seconds=1.5)
    seen = history.run(run.id)
    assert (seen.status, seen.why, seen.seconds) == ("explained", "", 1.5)
    assert [name for name, _ in seen.top] == explanation().get_ranked_global_names()


def test_the_latest_of_several_explanations_is_the_run_s_own(history, run):
    for seed in range(3):
        history.store(run.id, explanation(seed=seed), comment=str(seed), seconds=float(seed))
    assert np.array_equal(run.explanation.expected_values, explanation(seed=2).expected_values)
    assert len(list((history.directory / "explanations").iterdir())) == 3


def test_runs_are_listed_search_by_search(history):
    first, second = (history.start_search("flaml", "binary", {}) for _ in range(2))
    history.add_runs(second, [trial(0)])
    history.add_runs(first, [trial(1), trial(0)])
    assert [run.id for run in history.runs()] == [f"{first}-0000", f"{first}-0001", f"{second}-0000"]
    assert history.searches() == [first, second]
    assert RunHistory(history.directory).searches() == [first, second]


def test_runs_of_a_search_are_recorded_all_or_none(history):
    search = history.start_search("flaml", "binary", {})
    with pytest.raises(HistoryError, match="UNIQUE"):
        history.add_runs(search, [trial(0), trial(0)])
    assert history.runs(search) == []


def test_the_default_directory_can_be_named_in_the_environment(own_history):
    assert RunHistory().directory == own_history


def test_without_the_variable_the_default_is_the_user_s_data_folder(monkeypatch, tmp_path):
    import platformdirs

    from automl_explain.integrations.history._index import default_directory

    monkeypatch.delenv("AUTOML_EXPLAIN_HISTORY")
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda name, appauthor: str(tmp_path / name))
    assert default_directory() == tmp_path / "automl-explain" / "history"


@pytest.fixture
def statements(monkeypatch):
    """The statements that SQLite is given from here on."""
    seen, connect = [], sqlite3.connect

    def watched(*given, **settings):
        connection = connect(*given, **settings)
        connection.set_trace_callback(seen.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", watched)
    return seen


def test_a_thousand_runs_are_listed_by_as_many_statements_as_one(history, run, statements):
    history.runs()
    for_one = statements.copy()
    history.add_runs(history.start_search("flaml", "binary", {}), [trial(number) for number in range(1000)])
    statements.clear()
    assert len(history.runs()) == 1001
    assert statements == for_one


def test_one_file_is_read_to_retrieve_an_explanation(history, run, monkeypatch):
    history.store(run.id, explanation(2000, 30))
    history.store(run.id, explanation(2000, 30, seed=1))
    read, load = [], Explanation.load
    monkeypatch.setattr(Explanation, "load", lambda path: read.append(path) or load(path))
    found = retrieve_model_explanation(run.id, history=history)
    assert np.shape(found.shap_values) == (2, 2000, 30)
    assert len(tuple(found)) == 6
    assert len(read) == 1
