"""How tests start the searches that they kill."""

import multiprocessing

import pandas as pd
import pytest

from tests.reliability import victims


@pytest.fixture(scope="session")
def start():
    """Return a function that starts a victim in a process that has everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.reliability.victims"])

    def started(name, folder, keep_in=None):
        pd.DataFrame(victims.X).assign(y=victims.Y).to_csv(folder / "rows.csv", index=False)
        given = (name, str(folder / "history"), str(folder / "said"), keep_in)
        process = context.Process(target=victims.run, args=given)
        process.start()
        return process

    return started
