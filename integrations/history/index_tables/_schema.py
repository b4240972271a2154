"""The tables of a run history, and the number of their protocol."""

from __future__ import annotations

import sqlite3
import time

PROTOCOL = 1
WAIT = 60.0
"""Seconds to wait for other processes that write the index."""
INDEX = "history.sqlite"
"""File of the index."""
EXPLANATIONS = "explanations"
"""Folder of explanations, ``<explanation>.zip``, and of the rows that they share."""
SCORERS = "scoring"
"""Folder of the scoring explainers that are kept of runs."""
SCORES = "scores"
"""Folder of the validation scores of runs, ``<run>.json``."""
LABELS = "labels"
"""Folder of the true labels of the rows explained, ``<explanation>.json``."""
NAMES = """
CREATE TABLE IF NOT EXISTS names (
    name TEXT NOT NULL, run TEXT NOT NULL REFERENCES runs (id), PRIMARY KEY (name, run)
)
"""
"""Names of runs in other systems. The table is created when first needed, since older versions have none."""

SCHEMA = """
CREATE TABLE searches (
    id TEXT PRIMARY KEY, engine TEXT NOT NULL, task TEXT NOT NULL, created REAL NOT NULL, facts TEXT NOT NULL
);
CREATE TABLE runs (
    id TEXT PRIMARY KEY, search TEXT NOT NULL REFERENCES searches (id), number INTEGER NOT NULL, learner TEXT NOT NULL,
    config TEXT NOT NULL, loss REAL, metric TEXT NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL, why TEXT NOT NULL,
    sample_size INTEGER, seconds REAL, top TEXT NOT NULL
);
CREATE INDEX runs_by_search ON runs (search, number);
CREATE TABLE explanations (
    id TEXT PRIMARY KEY, run TEXT NOT NULL REFERENCES runs (id), created REAL NOT NULL, comment TEXT NOT NULL,
    is_raw INTEGER NOT NULL
);
CREATE INDEX explanations_by_run ON explanations (run, created);
"""


def create_tables(connection: sqlite3.Connection) -> None:
    """Create the tables. If several processes open a new history at once, only one creates them."""
    _write_ahead(connection)
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in SCHEMA.strip().split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {PROTOCOL}")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Let readers and a writer work at once. SQLite does not wait for another process that does the same, so this does."""
    until = time.monotonic() + WAIT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.01)


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Whether a table that is created when it is first needed is there."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None
