"""Explanations on a real cluster on this machine, in a process of their own: prints what came out as JSON.

Run as ``python -m tests.integrations.cluster_jobs ENGINE FOLDER``. A worker is killed in the middle of the first job. stderr has
the versions, each step with its time, and what workers say; after `LONGEST` seconds, where each thread of this process stands.
"""

import faulthandler
import json
import os
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import flaml
import joblib
import numpy as np
import optuna
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeClassifier

from automl_explain import RowColumns, TabularExplainer, retrieve_model_explanation
from automl_explain.explainers._errors import UnsupportedModelError
from automl_explain.integrations.flaml import AutoML
from automl_explain.integrations.optuna import TrialExplainer
from automl_explain.integrations.searches.workers import _workers
from automl_explain.integrations.sklearn_search import ExplainingScorer

N_ROWS = 3_000
LONGEST = 540
LIBRARIES = ("dask", "distributed", "ray", "pyspark", "pyarrow", "pandas", "numpy", "cloudpickle", "joblib")


STARTED = time.monotonic()


def step(name):
    """Say on stderr what is done next, and when."""
    sys.stderr.write(f"=== {time.monotonic() - STARTED:.1f} s: {name}\n")
    sys.stderr.flush()


def versions():
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return ", ".join(f"{name} {number}" for name, number in found.items())


def table():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(N_ROWS, 4)), columns=["a", "b", "c", "d"])
    rows.loc[::7, "a"] = np.nan
    rows["state"] = pd.Categorical(rng.choice(["CA", "NY", "New Mexico"], N_ROWS))
    rows.loc[::11, "state"] = np.nan
    return rows


def die_once(marker):
    """Kill the worker process, unless that was done before."""
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os._exit(1)


class Dask:
    """Two worker processes."""

    def __init__(self, folder):
        import dask
        import dask.dataframe as dd
        from distributed import Client, LocalCluster

        from automl_explain.integrations.dask import explain_frame

        self.explain = explain_frame
        # On a busy machine a worker takes long to start again. By default, the cluster gives it up after 15 seconds.
        dask.config.set({"distributed.comm.timeouts.connect": "120s", "distributed.deploy.lost-worker-timeout": "300s"})
        self.cluster = LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None)
        self.client = Client(self.cluster)
        self.read = dd.read_parquet

    def table_of(self, path):
        return self.read(path)

    def parts_of(self, path):
        return self.read(path).repartition(npartitions=40)  # more than one worker merges

    def dying(self, data, marker):
        return data.map_partitions(lambda part: die_once(marker) or part, meta=data._meta)

    def collect(self, data):
        return data.compute()

    def with_state(self, data, number, state):
        return data.assign(state=data.state.where(data.id != number, state))

    def stop(self):
        self.client.close()
        self.cluster.close()


class Spark:
    """Two slots, each with a worker process of Python."""

    def __init__(self, folder):
        from pyspark.sql import SparkSession

        from automl_explain.integrations.spark import explain_frame

        self.explain = explain_frame
        os.environ["PYSPARK_PYTHON"] = sys.executable
        settings = {
            "spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1",
            "spark.sql.warehouse.dir": f"{folder}/warehouse",
        }  # fmt: skip
        builder = SparkSession.builder.master("local[2,4]")
        for name, value in settings.items():
            builder = builder.config(name, value)
        self.spark = builder.getOrCreate()
        self.spark.sparkContext.setLogLevel("FATAL")

    def table_of(self, path):
        return self.spark.read.parquet(str(path))

    def parts_of(self, path):
        rows = self.table_of(path)
        return rows.union(rows.limit(0)).repartition(5, "state")  # unbalanced, some empty

    def dying(self, data, marker):
        def passing(batches):
            die_once(marker)
            yield from batches

        return data.mapInArrow(passing, data.schema)

    def collect(self, data):
        return data.toPandas()

    def with_state(self, data, number, state):
        from pyspark.sql import functions

        wrong = functions.when(functions.col("id") == number, state).otherwise(functions.col("state"))
        return data.withColumn("state", wrong)

    def search(self, folder, n_concurrent):
        """Statuses and losses of a search of FLAML's on Spark, and the losses of the same search without explanations."""
        X, y = make_classification(240, 6, n_informative=4, random_state=0)
        os.environ["FLAML_MAX_CONCURRENT"] = str(n_concurrent)  # by default, FLAML runs one trial for each executor
        settings = {
            "task": "classification", "estimator_list": ["lgbm", "rf"], "hpo_method": "random", "max_iter": 4, "seed": 3,
            "n_jobs": 1, "n_concurrent_trials": 2, "verbose": 0, "use_spark": True,
        }  # fmt: skip
        plain = flaml.AutoML()
        plain.fit(X, y, **settings)
        explained = AutoML(model_explainability=True, history=folder / f"runs{n_concurrent}")
        explained.fit(X, y, **settings)
        runs = [(run.kind, run.status) for run in explained.runs]
        return {"runs": runs, "losses": [plain.best_loss, explained.best_loss, explained.best_run.loss]}

    def stop(self):
        self.spark.stop()


class Ray:
    """Two workers."""

    def __init__(self, folder):
        from automl_explain.integrations.ray import explain_dataset
        from tests.ray_here import start_ray

        self.explain, self.ray = explain_dataset, start_ray(2)

    def table_of(self, path):
        return self.ray.data.read_parquet(str(path))

    def parts_of(self, path):
        return self.table_of(path).repartition(5)

    def dying(self, data, marker):
        return data.map_batches(lambda block: die_once(marker) or block, batch_format="pyarrow", batch_size=None)

    def collect(self, data):
        return data.to_pandas()

    def with_state(self, data, number, state):
        def changed(block):
            return block.assign(state=block.state.where(block.id != number, state))

        return data.map_batches(changed, batch_format="pandas")

    def stop(self):
        self.ray.shutdown()


def main(name, folder):
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    step(f"Python {sys.version.split()[0]}, {versions()}, load {os.getloadavg()[0]:.1f}")
    rows = table()
    target = (rows.a.fillna(0) + rows.b + (rows.state == "CA")) > 0
    explainer = TabularExplainer(LGBMClassifier(n_estimators=10, verbose=-1).fit(rows, target), rows[:50])
    text = rows.assign(state=rows.state.astype(object), id=np.arange(N_ROWS), day=pd.Timestamp("2026-01-01"))
    (folder / "rows").mkdir()
    for number in range(3):  # the last file is empty
        text[number * 2_000 : (number + 1) * 2_000].to_parquet(folder / "rows" / f"{number}.parquet", index=False)
    whole = explainer.explain_local(rows)
    best = whole.predictions.argmax(axis=1)
    names = [f"value of {feature}" for feature in explainer.features]

    step(f"start {name}")
    engine = {"dask": Dask, "spark": Spark, "ray": Ray}[name](folder)
    found = {}
    try:
        step("explain rows, and kill a worker")
        data = engine.parts_of(folder / "rows")
        explained = engine.collect(engine.explain(explainer, engine.dying(data, str(folder / "killed"))))
        explained = explained.sort_values("id")
        found["killed"] = (folder / "killed").exists()
        found["columns"] = list(explained.columns)
        found["ids"] = explained.id.tolist() == text.id.tolist()
        found["days"] = bool((pd.to_datetime(explained.day) == pd.Timestamp("2026-01-01")).all())
        values = whole.local_importance_values[best, np.arange(N_ROWS)]
        found["error"] = float(np.abs(explained[names].to_numpy() - values).max())
        step("global importance")
        merged = explainer.explain_global(data)
        found["global error"] = float(np.abs(merged.per_class_values / whole.per_class_values - 1).max())
        wide = merged.global_importance()
        found["inside"] = bool(((wide.low < wide.values) & (wide.values < wide.high)).all())
        step("one column with all values")
        columns = RowColumns(("id",), as_list=True, dtype="float32")
        listed = engine.collect(engine.explain(explainer, data, columns)).sort_values("id")
        found["listed"] = float(np.abs(np.stack(listed["values"]) - values).max())
        step("what is refused")
        try:
            engine.collect(engine.explain(explainer, engine.with_state(data, 1_234, "Atlantis")))
        except Exception as error:  # each engine has its own
            found["wrong cell"] = str(error)
        try:
            engine.explain(explainer, data.drop("b") if name == "spark" else without(data, "b"))
        except Exception as error:
            found["missing column"] = str(error)
        try:
            engine.explain(TabularExplainer(lambda table: table[:, 0], np.zeros((2, 2))), data)
        except UnsupportedModelError as error:
            found["black box"] = str(error)
        step("explain the runs of a study, and kill a worker")
        found["studies"] = studies(name, folder)
        step("search with joblib")
        found["grids"] = grids(name, folder)
        if name == "spark":
            step("search with FLAML")
            found["searches"] = [engine.search(folder, n_concurrent) for n_concurrent in (1, 2)]
    finally:
        step(f"stop {name}")
        engine.stop()
    step("done")
    faulthandler.cancel_dump_traceback_later()
    sys.stdout.write(json.dumps(found) + "\n")


class Dying(KNeighborsRegressor):
    """A model that kills the first worker that predicts with it."""

    def predict(self, X):
        if os.getpid() != self.owner:
            die_once(self.marker)
        return super().predict(X)


def studies(name, folder):
    """A study whose trials are explained by the workers, beside the same one explained in this process."""
    X, y = make_regression(200, 4, noise=1.0, random_state=0)
    dying = Dying()
    dying.owner, dying.marker = os.getpid(), str(folder / "killed by a model")
    models = [LGBMRegressor(n_estimators=5, verbose=-1), RandomForestRegressor(5, random_state=0), dying, Ridge()]
    found = []
    for backend in (None, name):
        options = {"backend": backend, "max_rows": 20, "background": 10, "time_budget": 300}
        explainer = TrialExplainer(X, X[:50], history=folder / f"study on {backend}", explainability_options=options)

        def objective(trial, explainer=explainer):
            with explainer.trial(trial) as seen:
                seen.capture(clone(models[trial.number]).fit(X, y) if trial.number != 2 else dying.fit(X, y))
                return float(trial.number)

        here = _workers.ThisProcess.explain
        if backend is not None:
            _workers.ThisProcess.explain = None  # so that none is explained in this process
        try:
            with explainer:
                optuna.create_study().optimize(objective, n_trials=4)
        finally:
            _workers.ThisProcess.explain = here
        runs = sorted(explainer.runs, key=lambda run: run.number)
        found.append([[run.status, run.why] for run in runs])
        found.append([retrieve_model_explanation(run).shap_values.tolist() for run in runs])
    return {"statuses": found[2], "difference": float(np.abs(np.array(found[1]) - np.array(found[3])).max()),
            "killed": os.path.exists(dying.marker)}  # fmt: skip


def grids(name, folder):
    """A search of scikit-learn's whose models are fitted by the workers, through joblib."""
    X, y = make_classification(120, 4, random_state=0)
    if name == "ray":
        from ray.util.joblib import register_ray

        register_ray()
    if name == "spark":
        from joblibspark import register_spark

        register_spark()
    scorer = ExplainingScorer("accuracy", X, history=folder / "grid")
    grid = GridSearchCV(
        DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3]}, scoring=scorer, cv=2, n_jobs=2
    )
    with joblib.parallel_backend(name, n_jobs=2):
        grid.fit(X, y)
    return [[run.kind, run.status, run.why] for run in scorer.explain(grid)]


def without(data, column):
    return data.drop(columns=[column]) if hasattr(data, "map_partitions") else data.drop_columns([column])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
