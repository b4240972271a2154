"""Spark, Dask and Ray on this machine: the values of the table in memory, also when a worker is killed."""

import importlib.util
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cloudpickle
import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pytest
from sklearn.linear_model import LinearRegression

from automl_explain import InvalidInputError, TabularExplainer
from automl_explain.integrations.partitions._remote import remote
from automl_explain.integrations.partitions._shipment import MOST_KEPT, _kept, pack, unpack

ROOT = Path(__file__).parents[2]
ENGINES = {"dask": ("dask", "distributed"), "spark": ("pyspark", "joblibspark"), "ray": ("ray",)}
SHOWN = 6_000
"""Characters of stderr that a failure shows, of its beginning and of its end."""
CONNECT = ("pyspark", "grpc", "grpc_status", "zstandard")


def need(packages):
    """Skip a test whose packages are not installed, unless they are required, as in CI."""
    absent = [name for name in packages if importlib.util.find_spec(name) is None]
    if "pyspark" in packages and shutil.which("java") is None:
        absent.append("java")
    if absent and not os.environ.get("AUTOML_EXPLAIN_CLUSTERS"):
        pytest.skip(f"not installed: {', '.join(absent)}; see the extra 'test-clusters'")
    assert not absent, "the extra 'test-clusters' and a Java runtime are required here"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_values_are_those_of_the_table_in_memory(engine, tmp_path):
    need(ENGINES[engine])
    found = jobs(engine, tmp_path)
    assert found["killed"]
    names = ["a", "b", "c", "d", "state"]
    made = ["prediction", "probability of False", "probability of True", "base value"]
    assert found["columns"] == [*names, "id", "day", *made, *(f"value of {name}" for name in names)]
    assert found["ids"]
    assert found["days"]
    assert found["error"] < 1e-12
    assert found["global error"] < 1e-12
    assert found["inside"]
    assert found["listed"] < 1e-6
    assert "row" in found["wrong cell"]
    assert "'Atlantis'" in found["wrong cell"]
    assert engine == "ray" or "Partition" in found["wrong cell"]
    assert "lacks columns that are needed: ['b']" in found["missing column"]
    assert "Only this process can explain with" in found["black box"]
    studies = found["studies"]
    assert studies["statuses"] == [["explained", ""]] * 4
    assert studies["killed"]  # the worker that explained the third model, whose run another one then explained
    assert studies["difference"] < 1e-12
    assert [run[:2] for run in found["grids"]] == [["trial", "explained"]] * 3 + [["refit", "explained"]], found[
        "grids"
    ]
    for search in found.get("searches", []):  # of FLAML, with trials in the search's own process and in others
        assert search["runs"] == [["trial", "explained"]] * 4 + [["refit", "explained"]]
        assert len(set(search["losses"])) == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_spark_connect_gives_the_values_of_the_table_in_memory():
    need(CONNECT)
    command = [sys.executable, "-W", "ignore", "-m", "tests.integrations.connect_job"]
    found = last_line(command, os.environ | {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"})
    assert found["session"].startswith("pyspark.sql.connect.")
    assert found["error"] < 1e-12
    assert found["global error"] < 1e-12


def jobs(engine, folder):
    environment = {
        **os.environ, "HOME": str(folder), "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "SPARK_LOCAL_IP": "127.0.0.1",
        "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", ""),
    }  # fmt: skip
    command = [sys.executable, "-W", "ignore", "-m", "tests.integrations.cluster_jobs", engine, str(folder)]
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as short:  # paths of sockets may not be long
        environment["RAY_TMPDIR"] = short
        return last_line(command, environment)


def last_line(command, environment):
    """Return what a process prints last, as JSON. If it fails, say its steps, and what it and its workers wrote on stderr."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    if done.returncode or not done.stdout:
        steps = "\n".join(line for line in done.stderr.splitlines() if line.startswith("==="))
        raise AssertionError(
            f"{' '.join(command)} ended with {done.returncode}:\n{steps}\n\nfrom the beginning of stderr:\n"
            f"{done.stderr[:SHOWN]}\n...\nfrom its end:\n{done.stderr[-SHOWN:]}"
        )
    return json.loads(done.stdout.splitlines()[-1])


WITHOUT = """
import pickle, sys
sys.modules["automl_explain"] = None
task = pickle.loads(sys.stdin.buffer.read())
try:
    task(3)
except ImportError as error:
    print(error)
"""


def test_a_worker_without_the_package_says_what_to_install():
    task = cloudpickle.dumps(
        remote("automl_explain.integrations.dask", "_partial_partition", "dask", ("id", b"content"))
    )
    done = subprocess.run([sys.executable, "-c", WITHOUT], input=task, capture_output=True, check=True)
    assert b"pip install 'automl-explain[dask]'" in done.stdout
    assert sys.executable.encode() in done.stdout
    assert pickle.loads(cloudpickle.dumps(remote("math", "hypot", "spark", 3)))(4) == 5


def test_a_worker_keeps_the_explainers_that_it_has_read():
    X = np.random.default_rng(0).normal(size=(40, 3))
    explainers = [
        TabularExplainer(LinearRegression().fit(X, X[:, 0] * factor), X) for factor in range(1, MOST_KEPT + 3)
    ]
    for explainer in explainers:
        scorer, shipment = pack(explainer)
        read = unpack(*shipment)
        assert unpack(*shipment) is read
        assert read.identity == scorer.identity
        np.testing.assert_array_equal(read.explain(X), scorer.explain(X))
    assert len(_kept) <= MOST_KEPT


@pytest.mark.parametrize("form", ["dataset", "scanner", "reader"])
def test_datasets_and_streams_of_arrow_are_explained_as_a_whole(form, tmp_path):
    X = np.random.default_rng(0).normal(size=(500, 3))
    names = ["a", "b", "c"]
    explainer = TabularExplainer(LinearRegression().fit(X, X @ [1, 2, 3]), X, features=names)
    table = pa.table(dict(zip(names, X.T, strict=True)))
    dataset = pyarrow.dataset.dataset(table)
    whole = {"dataset": dataset, "scanner": dataset.scanner(batch_size=70), "reader": table.to_reader(max_chunksize=30)}
    found = explainer.explain_global(whole[form])
    np.testing.assert_allclose(
        found.global_importance_values, explainer.explain_global(X).global_importance_values, rtol=1e-12
    )
    assert found.local_importance_values is None
    with pytest.raises(InvalidInputError, match="are for tables in memory"):
        explainer.explain_global(dataset, sampling_policy=10)
