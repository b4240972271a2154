"""Warnings that are not shown while a block runs, in any number of threads at once."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_lock = threading.Lock()
_saved = ExitStack()
_blocks = 0


@contextmanager
def ignored(category: type[Warning] = Warning, message: str = "") -> Iterator[None]:
    """Do not show warnings of a category while the block runs.

    The filters of `warnings` belong to the process. If blocks of several threads overlap, `warnings.catch_warnings` can
    leave the filters of one of them behind for good; here the last block to end puts back what the first one found.

    Parameters
    ----------
    category : type, default Warning
    message : str, default ""
        Regular expression that the beginning of the message matches. Default: any message.
    """
    global _blocks
    with _lock:
        if _blocks == 0:
            _saved.enter_context(warnings.catch_warnings())
        _blocks += 1
        warnings.filterwarnings("ignore", message=message, category=category)
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if _blocks == 0:
                _saved.close()
