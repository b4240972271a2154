"""Explainers that can be pickled, although what is known of a model holds closures."""

from __future__ import annotations

from typing import Any

import cloudpickle


class Picklable:
    """Pickles an object through cloudpickle, which writes closures as well."""

    def __reduce__(self) -> tuple[Any, ...]:
        return restore, (type(self), cloudpickle.dumps(vars(self)))


def restore(kind: type, state: bytes) -> Any:
    """Return the object of a class and the state that `Picklable` wrote."""
    made: Any = object.__new__(kind)
    vars(made).update(cloudpickle.loads(state))
    return made
