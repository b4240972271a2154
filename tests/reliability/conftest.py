"""How tests start the searches that they kill."""

import contextlib
import multiprocessing
import os
import signal

import pandas as pd
import pytest

from tests.reliability import victims


@pytest.fixture(scope="session")
def start():
    """Return a function that starts a victim in a process that has everything imported.

    It ends the processes that earlier victims left: workers of a killed one wait for minutes, each in 300 MB.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.reliability.victims"])
    victims_so_far = []

    def end_left():
        for victim in [one for one in victims_so_far if not one.is_alive()]:
            victims_so_far.remove(victim)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(victim.pid, signal.SIGKILL)

    def started(name, folder, keep_in=None):
        pd.DataFrame(victims.X).assign(y=victims.Y).to_csv(folder / "rows.csv", index=False)
        given = (name, str(folder / "history"), str(folder / "said"), keep_in)
        end_left()
        process = context.Process(target=victims.run, args=given)
        process.start()
        victims_so_far.append(process)
        return process

    yield started
    end_left()
