"""Functions that run in workers, where this package may be missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def remote(module: str, name: str, extra: str, *given: Any) -> Callable[..., Any]:
    """Return a function for workers, which calls one of this package with some arguments given.

    Engines send functions by cloudpickle: those of an installed module by name, which a worker without the package cannot
    look up, but a nested one by value. It therefore says what is missing, and where.

    Parameters
    ----------
    module, name : str
        The function of this package.
    extra : str
        Extra that a worker needs.
    *given : object
        First arguments: plain values, or handles of the engine.
    """

    def run(*arguments: Any, **options: Any) -> Any:
        import importlib
        import platform
        import sys

        try:
            function = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            raise ImportError(
                f"The worker {platform.node()} ({sys.executable}) lacks {error.name}. Install the package on every worker: "
                f"pip install 'automl-explain[{extra}]'"
            ) from error
        return function(*given, *arguments, **options)

    return run
