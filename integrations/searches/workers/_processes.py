"""Processes of this machine that explain runs, for ``ExplainabilityOptions(isolation="process")``: one can be ended.

Each is a Python of its own, which runs no script of the user again. It gets pickled runs through a pipe and answers through
another; whatever its models print goes to stderr. It ends with the process that started it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import IO

from automl_explain.explainers._errors import UnsupportedModelError
from automl_explain.integrations.searches._run_threads import LOOK
from automl_explain.integrations.searches.workers._workers import Engine, Left, explain_in_worker, n_cores

START = "import sys; sys.path[:] = {path!r}; from {module} import serve; serve({parent})"
SIZE = 8
"""Bytes of the size of a message."""
ALIVE = 1.0
"""Seconds after which a process looks whether the one that started it lives."""


class Processes(Engine):
    """Processes of this machine, each of which explains a run at a time.

    A run that is left behind ends its process, and another one takes its place, as does one that crashed.
    """

    def __init__(self) -> None:
        self.n_slots = n_cores()
        self._idle: SimpleQueue[_Process] = SimpleQueue()
        self._started: list[_Process] = []
        self._shared, self._is_closed = b"", False

    def start(self, task: Callable[..., object], shared: bytes) -> None:
        """Note what is shared. Processes are started when they are needed: one that cannot be is a failed run."""
        self._shared = shared

    def call(self, payload: bytes, left: Left) -> bytes:
        """Return the answer of a process.

        Raises
        ------
        UnsupportedModelError
            If the process ended, or was ended since the run was left behind.
        """
        try:
            process = self._idle.get_nowait()
        except Empty:
            process = self._new()
        found = process.ask(payload, lambda: left() or self._is_closed)
        if isinstance(found, bytes):
            self._idle.put(process)
            return found
        raise UnsupportedModelError(found)

    def close(self) -> None:
        """End all processes."""
        self._is_closed = True
        for process in self._started:
            process.end()

    def _new(self) -> _Process:
        process = _Process(self._shared)
        self._started.append(process)
        return process


class _Process:
    """A process that explains runs, one after the other."""

    def __init__(self, shared: bytes) -> None:
        code = START.format(path=sys.path, module=__name__, parent=os.getpid())
        self._process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )  # a session of its own: Ctrl-C is answered by the process that started it
        self._answers: SimpleQueue[bytes | None] = SimpleQueue()
        self._payloads: SimpleQueue[bytes | None] = SimpleQueue()
        self._payloads.put(shared)
        for task in (self._send, self._receive):  # they wait for the pipes, which may be full or silent
            threading.Thread(target=task, name="automl-explain pipe", daemon=True).start()

    def ask(self, payload: bytes, left: Left) -> bytes | str:
        """Return the answer, or why there is none: the process ended, or is ended since nobody waits any longer."""
        self._payloads.put(payload)
        while True:
            with suppress(Empty):
                answer = self._answers.get(timeout=LOOK)
                if answer is not None:
                    return answer
                code = self._process.wait()
                self.end()
                return f"the process that explained it ended with exit code {code}"
            if left():
                self.end()
                return "it was left behind, and its process was ended"

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._payloads.put(None)

    def _send(self) -> None:
        stream = self._process.stdin
        assert stream is not None
        with suppress(OSError), stream:  # the process has ended
            while (payload := self._payloads.get()) is not None:
                _write(stream, payload)

    def _receive(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        with suppress(OSError), stream:
            while (answer := _read(stream)) is not None:
                self._answers.put(answer)
        self._answers.put(None)


def serve(parent: int) -> None:
    """Explain the runs that come through stdin until it is closed; called in a process that `Processes` started."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    runs, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what a model prints must not be taken for an answer
    with runs, answers:
        shared = _read(runs)
        while shared is not None and (payload := _read(runs)) is not None:
            _write(answers, explain_in_worker(shared, payload))


def _end_with(parent: int) -> None:
    """End this process when the one that started it has ended, also if a model keeps it busy."""
    while os.getppid() == parent:
        time.sleep(ALIVE)
    os._exit(1)


def _write(stream: IO[bytes], message: bytes) -> None:
    stream.write(len(message).to_bytes(SIZE, "little"))
    stream.write(message)
    stream.flush()


def _read(stream: IO[bytes]) -> bytes | None:
    """Return a message, or None at the end of the stream."""
    size = stream.read(SIZE)
    if len(size) < SIZE:
        return None
    message = stream.read(int.from_bytes(size, "little"))
    return message if len(message) == int.from_bytes(size, "little") else None
