"""Whether there is time for a last model after a search."""

from __future__ import annotations

import time
import warnings

from automl_explain.explainers._errors import AutoMLExplainWarning

LEAST_EXTRA = 10.0
"""Seconds after the time budget, or the budget again if that is more, in which a last model may be fitted."""


class TimeLeft:
    """The time of a search, from the moment that this object is made.

    Parameters
    ----------
    budget : float
        Seconds of search.
    """

    def __init__(self, budget: float) -> None:
        self._budget = budget
        self._started = time.monotonic()

    def affords(self, what: str, expected: float) -> bool:
        """Return whether a model that is expected to take so many seconds can be fitted, and warn if it cannot."""
        late = time.monotonic() - self._started + expected - self._budget
        if late <= max(LEAST_EXTRA, self._budget):
            return True
        warnings.warn(
            f"The search leaves out {what}, which would take about {expected:.0f} s: with it, the search would be "
            f"{late:.0f} s over its time_budget of {self._budget:g} s. A larger budget makes room for it.",
            AutoMLExplainWarning,
            stacklevel=2,
        )
        return False
