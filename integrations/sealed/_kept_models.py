"""`KeptModels`: models of a search in files, so that another process of the user can explain them if this one dies.

Each file belongs to a run, or to a part of one such as a fold, and has two parts: what is known of it, and its models. Tables
and large arrays that several files have in common are in files of their own, named by their content. All are pickles, since
fitted models have no other common format. They lie in a folder that only the user can enter, are sealed with the user's key,
and are unpickled only where `resume_search` is called. Worker processes of a study pass their trials in the same form, through
the folder and with the key of the spool.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd

from automl_explain.explainers._errors import HistoryError
from automl_explain.explainers._fallback import logger
from automl_explain.explainers.tables._table import Table
from automl_explain.integrations.sealed._limits import GIB
from automl_explain.integrations.sealed._places import place_of
from automl_explain.integrations.sealed._sealed_folder import SealedFolder
from automl_explain.integrations.sealed._users_key import users_key

MODEL, SHARED, NAMES = ".model", ".shared", "names"
"""Ends of the names of files: models, and data that they share; the file of the names of runs."""
LARGE = 1 << 16
"""Bytes of an array that is kept in a file of its own."""
MODELS = "models"
"""Folder of a history in which searches with ``keep_models=True`` keep models, a folder for each search."""


class KeptModels:
    """The models of a search that are kept; a copy in a worker process writes to the same folder.

    Parameters
    ----------
    files : SealedFolder
    limit : float
        GiB that the files may take. A model beyond it is not kept, which is logged.
    """

    def __init__(self, files: SealedFolder, limit: float) -> None:
        self._files, self._limit = files, limit
        self._read: dict[str, Any] = {}
        self._has_failed = False

    @classmethod
    def of_user(cls, directory: Path, search: str, limit: float) -> KeptModels:
        """Return the models of a search in a run history, which any process of the user can read.

        Raises
        ------
        HistoryError
            If there is no place for the user's key.
        """
        key = hashlib.blake2b(search.encode(), key=users_key(), digest_size=32).digest()
        return cls(SealedFolder(place_of(directory.absolute(), MODELS, search), key), limit)

    def put(self, run: str, about: Any, models: Any) -> str:
        """Keep the models of a run, or of a part of it, and return why not if that fails; it is also logged once.

        Nothing is raised into a search. Without models, what is known of the run is kept whatever the limit.
        """
        try:
            parts = [self._dumped(about), self._dumped(models)]
            if models is not None and self._files.size() + sum(map(len, parts)) > self._limit * GIB:
                raise HistoryError(f"memory_limit={self._limit} GiB is reached")
            self._files.write(f"{run}.{secrets.token_hex(8)}{MODEL}", *parts)
        except Exception as error:
            # Classes of the user decide whether their models can be pickled, and raise what they like.
            why = f"{type(error).__name__}: {error}"
            if not self._has_failed:
                logger.warning("models of search %s are not kept: %s", run, why)
            self._has_failed = True
            return why
        return ""

    def name(self, names: Mapping[str, str]) -> None:
        """Note under which names the models of runs were kept, where these are not the ids of the runs.

        If that fails, such as on a full disk, it is logged: the runs can be explained now, though not resumed later.
        """
        try:
            if names:
                self._files.write(NAMES, pickle.dumps(dict(names)))
        except OSError as error:
            logger.warning("the names of kept models of search %s cannot be written: %s", self._files.path.name, error)

    def runs(self) -> dict[str, list[str]]:
        """Return the files of each run, oldest first."""
        files: dict[str, list[str]] = {}
        present = self._files.names()
        written = {one: (self._files.path / one).stat().st_mtime_ns for one in present if one.endswith(MODEL)}
        for one in sorted(written, key=lambda one: written[one]):
            files.setdefault(one.removesuffix(MODEL).rpartition(".")[0], []).append(one)
        named = pickle.loads(self._files.read(NAMES, 0)) if NAMES in present else {}
        return {**files, **{run: files[name] for run, name in named.items() if name in files}}

    def about(self, file: str) -> Any:
        """Return what is known of the run of a file.

        Raises
        ------
        HistoryError
            If the file is not the one that this user's search wrote.
        """
        return self._loaded(self._files.read(file, 0))

    def models(self, file: str) -> Any:
        """Return the models of a file, with the same error."""
        return self._loaded(self._files.read(file, 1))

    def forget(self, runs: Iterable[str]) -> None:
        """Remove the files of runs, and everything if there are no others."""
        try:
            files = self.runs()
            gone = {one for run in runs for one in files.get(run, [])}
            left = {one for some in files.values() for one in some} - gone
            self._files.remove(sorted(gone) if left else self._files.names())
        except OSError as error:
            logger.warning("kept models are left: %s", error)

    def _dumped(self, part: Any) -> bytes:
        stream = io.BytesIO()
        _Pickler(stream, self._share).dump(part)
        return stream.getvalue()

    def _share(self, part: Any) -> str:
        content = cloudpickle.dumps(part)
        name = hashlib.blake2b(content, digest_size=16).hexdigest() + SHARED
        if not (self._files.path / name).exists():
            self._files.write(name, content)
        return name

    def _loaded(self, content: bytes) -> Any:
        return _Unpickler(io.BytesIO(content), self._shared).load()

    def _shared(self, name: str) -> Any:
        if name not in self._read:
            self._read[name] = pickle.loads(self._files.read(name, 0))
        return self._read[name]


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # untyped
    """Pickles an object by value, without the tables and large arrays in it."""

    def __init__(self, stream: io.BytesIO, share: Any) -> None:
        super().__init__(stream)
        self._share = share

    def persistent_id(self, part: Any) -> str | None:
        """Return the name of the file of a table or a large array."""
        is_array = isinstance(part, np.ndarray) and part.nbytes >= LARGE and type(part) is np.ndarray
        return self._share(part) if is_array or isinstance(part, Table | pd.DataFrame) else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, shared: Any) -> None:
        super().__init__(stream)
        self._shared = shared

    def persistent_load(self, name: Any) -> Any:
        return self._shared(name)
