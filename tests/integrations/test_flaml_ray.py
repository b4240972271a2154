"""FLAML searches whose trials run in the worker processes of a real Ray on this machine."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ray")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]


def test_searches_on_ray(tmp_path):
    """One test, since each would start a Ray of its own where they are spread over processes."""
    found = what_became_of_searches(tmp_path)
    the_search_is_the_same_and_every_configuration_is_explained(found)
    the_final_model_is_explained_as_it_predicts(found["final"])
    folds_are_averaged_and_a_model_that_cannot_be_pickled_is_said(found["folds"])
    assert found["left"] == []


def what_became_of_searches(folder):
    environment = {
        **os.environ, "HOME": str(folder), "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "RAY_USAGE_STATS_ENABLED": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on every system, "no cluster" keeps Ray to the loopback address
    }  # fmt: skip
    command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("ray_searches.py")), str(folder)]
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as short:  # paths of sockets may not be long
        environment["RAY_TMPDIR"] = short
        done = subprocess.run(command, capture_output=True, text=True, timeout=580, env=environment)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def scored(trials):
    return sorted((learner, repr(sorted(config.get("ml", config).items())), loss) for learner, config, loss in trials)


def of_runs(runs):
    trials = [(run["learner"], run["config"] | {"learner": run["learner"]}, run["loss"]) for run in runs]
    return scored(trials)


def the_search_is_the_same_and_every_configuration_is_explained(found):
    plain, explained = found["plain"], found["explained"]
    assert len(plain["trials"]) == 5
    assert scored(explained["trials"]) == scored(plain["trials"])
    assert explained["best_loss"] == plain["best_loss"]
    *trials, final = explained["runs"]
    assert of_runs(trials) == scored(plain["trials"])
    assert {run["status"] for run in explained["runs"]} == {"explained"}
    assert [run["number"] for run in explained["runs"]] == list(range(6))
    assert (final["kind"], final["loss"]) == ("refit", None)


def the_final_model_is_explained_as_it_predicts(final):
    assert (final["kind"], final["space"]) == ("refit", "probability")
    assert final["error"] < 1e-9
    np.testing.assert_allclose(final["predicted"], final["expected"], atol=1e-9)


def folds_are_averaged_and_a_model_that_cannot_be_pickled_is_said(folds):
    *trials, final = folds["runs"]
    assert of_runs(trials) == scored(folds["trials"])
    assert {run["status"] for run in trials if run["learner"] == "lgbm"} == {"explained"}
    locked = [run for run in trials if run["learner"] == "locked"]
    assert [run["status"] for run in locked] == ["failed"] * 2
    assert "could not be pickled in a worker process" in locked[0]["why"]
    assert "without use_ray" in locked[0]["why"]
    assert final["status"] == "explained"
