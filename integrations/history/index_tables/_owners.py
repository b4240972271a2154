"""Which process searches or explains, so that runs of one that died do not wait for ever."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

from automl_explain.explainers._errors import HistoryError
from automl_explain.explainers._fallback import logger
from automl_explain.explainers._processes import born, is_alive
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
    """Note that this process explains a search within the block.

    What was done in the block is not lost if its end cannot be noted, such as on a full disk: the process owns the search until
    it ends then.
    """
    owner = Owner.of(search)
    with open_index() as connection:
        own(connection, owner)
    try:
        yield
    finally:
        try:
            with open_index() as connection:
                disown(connection, owner)
        except HistoryError as error:
            logger.warning("the end of explaining search %s cannot be recorded: %s", search, error)


def own(connection: sqlite3.Connection, owner: Owner) -> None:
    """Note that a process owns a search."""
    connection.execute(OWNERS)
    connection.execute("INSERT INTO owners VALUES (?, ?, ?, ?)", owner)


def is_own(connection: sqlite3.Connection, owner: Owner) -> bool:
    """Whether it is noted that a process owns a search."""
    if not has_table(connection, "owners"):
        return False
    where = "search = ? AND host = ? AND process = ? AND born = ?"
    return connection.execute(f"SELECT 1 FROM owners WHERE {where}", owner).fetchone() is not None


def disown(connection: sqlite3.Connection, owner: Owner) -> None:
    """Take back one note that a process owns a search."""
    connection.execute(
        "DELETE FROM owners WHERE rowid IN (SELECT rowid FROM owners WHERE search = ? AND host = ? AND process = ? "
        "AND born = ? LIMIT 1)",
        owner,
    )


def end_orphans(connection: sqlite3.Connection) -> list[Owner]:
    """Mark the runs that processes of this machine left behind as interrupted, and return which processes left what."""
    if not has_table(connection, "owners"):
        return []
    here = connection.execute("SELECT rowid, * FROM owners WHERE host = ?", (socket.gethostname(),)).fetchall()
    ended = []
    for place, *known in here:
        owner = Owner._make(known)
        if not is_alive(owner.process, owner.born):
            connection.execute("DELETE FROM owners WHERE rowid = ?", (place,))
            if end_unowned(connection, owner.search, WHY_SEARCHING):
                ended.append(owner)
                connection.execute(INTERRUPT, (WHY, owner.search))
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
