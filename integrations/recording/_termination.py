"""SIGTERM like Ctrl-C: what is known of a search is recorded before the process ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 128 + 15
"""Exit code of a process that SIGTERM has ended, as shells give it."""


class Terminated(KeyboardInterrupt):
    """Raised within `terminated_as_interrupted` where the process is told to end."""


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Raise a `KeyboardInterrupt` within the block where the process is told to end; end it with code 143 after the block.

    Libraries treat it as Ctrl-C, and ``finally`` blocks run. A handler that the caller has set is left alone, and this one is
    taken away at the end. Only the main thread can set one; in other threads the block is nothing special.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    process, said = os.getpid(), False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal said
        if os.getpid() != process:  # a fork, which nobody waits for to record anything
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        if not said:  # the second time, what is known is being recorded
            said = True
            raise Terminated

    signal.signal(signal.SIGTERM, end)
    try:
        yield
        if said:
            raise SystemExit(EXIT_CODE)  # a library has swallowed the error
    except Terminated:
        raise SystemExit(EXIT_CODE) from None
    finally:
        if signal.getsignal(signal.SIGTERM) is end:  # not one that the caller has set in the meantime
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
