"""Losses of a run's parts, such as the folds of a cross-validation, from which the noise of its loss is known."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from automl_explain.integrations.history.index_tables._schema import has_table

PART_LOSSES = """
CREATE TABLE IF NOT EXISTS part_losses (
    run TEXT NOT NULL REFERENCES runs (id), part INTEGER NOT NULL, loss REAL NOT NULL, PRIMARY KEY (run, part)
)
"""
"""The table is created when first needed, since older versions have none."""


def put_part_losses(connection: sqlite3.Connection, runs: Iterable[tuple[str, Sequence[float]]]) -> None:
    """Record the losses of the parts of runs, given by their ids."""
    rows = [(run, part, float(loss)) for run, losses in runs for part, loss in enumerate(losses)]
    if rows:
        connection.execute(PART_LOSSES)
        connection.executemany("INSERT INTO part_losses VALUES (?, ?, ?)", rows)


def get_part_losses(connection: sqlite3.Connection, search: str) -> dict[str, tuple[float, ...]]:
    """Return the losses of the parts of a search's runs, by run; runs without parts are left out."""
    if not has_table(connection, "part_losses"):
        return {}
    found: dict[str, tuple[float, ...]] = {}
    rows = connection.execute(
        "SELECT part_losses.run, part_losses.loss FROM part_losses JOIN runs ON runs.id = part_losses.run WHERE runs.search = ? "
        "ORDER BY part_losses.run, part",
        (search,),
    )
    for run, loss in rows:
        found[run] = (*found.get(run, ()), loss)
    return found
