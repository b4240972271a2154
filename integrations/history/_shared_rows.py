"""Rows that several explanations share: each kept once, in a file that is removed with the last explanation that needs it."""

from __future__ import annotations

import re
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from automl_explain.explainers.explanation._storage import EncodedRows, encode_rows, rows_file, save_rows
from automl_explain.explainers.tables._table import Table

SHARED_ROWS = """
CREATE TABLE IF NOT EXISTS shared_rows (explanation TEXT PRIMARY KEY, digest TEXT NOT NULL)
"""
"""The table is created when first needed, since older versions have none."""

ROWS = re.compile(re.escape(rows_file(Path(), "*").name).replace(r"\*", "[0-9a-f]{32}"))


def put_rows(connection: sqlite3.Connection, folder: Path, explanation: str, rows: EncodedRows) -> None:
    """Write rows unless they are there, and record that an explanation needs them.

    The caller holds a transaction that no other writer can enter, so that the rows cannot be removed before they are recorded.
    """
    save_rows(folder, rows)
    connection.execute(SHARED_ROWS)
    connection.execute("INSERT INTO shared_rows VALUES (?, ?)", (explanation, rows.digest))


def drop_rows(connection: sqlite3.Connection, folder: Path, explanations: Sequence[str]) -> list[Path]:
    """Record that explanations are gone, and return the files of rows that no other explanation needs."""
    connection.execute(SHARED_ROWS)
    digests = set()
    for explanation in explanations:
        digests |= {found for (found,) in connection.execute(*_of("SELECT digest", explanation))}
        connection.execute(*_of("DELETE", explanation))
    needed = {found for (found,) in connection.execute("SELECT DISTINCT digest FROM shared_rows")}
    return [rows_file(folder, digest) for digest in sorted(digests - needed) if digest.isalnum()]


def is_rows(name: str) -> bool:
    """Whether a file of the folder of explanations has a name as files of shared rows have."""
    return ROWS.fullmatch(name) is not None


def _of(what: str, explanation: str) -> tuple[str, tuple[str]]:
    return f"{what} FROM shared_rows WHERE explanation = ?", (explanation,)


class RowsSeen:
    """The encoding of the rows stored last, which is used again for explanations of the same rows.

    It is used within blocks of `kept` alone: rows of a search, which nobody changes meanwhile. Elsewhere a caller may have
    written other numbers into the same array.
    """

    def __init__(self) -> None:
        self._lock, self._users = threading.Lock(), 0
        self._last: tuple[weakref.ref[Any], tuple[str, ...] | None, EncodedRows] | None = None

    def __reduce__(self) -> tuple[type[RowsSeen], tuple[()]]:
        return RowsSeen, ()  # a weak reference cannot be pickled

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the encoding of the rows stored last within the block."""
        with self._lock:
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._last = None

    def encoded(self, table: Table) -> EncodedRows:
        """Return the parts of the bundle of a table, and their digest."""
        last = self._last
        if last is not None and last[0]() is table.data and last[1] == table.names:
            return last[2]
        encoded = encode_rows(table)
        with self._lock:
            if self._users:
                self._last = weakref.ref(table.data), table.names, encoded
        return encoded
