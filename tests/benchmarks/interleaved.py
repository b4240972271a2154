"""Times of several calls that take turns in one process, so that what else runs on the machine slows all of them."""

import time

import numpy as np

TURNS, CALLS = 30, 20
"""Turns of each contender, and calls with different rows in a turn."""


def turns(calls, n_turns=TURNS, n_calls=CALLS):
    """Return the median and best wall time and the median CPU time of each call, in milliseconds."""
    wall, cpu = {name: [] for name in calls}, {name: [] for name in calls}
    for turn in range(n_turns):
        for name, call in calls.items():
            call(0)  # brings the contender's arrays back into the cache
            for number in range(turn * n_calls, (turn + 1) * n_calls):
                started = time.perf_counter(), time.process_time()
                call(number)
                wall[name].append(1e3 * (time.perf_counter() - started[0]))
                cpu[name].append(1e3 * (time.process_time() - started[1]))
    return {name: (float(np.median(wall[name])), min(wall[name]), float(np.median(cpu[name]))) for name in calls}
