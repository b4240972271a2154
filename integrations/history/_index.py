"""The index of a run history: an SQLite file in WAL mode, and one connection to it for each transaction, or for many."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from automl_explain.explainers._errors import FormatVersionError, HistoryError, InvalidInputError
from automl_explain.explainers._files import make_private_file
from automl_explain.integrations.history.index_tables._schema import INDEX, PROTOCOL, WAIT, create_tables

ENVIRONMENT = "AUTOML_EXPLAIN_HISTORY"
"""Environment variable with the default directory."""
ELSEWHERE = f"Name another directory with --history DIR, RunHistory(DIR), or ${ENVIRONMENT}."
"""What to do where a history cannot be written."""


def default_directory() -> Path:
    """Return the default directory of the history: $AUTOML_EXPLAIN_HISTORY, otherwise in the user's data folder."""
    if named := os.environ.get(ENVIRONMENT):
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_data_dir("automl-explain", appauthor=False)) / "history"


STEP = 0.2
"""Seconds for which SQLite waits at a time for another process that writes, since it answers no Ctrl-C meanwhile."""


class Index:
    """The index of the run history in a directory. Several threads and processes may use it at once.

    Parameters
    ----------
    directory : Path
    """

    def __init__(self, directory: Path) -> None:
        self.file = directory / INDEX
        self._kept: _Kept | None = None
        self._guard = threading.Lock()

    def __reduce__(self) -> tuple[type[Index], tuple[Path]]:
        return Index, (self.file.parent,)  # a connection stays in its process

    @property
    def is_readable_only(self) -> bool:
        """Whether the index exists and cannot be written, such as one in a folder of somebody else."""
        return self.file.is_file() and not (os.access(self.file, os.W_OK) and os.access(self.file.parent, os.W_OK))

    @contextlib.contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection for one transaction, which is committed unless the block raises an error."""
        with self._errors(), self._shared(make=False) as kept:
            if kept is not None:
                with kept.lock, kept.connection:
                    yield kept.connection
                return
            with contextlib.closing(self._connect()) as connection, connection:
                yield connection

    @contextlib.contextmanager
    def kept_open(self) -> Iterator[None]:
        """Use one connection for all transactions of this process within the block.

        Opening and closing one takes longer than storing a small explanation. A transaction is complete at the end of each
        block of `open`, also if the process is killed then. The disk is not waited for: if the machine loses power, the last
        ones may be undone.
        """
        with self._errors(), self._shared(make=True):
            yield

    @contextlib.contextmanager
    def _shared(self, *, make: bool) -> Iterator[_Kept | None]:
        """Yield the connection that is kept open, which the last of its users closes; without `make`, None if there is none."""
        with self._guard:
            if self._kept is not None and self._kept.process != os.getpid():
                self._kept = None  # that of the process from which this one was forked
            if self._kept is None and make:
                self._kept = _Kept(self._connect(check_same_thread=False))
                self._kept.connection.execute("PRAGMA synchronous = NORMAL")
            kept = self._kept
            if kept is not None:
                kept.users += 1
        try:
            yield kept
        finally:
            with self._guard:
                if kept is not None:
                    kept.users -= 1
                    if kept.users == 0:
                        self._kept = None
                        kept.connection.close()

    def _connect(self, *, check_same_thread: bool = True) -> sqlite3.Connection:
        """Return a connection to an index of this protocol, which is created if there is none."""
        connection = sqlite3.connect(
            self._place(), timeout=STEP, check_same_thread=check_same_thread, uri=True, factory=_Patient
        )
        try:
            protocol = connection.execute("PRAGMA user_version").fetchone()[0]
            if protocol > PROTOCOL:
                raise FormatVersionError(
                    f"The run history {self.file.parent} has protocol {protocol}; this version of automl-explain reads up "
                    f"to {PROTOCOL}. Upgrade automl-explain, or use another directory with --history DIR."
                )
            if protocol == 0:
                create_tables(connection)
            elif connection.execute("SELECT 1 FROM sqlite_master WHERE type NOT IN ('table', 'index')").fetchone():
                raise HistoryError(
                    f"{self.file} holds views or triggers, of which automl-explain makes none: somebody has changed it"
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def _place(self) -> str:
        """Return the address of the index, which is made if there is none.

        SQLite gives its other files the permissions of the index.
        """
        self._check_files()
        place = self.file.resolve().as_uri()
        if self.is_readable_only:
            log = self.file.with_name(f"{self.file.name}-wal")
            has_log = log.exists() and log.stat().st_size > 0  # of transactions that are not in the index yet
            return f"{place}?mode=ro" if has_log else f"{place}?immutable=1"  # without a log, no file is made beside it
        try:
            make_private_file(self.file)
        except OSError as error:
            raise HistoryError(f"{self.file} cannot be made: {error.strerror}.") from error
        return place

    def _check_files(self) -> None:
        """Raise an error if another user has put a link in place of a file that SQLite would write, or anything but a file."""
        if not hasattr(os, "geteuid"):
            return
        for end in ("", "-wal", "-shm", "-journal"):
            file = f"{self.file}{end}"
            with contextlib.suppress(FileNotFoundError):
                found = os.lstat(file)
                is_link = stat.S_ISLNK(found.st_mode) and not end and found.st_uid in (os.geteuid(), 0)
                if not is_link and not stat.S_ISREG(found.st_mode):
                    raise HistoryError(f"{file} is not a file that automl-explain wrote")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise the errors of SQLite as `HistoryError`, and those about values that it cannot hold as `InvalidInputError`."""
        try:
            yield
        except (UnicodeEncodeError, OverflowError) as error:
            raise InvalidInputError(f"A run history holds and finds no such text or number: {error}.") from error
        except sqlite3.Error as error:
            raise HistoryError(f"{self.file}: {error}") from error


class _Kept:
    """A connection that the threads of one process take in turn."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection, self.process = connection, os.getpid()
        self.lock, self.users = threading.RLock(), 0


class _Patient(sqlite3.Connection):
    """A connection whose statements wait for other processes in steps, between which a signal is answered."""

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        """Execute a statement."""
        return _patiently(super().execute, *statement)

    def executemany(self, *statement: Any) -> sqlite3.Cursor:
        """Execute a statement for several parameters, which need not come twice: none was written if the index is busy."""
        return _patiently(super().executemany, statement[0], list(statement[1]))


def _patiently(execute: Callable[..., sqlite3.Cursor], *statement: Any) -> sqlite3.Cursor:
    until = time.monotonic() + WAIT
    while True:
        try:
            return execute(*statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
