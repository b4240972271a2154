"""Two users of one history: nothing that one plants runs as the other, and nothing of one can be read by strangers."""

import os
import pickle
import socket
import sqlite3
import stat
from contextlib import nullcontext

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

import automl_explain as ax
from automl_explain import HistoryError, RunHistory
from automl_explain.integrations.history._labels import keep_labels, labels_of
from automl_explain.integrations.history._run_scorers import keep_scorer, scorer_of
from automl_explain.integrations.history._scores import keep_scores, scores_of
from automl_explain.integrations.history.index_tables._owners import OWNERS
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
    with pytest.raises(HistoryError, match="no link"):
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
    keep_scores(history, run_id, {"accuracy": 1.0})
    keep_scorer(history, run_id, lambda: None)  # notes why there is none
    return history


def files(directory):
    return [os.path.join(root, name) for root, _, names in os.walk(directory) for name in names]


@pytest.fixture
def home(tmp_path):
    """Return private folders with files, as those of a user beside the history that she shares."""
    for name in ("keys", "work"):
        (tmp_path / "home" / name).mkdir(parents=True, mode=0o700)
        for file in ("id.zip", "package.json"):
            (tmp_path / "home" / name / file).write_text("mine")
    yield tmp_path / "home"
    left = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert [path.read_text() for path in left] == ["mine"] * 4


def changed(directory, *statements):
    """Change the index of a history as any of its users can."""
    connection = sqlite3.connect(directory / "history.sqlite")
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


DIED = f"INSERT INTO owners VALUES ('abcd', '{socket.gethostname()}', {2**22 + 1}, '1')"
RUN = "INSERT INTO runs SELECT '{run}', search, 9, learner, config, loss, metric, kind, status, '', 1, 1, top FROM runs"


@pytest.mark.parametrize("room", ["models", "spool", "explanations", "scores", "scoring", "labels"])
def test_a_link_in_place_of_a_room_leads_no_sweep_to_other_files(folder, home, room, caplog):
    history = stored(folder)
    (search,) = history.searches()
    (home / "keys").rename(home / "abcd")
    (home / "work").rename(home / search)
    changed(folder, OWNERS, DIED)
    assert as_other(f"mv {room} away; ln -s {home} {room}", folder, groups=[GROUP])[0] == 0
    assert len(RunHistory(folder).runs()) == 1
    with pytest.raises(HistoryError, match="no link") if room != "spool" else nullcontext():
        history.remove_search(search)


def test_ids_that_lead_out_of_the_history_are_refused(folder, home):
    history, out = stored(folder), "../../home/work/"
    (search,) = history.searches()
    (folder / "models").mkdir()
    changed(folder, f"INSERT INTO searches VALUES ('{out[:-1]}', 'flaml', 'binary', 1, '{{}}')")
    with pytest.raises(HistoryError, match="which automl-explain gives to nothing"):
        history.remove_search(out[:-1])
    changed(folder, RUN.format(run=f"{out}package"))
    with pytest.raises(HistoryError, match="gives to nothing"):
        scores_of(history, f"{out}package")
    changed(folder, f"INSERT INTO explanations VALUES ('{out}id', '{out}package', 1, '', 1)")
    with pytest.raises(HistoryError, match="gives to nothing"):
        history.explanation(f"{out}package")
    history.remove_search(search)  # by the names that are in its folders
    assert search not in history.searches()


def test_a_link_in_place_of_a_file_is_not_written_through(folder, home):
    history = stored(folder)
    (run,) = history.runs()
    (explanation_id,) = (one.id for one in history.explanations(run.id))
    for name in (
        f"scores/{run.id}.json",
        f"scoring/{run.id}.json",
        f"scoring/{run.id}.zip",
        f"labels/{explanation_id}.json",
    ):
        assert as_other(
            f"mkdir -p labels; rm -f {name}; ln -s {home}/work/package.json {name}", folder, groups=[GROUP]
        ) == (
            0,
            "",
        )
    keep_scores(history, run.id, {"accuracy": 0.5})
    keep_labels(history, explanation_id, np.array([1, 0]))
    keep_scorer(history, run.id, lambda: ax.TabularExplainer(DecisionTreeClassifier().fit(X, Y), X))
    assert scores_of(history, run.id) == {"accuracy": 0.5}
    assert labels_of(history, explanation_id).tolist() == [1, 0]
    assert isinstance(scorer_of(run), ax.ScoringExplainer)
    keep_scorer(history, run.id, lambda: None)
    assert (folder / "scoring" / f"{run.id}.json").is_file()


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "planted", ["mkfifo {}; chmod 666 {}", "ln -s /dev/zero {}", "truncate -s 1T {}; chmod 666 {}"]
)
def test_what_is_no_small_file_is_not_read(folder, planted, caplog):
    history = stored(folder)
    (run,) = history.runs()
    (explanation_id,) = (one.id for one in history.explanations(run.id))
    for name in (f"scores/{run.id}.json", f"labels/{explanation_id}.json", f"explanations/{explanation_id}.zip"):
        plant = f"mkdir -p labels; rm -f {name}; {planted.format(name, name)}"
        assert as_other(plant, folder, groups=[GROUP]) == (0, "")
    assert scores_of(history, run.id) == {}
    assert "cannot be read" in caplog.text
    with pytest.raises(HistoryError, match="cannot be read"):
        labels_of(history, explanation_id)
    with pytest.raises(ax.AutoMLExplainError):
        history.explanation(run.id)


@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("plant", ["ln -s {home}/work/package.json {name}", "mkfifo {name}"])
def test_links_and_pipes_in_place_of_the_index_are_refused(folder, home, end, plant):
    stored(folder)
    name = f"history.sqlite{end}"
    assert as_other(f"rm -f {name}; {plant.format(home=home, name=name)}", folder, groups=[GROUP]) == (0, "")
    with pytest.raises(HistoryError, match="is not a file that automl-explain wrote"):
        RunHistory(folder)


def test_an_index_with_views_or_triggers_is_refused(folder):
    stored(folder)
    changed(folder, "CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM runs; END")
    with pytest.raises(HistoryError, match="views or triggers"):
        RunHistory(folder)


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
