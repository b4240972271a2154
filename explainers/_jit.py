"""How kernels are compiled and how their work is spread over threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import numba
import numpy as np

from automl_explain.explainers._errors import InvalidInputError

_F = TypeVar("_F", bound=Callable[..., Any])
_Work = TypeVar("_Work")
# Kernels allocate nothing, so they need not count references: that makes them faster, and faster to compile.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, "_nrt": False}


def kernel(function: _F) -> _F:
    """Compile a function of arrays at its first call; it releases the GIL and is kept on disk for the next process.

    It may not create arrays: working space is passed in.
    """
    return cast(_F, numba.njit(cache=True, **_OPTIONS)(function))


def inlined(function: _F) -> _F:
    """Put a small function into the kernels that call it, which compiles faster than a function of its own."""
    return cast(_F, numba.njit(inline="always", **_OPTIONS)(function))


def count_threads(n_jobs: int | None) -> int:
    """Return the number of threads that `n_jobs` asks for; None is every core that this process may use."""
    if n_jobs is not None:
        if not isinstance(n_jobs, int | np.integer) or isinstance(n_jobs, bool) or n_jobs < 1:
            raise InvalidInputError(f"The 'n_jobs' parameter must be None or at least 1. Got {n_jobs!r}.")
        return int(n_jobs)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_blocks(
    task: Callable[[_Work], int],
    blocks: Sequence[_Work],
    n_jobs: int | None,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Run `task` on every block, on threads when that can help.

    Parameters
    ----------
    task : callable
        Takes a block, returns the number of rows it has finished.
    blocks : sequence
        Independent pieces of work.
    n_jobs : int or None
        Number of threads; None is every core that this process may use.
    progress : callable, optional
        Called in this thread with the number of rows finished since the last call.
    """
    n_threads = min(count_threads(n_jobs), len(blocks))
    report = progress or (lambda _rows: None)
    if n_threads <= 1:
        for block in blocks:
            report(task(block))
        return
    with ThreadPoolExecutor(n_threads) as pool:
        for rows in pool.map(task, blocks):
            report(rows)
