"""Files that a process which died left in a history: nobody would read them again, and they hold rows of data."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from automl_explain.explainers._fallback import logger
from automl_explain.explainers.explanation._storage import rows_file
from automl_explain.integrations.history.index_tables._owners import is_alive
from automl_explain.integrations.history.index_tables._schema import EXPLANATIONS, LABELS, SCORERS, SCORES, has_table
from automl_explain.integrations.sealed._kept_models import MODELS
from automl_explain.integrations.sealed._places import names_in, remove_file
from automl_explain.integrations.sealed._sealed_folder import SealedFolder
from automl_explain.integrations.sealed._spool import SPOOL

PART = re.compile(r"\..*\.(\d+)\.[0-9a-f]+\.(part|zip)")
"""Name of a file that is being written, with the number of the process that writes it."""
OWNED_BY = {EXPLANATIONS: "explanations", LABELS: "explanations", SCORERS: "runs", SCORES: "runs"}
"""Folder -> the table of the index whose ids its files are named after."""


def sweep(connection: sqlite3.Connection, directory: Path, ended: Sequence[str]) -> None:
    """Remove what processes that died left: models of their workers, files half written or not in the index, and unused rows.

    The caller holds a transaction, so that no other process stores an explanation in the meantime.

    Parameters
    ----------
    connection : sqlite3.Connection
    directory : Path
        Of the history.
    ended : sequence of str
        Searches, or folders of worker processes, whose processes died.
    """
    for name in ended:
        if re.fullmatch("[0-9a-f]+", name) and (directory / SPOOL / name).is_dir():
            with _logged():
                remove_folder(directory / SPOOL / name)
    known = {search for (search,) in connection.execute("SELECT id FROM searches")}
    with _logged():
        for left in names_in(directory / MODELS):
            if left not in known:
                with _logged():
                    remove_folder(directory / MODELS / left)
    with suppress(OSError):  # other searches have files there
        (directory / SPOOL).rmdir()
    with _logged():
        remove_unknown(connection, directory, ended)
    for folder in OWNED_BY:
        with _logged():
            for left in names_in(directory / folder):
                found = PART.fullmatch(left)
                if found and not is_alive(int(found[1])):
                    remove_file(directory / folder / left)
    needed: set[str] = set()
    if has_table(connection, "shared_rows"):
        needed = {digest for (digest,) in connection.execute("SELECT DISTINCT digest FROM shared_rows")}
    kept = {rows_file(directory / EXPLANATIONS, digest) for digest in needed}
    with _logged():
        for left in names_in(directory / EXPLANATIONS):
            rows = directory / EXPLANATIONS / left
            if rows.match(rows_file(Path(), "*").name) and rows not in kept:
                remove_file(rows)


def remove_unknown(connection: sqlite3.Connection, directory: Path, searches: Iterable[str]) -> None:
    """Remove whole files of searches that the index does not know.

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
    for folder, table in OWNED_BY.items():
        left = [name for name in names_in(directory / folder) if name.startswith(beginnings)]
        known = {one for (one,) in connection.execute(f"SELECT id FROM {table}")} if left else set()
        for name in left:
            if name.partition(".")[0] not in known:
                remove_file(directory / folder / name)


def remove_folder(folder: Path) -> None:
    """Remove a folder of models."""
    files = SealedFolder(folder, b"")
    files.remove(files.names())


@contextmanager
def _logged() -> Iterator[None]:
    """Log an error of the file system, such as one about files of another user: the history can be used all the same."""
    try:
        yield
    except OSError as error:
        logger.warning("files of a search that was ended are left: %s", error)
