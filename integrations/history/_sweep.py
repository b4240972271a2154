"""Files that a process which died left in a history: nobody would read them again, and they hold rows of data."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from automl_explain.explainers._fallback import logger
from automl_explain.explainers.explanation._storage import rows_file
from automl_explain.integrations.history.index_tables._owners import is_alive
from automl_explain.integrations.history.index_tables._schema import EXPLANATIONS, LABELS, SCORERS, SCORES, has_table
from automl_explain.integrations.sealed._kept_models import MODELS
from automl_explain.integrations.sealed._sealed_folder import SealedFolder
from automl_explain.integrations.sealed._spool import SPOOL

PART = re.compile(r"\..*\.(\d+)\.[0-9a-f]+\.part")
"""Name of a file that is being written, with the number of the process that writes it."""


def sweep(connection: sqlite3.Connection, directory: Path, ended: Iterable[str]) -> None:
    """Remove what processes that died left: models of their workers, files half written, and rows that no explanation needs.

    The caller holds a transaction, so that no other process stores an explanation in the meantime.

    Parameters
    ----------
    connection : sqlite3.Connection
    directory : Path
        Of the history.
    ended : iterable of str
        Searches, or folders of worker processes, whose processes died.
    """
    for name in ended:
        if re.fullmatch("[0-9a-f]+", name) and (directory / SPOOL / name).is_dir():
            with _logged():
                files = SealedFolder(directory / SPOOL / name, b"")
                files.remove(files.names())
    known = {search for (search,) in connection.execute("SELECT id FROM searches")}
    for left in (directory / MODELS).glob("*"):
        if left.name not in known:
            with _logged():
                remove_models(directory, left.name)
    with suppress(OSError):  # other searches have files there
        (directory / SPOOL).rmdir()
    for folder in (EXPLANATIONS, LABELS, SCORERS, SCORES):
        for left in (directory / folder).glob(".*.part"):
            found = PART.fullmatch(left.name)
            if found and not is_alive(int(found[1])):
                with _logged():
                    left.unlink(missing_ok=True)
    needed: set[str] = set()
    if has_table(connection, "shared_rows"):
        needed = {digest for (digest,) in connection.execute("SELECT DISTINCT digest FROM shared_rows")}
    kept = {rows_file(directory / EXPLANATIONS, digest) for digest in needed}
    for rows in (directory / EXPLANATIONS).glob(rows_file(Path(), "*").name):
        if rows not in kept:
            with _logged():
                rows.unlink(missing_ok=True)


def remove_models(directory: Path, search: str) -> None:
    """Remove the models that a search has kept."""
    files = SealedFolder(directory / MODELS / search, b"")
    files.remove(files.names())


@contextmanager
def _logged() -> Iterator[None]:
    """Log an error of the file system, such as one about files of another user: the history can be used all the same."""
    try:
        yield
    except OSError as error:
        logger.warning("files of a search that was ended are left: %s", error)
