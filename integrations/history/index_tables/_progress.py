"""Runs that are recorded while their search goes on, each as its trial ends, until the search knows all of them."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Iterable, Mapping
from typing import Any

from automl_explain.integrations.history.index_tables._owners import OWNERS, WHY_LEFT, Open, Owner, disown, end_unowned
from automl_explain.integrations.history.index_tables._part_losses import PART_LOSSES

RECORDED = "CREATE TABLE IF NOT EXISTS recorded (run TEXT PRIMARY KEY, search TEXT NOT NULL)"
"""Runs that were recorded while their search went on. The table is created when first needed, since older versions have none."""
RUN = """
INSERT INTO runs VALUES (
    ?, ?, COALESCE(?, (SELECT COALESCE(MAX(number) + 1, 0) FROM runs WHERE search = ?)), ?, ?, ?, ?, 'trial', 'captured', '', ?,
    NULL, '[]'
) ON CONFLICT (id) DO UPDATE SET learner = excluded.learner, config = excluded.config, loss = excluded.loss,
sample_size = excluded.sample_size
"""
PART = "INSERT INTO part_losses SELECT ?1, COUNT(*), ?2 FROM part_losses WHERE run = ?1"
MEAN = "UPDATE runs SET loss = (SELECT AVG(loss) FROM part_losses WHERE run = ?1) WHERE id = ?1"
OWNED = "INSERT INTO owners SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS (SELECT 1 FROM owners WHERE search = ?1)"


class SearchProgress:
    """A search that goes on in a process, and in workers that get a copy of this.

    Parameters
    ----------
    open_index : callable
        Opens a transaction of the index.
    owner : Owner
        The process of the search.
    spool : str
        Name of the folder of its worker processes; empty if it has none.
    """

    def __init__(self, open_index: Open, owner: Owner, spool: str = "") -> None:
        self._open, self._owner, self._spool = open_index, owner, spool
        self._search: tuple[Any, ...] | None = None

    def begin(self, engine: str, task: str, facts: Mapping[str, Any]) -> None:
        """Record the search, unless it is recorded."""
        with self._open() as connection:
            for table in (OWNERS, RECORDED, PART_LOSSES):
                connection.execute(table)
            self._search = self._owner.search, engine, task, time.time(), as_json(facts)
            self._note_search(connection)

    def record(self, run_id: str, run: Mapping[str, Any]) -> None:
        """Record a trial that has ended, or another part of one, such as a fold.

        A worker may outlive the process of its search: the owner is noted again, so that nothing waits or stays for ever.
        """
        loss, search = finite_or_none(run["loss"]), self._owner.search
        fields = (run["learner"], as_json(run["config"]), None if run["is_part"] else loss, run["metric"])
        with self._open() as connection:
            self._note_search(connection)
            connection.execute(RUN, (run_id, search, run["number"], search, *fields, run["sample_size"]))
            connection.execute("INSERT OR IGNORE INTO recorded VALUES (?, ?)", (run_id, search))
            if run["is_part"]:
                connection.execute(PART, (run_id, loss))
                connection.execute(MEAN, (run_id,))

    def _note_search(self, connection: sqlite3.Connection) -> None:
        """Note the search, and whose it and the folder of its workers are, unless that is noted: somebody may have removed it."""
        if self._search is not None:
            connection.execute("INSERT OR IGNORE INTO searches VALUES (?, ?, ?, ?, ?)", self._search)
        connection.execute(OWNED, self._owner)
        if self._spool:
            connection.execute(OWNED, self._owner._replace(search=self._spool))

    def end(self) -> None:
        """Note that the process owns the search no longer; runs that still wait say so unless another process owns it."""
        with self._open() as connection:
            disown(connection, self._owner)
            end_unowned(connection, self._owner.search, WHY_LEFT)


def forget_recorded(connection: sqlite3.Connection, search: str, ids: Iterable[str] | None = None) -> None:
    """Remove runs that were recorded while their search went on: those with these ids, or all of the search."""
    connection.execute(RECORDED)
    connection.execute(PART_LOSSES)
    known = {run for (run,) in connection.execute("SELECT run FROM recorded WHERE search = ?", (search,))}
    gone = [(run,) for run in (known if ids is None else known.intersection(ids))]
    for table, column in (("part_losses", "run"), ("runs", "id"), ("recorded", "run")):
        connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", gone)


def finite_or_none(loss: float | None) -> float | None:
    """Return a loss as the index holds it; None if it is not finite, such as that of a trial that failed."""
    return loss if loss is not None and math.isfinite(loss) else None


def as_json(value: Any) -> str:
    """Return a value as JSON; NumPy's numbers as numbers, and anything else that JSON lacks as text."""
    return json.dumps(value, default=_plain)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") and getattr(value, "size", 1) == 1 else str(value)
