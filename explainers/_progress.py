"""Progress bars that appear only for long jobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm.auto import tqdm

DELAY = 2.0
"""Seconds before a bar appears by default."""


class _LateBar:
    """A bar that is made when it is first shown, since making one takes longer than a small job."""

    def __init__(self, total: int | None, what: str, delay: float, unit: str) -> None:
        self._total, self._what, self._delay, self._unit = total, what, delay, unit
        self._start, self._done, self._bar = time.monotonic(), 0, None if delay else self._make()

    def advance(self, units: int) -> None:
        """Count units of work; show them once the job has taken long enough."""
        self._done += units
        if self._bar is not None:
            self._bar.update(units)
        elif time.monotonic() - self._start >= self._delay:
            self._bar = self._make()
            self._bar.start_t -= time.monotonic() - self._start  # the estimate counts the time before
            self._bar.update(self._done)
            self._bar.refresh()

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()

    def _make(self) -> Any:
        return tqdm(total=self._total, desc=self._what, leave=False, unit=self._unit)


def compiling_bar(kernel: str) -> Any:
    """Return a bar, to be closed, that says that a kernel is compiled and that this happens once."""
    return tqdm(desc=f"compiling {kernel}, once on this machine", bar_format="{desc} ...", leave=False)


@contextmanager
def progress_bar(
    total: int | None, what: str, progress: bool | None = None, *, unit: str = "it"
) -> Iterator[Callable[[int], object]]:
    """Yield a function that advances a bar on stderr.

    Parameters
    ----------
    total : int or None
        Units of work. None: it is not known, and no time is estimated.
    what : str
        Text before the bar.
    progress : bool or None
        If True, show the bar from the start; if None, after two seconds; if False, never.
    unit : str, default "it"
        What is counted, which stands in the rate.
    """
    if progress is False:
        yield lambda units: None
        return
    bar = _LateBar(total, what, 0.0 if progress else DELAY, unit)
    try:
        yield bar.advance
    finally:
        bar.close()
