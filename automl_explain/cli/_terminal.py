"""What a command prints, made fit for the terminal: no control characters, and no letters that its encoding lacks."""

from __future__ import annotations

import argparse
import codecs
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, NoReturn

from automl_explain.explainers.formatting._names import one_line, printable

GLYPHS = {
    "\N{FULL BLOCK}": "#",
    "\N{LEFT ONE EIGHTH BLOCK}": "|",
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{MINUS SIGN}": "-",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{LESS-THAN OR EQUAL TO}": "<=",
}
"""Letters of ours -> what stands for them where the encoding lacks them."""
ERRORS = "automl_explain.glyphs"
"""Name of the error handler of encodings."""


class Printed:
    """A text stream whose texts are printable, in the encoding of the stream that they go to."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write a text; returns the number of its characters."""
        self._stream.write(fitting(printable(text), self._encoding))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def printed() -> Iterator[None]:
    """Make everything that is printed to stdout in the block fit for the terminal."""
    with redirect_stdout(Printed(sys.stdout)):
        yield


def say(line: str) -> None:
    """Print a line to stderr."""
    stream = sys.stderr
    print(fitting(printable(" ".join(line.split())), getattr(stream, "encoding", None) or "utf-8"), file=stream)


def say_traceback() -> None:
    """Print the error that is handled, and where it was raised, to stderr."""
    import traceback

    Printed(sys.stderr).write(traceback.format_exc())


class Parser(argparse.ArgumentParser):
    """A parser that repeats arguments it cannot use as the terminal may show them."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and what is wrong, and exit."""
        super().error(fitting(one_line(message), getattr(sys.stderr, "encoding", None) or "utf-8"))


@contextmanager
def said() -> Iterator[None]:
    """Print what this library logs in the block to stderr, unless the program that calls `main` has set up logging itself."""
    import logging  # here: `--help` needs none

    class Said(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not logging.getLogger().handlers:
                say(f"{record.levelname.lower()}: {record.getMessage()}")

    logger, handler = logging.getLogger("automl_explain"), Said(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def fitting(text: str, encoding: str) -> str:
    """Return a text with all letters that an encoding lacks replaced."""
    try:
        return text.encode(encoding, ERRORS).decode(encoding)
    except LookupError:
        return text


def _replaced(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return "".join(GLYPHS.get(letter, "?") for letter in lacking), error.end


codecs.register_error(ERRORS, _replaced)
