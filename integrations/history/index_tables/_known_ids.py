"""Finding a run by its id, or by the first characters of it."""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path

from automl_explain.explainers._arguments import nearest
from automl_explain.explainers._errors import RunNotFoundError

FIRST = "searches.rowid"
"""The order in which searches were recorded, whatever the clock said."""
OLDEST_FIRST = f"SELECT runs.id FROM runs JOIN searches ON searches.id = runs.search ORDER BY {FIRST}, runs.number"
"""Ids of all runs, the latest last."""


def new_id() -> str:
    """Return an id for a search."""
    return secrets.token_hex(4)


def run_id(search: str, number: int, kind: str = "trial") -> str:
    """Return the id of a run of a search."""
    return f"{search}-{number:04d}" if kind == "trial" else f"{search}-{kind}"


def known_id(connection: sqlite3.Connection, run_id: str, directory: Path) -> str:
    """Return the id of a run, given it or its first characters if they are unique.

    Raises
    ------
    RunNotFoundError
        If there is no such run, or more than one; the message names the nearest.
    """
    if connection.execute("SELECT 1 FROM runs WHERE id = ?", (run_id,)).fetchone():
        return run_id
    ids = [found for (found,) in connection.execute(OLDEST_FIRST)]
    starting = [found for found in ids if found.startswith(run_id)]
    if len(starting) != 1:
        raise RunNotFoundError(_unknown_run(run_id, ids, starting, directory))
    return str(starting[0])


def _unknown_run(run_id: str, ids: list[str], starting: list[str], directory: Path) -> str:
    if starting:
        return f"{len(starting)} runs begin with {run_id!r}: {', '.join(starting[:5])}. Give more characters of its id."
    if not ids:
        return f"There is no run {run_id!r}: the history {directory} has no runs yet."
    guess = nearest(run_id, ids)
    hint = f" Did you mean {guess!r}?" if guess else f" The latest are {', '.join(ids[-3:])}."
    return f"There is no run {run_id!r} among the {len(ids)} of {directory}.{hint}"
