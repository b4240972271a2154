"""Many small trials in a process of their own, which may crash or hang: another process goes on with the next trial."""

import multiprocessing
import os
import time
from typing import NamedTuple


class Ended(NamedTuple):
    """How a trial ended: what it returned, "crash" or "hang"; its seconds of work; the MB that the process grew at its peak."""

    trial: object
    outcome: str
    seconds: float
    mb: float


PATIENCE = 10


def tried(task, trials, *, hang=60.0):
    """Yield how each trial ended.

    Parameters
    ----------
    task : callable
        Of a module, which the process imports; called with a trial, it returns what is timed: a function that
        returns a text.
    trials : sequence
        What can be pickled.
    hang : float
        Seconds of work in the timed part after which the process is killed, or ten times as many of waiting: other
        processes may keep the machine busy.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([task.__module__])
    todo = list(trials)
    while todo:
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(task, todo, theirs), daemon=True)
        process.start()
        theirs.close()
        n_done = 0
        try:
            while n_done < len(todo):
                ours.recv()  # it is prepared
                began = _worked(process.pid)
                if (
                    not any(ours.poll(hang) or _worked(process.pid) - began > hang for _ in range(PATIENCE))
                    or not ours.poll()
                ):
                    yield Ended(todo[n_done], "hang", hang, 0.0)
                    n_done += 1
                    break
                yield Ended(todo[n_done], *ours.recv())
                n_done += 1
        except EOFError:
            process.join()
            yield Ended(todo[n_done], f"crash {process.exitcode}", 0.0, 0.0)
            n_done += 1
        finally:
            process.kill()
            process.join()
        todo = todo[n_done:]


def _work(task, trials, pipe):
    for trial in trials:
        timed = task(trial)
        pipe.send(None)
        before, began = _peak(reset=True), time.process_time()
        outcome = timed()
        pipe.send((outcome, time.process_time() - began, _peak() - before))


def _worked(process):
    """Return the seconds for which a process has worked; 0 where Linux's files are missing."""
    try:
        with open(f"/proc/{process}/stat") as stream:
            fields = stream.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak(reset=False):
    """Return the largest size of this process so far in MB, since it was reset; 0 where Linux's files are missing."""
    try:
        if reset:
            with open("/proc/self/clear_refs", "w") as stream:
                stream.write("5")
        with open("/proc/self/status") as stream:
            (line,) = (line for line in stream if line.startswith("VmHWM"))
    except (OSError, ValueError):
        return 0.0
    return int(line.split()[1]) / 1024
