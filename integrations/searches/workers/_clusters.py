"""Ray, Dask and Spark as engines that call a function on their workers, for `ExplainabilityOptions(backend=...)`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from automl_explain.integrations.searches.workers._workers import Engine, Left, NoWorkersError

LOOK_SECONDS, PATIENCE_SECONDS = 5.0, 60.0
"""How often Dask's workers are counted while a run is waited for, and for how long there may be none."""


class Ray(Engine):
    """The Ray in use, or one that starts on this machine. Ray gives the run of a worker that died to another one."""

    def __init__(self) -> None:
        import ray

        if not ray.is_initialized():
            ray.init()
        self._ray: Any = ray
        self.n_slots = int(self._ray.cluster_resources().get("CPU", 1))

    def start(self, task: Callable[..., Any], shared: bytes) -> None:
        """Put what is shared into the object store."""
        self._task, self._shared = self._ray.remote(num_cpus=1)(task), self._ray.put(shared)

    def call(self, payload: bytes, left: Left) -> bytes:
        """Run a task of one processor."""
        found: bytes = self._ray.get(self._task.remote(self._shared, payload))
        return found

    def close(self) -> None:
        """Free the object store."""
        del self._shared


class Dask(Engine):
    """The client in use. Dask gives the runs of a worker that died to others.

    What is shared is the result of a task, which is done again if its worker is lost, as scattered data are not.
    """

    def __init__(self) -> None:
        import distributed

        dask: Any = distributed
        self._client = dask.get_client()
        self.n_slots = sum(self._client.nthreads().values())

    def start(self, task: Callable[..., Any], shared: bytes) -> None:
        """Give the scheduler a task that returns what is shared."""
        self._task = task
        self._shared: Any = self._client.submit(bytes, shared, pure=False)

    def call(self, payload: bytes, left: Left) -> bytes:
        """Submit a task that runs once. Dask itself would wait for ever if all workers were lost."""
        future = self._client.submit(self._task, self._shared, payload, pure=False)
        last_seen = time.monotonic()
        while True:
            try:
                found: bytes = future.result(timeout=LOOK_SECONDS)
                return found
            except TimeoutError:
                if self._client.nthreads():
                    last_seen = time.monotonic()
                elif time.monotonic() - last_seen > PATIENCE_SECONDS:
                    future.cancel()
                    raise NoWorkersError(f"none for {PATIENCE_SECONDS:.0f} seconds") from None

    def close(self) -> None:
        """Release the shared task."""
        self._shared.release()


class Spark(Engine):
    """The Spark session in use, or one that starts on this machine. Each run is a job of one task.

    Spark gives the task of a worker that died to another one, up to `spark.task.maxFailures` times.
    """

    def __init__(self) -> None:
        from pyspark.sql import SparkSession

        session = SparkSession.getActiveSession() or SparkSession.builder.getOrCreate()
        self._context = session.sparkContext
        self.n_slots = int(self._context.defaultParallelism)

    def start(self, task: Callable[..., Any], shared: bytes) -> None:
        """Broadcast what is shared."""
        sent = self._sent = self._context.broadcast(shared)
        self._task = lambda payload: task(sent, payload)

    def call(self, payload: bytes, left: Left) -> bytes:
        """Run a job of one partition with one row."""
        found: bytes = self._context.parallelize([payload], 1).map(self._task).collect()[0]
        return found

    def close(self) -> None:
        """Free the broadcast variable."""
        self._sent.unpersist()
