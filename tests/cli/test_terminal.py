"""What commands print is fit for any terminal: hostile names, narrow encodings, JSON that every parser takes."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from automl_explain import explain_model
from automl_explain.cli import main
from automl_explain.cli._command import print_json
from automl_explain.cli._terminal import fitting
from automl_explain.explainers.formatting._names import one_line, printable

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
