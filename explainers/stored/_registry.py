"""The registry of kinds of stored explanations."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from typing import Any

from automl_explain.explainers._errors import InvalidInputError

_kinds: dict[str, str] = {}


def register_kinds(kinds: Mapping[str, str]) -> None:
    """Register kinds of stored explanations: kind of the bundle -> ``"module:class"``, whose `load` reads the file."""
    _kinds.update(kinds)


def class_of_kind(kind: str, path: str | os.PathLike[str]) -> Any:
    """Return the class whose explanations are stored as bundles of a kind.

    Raises
    ------
    InvalidInputError
        If bundles of that kind do not hold an explanation.
    """
    if kind not in _kinds:
        known = " or ".join(map(repr, sorted(_kinds)))
        raise InvalidInputError(f"{os.fspath(path)} holds a {kind!r}, not a {known}.")
    module, _, name = _kinds[kind].partition(":")
    return getattr(importlib.import_module(module), name)
