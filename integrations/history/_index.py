"""The index of a run history: an SQLite file in WAL mode, and one connection to it for each transaction, or for many."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from automl_explain.explainers._errors import FormatVersionError, HistoryError
from automl_explain.explainers._files import make_private_file
from automl_explain.integrations.history._schema import INDEX, PROTOCOL, create_tables


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
        connection = sqlite3.connect(self._place(), timeout=60, check_same_thread=check_same_thread, uri=True)
        try:
            protocol = connection.execute("PRAGMA user_version").fetchone()[0]
            if protocol > PROTOCOL:
                raise FormatVersionError(
                    f"The run history {self.file.parent} has protocol {protocol}; this version of automl-explain reads up "
                    f"to {PROTOCOL}. Upgrade automl-explain, or use another directory with --history DIR."
                )
            if protocol == 0:
                create_tables(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _place(self) -> str:
        """Return the address of the index, which is made if there is none.

        SQLite gives its other files the permissions of the index.
        """
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

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise the errors of SQLite as `HistoryError`."""
        try:
            yield
        except sqlite3.Error as error:
            raise HistoryError(f"{self.file}: {error}") from error


class _Kept:
    """A connection that the threads of one process take in turn."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection, self.process = connection, os.getpid()
        self.lock, self.users = threading.RLock(), 0
