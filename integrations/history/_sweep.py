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
from automl_explain.integrations.sealed._places import names_in, remove_file
from automl_explain.integrations.sealed._sealed_folder import SealedFolder
from automl_explain.integrations.sealed._spool import SPOOL

PART = re.compile(r"\..*\.(\d+)\.[0-9a-f]+\.(part|zip)")
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
                remove_folder(directory / SPOOL / name)
    known = {search for (search,) in connection.execute("SELECT id FROM searches")}
    with _logged():
        for left in names_in(directory / MODELS):
            if left not in known:
                with _logged():
                    remove_folder(directory / MODELS / left)
    with suppress(OSError):  # other searches have files there
        (directory / SPOOL).rmdir()
    for folder in (EXPLANATIONS, LABELS, SCORERS, SCORES):
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
