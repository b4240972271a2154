"""Warnings that are not shown while a block runs in the block's own thread; those of other threads are shown."""

from __future__ import annotations

import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_lock = threading.Lock()
_made: dict[tuple[type[Warning], str], type[Warning]] = {}
_open: Counter[type[Warning]] = Counter()
_here: ContextVar[frozenset[type[Warning]]] = ContextVar("_here", default=frozenset())


class _Hidden(type):
    """The type of a category that has warnings of another one as subclasses, but only within blocks that hide them."""

    hides: type[Warning]

    def __subclasscheck__(cls: Any, category: type) -> bool:
        return cls in _here.get() and issubclass(category, cls.hides)


def _hidden(hides: type[Warning], message: str) -> type[Warning]:
    """Return the category that stands for warnings of a category with a message, in blocks."""
    if (hides, message) not in _made:
        made: Any = _Hidden("Hidden", (Warning,), {"hides": hides})
        _made[hides, message] = made
    return _made[hides, message]


@contextmanager
def ignored(category: type[Warning] = Warning, message: str = "") -> Iterator[None]:
    """Do not show warnings of a category that the block raises in its thread.

    The filters of `warnings` belong to the process, and `warnings.catch_warnings` puts back those that it found, also if
    another thread has changed them in the meantime. The filter that is added here matches nothing outside the block, in
    this and other threads, and nothing but this filter is taken away.

    Parameters
    ----------
    category : type, default Warning
    message : str, default ""
        Regular expression that the beginning of the message matches. Default: any message.
    """
    with _lock:
        hidden = _hidden(category, message)
        _open[hidden] += 1
        if not warnings.filters or warnings.filters[0][2] is not hidden:  # it must come before those of the caller
            warnings.filterwarnings("ignore", message=message, category=hidden)
    before = _here.set(_here.get() | {hidden})
    try:
        yield
    finally:
        _here.reset(before)
        with _lock:
            _open[hidden] -= 1
            if not _open[hidden]:
                for one in [one for one in warnings.filters if one[2] is hidden]:
                    warnings.filters.remove(one)  # type: ignore[attr-defined]  # typed as a sequence; it is a list
