"""Pickling of explainers, whose descriptions of models contain closures."""

from __future__ import annotations

from typing import Any

import cloudpickle


class Picklable:
    """Pickles an object with cloudpickle, which supports closures."""

    def __reduce__(self) -> tuple[Any, ...]:
        return restore, (type(self), cloudpickle.dumps(vars(self)))


def restore(kind: type, state: bytes) -> Any:
    """Return an object of a class with the state written by `Picklable`."""
    made: Any = object.__new__(kind)
    vars(made).update(cloudpickle.loads(state))
    return made
