"""Models on their way from the worker processes of a search to the process that explains them.

A worker writes one file per model, whole or not at all, into a folder that only this user can read and that the
search's own process makes and removes. The files are pickles, since fitted models have no other form; they are read by
the process whose workers wrote them, and by nobody else.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import secrets
import shutil
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

from automl_explain.explainers._table import Table
from automl_explain.integrations._model_size import model_bytes

FINGERPRINT_ROWS = 64
"""Rows by which two folds are told apart."""


@dataclass(eq=False)
class Capture:
    """A fitted candidate of one fold.

    Parameters
    ----------
    key : str
        Stands for its hyperparameters.
    rows : str
        Stands for the fold's validation rows.
    score : float, or mapping of str to float
        What the scorer returned.
    model : object or None
        The model, where it is in memory.
    path : Path or None
        The file that has it, otherwise.
    why : str
        Why there is no model.
    failed : bool
        Whether that is an error.
    at : int
        When it was scored, in nanoseconds.
    """

    key: str
    rows: str
    score: Any
    model: Any = None
    path: Path | None = None
    why: str = ""
    failed: bool = False
    at: int = field(default_factory=time.time_ns)
    nbytes: int = 0

    def __post_init__(self) -> None:
        if self.model is not None:
            self.nbytes = model_bytes(self.model)

    @property
    def loss(self) -> float | None:
        """What it is ranked by when memory is short: its first score with the sign changed."""
        return -next(iter(self.scores.values()))

    def release(self, why: str) -> None:
        """Let go of the model."""
        self.model, self.path, self.nbytes, self.why = None, None, 0, why

    @property
    def scores(self) -> dict[str, float]:
        """What the scorer returned, by name."""
        return scores_by_name(self.score)

    def load(self) -> Any:
        """Return the model."""
        if self.path is None:
            return self.model
        with self.path.open("rb") as stream:
            pickle.load(stream)
            return pickle.load(stream)


class Spool:
    """A folder of captures.

    Parameters
    ----------
    parent : Path
        Where the folder is made, when the first worker writes to it.
    """

    def __init__(self, parent: Path) -> None:
        self.folder = parent.absolute() / secrets.token_hex(6)
        self._owner = os.getpid()
        self._remove = weakref.finalize(self, _remove_folder, self.folder, self._owner)

    def __getstate__(self) -> Path:
        return self.folder

    def __setstate__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, capture: Capture, sampled: Callable[[], tuple[Table, int]]) -> None:
        """Write a capture, and the rows of its fold where no other worker has."""
        rows = self.folder / f"{capture.rows}.rows"
        if not rows.exists():
            self._put(rows.name, [sampled()])
        note = (capture.key, capture.rows, capture.score, capture.at)
        try:
            self._put(f"{capture.at}-{secrets.token_hex(4)}.model", [note, capture.model])
        except Exception as error:
            why = f"its model could not be pickled in a worker process ({type(error).__name__}: {error}). Search with n_jobs=1"
            self._put_reason(capture.key, capture.rows, capture.score, why)

    def write_reason(self, key: str, score: Any, error: Exception) -> None:
        """Write why a candidate was not captured."""
        self._put_reason(key, secrets.token_hex(8), score, f"{type(error).__name__}: {error}")

    def read(self) -> tuple[list[Capture], dict[str, tuple[Table, int]]]:
        """Return the captures, their models still in their files, and the rows of each fold."""
        captures = []
        for path in sorted(self.folder.glob("*.model")):
            with path.open("rb") as stream:
                key, rows, score, at = pickle.load(stream)
            captures.append(Capture(key, rows, score, path=path, at=at))
        for path in sorted(self.folder.glob("*.why")):
            key, rows, score, at, why = pickle.loads(path.read_bytes())
            captures.append(Capture(key, rows, score, path=path, why=why, failed=True, at=at))
        found = {path.stem: pickle.loads(path.read_bytes()) for path in self.folder.glob("*.rows")}
        return captures, found

    def remove(self, captures: Iterable[Capture]) -> None:
        """Remove the files of captures; with the last of them, the folder."""
        for capture in captures:
            if capture.path is not None:
                capture.path.unlink(missing_ok=True)
        if not any(path.suffix in (".model", ".why") for path in self.folder.glob("*")):
            _remove_folder(self.folder, os.getpid())

    def _put_reason(self, key: str, rows: str, score: Any, why: str) -> None:
        at = time.time_ns()
        self._put(f"{at}-{secrets.token_hex(4)}.why", [(key, rows, score, at, why)])

    def _put(self, name: str, things: Iterable[Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self.folder / f".{name}.{secrets.token_hex(4)}.part"
        try:
            with temporary.open("wb") as stream:
                for thing in things:
                    cloudpickle.dump(thing, stream)  # by value: a notebook's own classes are unknown to workers
            os.replace(temporary, self.folder / name)
        finally:
            temporary.unlink(missing_ok=True)


def _remove_folder(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked worker must not take away what others still write
        shutil.rmtree(folder, ignore_errors=True)


def scores_by_name(score: Any) -> dict[str, float]:
    """Return what a scorer returned as a search's results name it."""
    named = score if isinstance(score, dict) else {"score": score}
    return {name: float(value) for name, value in named.items()}


def candidate_key(estimator: Any) -> str:
    """Return what stands for an estimator's hyperparameters, those of its parts included, in any process."""
    shown = [f"{name}={_shown(value)}" for name, value in sorted(estimator.get_params(deep=True).items())]
    return hashlib.blake2b("\n".join([type(estimator).__qualname__, *shown]).encode(), digest_size=16).hexdigest()


def _shown(value: Any) -> str:
    if hasattr(value, "get_params") and not isinstance(value, type):
        return type(value).__qualname__  # its own parameters are in the list as well
    if isinstance(value, list | tuple):
        return str([_shown(part) for part in value])
    return re.sub(r" at 0x[0-9A-Fa-f]+", "", repr(value))


def rows_key(table: Table) -> str:
    """Return what stands for a fold's rows, in any process."""
    chosen = np.unique(np.linspace(0, len(table) - 1, FINGERPRINT_ROWS).astype(np.intp))
    some = table.take(chosen)
    digest = hashlib.blake2b(str(table.data.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(some.codes()).tobytes())
    if some.is_frame:
        digest.update(str(some.data.index.tolist()).encode())
    return digest.hexdigest()
