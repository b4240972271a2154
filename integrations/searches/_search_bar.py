"""The progress bar of a search."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from automl_explain.explainers._progress import bar as make_bar


@contextmanager
def search_bar(seconds: float | None, trials: int | None, progress: bool | None) -> Iterator[Callable[[float], object]]:
    """Yield a function that takes the loss of each trial of a search and advances a bar on stderr.

    Parameters
    ----------
    seconds : float or None
        Time budget of the search, if it has one: the length of the bar.
    trials : int or None
        Greatest number of trials: the length of the bar of a search without a time budget.
    progress : bool or None
        The bar is shown only for True: searches have a log of their own.
    """
    total = round(seconds) if seconds and seconds > 0 else trials
    form = "{desc} {percentage:3.0f}%|{bar:30}| {n:.0f}/{total} {unit}{postfix}" if total else "{desc}{postfix}"
    unit = "s" if seconds and seconds > 0 else "trials"
    started, best, count = time.monotonic(), float("inf"), 0
    with make_bar(total=total, desc="searching", bar_format=form, unit=unit, disable=not progress) as bar:

        def tell(loss: float) -> None:
            nonlocal best, count
            count += 1
            best = min(best, loss)
            reached = time.monotonic() - started if unit == "s" else count
            bar.n = min(reached, total) if total else reached
            bar.set_postfix_str(f"{count} trials, lowest loss {best:.5g}")

        yield tell
