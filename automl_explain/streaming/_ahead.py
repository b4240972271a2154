"""Reading and writing beside the computation: both take one thread, which would otherwise wait for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
_END = object()


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield items, and make the next one in a thread meanwhile; its errors are raised where it is used."""
    some: Iterator[Any] = items
    with ThreadPoolExecutor(1, "read-ahead") as pool:
        coming: Future[Any] = pool.submit(next, some, _END)
        while (item := coming.result()) is not _END:
            coming = pool.submit(next, some, _END)
            yield item


@contextmanager
def behind(act: Callable[[T], object]) -> Iterator[Callable[[T], None]]:
    """Give a function that acts in a thread, on one item at a time: a call waits for the one before, and raises its error.

    When the block ends without an error, all is done.
    """
    with ThreadPoolExecutor(1, "write-behind") as pool:
        waiting: list[Future[object]] = []

        def put(item: T) -> None:
            if waiting:
                waiting.pop().result()
            waiting.append(pool.submit(act, item))

        yield put
        for last in waiting:
            last.result()
