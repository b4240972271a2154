"""Threads that explain runs, which a run that does not answer cannot hold up: it is left behind, and so are all at Ctrl-C."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

LOOK = 0.1
"""Seconds after which it is looked whether a task takes too long."""
LAST_WORDS = 0.5
"""Seconds that tasks in work have to end when the work is interrupted."""
LAST_WRITES = 10.0
"""Seconds that tasks have which are writing their result then: what is half written would stay, since nobody is seen to die."""


class Ticket:
    """The right of a task to keep its result: it takes it before it writes anything, unless it was left behind before."""

    def __init__(self) -> None:
        self.started: float | None = None
        self._guard, self._taken = threading.Lock(), False

    def take(self) -> bool:
        """Take the right; False if it is taken: the task was left behind, or has its result."""
        with self._guard:
            taken, self._taken = self._taken, True
        return not taken

    def is_taken(self) -> bool:
        """Whether the right is taken."""
        return self._taken


def work_off(
    tasks: Sequence[Callable[[Ticket], None]],
    n_threads: int,
    *,
    seconds: Callable[[int, float], float],
    late: Callable[[int, float], None],
    interrupted: Callable[[int], None],
    advance: Callable[[int], object],
) -> None:
    """Do tasks in threads, in their order.

    The threads are daemons: one that was left behind does not keep the process alive.

    Parameters
    ----------
    tasks : sequence of callable
        Each is called with its ticket.
    n_threads : int
    seconds : callable
        From the number of a task and when it was started, on the clock `time.monotonic`, to the seconds it may still take.
    late : callable
        Called with the number of a task that is left behind since it took longer, and the seconds that it took.
    interrupted : callable
        Called with the number of each task that has no result when an error, such as a `KeyboardInterrupt`, ends the work.
    advance : callable
        Called with 1 for each task that has ended.

    Raises
    ------
    Exception
        The first error that a task raises.
    """
    work = _Work(tasks, advance)
    try:
        for _ in range(min(n_threads, len(tasks))):
            work.start()
        looked = time.monotonic()
        while work.open_ones:
            work.collect()
            if time.monotonic() - looked >= LOOK:
                looked = time.monotonic()
                work.leave_late_ones(seconds, late)
    except BaseException:
        work.stop(interrupted)
        raise


class _Work:
    """Tasks, the threads that do them, and which of them are open: neither ended nor left behind."""

    def __init__(self, tasks: Sequence[Callable[[Ticket], None]], advance: Callable[[int], object]) -> None:
        self._tasks, self._advance = tasks, advance
        self._tickets, self._waiting = [Ticket() for _ in tasks], deque(range(len(tasks)))
        self._ended: SimpleQueue[tuple[int, BaseException | None]] = SimpleQueue()
        self.open_ones = set(range(len(tasks)))

    def start(self) -> None:
        """Start one more thread."""
        threading.Thread(target=self._run, name="automl-explain run", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                number = self._waiting.popleft()
            except IndexError:
                return
            self._tickets[number].started = time.monotonic()
            error: BaseException | None = None
            try:
                self._tasks[number](self._tickets[number])
            except BaseException as raised:  # it is raised in the thread that waits
                error = raised
            self._ended.put((number, error))

    def collect(self) -> None:
        """Wait a moment for a task to end; raise its error, if it has one."""
        try:
            number, error = self._ended.get(timeout=LOOK)
        except Empty:
            return
        if number in self.open_ones:  # not one that was left behind
            self.open_ones.discard(number)
            self._advance(1)
            if error is not None:
                raise error

    def leave_late_ones(self, seconds: Callable[[int, float], float], late: Callable[[int, float], None]) -> None:
        """Leave tasks behind that take too long, each with a new thread in place of the one that waits for an answer."""
        for number in sorted(self.open_ones):
            began = self._tickets[number].started
            if began is not None and seconds(number, began) < 0.0:
                self.open_ones.discard(number)
                if self._tickets[number].take():
                    late(number, time.monotonic() - began)
                self._advance(1)
                self.start()

    def stop(self, interrupted: Callable[[int], None]) -> None:
        """Begin no more tasks, give those in work a moment to end, and leave the rest behind."""
        self._waiting.clear()
        began = time.monotonic()
        while self._is_waited_for(time.monotonic() - began):
            try:
                self.open_ones.discard(self._ended.get(timeout=LOOK)[0])
            except Empty:
                continue
        for number in sorted(self.open_ones):
            if self._tickets[number].take():
                interrupted(number)

    def _is_waited_for(self, seconds: float) -> bool:
        """Whether tasks in work may still end, so many seconds after the work was interrupted."""
        in_work = [self._tickets[number] for number in self.open_ones if self._tickets[number].started]
        is_writing = any(ticket.is_taken() for ticket in in_work)
        return bool(in_work) and seconds < (LAST_WRITES if is_writing else LAST_WORDS)
