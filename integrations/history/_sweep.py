"""Files that a process which died left in a history: nobody would read them again, and they hold rows of data."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from automl_explain.explainers._fallback import logger
from automl_explain.explainers._processes import is_left
from automl_explain.explainers.explanation._storage import rows_file
from automl_explain.integrations.history._entry_files import OWNED_BY, remove_unknown, removed
from automl_explain.integrations.history._shared_rows import is_rows
from automl_explain.integrations.history.index_tables._owners import Owner, own
from automl_explain.integrations.history.index_tables._schema import EXPLANATIONS, has_table
from automl_explain.integrations.sealed._kept_models import MODELS
from automl_explain.integrations.sealed._places import names_in
from automl_explain.integrations.sealed._sealed_folder import SealedFolder
from automl_explain.integrations.sealed._spool import SPOOL


def sweep(connection: sqlite3.Connection, directory: Path, ended: Sequence[Owner]) -> None:
    """Remove what processes that died left: models of their workers, files half written or not in the index, and unused rows.

    The caller holds a transaction, so that no other process stores an explanation in the meantime.

    Parameters
    ----------
    connection : sqlite3.Connection
    directory : Path
        Of the history.
    ended : sequence of Owner
        The processes that died, with their searches or the folders of their workers.
    """
    for owner in ended:
        name = owner.search
        if re.fullmatch("[0-9a-f]+", name) and (directory / SPOOL / name).is_dir():
            if _is_others(directory / SPOOL / name):
                own(connection, owner)  # that user's next look at the history removes it
                continue
            with _logged():
                _remove_folder(directory / SPOOL / name)
    known = {search for (search,) in connection.execute("SELECT id FROM searches")}
    with _logged():
        for left in names_in(directory / MODELS):
            if left not in known and not _is_others(directory / MODELS / left):
                with _logged():
                    _remove_folder(directory / MODELS / left)
    with suppress(OSError):  # other searches have files there
        (directory / SPOOL).rmdir()
    with _logged():
        _log(remove_unknown(connection, directory, [owner.search for owner in ended]))
    for folder in OWNED_BY:
        with _logged():
            _log(removed(file for file in _files(directory / folder) if is_left(file)))
    needed: set[str] = set()
    if has_table(connection, "shared_rows"):
        needed = {digest for (digest,) in connection.execute("SELECT DISTINCT digest FROM shared_rows")}
    kept = {rows_file(directory / EXPLANATIONS, digest) for digest in needed}
    with _logged():
        _log(removed(rows for rows in _files(directory / EXPLANATIONS) if is_rows(rows.name) and rows not in kept))


def _files(folder: Path) -> Iterator[Path]:
    return (folder / name for name in names_in(folder))


def _is_others(folder: Path) -> bool:
    """Whether a folder belongs to another user, who alone can enter it."""
    with suppress(FileNotFoundError):
        return hasattr(os, "geteuid") and os.lstat(folder).st_uid != os.geteuid()
    return False


def _remove_folder(folder: Path) -> None:
    files = SealedFolder(folder, b"")
    files.remove(files.names())


@contextmanager
def _logged() -> Iterator[None]:
    """Log an error of the file system, such as one about files of another user: the history can be used all the same."""
    try:
        yield
    except OSError as error:
        _log([str(error)])


def _log(left: Sequence[str]) -> None:
    for why in left:
        logger.warning("files of a search that was ended are left: %s", why)
