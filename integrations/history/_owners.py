"""Which process explains a search, so that runs of one that died do not wait for ever."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from automl_explain.integrations.history._schema import has_table

OWNERS = """
CREATE TABLE IF NOT EXISTS owners (search TEXT NOT NULL, host TEXT NOT NULL, process INTEGER NOT NULL, born TEXT NOT NULL)
"""
"""Processes that explain a search. The table is created when first needed, since older versions have none."""
WHY = "the process that explained the search ended before this run was explained"

Open = Callable[[], AbstractContextManager[sqlite3.Connection]]


@contextlib.contextmanager
def owned(open_index: Open, search: str) -> Iterator[None]:
    """Note that this process explains a search within the block."""
    owner = (search, socket.gethostname(), os.getpid(), _born(os.getpid()))
    with open_index() as connection:
        connection.execute(OWNERS)
        connection.execute("INSERT INTO owners VALUES (?, ?, ?, ?)", owner)
    try:
        yield
    finally:
        with open_index() as connection:
            connection.execute(
                "DELETE FROM owners WHERE rowid IN (SELECT rowid FROM owners WHERE search = ? AND host = ? AND process = ? "
                "AND born = ? LIMIT 1)",
                owner,
            )


def end_orphans(connection: sqlite3.Connection) -> None:
    """Mark the runs that a process of this machine was to explain, and that it left behind, as interrupted."""
    if not has_table(connection, "owners"):
        return
    here = connection.execute(
        "SELECT rowid, search, process, born FROM owners WHERE host = ?", (socket.gethostname(),)
    ).fetchall()
    for place, search, process, born in here:
        if not _is_alive(process, born):
            connection.execute("DELETE FROM owners WHERE rowid = ?", (place,))
            if not connection.execute("SELECT 1 FROM owners WHERE search = ?", (search,)).fetchone():
                connection.execute(
                    "UPDATE runs SET status = 'interrupted', why = ? WHERE search = ? AND status = 'captured'",
                    (WHY, search),
                )


def _is_alive(process: int, born: str) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass  # it is another user's
    return _born(process) == born


def _born(process: int) -> str:
    """Return when a process was started, so that another one with its number is told apart; "" where this is not known."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return fields[19] if fields[0] != "Z" else "dead"
    except (OSError, IndexError):
        return ""
