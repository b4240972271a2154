"""The threads in which FLAML logs to MLflow, at a pace that a test chooses.

FLAML marks the best run while a thread may still log it, and whichever is second wins or fails. A test that searches with
FLAML alone lets it log at once; a test of this library's searches lets it log late.
"""

import time
from concurrent.futures import Future
from contextlib import contextmanager

import pytest

LATE = 0.5
"""Seconds before a thread logs a run."""


class _AtOnce:
    def submit(self, call, *args, **kwargs):
        done = Future()
        try:
            done.set_result(call(*args, **kwargs))
        except Exception as error:  # FLAML reports it when the future is read
            done.set_exception(error)
        return done


@contextmanager
def flaml_logs_at_once():
    """Let FLAML log in the thread of the search."""
    import flaml.fabric.mlflow

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flaml.fabric.mlflow, "executor", _AtOnce())
        yield


@contextmanager
def flaml_logs_late():
    """Let FLAML's threads log runs after the search would have marked the best one."""
    from flaml.fabric.mlflow import MLflowIntegration

    log = MLflowIntegration._log_info_to_run

    def late(*args, **kwargs):
        time.sleep(LATE)
        return log(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MLflowIntegration, "_log_info_to_run", late)
        yield
