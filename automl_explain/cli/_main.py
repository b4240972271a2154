"""The program: its parser, made from the table of commands, and its exit codes.

Results go to stdout, as text or with ``--json`` as one JSON document; progress and errors go to stderr. Exit codes: 0
done, 1 failed, 2 usage or bad input, 3 a limit of ``diff`` is exceeded, 4 the final model of a search was not explained,
130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from automl_explain import __version__
from automl_explain.cli import _dashboard, _demo, _diff, _report, _resume, _run, _runs, _show
from automl_explain.cli._command import say_error
from automl_explain.cli._terminal import Parser, printed, said, say, say_traceback
from automl_explain.cli.scoring import _bundle, _explain, _export_service, _inspect, _score, _serve
from automl_explain.explainers._errors import (
    AutoMLExplainError,
    AutoMLExplainWarning,
    ExplanationNotFoundError,
    FormatVersionError,
    HistoryError,
    InvalidInputError,
    MissingExtraError,
    RunNotFoundError,
)
from automl_explain.explainers.formatting._names import shortened

LONGEST = 80
"""Characters of a name in an error."""
COMMANDS = (
    _demo.COMMAND,
    _run.COMMAND,
    _resume.COMMAND,
    _runs.COMMAND,
    _show.COMMAND,
    _report.COMMAND,
    _dashboard.COMMAND,
    _diff.COMMAND,
    _bundle.COMMAND,
    _score.COMMAND,
    _explain.COMMAND,
    *_inspect.COMMANDS,
    _serve.COMMAND,
    _export_service.COMMAND,
)
"""Every command, in the order of ``automl-explain --help``. A new one is a file like these and a name here."""

BAD_INPUT = (
    InvalidInputError,
    RunNotFoundError,
    ExplanationNotFoundError,
    HistoryError,
    FormatVersionError,
    MissingExtraError,
)
"""Errors that the person at the keyboard can mend: exit code 2."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.
    """
    options = _parser().parse_args(arguments)
    given = [one for value in vars(options).values() for one in (value if isinstance(value, list) else [value])]
    if any("\0" in one for one in given if isinstance(one, str)):
        return say_error("an argument has a NUL byte, which no name of a file, run or feature has", 2)
    try:
        with printed(), said(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # libraries' advice to programmers
            warnings.simplefilter("always", AutoMLExplainWarning)  # what users must know
            warnings.showwarning = _say_warning
            code: int | None = options.act(options)
        sys.stdout.flush()
    except BAD_INPUT as error:
        return say_error(error, 2)
    except AutoMLExplainError as error:
        return say_error(error, 1)
    except KeyboardInterrupt:
        return say_error("interrupted; runs recorded so far stay in the history", 130)
    except BrokenPipeError:
        # The reader of stdout has closed it. Without this, Python would report an error when it flushes stdout on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.filename is None or options.debug:
            return _failed(error, options)
        return say_error(f"{shortened(error.filename, LONGEST)}: {error.strerror}. Name another place.", 2)
    except Exception as error:
        return _failed(error, options)
    return code or 0


def _failed(error: Exception, options: argparse.Namespace) -> int:
    """Say that a command failed for a reason that is not known to be the user's, and return the exit code."""
    if options.debug:
        say_traceback()
        return 1
    return say_error(f"{type(error).__name__}: {error} (--debug shows where)", 1)


def _say_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    say(f"warning: {message}")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="automl-explain",
        description="Search for a model and explain every run of the search; look at runs and explanations.",
        epilog="exit codes: 0 done, 1 failed, 2 usage or bad input, 3 a limit of diff is exceeded, 4 the final model "
        "of a search was not explained. Results go to stdout, progress to stderr.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_to(commands)
    return parser
