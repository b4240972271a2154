"""Progress bars that appear only for long jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm

DELAY = 2.0
"""Seconds before a bar appears by default."""


@contextmanager
def progress_bar(total: int, what: str, progress: bool | None = None) -> Iterator[Callable[[int], object]]:
    """Yield a function that advances a bar on stderr.

    Parameters
    ----------
    total : int
        Units of work.
    what : str
        Text before the bar.
    progress : bool or None
        If True, show the bar from the start; if None, after two seconds; if False, never.
    """
    with tqdm(total=total, desc=what, leave=False, disable=progress is False, delay=0 if progress else DELAY) as bar:
        yield bar.update
