"""Parameter checks shared by several modules."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np

from automl_explain.explainers._errors import InvalidInputError


def check_seed(random_state: Any) -> None:
    """Raise `InvalidInputError` unless the seed is a non-negative integer."""
    whole = isinstance(random_state, int | np.integer) and not isinstance(random_state, bool)
    if not whole or random_state < 0:
        raise InvalidInputError(f"The 'random_state' parameter must be an integer, 0 or more. Got {random_state!r}.")


def nearest(name: str, known: Sequence[str]) -> str | None:
    """Return the known name that is most similar to `name`, or None if no name is similar."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return close[0] if close else None
