"""Threads that score: a bounded queue before them, and a deadline for each request."""

from __future__ import annotations

import asyncio
import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from automl_explain.explainers._errors import AutoMLExplainError
from automl_explain.service._problems import RequestError

T = TypeVar("T")
LOGGER = logging.getLogger("automl_explain.service")
HUNG = 3.0
"""Deadlines after which a thread counts as hung; the service then asks to be restarted."""


class Deadline:
    """The time by which a request's work must be done.

    Parameters
    ----------
    seconds : float
        From now.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self.end = seconds, time.monotonic() + seconds

    def check(self) -> None:
        """Stop work that is too late.

        Raises
        ------
        RequestError
            504 after the deadline.
        """
        if time.monotonic() > self.end:
            raise RequestError(
                504, f"The answer took longer than {self.seconds:g} s. Send fewer rows, or ask without explanation."
            )


@dataclass(eq=False)
class _Job:
    work: Callable[[Deadline], Any]
    deadline: Deadline
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any] = field(repr=False)


class Workers:
    """Threads that do the work of requests in the order in which they came.

    The threads are daemons: a model that hangs keeps its thread, but not the process.

    Parameters
    ----------
    threads : int
    max_waiting : int
        Requests that may wait for a thread.
    quotes_models : bool
        Whether a client hears what a model's own code says of its input, as on the dashboard of the model's user.
    """

    def __init__(self, threads: int, max_waiting: int, *, quotes_models: bool = False) -> None:
        self._quotes_models = quotes_models
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._most, self._lock = threads + max_waiting, threading.Lock()
        self._pending = 0
        self._running: dict[int, Deadline] = {}
        self._threads = [
            threading.Thread(target=self._serve, args=(number,), name=f"scoring-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pending(self) -> int:
        """Requests that wait or are worked on."""
        return self._pending

    def late(self) -> float:
        """Return how late the least late thread is, in multiples of its deadline; negative if a thread is free or in time."""
        running = dict(self._running)
        if len(running) < len(self._threads):
            return -math.inf
        now = time.monotonic()
        return min((now - deadline.end) / deadline.seconds for deadline in running.values())

    async def run(self, work: Callable[[Deadline], T], seconds: float) -> T:
        """Do some work in a thread.

        Parameters
        ----------
        work : callable
            Calls `check` of its deadline between parts.
        seconds : float
            Time until the deadline.

        Raises
        ------
        RequestError
            429 if too many requests wait, 504 after the deadline, 422 for input that the model refuses, 500 if it fails.
        """
        with self._lock:
            if self._pending >= self._most:
                raise RequestError(
                    429, "Too many requests wait for an answer. Try again.", headers={"Retry-After": "1"}
                )
            self._pending += 1
        loop = asyncio.get_running_loop()
        job = _Job(work, Deadline(seconds), loop, loop.create_future())
        self._jobs.put(job)
        try:
            return await asyncio.wait_for(job.future, seconds)
        except TimeoutError:
            job.deadline.end = -math.inf
            job.deadline.check()
            raise

    def close(self) -> None:
        """Let the threads end when the work that waits is done."""
        for _ in self._threads:
            self._jobs.put(None)

    def _serve(self, number: int) -> None:
        while (job := self._jobs.get()) is not None:
            self._running[number] = Deadline(job.deadline.seconds)
            result, problem = None, None
            try:
                job.deadline.check()
                result = job.work(job.deadline)
            except RequestError as error:
                problem = error
            except Exception as error:  # a model may raise anything; the thread must go on
                problem = self._problem_of(error)
            del self._running[number]
            with self._lock:
                self._pending -= 1
            with suppress(RuntimeError):  # the loop has ended, and nobody waits
                job.loop.call_soon_threadsafe(_settle, job.future, result, problem)
            del job, result, problem  # nothing of a request is kept while the thread waits

    def _problem_of(self, error: Exception) -> RequestError:
        """Return what the client hears of an error: the sentence of a refusal of its input, and nothing of any other."""
        is_told = isinstance(error, AutoMLExplainError) and (self._quotes_models or not error.quotes_model)
        if is_told and isinstance(error, ValueError):
            return RequestError(422, str(error))
        LOGGER.error("scoring failed", exc_info=error)
        return RequestError(500, "The model could not score these rows. The log of the service says why.")


def _settle(future: asyncio.Future[Any], result: Any, problem: Exception | None) -> None:
    if future.done():
        return
    if problem is None:
        future.set_result(result)
    else:
        future.set_exception(problem)
