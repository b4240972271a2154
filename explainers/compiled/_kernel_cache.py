"""Where compiled kernels are kept between processes, and what is shown while they are compiled.

The code of a kernel is kept in the first of these folders that can be written: that of ``NUMBA_CACHE_DIR``, ``__pycache__``
beside the source, numba's folder in the user's cache, and a private folder among the temporary files. If none can be written,
kernels are compiled in each process. Code in a ``__pycache__`` that cannot be written is used as well, such as that of an image
whose kernels were compiled when it was built.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numba.core.caching

from automl_explain.explainers._progress import compiling_bar

caching: Any = numba.core.caching
logger = logging.getLogger("automl_explain")

SILENT_SECONDS = 1.0
"""Seconds of compilation in a process after which the kernel in work is shown."""


class _TemporaryLocator(caching._SourceFileBackedLocatorMixin, caching._CacheLocator):  # type: ignore[misc]
    """A folder among the temporary files that belongs to this user alone: the cache is code that would be run."""

    def __init__(self, function: Callable[..., Any], file: str) -> None:
        self._py_file, self._lineno = file, function.__code__.co_firstlineno
        self._root = Path(tempfile.gettempdir()) / f"automl-explain-{getattr(os, 'getuid', lambda: 'user')()}"

    def get_cache_path(self) -> str:
        return str(self._root / self.get_suitable_cache_subpath(self._py_file))

    def ensure_cache_path(self) -> None:
        self._root.mkdir(mode=0o700, exist_ok=True)
        found = self._root.lstat()
        if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o077 or self._root.is_symlink()):
            raise PermissionError(f"{self._root} is not private")
        super().ensure_cache_path()


class _PreparedLocator(caching._SourceFileBackedLocatorMixin, caching._CacheLocator):  # type: ignore[misc]
    """The ``__pycache__`` beside the source, which need not be writable."""

    def __init__(self, function: Callable[..., Any], file: str) -> None:
        self._py_file, self._lineno = file, function.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        return str(Path(self._py_file).parent / "__pycache__")

    def ensure_cache_path(self) -> None:
        if not os.path.isdir(self.get_cache_path()):
            raise FileNotFoundError(self.get_cache_path())


class _Writable(caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes: ClassVar[list[Any]] = [*caching.CompileResultCacheImpl._locator_classes, _TemporaryLocator]


class _Prepared(caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes: ClassVar[list[Any]] = [_PreparedLocator]


class _PreparedCache(caching.FunctionCache):  # type: ignore[misc]
    _impl_class = _Prepared


class KernelCache(caching.FunctionCache):  # type: ignore[misc]
    """The compiled code of one kernel on disk.

    Entries of older versions of this library are ignored. The index of a cache names the types of a kernel's arguments.
    numba loads it before it compares the dates of source files, which fails if one of these types no longer exists under
    that name.
    """

    _impl_class = _Writable
    _seconds: ClassVar[float] = 0.0
    _until: ClassVar[float] = 0.0
    """End of the last compilation. Those of kernels that a kernel calls lie within its own, and are not counted twice."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._function, self._started, self._bar = function.__name__, 0.0, None
        self._prepared: Any = None
        beside = Path(function.__code__.co_filename).parent / "__pycache__"
        if Path(self.cache_path) != beside and beside.is_dir():
            self._prepared = _PreparedCache(function)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled code for a signature, or None, whereupon numba compiles it."""
        found = self._load(super().load_overload, sig, target_context)
        if found is None and self._prepared is not None:
            found = self._load(self._prepared.load_overload, sig, target_context)
        if found is None:
            self._started = time.monotonic()
            logger.info("compiling %s, once for this machine; kept in %s", self._function, self.cache_path)
            self._bar = (
                compiling_bar(self._function) if KernelCache._seconds > SILENT_SECONDS and _is_watched() else None
            )
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write the code that numba has compiled; a disk that is full or no longer writable costs only time."""
        now = time.monotonic()
        KernelCache._seconds += now - max(self._started, KernelCache._until)
        KernelCache._until = now
        if self._bar is not None:
            self._bar.close()
        try:
            super().save_overload(sig, data)
        except OSError as error:
            logger.info("the compiled code of %s could not be kept: %s", self._function, error)

    def _load(self, load: Callable[..., Any], sig: Any, target_context: Any) -> Any:
        try:
            return load(sig, target_context)
        except (AttributeError, ImportError):
            self.flush()
        except OSError as error:
            logger.info("the compiled code of %s could not be read: %s", self._function, error)
        return None

    def flush(self) -> None:
        """Empty the index."""
        try:
            super().flush()
        except OSError as error:
            logger.info("the index of %s could not be emptied: %s", self._function, error)


def seconds_compiled() -> float:
    """Return the seconds in which this process has compiled kernels; numba compiles one at a time."""
    return KernelCache._seconds


def keep_on_disk(compiled: Any, function: Callable[..., Any]) -> None:
    """Let numba look for the code of a kernel on disk, if there is a folder for it."""
    try:
        compiled._cache = KernelCache(function)
    except RuntimeError as error:  # numba found no folder
        logger.info("kernels are compiled in each process: %s", error)


def _is_watched() -> bool:
    """Return whether somebody sees a bar: stderr is a terminal, or a notebook is running."""
    return bool(sys.stderr and sys.stderr.isatty()) or "ipykernel" in sys.modules
