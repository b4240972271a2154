"""A search is removed, or its disk fills up, while it goes on or is explained: nothing is raised into it, and no file stays."""

import errno
import pickle
from types import SimpleNamespace

import optuna
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from automl_explain import ExplainabilityOptions, HistoryError, RunHistory
from automl_explain.integrations.flaml import AutoML
from automl_explain.integrations.history import _storing
from automl_explain.integrations.history.index_tables import _owners
from automl_explain.integrations.optuna import TrialExplainer
from automl_explain.integrations.recording._search_record import SearchRecord
from automl_explain.integrations.sealed._sealed_folder import SealedFolder
from automl_explain.integrations.sealed._spool import Spool
from automl_explain.integrations.searches.flaml._tap import MetricTap
from automl_explain.integrations.sklearn_search import ExplainingScorer

X, Y = make_classification(80, 4, random_state=0)
OPTIONS = {"n_jobs": 1, "max_rows": 20}


def grid(history):
    scorer = ExplainingScorer("accuracy", X, history=history, explainability_options=OPTIONS)
    return scorer.explain(GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0, 10.0]}, scoring=scorer, cv=2).fit(X, Y))


def study(history):
    def objective(trial):
        with explainer.trial(trial) as seen:
            model = LogisticRegression(C=trial.suggest_float("C", 0.1, 10.0)).fit(X, Y)
            seen.capture(model, X)
            return model.score(X, Y)

    with TrialExplainer(X, history=history, explainability_options=OPTIONS) as explainer:
        optuna.create_study().optimize(objective, n_trials=3)
    return explainer.runs


def flaml(history):
    automl = AutoML(model_explainability=True, history=history, explainability_options=OPTIONS)
    automl.fit(X, Y, task="classification", max_iter=3, estimator_list=["lgbm"], verbose=0, n_splits=2)
    return automl.runs


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file() and "sqlite" not in path.name]


@pytest.mark.parametrize(("searched", "moment"), [(grid, 1), (grid, 2), (study, 2), (flaml, 2)])
def test_a_search_that_is_removed_while_it_is_explained_ends_in_peace(searched, moment, tmp_path, monkeypatch, caplog):
    put, n_put = _storing.put_explanation, []

    def removing(history, new):
        n_put.append(new)
        if len(n_put) == moment:
            RunHistory(tmp_path).remove_search(new.search)
        return put(history, new)

    monkeypatch.setattr("automl_explain.integrations.history._run_history.put_explanation", removing)
    assert searched(tmp_path) == []
    assert len(n_put) == moment
    assert f"search {n_put[0].search} was removed while it was explained" in caplog.text
    assert files(tmp_path) == RunHistory(tmp_path).searches() == []


def test_models_whose_names_cannot_be_kept_are_explained(tmp_path, monkeypatch, caplog):
    write = SealedFolder.write

    def full(self, name, *parts):
        if name == "names":
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, name, *parts)

    monkeypatch.setattr(SealedFolder, "write", full)
    monkeypatch.setitem(OPTIONS, "keep_models", True)
    assert {run.status for run in grid(tmp_path)} == {"explained"}
    assert "names of kept models" in caplog.text
    assert not (tmp_path / "models").exists() or not list((tmp_path / "models").iterdir())


def test_what_an_error_ended_is_explained_by_another_try(tmp_path, monkeypatch):
    automl = AutoML(model_explainability=True, history=tmp_path, explainability_options=OPTIONS | {"on_error": "raise"})
    with monkeypatch.context() as patch:
        patch.setattr(
            "automl_explain.integrations.searches._explain_runs.keep_runs",
            lambda *_: (_ for _ in ()).throw(HistoryError("full")),
        )
        with pytest.raises(HistoryError, match="full"):
            automl.fit(X, Y, task="classification", max_iter=2, estimator_list=["lgbm"], verbose=0, n_splits=2)
    assert {run.status for run in automl.explain()} == {"explained"}


def own(folder):
    with RunHistory(folder)._index.open() as connection:
        return {name for (name,) in connection.execute("SELECT search FROM owners")}


def test_a_worker_that_outlives_its_search_leaves_a_folder_that_somebody_owns(tmp_path):
    """What it writes later is removed by the next look at the history, and the search is there to be removed."""
    history, spool = RunHistory(tmp_path), Spool(tmp_path / "spool")
    owner = _owners.Owner("abc", "nowhere", 1, "")
    record = SearchRecord(history, "my own", {}, "abc", spool.name, owner)
    worker = pickle.loads(pickle.dumps(record))
    for number in range(2):
        worker.note("lgbm", {}, 0.5, "loss", number=number)
        assert own(tmp_path) == {"abc", spool.name}
        with history.alone() as connection:
            connection.execute("DELETE FROM owners")
        history.remove_search(worker.search)


def test_a_worker_notes_the_folder_before_it_writes_to_it(tmp_path, monkeypatch):
    history, spool = RunHistory(tmp_path), Spool(tmp_path / "spool")
    record = SearchRecord(history, "flaml", {}, spool=spool.name)
    tap = MetricTap(
        "accuracy", None, None, ExplainabilityOptions(), spool, task=SimpleNamespace(name="binary"), record=record
    )
    seen = []
    monkeypatch.setattr(Spool, "write_once", lambda *_: seen.append(own(tmp_path)))
    monkeypatch.setattr(Spool, "write", lambda *_: None)
    pickle.loads(pickle.dumps(tap))._write(SimpleNamespace(estimator=LogisticRegression()), {}, 0.5, X, X, Y, None)
    assert seen == [{record.search, spool.name}]
    record.end()
