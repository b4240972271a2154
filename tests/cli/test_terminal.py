"""What commands print is fit for any terminal: hostile names, narrow encodings, JSON that every parser takes."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from automl_explain import RunHistory, explain_model
from automl_explain.cli import main
from automl_explain.cli._command import print_json
from automl_explain.cli._terminal import fitting
from automl_explain.explainers.formatting._names import one_line, printable
from automl_explain.integrations.history._scores import keep_scores
from tests.integrations.history.stored import explanation, trial

HOSTILE = "pay\x1b]0;owned\x07\u202ecod.exe\u2066\x9b31m"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    X = pd.DataFrame({HOSTILE: [0.0, 1.0, 2.0, 4.0], "größe": [1.0, 0.0, 3.0, 1.0]})
    explained = explain_model(Ridge().fit(X, [0.0, 1.0, 2.0, 3.0]), X, X)
    path = tmp_path_factory.mktemp("hostile") / "a.explanation"
    explained.explanation.save(path)
    return path


def test_no_name_reaches_the_terminal_with_its_control_characters(hostile, capsys):
    assert main(["diff", str(hostile), str(hostile)]) == 0
    assert main(["show", HOSTILE]) == 2
    out, err = capsys.readouterr()
    assert "pay\\u001b]0;owned" in out
    for text in (out, err):
        assert not [c for c in text if c != "\n" and printable(c) != c]


def test_letters_and_emoji_are_left_alone():
    kept = "größe, 年龄, עברית, 👩\u200d💻, a b"
    assert printable(kept) == one_line(kept) == kept
    assert printable("a\nb\tc") == "a\nb\tc"
    assert one_line("\ud800") == "\\ud800"


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_narrow_encodings_get_what_stands_for_the_letters(encoding):
    assert fitting("▏██ \N{MINUS SIGN}0.5 … “größe”", "ascii") == '|## -0.5 ... "gr??e"'
    fitting("▏██ \N{MINUS SIGN}0.5 … “größe” 年龄", encoding).encode(encoding)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_commands_end_well_in_narrow_encodings(hostile, encoding):
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "automl_explain.cli", "diff", str(hostile), str(hostile)]
    done = subprocess.run(command, capture_output=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    assert b"pay" in done.stdout


def test_numbers_that_json_lacks_are_null(capsys):
    print_json({"loss": float("nan"), "all": [float("inf"), 1.5, (None, True)]})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "loss": None,
        "all": [None, 1.5, [None, True]],
    }


@pytest.fixture
def history_of_strangers(tmp_path):
    """A history whose every text is hostile, with one run that is explained and one that is not."""
    history = RunHistory(tmp_path / "history")
    search = history.start_search(HOSTILE, HOSTILE, {"metric": HOSTILE, "dropped_columns": [HOSTILE]})
    given = {"learner": HOSTILE, "config": {HOSTILE: HOSTILE}, "metric": HOSTILE, "name": HOSTILE}
    ids = history.add_runs(search, [trial(0, **given), trial(1, **given, status="failed", why=HOSTILE)])
    named = explanation(n_features=2, classes=(HOSTILE, "b"), features=(HOSTILE, f"{HOSTILE}2"), data=None)
    named = replace(named, method=HOSTILE, reason=HOSTILE, notes=(HOSTILE,))
    history.store(ids[0], named, comment=HOSTILE)
    keep_scores(history, ids[0], {HOSTILE: 0.5})
    keep_scores(history, ids[1], {"accuracy": 0.5})
    (history.directory / "scores" / f"{ids[1]}.json").write_bytes(b"{")
    return history, ids


def commands(history, ids, folder):
    here = ["--history", str(history.directory)]
    (stored,) = history.explanations(ids[0])
    file = str(history.directory / "explanations" / f"{stored.id}.zip")
    yield from ([*command, *here] for command in (
        ["runs"], ["runs", "--insight"], ["runs", "--search", HOSTILE], ["show", ids[0]], ["show", ids[0], "--row", "0"],
        ["show", ids[0], "--row", "0", "--class", HOSTILE], ["show", ids[0], "--row", "0", "--class", f"{HOSTILE}?"],
        ["show", ids[0], "--label", HOSTILE], ["show", ids[1]], ["show", HOSTILE], ["report", HOSTILE],
        ["report", ids[0].partition("-")[0], "--out", str(folder / "report.html")], ["resume", HOSTILE],
        ["resume", ids[0].partition("-")[0]], ["diff", file, file], ["diff", ids[0], HOSTILE], ["bundle", HOSTILE],
        ["dashboard", HOSTILE], ["show", ids[0], "--debug", "--row", HOSTILE],
    ))  # fmt: skip
    yield from (
        ["runs", "--history", str(folder / HOSTILE)], [HOSTILE], ["show", ids[0], HOSTILE], ["runs", f"--{HOSTILE}"],
        ["show", ids[0], "--top", HOSTILE], ["run", HOSTILE, "--target", HOSTILE], ["run", "--config", HOSTILE],
        ["inspect", HOSTILE], ["explain", HOSTILE, HOSTILE], ["score", HOSTILE, HOSTILE],
    )  # fmt: skip


def test_no_way_out_of_a_command_passes_control_characters_on(history_of_strangers, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    history, ids = history_of_strangers
    codes = set()
    for command in commands(history, ids, tmp_path):
        try:
            codes.add(main(command))
        except SystemExit as end:
            codes.add(end.code)
        for text in capsys.readouterr():
            assert not [c for c in text if c != "\n" and printable(c) != c], command
    assert codes <= {0, 1, 2}
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not set("\x1b\x07\x9b\u202e\u2066").intersection(page)


def test_what_is_logged_is_shown_without_control_characters():
    code = f"""
import logging, sys
from automl_explain.cli._terminal import said
with said():
    logging.getLogger("automl_explain").warning("%s", {HOSTILE!r})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stderr == f"warning: {printable(HOSTILE)}\n"


@pytest.mark.parametrize("place", ["x" * 5000, "a\0b"], ids=("too long", "with a NUL byte"))
@pytest.mark.parametrize(
    "command",
    [
        ["runs", "--history", "{}"],
        ["show", "a", "--history", "{}"],
        ["report", "--history", "{}"],
        ["resume", "a", "--history", "{}"],
        ["diff", "{}", "{}"],
        ["inspect", "{}"],
        ["explain", "{}", "{}"],
        ["run", "{}", "--target", "y"],
        ["run", "--config", "{}"],
        ["demo", "--history", "{}", "--time-budget", "1"],
        ["demo", "--out", "{}", "--time-budget", "1"],
        ["serve", "{}"],
        ["export-service", "{}", "{}"],
    ],
    ids=lambda command: command[0],
)
def test_places_that_no_file_system_has_are_said_in_one_line(command, place, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOML_EXPLAIN_HISTORY", str(tmp_path / "runs"))
    assert main([part.format(place) for part in command]) == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("automl-explain: "))
    assert re.search("File name too long|NUL byte|no file|not a file|There is no|cannot be|must be", line)
    assert {path.name for path in tmp_path.iterdir()} <= {"runs"}
