"""The run history: what is stored comes back to the bit, whoever writes, and whatever happens to them."""

import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from automl_explain import (
    Explanation,
    ExplanationNotFoundError,
    FormatVersionError,
    HistoryError,
    InvalidInputError,
    RunHistory,
    RunNotFoundError,
    explain_model,
    retrieve_model_explanation,
)
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.tables._table import as_table
from automl_explain.integrations.history._run_history import PROTOCOL

CONFIG = {"n_estimators": 4, "learning_rate": np.float64(0.1), "booster": None}


def trial(number, **changes):
    row = {
        "number": number, "learner": "lgbm", "config": CONFIG, "loss": 0.25, "metric": "1-auc", "kind": "trial",
        "status": "captured", "why": "", "sample_size": 100,
    }  # fmt: skip
    return row | changes


def explanation(n_rows=5, n_features=3, classes=("no", "yes"), seed=0, data="array", **changes):
    rng = np.random.default_rng(seed)
    n_outputs = len(classes) if classes else 1
    shape = (n_outputs, n_rows, n_features) if classes else (n_rows, n_features)
    values, expected = rng.normal(size=shape), rng.normal(size=n_outputs)
    totals = values.sum(axis=-1)
    rows = {
        "array": rng.normal(size=(n_rows, n_features)),
        "sparse": sparse.csr_matrix(np.where(rng.random((n_rows, n_features)) < 0.5, 0.0, 1.5)),
        "frame": frame(n_rows, n_features),
        None: None,
    }[data]
    fields = {
        "features": tuple(f"f{j}" for j in range(n_features)),
        "data": None if rows is None else as_table(rows),
        "predictions": (totals.T if classes else totals[:, None]) + expected,
    }
    return Explanation(values, expected, classes=classes, output_space="log_odds", method="tree", reason="its trees",
                       notes=("a note",), **fields | changes)  # fmt: skip


def frame(n_rows, n_features):
    table = pd.DataFrame(
        {"f0": np.arange(n_rows) / 7.0, "f1": pd.Categorical(list("aba"[: n_rows % 3]) + ["b"] * (n_rows - n_rows % 3))}
    )
    table["f2"] = pd.date_range("2024-01-29", periods=n_rows)
    table.loc[0, "f0"] = np.nan
    for j in range(3, n_features):
        table[f"f{j}"] = float(j)
    return table.iloc[:, :n_features]


@pytest.fixture
def history(tmp_path):
    return RunHistory(tmp_path / "runs")


@pytest.fixture
def run(history):
    search = history.start_search("flaml", "binary", {"metric": "auto"})
    (run_id,) = history.add_runs(search, [trial(0)])
    return history.run(run_id)


# ---------------------------------------------------------------- round trips


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

    from automl_explain.integrations.history._run_history import default_directory

    monkeypatch.delenv("AUTOML_EXPLAIN_HISTORY")
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda name, appauthor: str(tmp_path / name))
    assert default_directory() == tmp_path / "automl-explain" / "history"


# -------------------------------------------------------------------- look-up


def test_a_run_is_found_by_the_beginning_of_its_id(history, run):
    assert history.run(run.id[:6]) == run
    assert retrieve_model_explanation_status(history, run.id[:6]) == "captured"


def retrieve_model_explanation_status(history, run_id):
    with pytest.raises(ExplanationNotFoundError, match="its status is") as caught:
        retrieve_model_explanation(run_id, history=history)
    return str(caught.value).partition("its status is ")[2].partition(".")[0]


def test_a_beginning_that_several_runs_share_is_refused_with_their_ids(history):
    search = history.start_search("flaml", "binary", {})
    ids = history.add_runs(search, [trial(0), trial(1)])
    with pytest.raises(RunNotFoundError, match="2 runs begin with") as caught:
        history.run(search)
    assert all(run_id in str(caught.value) for run_id in ids)
    assert history.run(ids[0]).number == 0


def test_an_unknown_id_names_the_nearest(history, run):
    with pytest.raises(RunNotFoundError, match="Did you mean") as caught:
        history.run(run.id[:-1] + "7")
    assert run.id in str(caught.value)
    with pytest.raises(RunNotFoundError, match=f"The latest are {run.id}"):
        history.run("not-like-any")


def test_an_unknown_id_of_an_empty_history_says_so(history):
    with pytest.raises(RunNotFoundError, match="has no runs yet"):
        history.run("12345678-0000")


def test_an_unknown_search_is_refused(history):
    with pytest.raises(RunNotFoundError, match="no search 'nope'"):
        history.search("nope")


def test_storing_on_an_unknown_run_writes_nothing(history):
    with pytest.raises(RunNotFoundError):
        history.store("nope", explanation())
    assert list((history.directory / "explanations").iterdir()) == []


@pytest.mark.parametrize(
    ("status", "why"),
    [("skipped", "the time for explanations was over"), ("failed", "ValueError: no"), ("captured", "")],
)
def test_a_run_without_explanation_says_its_status_and_how_to_get_one(history, run, status, why):
    history.set_status(run.id, status, why)
    with pytest.raises(ExplanationNotFoundError) as caught:
        history.run(run.id).explanation  # noqa: B018
    message = str(caught.value)
    assert f"Run {run.id} has no explanation: its status is {status}" in message
    assert (f"({why})" in message) == bool(why)
    assert "explain_model(fitted_model, X_train, X_test, best_run=run)" in message
    assert "ExplainabilityOptions(time_budget=...)" in message


def test_explain_model_stores_on_a_run(history, run):
    from sklearn.linear_model import LinearRegression

    X = np.random.default_rng(0).normal(size=(20, 3))
    model = LinearRegression().fit(X, X @ [1.0, 2.0, 0.0])
    explained = explain_model(model, X, X[:4], best_run=run)
    assert explained.run_id == run.id
    found = retrieve_model_explanation(run.id, history=history)
    assert np.array_equal(found.shap_values, explained.shap_values)
    assert history.run(run.id).status == "explained"


# ------------------------------------------------------------------ bad input


def test_a_history_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryError, match="cannot be opened for writing") as caught:
        RunHistory(tmp_path / "file" / "runs")
    assert "--history DIR" in str(caught.value)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_file_that_is_no_history_is_refused_and_left_alone(tmp_path):
    (tmp_path / "history.sqlite").write_bytes(b"something else entirely" * 100)
    with pytest.raises(HistoryError, match="not a database"):
        RunHistory(tmp_path)
    assert (tmp_path / "history.sqlite").read_bytes() == b"something else entirely" * 100


def test_a_newer_protocol_is_refused_and_left_alone(history, run):
    index = history.directory / "history.sqlite"
    with sqlite3.connect(index) as connection:
        connection.execute(f"PRAGMA user_version = {PROTOCOL + 1}")
    connection.close()
    for use in (lambda: RunHistory(history.directory), history.runs, lambda: history.store(run.id, explanation())):
        with pytest.raises(FormatVersionError, match=f"has protocol {PROTOCOL + 1}; .* Upgrade automl-explain"):
            use()
    assert list((history.directory / "explanations").iterdir()) == []


def test_an_index_that_breaks_later_is_a_history_error(history, run):
    (history.directory / "history.sqlite").write_bytes(b"overwritten by an accident" * 400)
    for use in (
        history.runs,
        lambda: history.run(run.id),
        lambda: history.set_status(run.id, "failed"),
        lambda: history.start_search("flaml", "binary", {}),
        lambda: history.add_runs(run.search, [trial(1)]),
    ):
        with pytest.raises(HistoryError, match=r"history.sqlite: file is not a database"):
            use()


def test_an_explanation_file_that_is_gone_says_which(history, run):
    stored = history.store(run.id, explanation())
    (history.directory / "explanations" / f"{stored}.zip").unlink()
    with pytest.raises(HistoryError, match=f"{stored}.zip"):
        run.explanation  # noqa: B018


def test_an_explanation_file_that_is_broken_says_which(history, run):
    stored = history.store(run.id, explanation())
    file = history.directory / "explanations" / f"{stored}.zip"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InvalidInputError, match=f"{stored}.zip is not a file that automl-explain wrote"):
        run.explanation  # noqa: B018


def test_an_explanation_that_cannot_be_written_leaves_the_run_as_it_was(history, run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("automl_explain.explainers.explanation._bundle.os.replace", full)
    with pytest.raises(HistoryError, match="No space left on device"):
        history.store(run.id, explanation())
    assert history.run(run.id).status == "captured"
    assert list((history.directory / "explanations").iterdir()) == []


# -------------------------------------------------------------- many processes

WRITER = """
import sys
import numpy as np
from automl_explain import Explanation, RunHistory
from tests.integrations.history.test_run_history import explanation, trial

history = RunHistory(sys.argv[1])
search = history.start_search("flaml", "binary", {"process": sys.argv[2]})
for number in range(int(sys.argv[3])):
    (run_id,) = history.add_runs(search, [trial(number)])
    history.store(run_id, explanation(seed=number), seconds=0.0)
    print(run_id, flush=True)
"""


def writer(directory, name, n_runs):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", WRITER, str(directory), str(name), str(n_runs)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_eight_processes_write_a_thousand_runs_and_lose_none_while_another_is_killed(tmp_path):
    processes = [writer(tmp_path / "runs", name, 125) for name in range(8)]
    victim = writer(tmp_path / "runs", "killed", 100_000)
    for _ in range(20):
        assert victim.stdout.readline()
    victim.send_signal(signal.SIGKILL)
    told = 20 + len(victim.stdout.read().splitlines())
    victim.stdout.close()
    victim.stderr.close()
    victim.wait(timeout=60)
    written = []
    for process in processes:
        out, problems = process.communicate(timeout=240)
        assert process.returncode == 0, problems
        written += out.split()
    history = RunHistory(tmp_path / "runs")
    assert len(history.searches()) == 9
    runs = {run.id: run for run in history.runs()}
    assert len(written) == 1000
    assert len(runs) >= 1000 + told
    for run_id in written:
        assert runs[run_id].status == "explained"
        expected = explanation(seed=runs[run_id].number).expected_values
        assert np.array_equal(runs[run_id].explanation.expected_values, expected)
    explained = [run for run in runs.values() if run.status == "explained"]
    assert len(explained) >= 1000 + told
    with sqlite3.connect(history.directory / "history.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_writer_that_is_killed_leaves_a_history_that_opens(tmp_path):
    process = writer(tmp_path / "runs", "killed", 100_000)
    for _ in range(10):
        assert process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    told = 10 + len(process.stdout.read().splitlines())
    process.stderr.close()
    process.stdout.close()
    assert process.wait(timeout=60) == -signal.SIGKILL
    history = RunHistory(tmp_path / "runs")
    runs = history.runs()
    assert len(runs) >= told
    explained = [run for run in runs if run.status == "explained"]
    assert len(explained) >= told
    assert all(run.explanation.num_examples == 5 for run in explained)
    search = history.start_search("flaml", "binary", {})
    (again,) = history.add_runs(search, [trial(0)])
    history.store(again, explanation())
    assert history.run(again).explanation.num_examples == 5


# ----------------------------------------------------------------------- speed


def best_time(function, repeats=5):
    """Seconds of this process, so that a busy machine does not count."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        function()
        times.append(time.process_time() - started)
    return min(times)


def test_ten_thousand_runs_are_listed_within_a_second(history, record_property):
    for _ in range(10):
        search = history.start_search("flaml", "binary", {})
        history.add_runs(search, [trial(number) for number in range(1000)])
    assert len(history.runs()) == 10_000
    seconds = best_time(history.runs)
    record_property("seconds_to_list_10000_runs", seconds)
    assert seconds < 1.0


def test_an_explanation_of_2000_rows_is_retrieved_within_a_fifth_of_a_second(history, run, record_property):
    history.store(run.id, explanation(2000, 30))
    assert history.explanation(run.id).num_examples == 2000
    seconds = best_time(lambda: retrieve_model_explanation(run.id, history=history)[:6])
    record_property("seconds_to_retrieve_2000_x_30", seconds)
    assert seconds < 0.2
