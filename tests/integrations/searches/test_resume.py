"""Kept models: who may read them, what is not kept, and what cannot be resumed."""

import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

from automl_explain import (
    ExplanationNotFoundError,
    HistoryError,
    InvalidInputError,
    RunHistory,
    RunNotFoundError,
    resume_search,
)
from automl_explain.explainers._processes import born
from automl_explain.explainers.tables._table import as_table
from automl_explain.integrations.flaml import AutoML
from automl_explain.integrations.history.index_tables._owners import OWNERS, Owner
from automl_explain.integrations.sealed._kept_models import LARGE, MODEL, SHARED, KeptModels
from automl_explain.integrations.sklearn_search import ExplainingScorer
from tests.integrations.history.stored import trial

X, Y = make_classification(120, 4, random_state=0)


class Planted:
    def __init__(self, sign):
        self.sign = str(sign)

    def __reduce__(self):
        return os.mkdir, (self.sign,)


@pytest.fixture
def kept(tmp_path):
    return KeptModels.of_user(tmp_path, "abcd0123", 1.0)


def test_what_was_kept_comes_back_and_shared_data_is_kept_once(kept, tmp_path):
    table, large = as_table(pd.DataFrame({"a": [1.0, 2.0]})), np.arange(LARGE / 8 + 1)
    for number in range(3):
        kept.put(
            "abcd0123-0000" if number < 2 else "abcd0123-0001",
            {"number": number},
            (table, large, lambda x, number=number: x + number),
        )
    again = KeptModels.of_user(tmp_path, "abcd0123", 1.0)
    files = again.runs()
    assert {run: len(of) for run, of in files.items()} == {"abcd0123-0000": 2, "abcd0123-0001": 1}
    names = again._files.names()
    assert sum(name.endswith(SHARED) for name in names) == 2
    assert [again.about(file)["number"] for file in files["abcd0123-0000"]] == [0, 1]
    found, array, add = again.models(files["abcd0123-0001"][0])
    pd.testing.assert_frame_equal(found.data, table.data)
    np.testing.assert_array_equal(array, large)
    assert add(1) == 3
    again.name({"abcd0123-0007": "abcd0123-0001", "abcd0123-0008": "gone"})
    assert again.runs()["abcd0123-0007"] == files["abcd0123-0001"]
    again.forget(["abcd0123-0000"])
    assert list(again.runs()) == ["abcd0123-0001", "abcd0123-0007"]
    again.forget(["abcd0123-0007"])
    assert not (tmp_path / "models" / "abcd0123").exists()


def test_what_is_too_large_or_cannot_be_pickled_is_not_kept_and_is_told_once(tmp_path, caplog):
    small = KeptModels.of_user(tmp_path, "abcd0123", 1e-6)
    for _ in range(2):
        small.put("abcd0123-0000", {}, list(range(1000)))
    assert small.runs() == {}
    assert [record.getMessage() for record in caplog.records] == [
        "models of search abcd0123-0000 are not kept: HistoryError: memory_limit=1e-06 GiB is reached"
    ]
    KeptModels.of_user(tmp_path, "abcd0123", 1.0).put("abcd0123-0000", {}, (one for one in ()))
    assert small.runs() == {}
    assert "cannot pickle 'generator' object" in caplog.text


def test_the_key_is_the_users_alone(kept, tmp_path, monkeypatch):
    kept.put("abcd0123-0000", {}, 1)
    place = Path(os.environ["XDG_DATA_HOME"], "automl-explain", "models.key")
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept._files.path.stat().st_mode) == 0o700
    (file,) = kept.runs()["abcd0123-0000"]
    other = KeptModels.of_user(tmp_path, "abcd0124", 1.0)
    other._files.path = kept._files.path
    with pytest.raises(HistoryError, match="is not the file that this search wrote"):
        other.models(file)  # each search has a key of its own
    place.chmod(0o640)
    with pytest.raises(HistoryError, match="can be read by others"):
        KeptModels.of_user(tmp_path, "abcd0123", 1.0)
    place.unlink()
    with pytest.raises(HistoryError, match="is not the file that this search wrote"):
        KeptModels.of_user(tmp_path, "abcd0123", 1.0).models(file)
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(blocked / "data"))
    with pytest.raises(HistoryError, match="leave keep_models out"):
        KeptModels.of_user(tmp_path, "abcd0123", 1.0)


def test_pickles_of_others_are_not_run(kept, tmp_path):
    kept.put("abcd0123-0000", {}, 1)
    place = kept._files.path
    for name in (f"abcd0123-0001.00{MODEL}", f"00{SHARED}", "names"):
        (place / name).write_bytes(pickle.dumps(Planted(tmp_path / "ran")))
    with pytest.raises(HistoryError, match="is not the file that this search wrote"):
        kept.runs()
    (place / "names").unlink()
    for file in kept.runs()["abcd0123-0001"]:
        for read in (kept.about, kept.models):
            with pytest.raises(HistoryError, match="is not the file that this search wrote"):
                read(file)
    assert not (tmp_path / "ran").exists()


def test_searches_that_cannot_be_resumed_say_why(tmp_path):
    history = RunHistory(tmp_path)
    with pytest.raises(RunNotFoundError, match="There is no search"):
        resume_search("nothing", history)
    search = history.start_search("flaml", "binary", {})
    history.add_runs(search, [trial(0)])
    with pytest.raises(ExplanationNotFoundError, match=r"kept no models of the 1 runs .* best_run=run\)"):
        resume_search(search, tmp_path)
    with pytest.raises(InvalidInputError, match="time_budget"):
        resume_search(search, tmp_path, time_budget="long")
    waits = "import sys; sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", waits], stdin=subprocess.PIPE) as other:
        with history._index.open() as connection:
            connection.execute(OWNERS)
            owner = Owner.of(search)._replace(process=other.pid, born=born(other.pid))
            connection.execute("INSERT INTO owners VALUES (?, ?, ?, ?)", owner)
        with pytest.raises(InvalidInputError, match=f"goes on in process {other.pid}"):
            resume_search(search, tmp_path)
        other.stdin.close()
    with pytest.raises(InvalidInputError, match="without use_ray"):
        AutoML(model_explainability=True, history=tmp_path, explainability_options={"keep_models": True}).fit(
            X, Y, task="classification", use_spark=True, verbose=0
        )


def test_an_interrupted_search_is_explained_as_one_that_ended(tmp_path):
    fitted = []

    class Tree(DecisionTreeClassifier):
        def fit(self, X, y):
            fitted.append(self)
            if len(fitted) == stop[0]:
                raise KeyboardInterrupt
            return super().fit(X, y)

    grid = {"max_depth": [1, 2, 3]}
    options = {"keep_models": True, "max_rows": 30}
    stop, scorer = [None], ExplainingScorer("accuracy", X, history=tmp_path / "whole", explainability_options=options)
    whole = scorer.explain(GridSearchCV(Tree(random_state=0), grid, cv=2, scoring=scorer, refit=False).fit(X, Y))
    assert not (tmp_path / "whole" / "models").is_dir() or not list((tmp_path / "whole" / "models").iterdir())
    fitted.clear()
    stop[0] = 6
    scorer = ExplainingScorer("accuracy", X, history=tmp_path / "cut", explainability_options=options)
    with pytest.raises(KeyboardInterrupt):
        GridSearchCV(Tree(random_state=0), grid, cv=2, scoring=scorer, refit=False).fit(X, Y)
    (search,) = scorer.history.searches()
    runs = resume_search(search, tmp_path / "cut")
    assert [run.status for run in runs] == ["explained"] * 3
    for one, other in zip(runs[:2], whole, strict=False):
        assert one.loss == other.loss
        np.testing.assert_allclose(one.explanation.local_importance_values, other.explanation.local_importance_values)
    assert not list((tmp_path / "cut" / "models").iterdir())
