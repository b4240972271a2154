"""The thread pools of other libraries: of matrix products, and of OpenMP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from threadpoolctl import ThreadpoolController


class _Limit:
    """The limit on matrix products in force, which holds for all threads, and the number of blocks that rely on it.

    The last one to end restores what was before.
    """

    def __init__(self) -> None:
        self._lock, self._users = threading.Lock(), 0
        self._limiter: Any = None

    def enter(self) -> None:
        with self._lock:
            if not self._users:
                self._limiter = _thread_pools().limit(limits=1, user_api="blas")
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._limiter.restore_original_limits()


@contextmanager
def one_thread_per_product() -> Iterator[None]:
    """Compute matrix products on the calling thread.

    Several threads are slower on small matrices, and they wait for each other if the work is divided among threads already.
    """
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()


@lru_cache(maxsize=1)
def _thread_pools() -> ThreadpoolController:
    """Find the thread pools once, since this takes longer than a small design of coalitions."""
    return ThreadpoolController()


@contextmanager
def one_thread_below(work: int, small: int) -> Iterator[None]:
    """Run the OpenMP loops of other libraries on the calling thread if `work` is less than `small`.

    On a busy machine, the threads of OpenMP wait several milliseconds for each other, however little there is to do. The
    limit holds for the calling thread alone. Libraries must be loaded before the first call.
    """
    if work >= small:
        yield
        return
    with _openmp_pools().limit(limits=1):
        yield


@lru_cache(maxsize=1)
def _openmp_pools() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="openmp")


_limit = _Limit()
