"""The spool: models passed from the worker processes of a search to the process that explains them.

A worker writes one file per model into a folder that only this user can read. A file appears whole or not at all, and the
search's own process removes the folder. The files are pickles, since fitted models have no other common format. They are
read only by the process whose workers wrote them.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import secrets
import shutil
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

from automl_explain.explainers._files import written_whole
from automl_explain.explainers.tables._table import Table

FINGERPRINT_ROWS = 64
"""Rows by which folds are distinguished."""


@dataclass(frozen=True, eq=False)
class Spooled:
    """A file that a worker wrote: a model, or the reason why there is none.

    Parameters
    ----------
    note : tuple
        What the worker recorded about the model.
    path : Path
        The file.
    why : str
        Why the file has no model; empty if it has one.
    """

    note: tuple[Any, ...]
    path: Path
    why: str = ""

    def load(self) -> Any:
        """Return the model."""
        with self.path.open("rb") as stream:
            pickle.load(stream)
            return pickle.load(stream)


class Spool:
    """A folder of models.

    Parameters
    ----------
    parent : Path
        Where the folder is created when the first worker writes to it.
    """

    def __init__(self, parent: Path) -> None:
        self.folder = parent.absolute() / secrets.token_hex(6)
        self._owner = os.getpid()
        self._remove = weakref.finalize(self, _remove_folder, self.folder, self._owner)

    def __getstate__(self) -> Path:
        return self.folder

    def __setstate__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, note: tuple[Any, ...], model: Any, advice: str) -> None:
        """Write a model with a note of plain values. If it cannot be pickled, write the reason and the advice."""
        try:
            self._put(
                "model", pickle.dumps(note), cloudpickle.dumps(model)
            )  # by value: the classes may live in a notebook
        except Exception as error:
            why = f"its model could not be pickled in a worker process ({type(error).__name__}: {error}). {advice}"
            self.write_reason(note, why)

    def write_reason(self, note: tuple[Any, ...], why: str) -> None:
        """Write the reason why there is no model."""
        self._put("why", pickle.dumps((note, why)))

    def write_once(self, key: str, make: Callable[[], Any]) -> None:
        """Write data that several models share, unless it has been written."""
        path = self.folder / f"{key}.shared"
        if not path.exists():
            self._put("shared", pickle.dumps(make(), pickle.HIGHEST_PROTOCOL), name=path.name)

    def read(self) -> tuple[list[Spooled], dict[str, Any]]:
        """Return the files of models and reasons, without loading the models, and the shared data by key."""
        found = []
        for path in sorted(self.folder.glob("*.model")):
            with path.open("rb") as stream:
                found.append(Spooled(pickle.load(stream), path))
        for path in sorted(self.folder.glob("*.why")):
            note, why = pickle.loads(path.read_bytes())
            found.append(Spooled(note, path, why))
        return found, {path.stem: pickle.loads(path.read_bytes()) for path in self.folder.glob("*.shared")}

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove files, and the folder if no model or reason is left."""
        for path in paths:
            path.unlink(missing_ok=True)
        if not any(path.suffix in (".model", ".why") for path in self.folder.glob("*")):
            self.clear()

    def clear(self) -> None:
        """Remove the folder and everything in it."""
        _remove_folder(self.folder, os.getpid())

    def _put(self, kind: str, *parts: bytes, name: str = "") -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with written_whole(self.folder / (name or f"{secrets.token_hex(8)}.{kind}")) as stream:
            stream.writelines(parts)


def _remove_folder(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked worker must not remove the folder while others write to it
        shutil.rmtree(folder, ignore_errors=True)


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
