"""The spool: models passed from the worker processes of a search to the process that explains them.

A worker writes one file per model into a folder that only this user can read. A file appears whole or not at all, and the
search's own process removes the folder. The files are pickles, since fitted models have no other common format. They are
sealed with a key that only the search and its workers hold, and a file with another seal is never unpickled.
"""

from __future__ import annotations

import hashlib
import math
import os
import pickle
import secrets
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

from automl_explain.explainers._fallback import logger
from automl_explain.explainers.tables._table import Table
from automl_explain.integrations.sealed._kept_models import KeptModels
from automl_explain.integrations.sealed._limits import GIB, released
from automl_explain.integrations.sealed._sealed_folder import SealedFolder

SPOOL = "spool"
"""Folder of a history in which the spools of searches lie."""
FINGERPRINT_ROWS = 64
"""Rows by which folds are distinguished."""
MODEL, WHY, SHARED = ".model", ".why", ".shared"
"""Ends of the names of files: a note and a model, a note and a reason, data that several models share."""


@dataclass(frozen=True, eq=False)
class Spooled:
    """A file that a worker wrote: a model, or the reason why there is none.

    Parameters
    ----------
    note : tuple
        What the worker recorded about the model.
    folder : SealedFolder
    name : str
        Name of the file.
    why : str
        Why the file has no model; empty if it has one.
    """

    note: tuple[Any, ...]
    folder: SealedFolder
    name: str
    why: str = ""

    def load(self) -> Any:
        """Return the model.

        Raises
        ------
        HistoryError
            If the file is not the one that this search wrote.
        """
        return pickle.loads(self.folder.read(self.name, 1))


class Spool:
    """A folder of models.

    Parameters
    ----------
    parent : Path
        Where the folder is created when the first worker writes to it.
    limit : float, optional
        GiB that its files may take. A model beyond it is not kept; the reason is written in its place.
    """

    def __init__(self, parent: Path, limit: float = math.inf) -> None:
        self._limit = limit
        self._files = SealedFolder(parent.absolute() / secrets.token_hex(6), secrets.token_bytes(32))
        self._remove = weakref.finalize(self, _remove_folder, self._files, os.getpid())

    def kept_models(self) -> KeptModels:
        """Return what keeps whole runs in this folder, with their tables, in place of single models."""
        return KeptModels(self._files, self._limit)

    @property
    def name(self) -> str:
        """Name of the folder, by which the history knows whose it is."""
        return self._files.path.name

    def __getstate__(self) -> tuple[SealedFolder, float]:
        return self._files, self._limit

    def __setstate__(self, state: tuple[SealedFolder, float]) -> None:
        self._files, self._limit = state

    def write(self, note: tuple[Any, ...], model: Any, advice: str) -> None:
        """Write a model with a note of plain values. If it cannot be pickled, write the reason and the advice."""
        try:
            pickled = cloudpickle.dumps(model)  # by value: the classes may live in a notebook
        except Exception as error:
            why = f"its model could not be pickled in a worker process ({type(error).__name__}: {error}). {advice}"
            self.write_reason(note, why)
            return
        if self._files.size() + len(pickled) > self._limit * GIB:
            self.write_reason(note, released(self._limit))
        else:
            self._put(f"{secrets.token_hex(8)}{MODEL}", pickle.dumps(note), pickled)

    def write_reason(self, note: tuple[Any, ...], why: str) -> None:
        """Write the reason why there is no model."""
        self._put(f"{secrets.token_hex(8)}{WHY}", pickle.dumps(note), why.encode())

    def write_once(self, key: str, make: Callable[[], Any]) -> None:
        """Write data that several models share, unless it has been written."""
        name = f"{key}{SHARED}"
        if name not in self._files.names():
            self._put(name, pickle.dumps(make(), pickle.HIGHEST_PROTOCOL))

    def read(self) -> tuple[list[Spooled], dict[str, Any]]:
        """Return the files of models and reasons, without loading the models, and the shared data by key.

        Files that this search did not write are not read, and are logged. Models that are missing then are counted as those
        of workers that wrote nothing.
        """
        found: list[Spooled] = []
        shared: dict[str, Any] = {}
        with _logged("models of worker processes cannot be read"):
            for name in self._files.names():
                with _logged("a model of a worker process cannot be read"):
                    self._read(name, found, shared)
        return found, shared

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, and the folder if no model or reason is left."""
        with _logged("files of worker processes are left"):
            self._files.remove(list(names))
            if not any(name.endswith((MODEL, WHY)) for name in self._files.names()):
                self.clear()

    def clear(self) -> None:
        """Remove the folder and everything in it."""
        _remove_folder(self._files, os.getpid())

    def _read(self, name: str, found: list[Spooled], shared: dict[str, Any]) -> None:
        stem, end = os.path.splitext(name)
        if end == SHARED:
            shared[stem] = pickle.loads(self._files.read(name, 0))
        elif end in (MODEL, WHY):
            why = self._files.read(name, 1).decode() if end == WHY else ""
            found.append(Spooled(pickle.loads(self._files.read(name, 0)), self._files, name, why))

    def _put(self, name: str, *parts: bytes) -> None:
        self._files.write(name, *parts)


def _remove_folder(files: SealedFolder, owner: int) -> None:
    if os.getpid() == owner:  # a forked worker must not remove the folder while others write to it
        with _logged("files of worker processes are left"):
            files.remove(files.names())


@contextmanager
def _logged(what: str) -> Iterator[None]:
    """Log an error of the file system: a search whose files were changed is explained as far as it can be."""
    try:
        yield
    except OSError as error:
        logger.warning("%s: %s", what, error)


def rows_key(table: Table) -> str:
    """Return a key of a fold's rows that is the same in every process."""
    chosen = np.unique(np.linspace(0, len(table) - 1, FINGERPRINT_ROWS).astype(np.intp))
    some = table.take(chosen)
    digest = hashlib.blake2b(str(table.data.shape).encode(), digest_size=16)
    if some.is_frame:
        digest.update(str((some.data.index.tolist(), some.data.to_numpy().tolist())).encode())
    else:
        digest.update(np.ascontiguousarray(some.codes()).tobytes())
    return digest.hexdigest()
