"""Compilation of kernels, and distribution of work over threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, TypeVar, cast

import numba
import numpy as np

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.compiled._kernel_cache import keep_on_disk

_F = TypeVar("_F", bound=Callable[..., Any])
_Work = TypeVar("_Work")
# Kernels allocate nothing and need no reference counts; without them they run and compile faster.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, "_nrt": False}


def kernel(function: _F) -> _F:
    """Compile a function of arrays at its first call and cache it on disk for later processes.

    The function releases the GIL. It must not create arrays; working space is passed in.
    """
    compiled = numba.njit(**_OPTIONS)(function)
    keep_on_disk(compiled, function)
    return cast(_F, compiled)


def inlined(function: _F) -> _F:
    """Inline a small function into the kernels that call it, which compiles faster than a separate function."""
    return cast(_F, numba.njit(inline="always", **_OPTIONS)(function))


def count_threads(n_jobs: int | None) -> int:
    """Return the number of threads for `n_jobs`; None means all cores of this process that `at_most_threads` allows."""
    if n_jobs is not None:
        if not isinstance(n_jobs, int | np.integer) or isinstance(n_jobs, bool) or n_jobs < 1:
            raise InvalidInputError(f"The 'n_jobs' parameter must be None or at least 1. Got {n_jobs!r}.")
        return int(n_jobs)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _most_threads.get() or cores)


_most_threads: ContextVar[int | None] = ContextVar("_most_threads", default=None)


@contextmanager
def at_most_threads(count: int) -> Iterator[None]:
    """Let kernels that are called in this block, by this thread, use at most so many threads if `n_jobs` is None."""
    token = _most_threads.set(count)
    try:
        yield
    finally:
        _most_threads.reset(token)


@lru_cache(maxsize=1)
def _helpers() -> ThreadPoolExecutor:
    """Return the pool of waiting threads; starting new ones for each call would take longer than a small explanation."""
    return ThreadPoolExecutor(count_threads(None), "automl-explain")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.cache_clear)  # threads do not survive a fork


def run_blocks(
    task: Callable[[_Work], int],
    blocks: Sequence[_Work],
    n_jobs: int | None,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Run `task` on each block, on several threads if there are several blocks; the calling thread is one of them.

    Parameters
    ----------
    task : callable
        Takes a block and returns the number of rows done.
    blocks : sequence
        Independent pieces of work.
    n_jobs : int or None
        Number of threads; None means all cores that this process may use.
    progress : callable, optional
        Called in the calling thread with the number of rows done since the last call.
    """
    n_helpers = min(count_threads(n_jobs), len(blocks)) - 1
    if n_helpers < 1:
        for block in blocks:
            done = task(block)
            if progress is not None:
                progress(done)
        return
    waiting, finished = deque(blocks), deque[int]()

    def work(each: Callable[[], object]) -> None:
        try:
            while waiting:
                try:
                    block = waiting.popleft()
                except IndexError:  # another thread was faster
                    return
                finished.append(task(block))
                each()
        except BaseException:
            waiting.clear()
            raise

    def report() -> None:
        if progress is not None and finished:
            progress(sum(finished.popleft() for _ in range(len(finished))))

    helpers = [_helpers().submit(work, lambda: None) for _ in range(n_helpers)]
    try:
        work(report)
    finally:
        started = [helper for helper in helpers if not helper.cancel()]
        wait(started)  # the arrays that they write to must stay alive until they end
    for helper in started:
        helper.result()
    report()
