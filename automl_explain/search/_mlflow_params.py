"""Settings of a run as MLflow's parameters: names that it takes, each once, and values that are short enough."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from mlflow.entities import Param

LONGEST_NAME = 250
"""Characters of a name that MLflow takes."""
LONGEST_VALUE = 500
"""Characters of a value that every version of MLflow takes."""
UNNAMED = "unnamed"
"""What an empty name becomes."""


def as_params(config: Mapping[Any, Any]) -> list[Param]:
    """Return settings as parameters.

    >>> [(param.key, param.value) for param in as_params({"a:b": 1, "a_b": 2, "": 3})]
    [('a_b', '1'), ('a_b 2', '2'), ('unnamed', '3')]
    """
    taken: set[str] = set()
    made = []
    for name, value in config.items():
        key = _unused(_allowed(str(name)), taken)
        taken.add(key.casefold())  # databases may compare names without regard to case
        text = str(value)
        made.append(Param(key, text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."))
    return made


def _allowed(name: str) -> str:
    """Return a name without what MLflow refuses: other characters, and paths that have a shorter form or lead upwards."""
    plain = re.sub(r"[^A-Za-z0-9_\-./ ]", "_", name)
    if plain != posixpath.normpath(plain) or plain.startswith(("/", "..")) or plain == ".":
        plain = re.sub(r"^\.+", "_", plain.replace("/", "_"))
    plain = plain[:LONGEST_NAME].strip()
    return plain if plain.strip("./ ") else UNNAMED


def _unused(name: str, taken: set[str]) -> str:
    """Return the name, or the name with the first number with which it is new."""
    number, found = 1, name
    while found.casefold() in taken:
        number += 1
        ending = f" {number}"
        found = f"{name[: LONGEST_NAME - len(ending)]}{ending}"
    return found
