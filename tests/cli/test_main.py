"""The program: help, exit codes, streams, and run histories that cannot be used."""

import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from automl_explain import AutoMLExplainError, RunHistory, __version__
from automl_explain.cli import _main, _runs, main
from tests.cli.searches import QUICK

ROOT = Path(__file__).parents[2]


def test_version_and_help(capsys):
    for arguments, word in (
        (["--version"], __version__),
        (["--help"], "exit codes: 0 done, 1 failed, 2 usage or bad input"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
        assert word in " ".join(capsys.readouterr().out.split())


def test_the_help_lists_every_command(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for command in _main.COMMANDS:
        assert re.search(rf"^ +{command.name}\s+{re.escape(command.summary)}$", text, flags=re.MULTILINE)


@pytest.mark.parametrize("command", _main.COMMANDS, ids=lambda command: command.name)
def test_the_help_of_each_command_says_what_it_does_and_has_an_example_that_parses(capsys, command):
    with pytest.raises(SystemExit) as caught:
        main([command.name, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert command.description in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 100
    assert command.examples
    for example in command.examples:
        assert f"\n  automl-explain {example}\n" in text
        assert _main._parser().parse_args(shlex.split(example)).act is command.act


@pytest.mark.parametrize(
    "arguments",
    [
        (), ("nothing",), ("run",), ("run", "x.csv"), ("show",), ("demo", "--time-budget", "0"),
        ("demo", "--time-budget", "-1"),
        ("demo", "--time-budget", "nan"), ("demo", "--time-budget", "inf"), ("demo", "--time-budget", "soon"),
        ("demo", "--max-iter", "1"), ("demo", "--max-iter", "few"), ("show", "abc", "--top", "0"),
        ("run", "x.csv", "--target", "y", "--task", "ranking"),
    ],
)  # fmt: skip
def test_wrong_usage_ends_with_code_2(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: automl-explain")


def program(*arguments, **settings):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        [sys.executable, "-m", "automl_explain.cli", *map(str, arguments)],
        capture_output=True, text=True, timeout=200, env=environment, **settings,
    )  # fmt: skip


@pytest.mark.slow
def test_as_a_program_stdout_is_json_alone_and_progress_goes_to_stderr(csv, tmp_path):
    done = program("run", csv, "--target", "bought", *QUICK, "--json", "--out", tmp_path / "out", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["runs"]) >= 3
    assert done.stdout.count("\n") == 1
    assert "explaining runs" in done.stderr
    assert "warning" not in done.stderr.lower()


def test_as_a_program_bad_input_ends_with_code_2_and_one_line(csv):
    done = program("run", csv, "--target", "bougth", cwd=ROOT)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"automl-explain: {csv} has no column 'bougth'. Did you mean 'bought'?\n"


def test_as_a_program_it_ends_quietly_when_nobody_reads_on(searched):
    command = f"{sys.executable} -m automl_explain.cli runs --json --history {searched[1]}"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; exit ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, timeout=100, cwd=ROOT, env=environment,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_the_installed_command_is_this_program():
    from importlib.metadata import entry_points

    (command,) = entry_points(group="console_scripts", name="automl-explain")
    assert command.load() is main


@pytest.mark.parametrize(
    "command", [("demo",), ("runs",), ("show", "abc"), ("report",), ("run", "people.csv", "--target", "bought")]
)
def test_a_history_that_cannot_be_written_is_refused(fails, csv, tmp_path, command):
    (tmp_path / "file").write_text("")
    said = {"demo": 2, "run": 4}.get(command[0], 0)
    message = fails(*command, "--history", "file/runs", said=said)
    if said:
        assert message.startswith("The run history file/runs cannot be opened for writing: ")
        assert "Name another directory with --history DIR" in message
    else:  # of a mistyped name no history is made
        assert message.startswith("There is no run history in file/runs. Check --history DIR")
    assert not (tmp_path / "automl-explain-demo").exists()
    assert not (tmp_path / "automl-explain-out").exists()


@pytest.mark.parametrize(
    "command", [("demo",), ("runs",), ("show", "abc"), ("report",), ("run", "people.csv", "--target", "bought")]
)
def test_a_history_of_a_newer_protocol_is_refused(fails, csv, tmp_path, command):
    connection = sqlite3.connect(RunHistory(tmp_path / "runs").directory / "history.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    message = fails(*command, "--history", "runs", said={"demo": 2, "run": 4}.get(command[0], 0))
    assert "has protocol 99; this version of automl-explain reads up to 1. Upgrade automl-explain" in message
    assert not (tmp_path / "automl-explain-demo").exists()
    assert not (tmp_path / "automl-explain-out").exists()


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (AutoMLExplainError("cannot"), 1, "automl-explain: cannot\n"),
        (RuntimeError("two\nlines"), 1, "automl-explain: RuntimeError: two lines (--debug shows where)\n"),
        (KeyboardInterrupt(), 130, "automl-explain: interrupted; runs recorded so far stay in the history\n"),
    ],
)
def test_whatever_goes_wrong_is_one_line_and_a_code(capsys, monkeypatch, error, code, message):
    def fail(options):
        raise error

    monkeypatch.setattr("automl_explain.cli._main.COMMANDS", (_runs.COMMAND._replace(act=fail),))
    assert main(["runs"]) == code
    assert capsys.readouterr().err == message


def test_debug_shows_where(monkeypatch, capsys):
    def fail(options):
        raise RuntimeError("here")

    monkeypatch.setattr("automl_explain.cli._main.COMMANDS", (_runs.COMMAND._replace(act=fail),))
    assert main(["runs", "--debug"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert "in fail" in said
    assert said.endswith("RuntimeError: here\n")
