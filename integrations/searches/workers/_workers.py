"""Where the runs of a search are explained: in threads of this process, or by the workers of a cluster.

Workers get what this process has read of a model, and the rows, as the engine would send any function's arguments. The plan,
the run history and what is kept of a run stay here.
"""

from __future__ import annotations

import hashlib
import os
import threading
import uuid
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import cloudpickle
from threadpoolctl import threadpool_limits

from automl_explain.explainers._errors import UnsupportedModelError
from automl_explain.explainers._fallback import logger
from automl_explain.explainers.compiled._jit import at_most_threads
from automl_explain.explainers.compiled._kernel_cache import seconds_compiled
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.integrations.partitions._remote import remote
from automl_explain.integrations.searches.workers._explain_run import Allowance, RunSettings, explain_run

MOST_KEPT = 2
"""Tables of searches that a worker keeps."""

Models = FittedModel | list[FittedModel]
Left = Callable[[], bool]
"""Whether a run was left behind, so that nobody waits for it."""


def never() -> bool:
    """Say that a run is not left behind."""
    return False


Found = tuple[Explanation | str, float]
"""The explanation of a run, or why there is none, and the seconds in which kernels were compiled elsewhere."""


class Workers(ABC):
    """Who explains runs; several threads ask at once.

    Parameters
    ----------
    n_slots : int
        Runs explained at the same time.
    """

    n_slots: int

    @abstractmethod
    def explain(self, models: Models, settings: RunSettings, allowance: Allowance, left: Left = never) -> Found:
        """Explain a run; errors are those of its model. `left` says whether the run was left behind meanwhile."""

    @abstractmethod
    def close(self) -> None:
        """Let the workers forget the search."""


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ThisProcess(Workers):
    """Threads of this process."""

    def __init__(self) -> None:
        self.n_slots = n_cores()

    def explain(self, models: Models, settings: RunSettings, allowance: Allowance, left: Left = never) -> Found:
        """Explain a run in the calling thread, which nothing can end."""
        return explain_run(models, settings, allowance), 0.0

    def close(self) -> None:
        """Nothing was sent."""


class NoWorkersError(Exception):
    """Raised by an engine whose workers are all gone."""


class Engine(ABC):
    """A cluster that calls a function on its workers.

    Parameters
    ----------
    n_slots : int
        Calls at the same time.
    """

    n_slots: int

    @abstractmethod
    def start(self, task: Callable[..., Any], shared: bytes) -> None:
        """Send what all calls have in common to the workers, once for each of them."""

    @abstractmethod
    def call(self, payload: bytes, left: Left) -> bytes:
        """Return ``task(shared, payload)`` of a worker; `shared` may be a handle with the bytes as its `value`.

        An engine that can end a task does so where `left` says that nobody waits for it any longer.

        Raises
        ------
        NoWorkersError
            If there are no workers any more.
        """

    @abstractmethod
    def close(self) -> None:
        """Let the workers forget what was sent."""


class Cluster(Workers):
    """Workers of Ray, Dask or Spark, or processes of this machine.

    Parameters
    ----------
    name : str
        The backend.
    engine : Engine
    settings : RunSettings or None
        What most runs have in common, which each worker gets once.
    must_send : bool, default False
        Whether a model that cannot be sent is not explained, rather than in this process.
    """

    def __init__(self, name: str, engine: Engine, settings: RunSettings | None, *, must_send: bool = False) -> None:
        self._name, self._engine, self._settings, self._must_send = name, engine, settings, must_send
        self._here, self._is_lost = ThisProcess(), False
        engine.start(remote(__name__, "explain_in_worker", name), cloudpickle.dumps((uuid.uuid4().hex, settings)))
        self.n_slots = max(1, engine.n_slots)

    def explain(self, models: Models, settings: RunSettings, allowance: Allowance, left: Left = never) -> Found:
        """Explain a run in a worker; in this process if only this process can hold its model, or no worker is left.

        Raises
        ------
        UnsupportedModelError
            If the engine has lost the worker, and others to which it gave the run, or if the model cannot be sent and must.
        """
        if self._is_lost:
            return self._here.explain(models, settings, allowance, left)
        common = self._settings
        tables = None if common is not None and settings.tables is common.tables else settings.tables
        try:
            payload = cloudpickle.dumps((models, tables, settings.options, settings.features, allowance))
        except Exception as error:
            # Classes of the user decide whether their models can be pickled, and raise what they like.
            if self._must_send:
                raise UnsupportedModelError(
                    f"it cannot be sent to another process ({type(error).__name__}: {error}). Explain it without "
                    "isolation='process'."
                ) from error
            logger.info("a model is explained in this process, since it cannot be sent: %s", error)
            return self._here.explain(models, settings, allowance, left)
        try:
            answer = cloudpickle.loads(self._engine.call(payload, left))
        except UnsupportedModelError:
            raise  # of a process of this machine
        except NoWorkersError as error:
            self._is_lost = True
            logger.warning("%s has no workers any more; the runs are explained in this process: %s", self._name, error)
            return self._here.explain(models, settings, allowance, left)
        except Exception as error:
            # The engine's own errors: it gives a call to several workers before it gives up.
            why = str(error).strip().splitlines() or [""]
            raise UnsupportedModelError(
                f"The workers of {self._name} could not explain it ({type(error).__name__}: {why[0][:300]}). What they print "
                "says why; n_jobs explains fewer runs at the same time."
            ) from error
        if isinstance(answer, BaseException):
            raise answer
        found: Found = answer
        return found

    def close(self) -> None:
        """Let the workers forget the search."""
        self._engine.close()


# ---------------------------------------------------------------------------------------------------------- in the workers

_kept: OrderedDict[bytes, RunSettings | None] = OrderedDict()
_lock = threading.Lock()


def explain_in_worker(shared: Any, payload: bytes) -> bytes:
    """Return the pickled answer for a run, on one thread: engines have a slot for each."""
    common = _read(getattr(shared, "value", shared))
    models, tables, options, features, allowance = cloudpickle.loads(payload)
    if tables is None:
        assert common is not None
        tables = common.tables
    compiled = seconds_compiled()
    try:
        with at_most_threads(1), threadpool_limits(1):
            found: Any = explain_run(models, RunSettings(tables, options, features), allowance)
        content: bytes = cloudpickle.dumps((found, seconds_compiled() - compiled))
        return content
    except Exception as error:
        return _pickled(error)


def _read(shared: bytes) -> RunSettings | None:
    key = hashlib.sha256(shared).digest()
    with _lock:
        if key not in _kept:
            _, _kept[key] = cloudpickle.loads(shared)
            while len(_kept) > MOST_KEPT:
                _kept.popitem(last=False)
        return _kept[key]


def _pickled(error: Exception) -> bytes:
    """Return an error of a model, which may be of any class, as the caller can raise it."""
    try:
        content: bytes = cloudpickle.dumps(error)
        cloudpickle.loads(content)
    except Exception:
        # Not every class of errors can be pickled, or unpickled.
        content = cloudpickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return content
