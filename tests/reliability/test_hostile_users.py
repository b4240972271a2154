"""Two users of one history: nothing that one plants runs as the other, and nothing of one can be read by strangers."""

import os
import pickle
import stat

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

from automl_explain import HistoryError, RunHistory
from automl_explain.integrations.history._run_scorers import keep_scorer
from automl_explain.integrations.history._scores import keep_scores
from automl_explain.integrations.sealed._spool import MODEL, Spool
from automl_explain.integrations.sklearn_search import ExplainingScorer
from tests.integrations.history.stored import explanation, trial
from tests.reliability.others import GROUP, as_other, needs_users

pytestmark = [pytest.mark.slow, needs_users]
X, Y = make_classification(120, 4, random_state=0)
AWAY = "for d in spool/*; do mv $d $d-moved; mkdir $d; chmod {mode} $d; cp planted $d/0.model; done"


class Planted:
    """Its pickle makes a file."""

    def __init__(self, sign):
        self.sign = str(sign)

    def __reduce__(self):
        return os.mkdir, (self.sign,)


@pytest.fixture
def folder(tmp_path):
    """Yield a folder that two users share, below one that nobody else can enter."""
    for above in (tmp_path, *tmp_path.parents):
        if above.stat().st_uid == os.getuid() and not above.stat().st_mode & stat.S_IXOTH:
            above.chmod(above.stat().st_mode | stat.S_IXOTH)
    folder = tmp_path / "shared"
    folder.mkdir()
    os.chown(folder, -1, GROUP)
    folder.chmod(0o2770)
    (folder / "planted").write_bytes(pickle.dumps(Planted(tmp_path / "ran")))
    (folder / "planted").chmod(0o644)
    return folder


@pytest.mark.parametrize("mode", ["700", "777"])
def test_a_pickle_that_another_user_plants_is_not_run(folder, mode, caplog):
    scorer = ExplainingScorer("accuracy", X, history=folder)
    search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}, cv=2, scoring=scorer, n_jobs=2)
    search.fit(X, Y)
    assert as_other(AWAY.format(mode=mode), folder, groups=[GROUP]) == (0, "")
    runs = scorer.explain(search)
    assert not (folder.parent / "ran").exists()
    assert [(run.kind, run.status) for run in runs] == [("trial", "failed")] * 2
    assert "wrote no file into the history" in runs[0].why
    assert "belongs to another user" in caplog.text
    assert as_other("cat spool/*-moved/*", folder, groups=[GROUP])[0] != 0


def test_models_do_not_go_into_a_folder_that_another_user_has_put_in_place(folder):
    spool = Spool(folder / "spool")
    spool.write((1,), np.arange(3), "")
    assert as_other("for d in spool/*; do mv $d $d-moved; mkdir $d; chmod 777 $d; done", folder, groups=[GROUP]) == (
        0,
        "",
    )
    with pytest.raises(HistoryError, match="belongs to another user"):
        spool.write((2,), np.arange(3), "")
    spool.clear()
    assert list(spool._files.path.iterdir()) == []


def test_a_link_in_place_of_the_folder_is_not_followed(folder):
    spool = Spool(folder / "spool")
    spool.write((1,), np.arange(3), "")
    assert as_other("for d in spool/*; do mv $d $d-moved; ln -s $PWD/$d-moved $d; done", folder, groups=[GROUP]) == (
        0,
        "",
    )
    with pytest.raises(OSError, match="Not a directory|symbolic links"):
        spool.write((2,), np.arange(3), "")
    assert spool.read() == ([], {})


def test_files_with_another_seal_are_not_unpickled(tmp_path):
    ours, theirs = Spool(tmp_path / "spool"), Spool(tmp_path / "spool")
    ours.write((1,), np.arange(3), "")
    (name,) = ours._files.names()
    place = ours._files.path
    whole = (place / name).read_bytes()
    theirs.write((Planted(tmp_path / "ran"),), Planted(tmp_path / "ran"), "")
    (foreign,) = theirs._files.names()
    copied = (theirs._files.path / foreign).read_bytes()
    for planted in (copied, whole[:-1], whole[:50], b"", whole.replace(b"\x01", b"\x02", 1), b"\xff" * 100):
        (place / f"planted{MODEL}").write_bytes(planted)
        found, _ = ours.read()
        for file in found:
            if file.name != name:
                with pytest.raises(HistoryError, match="is not the file that this search wrote"):
                    file.load()
    (place / f"renamed{MODEL}").write_bytes(whole)  # the seal covers the name
    assert [file.name for file in ours.read()[0]] == [name]
    assert not (tmp_path / "ran").exists()


def stored(directory):
    history = RunHistory(directory)
    (run_id,) = history.add_runs(history.start_search("flaml", "binary", {}), [trial(1)])
    history.store(run_id, explanation(seed=1), share_rows=True)
    keep_scores(history.directory, run_id, {"accuracy": 1.0})
    keep_scorer(history, run_id, lambda: None)  # notes why there is none
    return history


def files(directory):
    return [os.path.join(root, name) for root, _, names in os.walk(directory) for name in names]


def test_a_history_is_its_owners_alone(folder):
    folder.chmod(0o777)
    history = stored(folder / "mine" / "runs")
    assert stat.S_IMODE((folder / "mine").stat().st_mode) == 0o700
    (folder / "mine").chmod(0o755)  # each part is private by itself
    history.directory.chmod(0o755)
    names = files(history.directory)
    assert len(names) >= 4
    for name in names:
        assert as_other(f"cat {name}", folder)[0] != 0, name


def test_a_folder_of_a_group_makes_a_history_of_the_group(folder):
    before = os.umask(0o077)
    try:
        history = stored(folder / "runs")
    finally:
        os.umask(before)
    for name in files(history.directory):
        assert as_other(f"cat {name} > /dev/null && test -w {name}", folder, groups=[GROUP]) == (0, ""), name
        assert as_other(f"cat {name}", folder)[0] != 0
    for root, _, _ in os.walk(history.directory):
        assert as_other(f"touch {root}/new && rm {root}/new", folder, groups=[GROUP]) == (0, "")
    assert os.stat(history.directory / "history.sqlite").st_gid == GROUP
