"""Engines of clusters on this machine for `bench_scale`: so many workers of one thread, which write Parquet."""

from __future__ import annotations

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

from automl_explain import RowColumns
from automl_explain.integrations.partitions import _shipment


class Processes:
    """Processes without an engine, a file at a time each: what the machine allows."""

    def __init__(self, n_workers: int, folder: Path) -> None:
        self.pool = ProcessPoolExecutor(n_workers, multiprocessing.get_context("spawn"))

    def write(self, scorer: Any, data: Path, out: Path) -> None:
        out.mkdir(exist_ok=True)
        _, shipment = _shipment.pack(scorer)
        files = sorted(data.glob("*.parquet"))
        list(self.pool.map(_write_file, [tuple(shipment)] * len(files), files, [out / path.name for path in files]))

    def whole(self, scorer: Any, data: Path) -> Any:
        _, shipment = _shipment.pack(scorer)
        files = sorted(data.glob("*.parquet"))
        return _shipment.merged_bytes(self.pool.map(_partial_of_file, [tuple(shipment)] * len(files), files))

    def stop(self) -> None:
        self.pool.shutdown()


def _write_file(shipment: tuple[str, bytes], path: Path, out: Path) -> None:
    scorer, rows = _shipment.unpack(*shipment), pd.read_parquet(path)
    columns = RowColumns(tuple(map(str, rows.columns)))
    _shipment.explained_frame(scorer, columns, rows, path.name).to_parquet(out)


def _partial_of_file(shipment: tuple[str, bytes], path: Path) -> bytes | None:
    scorer = _shipment.unpack(*shipment)
    return _shipment.partial_bytes(scorer, [pd.read_parquet(path, columns=list(scorer.schema.names))], path.name)


class Dask:
    """A worker is a process."""

    def __init__(self, n_workers: int, folder: Path) -> None:
        from distributed import Client, LocalCluster

        self.cluster = LocalCluster(n_workers=n_workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None)
        self.client = Client(self.cluster)

    def read(self, data: Path) -> Any:
        import dask.dataframe as dd

        return dd.read_parquet(data)

    def write(self, scorer: Any, data: Path, out: Path) -> None:
        from automl_explain.integrations.dask import explain_frame

        explain_frame(scorer, self.read(data)).to_parquet(out)

    def whole(self, scorer: Any, data: Path) -> Any:
        from automl_explain.integrations.dask import explain_whole

        return explain_whole(scorer, self.read(data))

    def stop(self) -> None:
        self.client.close()
        self.cluster.close()


class Ray:
    """A worker is a processor that Ray may use; reading and writing take a little of one."""

    def __init__(self, n_workers: int, folder: Path) -> None:
        from tests.ray_here import start_ray

        self.ray = start_ray(n_workers)

    def read(self, data: Path) -> Any:
        return self.ray.data.read_parquet(str(data))

    def write(self, scorer: Any, data: Path, out: Path) -> None:
        from automl_explain.integrations.ray import explain_dataset

        explain_dataset(scorer, self.read(data)).write_parquet(str(out))

    def whole(self, scorer: Any, data: Path) -> Any:
        from automl_explain.integrations.ray import explain_whole

        return explain_whole(scorer, self.read(data))

    def stop(self) -> None:
        self.ray.shutdown()


class Spark:
    """A worker is a slot, with a Python process."""

    def __init__(self, n_workers: int, folder: Path) -> None:
        from pyspark.sql import SparkSession

        os.environ["PYSPARK_PYTHON"] = sys.executable
        settings = {
            "spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1",
            "spark.sql.warehouse.dir": f"{folder}/warehouse", "spark.driver.memory": "2g",
            "spark.sql.files.maxPartitionBytes": "24m",
        }  # fmt: skip
        builder = SparkSession.builder.master(f"local[{n_workers}]")
        for name, value in settings.items():
            builder = builder.config(name, value)
        self.spark = builder.getOrCreate()
        self.spark.sparkContext.setLogLevel("FATAL")

    def read(self, data: Path) -> Any:
        return self.spark.read.parquet(str(data))

    def write(self, scorer: Any, data: Path, out: Path) -> None:
        from automl_explain.integrations.spark import explain_frame

        explain_frame(scorer, self.read(data)).write.mode("overwrite").parquet(str(out))

    def whole(self, scorer: Any, data: Path) -> Any:
        from automl_explain.integrations.spark import explain_whole

        return explain_whole(scorer, self.read(data))

    def stop(self) -> None:
        self.spark.stop()


ENGINES = {"processes": Processes, "dask": Dask, "ray": Ray, "spark": Spark}
