"""Progress bars that appear only when a job turns out to be long."""

from __future__ import annotations

import time
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


@contextmanager
def search_bar(seconds: float | None, trials: int | None, progress: bool | None) -> Iterator[Callable[[float], object]]:
    """Yield a function that is told the loss of each trial of a search, and moves a bar on stderr.

    Parameters
    ----------
    seconds : float or None
        Time budget of the search: the bar's length, where there is one.
    trials : int or None
        Most trials: the bar's length otherwise.
    progress : bool or None
        The bar is shown only for True: searches have a log of their own.
    """
    total = round(seconds) if seconds and seconds > 0 else trials
    form = "{desc} {percentage:3.0f}%|{bar:30}| {n:.0f}/{total} {unit}{postfix}" if total else "{desc}{postfix}"
    unit = "s" if seconds and seconds > 0 else "trials"
    started, best, count = time.monotonic(), float("inf"), 0
    with tqdm(total=total, desc="searching", bar_format=form, unit=unit, leave=False, disable=not progress) as bar:

        def tell(loss: float) -> None:
            nonlocal best, count
            count += 1
            best = min(best, loss)
            reached = time.monotonic() - started if unit == "s" else count
            bar.n = min(reached, total) if total else reached
            bar.set_postfix_str(f"{count} trials, lowest loss {best:.5g}")

        yield tell
