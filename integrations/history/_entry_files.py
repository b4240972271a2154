"""Files that belong to a run or an explanation: written only while the index knows it, and removed with it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from automl_explain.explainers._errors import HistoryError
from automl_explain.explainers._fallback import logger
from automl_explain.integrations.history._shared_rows import drop_rows, is_rows
from automl_explain.integrations.history.index_tables._part_losses import PART_LOSSES
from automl_explain.integrations.history.index_tables._progress import forget_recorded
from automl_explain.integrations.history.index_tables._schema import EXPLANATIONS, LABELS, NAMES, SCORERS, SCORES
from automl_explain.integrations.sealed._kept_models import MODELS
from automl_explain.integrations.sealed._places import names_in, place_of, remove_file, write_small
from automl_explain.integrations.sealed._sealed_folder import SealedFolder

OWNED_BY = {EXPLANATIONS: "explanations", LABELS: "explanations", SCORERS: "runs", SCORES: "runs"}
"""Folder -> the table of the index whose ids its files are named after."""
END = re.compile(r"\.(zip|json)$")


class Writable(Protocol):
    """A run history that can be written."""

    directory: Path

    def alone(self) -> AbstractContextManager[sqlite3.Connection]:
        """Block all other processes and threads from writing to the history."""


@contextmanager
def while_known(history: Writable, folder: str, entry: str) -> Iterator[bool]:
    """Say whether the index knows the run or the explanation that a file belongs to, which cannot be removed within the block.

    Parameters
    ----------
    history : RunHistory
    folder : str
        The folder of the file.
    entry : str
        Id of the run or the explanation.
    """
    with history.alone() as connection:
        found = connection.execute(f"SELECT 1 FROM {OWNED_BY[folder]} WHERE id = ?", (entry,)).fetchone()
        if found is None:
            logger.info("nothing is kept of %s, which was removed", entry)
        yield found is not None


def keep_small(history: Writable, folder: str, entry: str, content: bytes) -> None:
    """Keep JSON of a run or an explanation, unless it was removed meanwhile."""
    with while_known(history, folder, entry) as is_known:
        if is_known:
            write_small(place_of(history.directory, folder, entry, ".json"), content)


def remove_unknown(connection: sqlite3.Connection, directory: Path, searches: Iterable[str]) -> list[str]:
    """Remove whole files of searches that the index does not know, and return why others could not be removed.

    A process that is killed between renaming a file and ending its transaction leaves one, and a search that is removed leaves
    all of its files. The caller holds a transaction that no other writer can enter.

    Parameters
    ----------
    connection : sqlite3.Connection
    directory : Path
        Of the history.
    searches : iterable of str
        Ids of the searches whose files are looked at.
    """
    beginnings = tuple(f"{search}-" for search in searches)
    why: list[str] = []
    for folder, table in OWNED_BY.items():
        left = [name for name in names_in(directory / folder) if name.startswith(beginnings) and END.search(name)]
        known = {one for (one,) in connection.execute(f"SELECT id FROM {table}")} if left else set()
        gone = (directory / folder / name for name in left if END.sub("", name) not in known and not is_rows(name))
        why += removed(gone)
    return why


def removed(files: Iterable[Path]) -> list[str]:
    """Remove files, and return why some could not be removed, such as what another user has put in the place of one."""
    why = []
    for file in files:
        try:
            remove_file(file)
        except OSError as error:
            why.append(f"{file}: {error.strerror or error}")
    return why


def drop_search(connection: sqlite3.Connection, directory: Path, search: str) -> list[str]:
    """Remove a search with all that belongs to it, and return why files could not be removed.

    The caller holds a transaction that no other writer can enter. The files are removed before it ends: if the process is
    killed, the search is still listed and can be removed again.

    Raises
    ------
    HistoryError
        If it has kept models of another user; nothing is removed then.
    """
    models = SealedFolder(place_of(directory, MODELS, search), b"")
    try:
        kept = models.names()
    except HistoryError as error:
        raise HistoryError(
            f"The search {search} is not removed, since its kept models cannot be, other than by their owner: {error}"
        ) from error
    runs = "SELECT id FROM runs WHERE search = ?"
    found = connection.execute(f"SELECT id FROM explanations WHERE run IN ({runs})", (search,)).fetchall()
    unused = drop_rows(connection, directory / EXPLANATIONS, [explanation for (explanation,) in found])
    for needed in (NAMES, PART_LOSSES):
        connection.execute(needed)
    for table in ("explanations", "names", "part_losses"):
        connection.execute(f"DELETE FROM {table} WHERE run IN ({runs})", (search,))
    forget_recorded(connection, search)  # last, since it removes runs
    connection.execute("DELETE FROM runs WHERE search = ?", (search,))
    connection.execute("DELETE FROM searches WHERE id = ?", (search,))
    models.remove(kept)
    return [*remove_unknown(connection, directory, [search]), *removed(unused)]
