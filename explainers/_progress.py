"""Progress bars that appear only when a job turns out to be long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm

DELAY = 2.0
"""Seconds before a bar appears when the caller did not say."""


@contextmanager
def progress_bar(total: int, what: str, progress: bool | None = None) -> Iterator[Callable[[int], object]]:
    """Yield a function that advances a bar on stderr.

    Parameters
    ----------
    total : int
        Units of work.
    what : str
        Shown before the bar.
    progress : bool or None
        True: from the start; None: after two seconds; False: never.
    """
    with tqdm(total=total, desc=what, leave=False, disable=progress is False, delay=0 if progress else DELAY) as bar:
        yield bar.update
