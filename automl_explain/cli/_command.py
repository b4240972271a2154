"""What the commands share: how one is declared, its types of numbers, the run history, and how results are printed."""

from __future__ import annotations

import argparse
import json
import math
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from automl_explain.cli._terminal import say
from automl_explain.explainers._errors import HistoryError, RunNotFoundError

if TYPE_CHECKING:
    from automl_explain.integrations.history._run_history import RunHistory


class Command(NamedTuple):
    """A command of ``automl-explain``. No dataclass: importing those would slow ``--help`` down by a third.

    Parameters
    ----------
    name : str
        The word that the user types.
    summary : str
        One line for the list of commands.
    description : str
        What ``--help`` of the command says first.
    examples : tuple of str
        Command lines that ``--help`` shows, without the program's name.
    add_arguments : callable
        Adds the command's own arguments to its parser.
    act : callable
        Does the work; returns an exit code, or None for 0.
    """

    name: str
    summary: str
    description: str
    examples: tuple[str, ...]
    add_arguments: Callable[[argparse.ArgumentParser], None]
    act: Callable[[argparse.Namespace], int | None]

    def add_to(self, commands: argparse._SubParsersAction[Any]) -> None:
        """Add the command's parser, with the options that every command has."""
        lines = [f"  automl-explain {example}" for example in self.examples]
        parser = commands.add_parser(
            self.name,
            help=self.summary,
            description=textwrap.fill(self.description, 79, break_on_hyphens=False),
            epilog="\n".join(["examples:" if len(lines) > 1 else "example:", *lines]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
        parser.add_argument("--history", metavar="DIR", help="run history (default: your data folder)")
        parser.add_argument("--debug", action="store_true", help="show the traceback of an unexpected error")
        self.add_arguments(parser)
        parser.set_defaults(act=self.act)


def add_allow_pickle(parser: argparse.ArgumentParser) -> None:
    """Add the option that allows models in pickles."""
    parser.add_argument(
        "--allow-pickle", action="store_true", help="load a model that is a pickle, which runs its author's code"
    )


# ------------------------------------------------------------- types of numbers


def at_least(smallest: int) -> Callable[[str], int]:
    """Return the type of an argument: an integer that is not below the smallest one."""

    def number(text: str) -> int:
        if int(text) < smallest:
            raise argparse.ArgumentTypeError(f"must be {smallest} or more, got {text}")
        return int(text)

    return number


def seconds(text: str) -> float:
    """Read a number of seconds greater than 0."""
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of seconds greater than 0, got {text}")
    return number


def finite(text: str) -> float:
    """Read a finite number."""
    number = float(text)
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"must be a number, got {text}")
    return number


def share(text: str) -> float:
    """Read a finite number that is 0 or more."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number, 0 or more, got {text}")
    return number


# --------------------------------------------------------------------- results


def print_json(document: object) -> None:
    """Print one JSON document on one line; numbers that JSON lacks, NaN and infinities, are null."""
    print(json.dumps(_in_json(document), allow_nan=False))


def _in_json(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _in_json(each) for name, each in part.items()}
    if isinstance(part, list | tuple):
        return [_in_json(each) for each in part]
    return None if isinstance(part, float) and not math.isfinite(part) else part


def say_error(error: object, code: int) -> int:
    """Print an error as one line on stderr, whatever it holds, and return the code."""
    say(f"automl-explain: {error}")
    return code


# ----------------------------------------------------------------- run history


def open_history(options: argparse.Namespace) -> RunHistory:
    """Open the run history that ``--history`` names, or the default one.

    Raises
    ------
    HistoryError
        If ``--history`` names a directory without one: none is made of a mistyped name.
    """
    from automl_explain.integrations.history._run_history import RunHistory
    from automl_explain.integrations.history.index_tables._schema import INDEX

    if options.history is not None and not Path(options.history, INDEX).is_file():
        raise HistoryError(
            f"There is no run history in {options.history}. Check --history DIR; a search makes one: automl-explain demo "
            f"--history {options.history}"
        )
    return RunHistory(options.history)


def newest_search(history: RunHistory) -> str:
    """Return the id of the newest search."""
    searches = history.searches()
    if not searches:
        raise RunNotFoundError(f"There is no search in {history.directory} yet; make one with: automl-explain demo")
    return searches[-1]
