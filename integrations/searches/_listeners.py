"""Listeners: functions that receive the runs of a search once they have been explained."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from automl_explain.explainers.model._registry import load

if TYPE_CHECKING:
    from automl_explain.integrations.history._run_history import RunHistory
    from automl_explain.integrations.searches._options import ExplainabilityOptions

_listeners: dict[str, str] = {}


def register_listener(library: str, listener: str) -> None:
    """Name the function that receives the runs of each search in a program that uses a library.

    Parameters
    ----------
    library : str
        Top-level module of the library. Nothing is called in a program that has not imported it.
    listener : str
        ``"module:function"`` of a function of a `RunHistory`, the ids of the runs, and `ExplainabilityOptions`; imported
        when first needed.
    """
    _listeners[library] = listener


def tell_listeners(history: RunHistory, ids: Sequence[str], options: ExplainabilityOptions) -> None:
    """Call the listeners of the libraries that this program has imported."""
    for library, listener in _listeners.items():
        if library in sys.modules:
            load(listener)(history, ids, options)
