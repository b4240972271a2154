"""Wrong arguments of the public interface, generated from right calls: each is taken, or refused with a typed error, at once.

In full, some 30,000: ``AUTOML_EXPLAIN_RELIABILITY=full pytest -n 0 -m slow tests/reliability/test_wrong_arguments.py``.
"""

import logging
import os
import random
import sys
import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from tests.reliability import calls
from tests.reliability.trials import tried

FULL = os.environ.get("AUTOML_EXPLAIN_RELIABILITY") == "full"
N_CALLS = 2_000
HANGS = 20.0
"""Seconds of work after which a call hangs."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]
_calls = {}


def one_call(trial):
    """Return a function that calls with one wrong argument, or with none, and says how that ended."""
    if not _calls:
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # for as long as the process lives
        folder = Path(tempfile.mkdtemp())
        os.chdir(folder)
        _calls.update(calls.calls(folder))
    plt.close("all")
    name, parameter, value = trial
    function, arguments = _calls[name]
    changed = {} if parameter is None else {parameter: calls.values()[value]}
    return lambda: calls.outcome(function, arguments | changed)


@pytest.fixture(scope="module")
def parameters(tmp_path_factory):
    """Names of calls -> names of their parameters."""
    before = Path.cwd()
    os.chdir(folder := tmp_path_factory.mktemp("calls"))
    try:
        return {name: list(arguments) for name, (_, arguments) in calls.calls(folder).items()}
    finally:
        os.chdir(before)


def test_the_right_calls_are_right(parameters):
    ended = list(tried(one_call, [(name, None, None) for name in parameters], hang=HANGS))
    assert [one for one in ended if one.outcome != "right"] == []


def test_wrong_arguments_are_refused_or_taken(parameters):
    every = [(name, one, value) for name, names in parameters.items() for one in names for value in calls.values()]
    chosen = every if FULL else random.Random(0).sample(every, N_CALLS)
    ended = list(tried(one_call, chosen, hang=HANGS))
    assert [one for one in ended if one.outcome not in ("right", "typed")] == []
    assert sum(one.outcome == "typed" for one in ended) > 0.5 * len(ended)
