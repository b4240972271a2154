"""Progress bars that appear only for long jobs, and leave no trace, also in a notebook that is exported."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm.std import tqdm

DELAY = 2.0
"""Seconds before a bar appears by default."""
WIDTH = 80
"""Characters of a bar in a notebook."""


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
            if not self._bar.disable:  # as with TQDM_DISABLE=1; then the bar has no start
                self._bar.start_t -= time.monotonic() - self._start  # the estimate counts the time before
            self._bar.update(self._done)
            self._bar.refresh()

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()

    def _make(self) -> Any:
        return bar(total=self._total, desc=self._what, unit=self._unit)


def compiling_bar(kernel: str) -> Any:
    """Return a bar, to be closed, that says that a kernel is compiled and that this happens once."""
    return bar(desc=f"compiling {kernel}, once on this machine", bar_format="{desc} ...")


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
    late = _LateBar(total, what, 0.0 if progress else DELAY, unit)
    try:
        yield late.advance
    finally:
        late.close()


class _Line:
    """A text stream whose last line a notebook shows."""

    def __init__(self, display: Any) -> None:
        self._display, self._handle = display, None

    def write(self, text: str) -> None:
        """Show what follows the last carriage return."""
        self._show(text.rpartition("\r")[2].rstrip())

    def flush(self) -> None:
        """Do nothing: every line is shown at once."""

    def clear(self) -> None:
        """Show nothing."""
        if self._handle is not None:
            self._show("")

    def _show(self, line: str) -> None:
        shown = {"text/plain": line}
        if self._handle is None:
            self._handle = self._display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)


class _NotebookBar(tqdm):  # type: ignore[misc]  # tqdm publishes no types
    """A bar in a notebook, without widgets, which would stay in an exported one."""

    def __init__(self, **settings: Any) -> None:
        self._line = _Line(_display())
        super().__init__(file=self._line, ncols=WIDTH, **settings)

    def close(self) -> None:
        """Remove the bar."""
        super().close()
        self._line.clear()


def bar(**settings: Any) -> Any:
    """Return a bar of tqdm that leaves no trace, in a terminal or in a notebook; the parameters are those of tqdm."""
    return (tqdm if _display() is None else _NotebookBar)(leave=False, **settings)


def _display() -> Any:
    """Return IPython's function that shows something in a notebook; None outside of one."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if not hasattr(shell, "kernel"):
        return None
    from IPython.display import display

    return display
