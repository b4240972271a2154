"""The limits of a service."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from automl_explain.explainers._errors import InvalidInputError


@dataclass(frozen=True)
class ServiceLimits:
    """The limits of a service.

    Parameters
    ----------
    max_body : int, default 10,000,000
        Bytes of a request's body; a larger one is refused with 413.
    max_rows : int, default 10,000
        Rows of a request; more are refused with 413.
    max_waiting : int, default 64
        Requests that wait for a thread; when there are as many, further ones are refused with 429.
    deadline : float, default 10
        Seconds within which a request is answered; after them it is answered with 504 and its work is cancelled at the next
        block of rows.
    block_rows : int, default 256
        Rows that are explained at once.
    threads : int, default 2
        Threads that score.
    half_life : int, default 10,000
        Explained rows after which a row counts half in the rolling importance of the features.

    Raises
    ------
    InvalidInputError
        If a limit is not a positive number.

    Examples
    --------
    >>> from automl_explain import ServiceLimits
    >>> ServiceLimits(max_rows=1000, deadline=2.5).max_rows
    1000
    """

    max_body: int = 10_000_000
    max_rows: int = 10_000
    max_waiting: int = 64
    deadline: float = 10.0
    block_rows: int = 256
    threads: int = 2
    half_life: int = 10_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            kinds = (int, float) if field.name == "deadline" else (int,)
            if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < math.inf:
                raise InvalidInputError(f"The limit {field.name!r} must be a positive number. Got {value!r}.")
