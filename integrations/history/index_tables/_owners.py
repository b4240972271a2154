"""Which process searches or explains, so that runs of one that died do not wait for ever."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from automl_explain.integrations.history.index_tables._schema import has_table

OWNERS = """
CREATE TABLE IF NOT EXISTS owners (search TEXT NOT NULL, host TEXT NOT NULL, process INTEGER NOT NULL, born TEXT NOT NULL)
"""
"""Processes that own a search: it goes on or is explained there. Created when first needed."""
WHY = "the process that explained the search ended before this run was explained"
WHY_LEFT = "the search was left before it was explained"
INTERRUPT = "UPDATE runs SET status = 'interrupted', why = ? WHERE search = ? AND status = 'captured'"
WHY_SEARCHING = "the process of the search ended before it was explained"

Open = Callable[[], AbstractContextManager[sqlite3.Connection]]


class Owner(NamedTuple):
    """The process that owns a search: its machine, its number and when it was started."""

    search: str
    host: str
    process: int
    born: str

    @classmethod
    def of(cls, search: str) -> Owner:
        """Return this process as the owner of a search."""
        return cls(search, socket.gethostname(), os.getpid(), born(os.getpid()))


@contextlib.contextmanager
def owned(open_index: Open, search: str) -> Iterator[None]:
    """Note that this process explains a search within the block."""
    owner = Owner.of(search)
    with open_index() as connection:
        connection.execute(OWNERS)
        connection.execute("INSERT INTO owners VALUES (?, ?, ?, ?)", owner)
    try:
        yield
    finally:
        with open_index() as connection:
            disown(connection, owner)


def disown(connection: sqlite3.Connection, owner: Owner) -> None:
    """Take back one note that a process owns a search."""
    connection.execute(
        "DELETE FROM owners WHERE rowid IN (SELECT rowid FROM owners WHERE search = ? AND host = ? AND process = ? "
        "AND born = ? LIMIT 1)",
        owner,
    )


def end_orphans(connection: sqlite3.Connection) -> list[str]:
    """Mark the runs that a process of this machine left behind as interrupted, and return the searches it left."""
    if not has_table(connection, "owners"):
        return []
    here = connection.execute(
        "SELECT rowid, search, process, born FROM owners WHERE host = ?", (socket.gethostname(),)
    ).fetchall()
    ended = []
    for place, search, process, since in here:
        if not is_alive(process, since):
            connection.execute("DELETE FROM owners WHERE rowid = ?", (place,))
            if end_unowned(connection, search, WHY_SEARCHING):
                ended.append(search)
                connection.execute(INTERRUPT, (WHY, search))
    return ended


def end_unowned(connection: sqlite3.Connection, search: str, why: str) -> bool:
    """Whether no process owns a search; its runs that were recorded while it went on are then marked as interrupted."""
    if connection.execute("SELECT 1 FROM owners WHERE search = ?", (search,)).fetchone():
        return False
    if has_table(connection, "recorded"):
        connection.execute(f"{INTERRUPT} AND id IN (SELECT run FROM recorded)", (why, search))
    return True


def living(connection: sqlite3.Connection, search: str) -> list[Owner]:
    """Return the other processes that own a search, after those that died were taken out by `end_orphans`."""
    if not has_table(connection, "owners"):
        return []
    here = socket.gethostname(), os.getpid()
    found = connection.execute("SELECT DISTINCT * FROM owners WHERE search = ?", (search,))
    return [owner for owner in map(Owner._make, found) if (owner.host, owner.process) != here]


def has_died(owner: Owner) -> bool:
    """Whether an owner was a process of this machine that lives no longer."""
    return owner.host == socket.gethostname() and not is_alive(owner.process, owner.born)


def is_worker_of(owner: Owner) -> bool:
    """Whether this process was started by an owner, as workers of joblib and multiprocessing are; the owner may have died."""
    parent = multiprocessing.parent_process()
    return parent is not None and owner.host == socket.gethostname() and parent.pid == owner.process


def is_alive(process: int, since: str | None = None) -> bool:
    """Whether a process of this machine lives, and is the one that was started then."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass  # it is another user's
    return since is None or born(process) == since


def born(process: int) -> str:
    """Return when a process was started, so that another one with its number is told apart; "" where this is not known."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return fields[19] if fields[0] != "Z" else "dead"
    except (OSError, IndexError):
        return ""
