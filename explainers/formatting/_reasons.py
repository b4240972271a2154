"""Reason codes: what a feature does to the output of a row, as a sentence."""

from __future__ import annotations

import math
from typing import Any

from automl_explain.explainers.formatting._names import shortened
from automl_explain.explainers.formatting._numbers import cell_text, number_text, python_value

DISCLAIMER = (
    "Reasons say what the model's output was computed from. They are not causes: a change of a feature need not change "
    "the outcome in the world."
)
OF_A_CLASS = {"probability": "the probability of {}", "log_odds": "the log-odds of {}", "margin": "the margin of {}"}
"""Output space of a classification -> what a feature raises or lowers."""
WIDTH = 60
"""Characters of a name in a sentence."""
LARGEST_FACTOR = 1000.0
"""Odds that change by a larger factor are given as log-odds."""
UNKNOWN = object()
"""In place of a cell that is not known."""


def direction(contribution: float) -> str:
    """Return "raises" or "lowers"."""
    return "raises" if contribution > 0 else "lowers"


def reason_text(
    feature: Any, cell: Any, contribution: float, output_space: str, class_: Any = None, *, n_classes: int = 0
) -> str:
    """Return a reason as a sentence, such as "calls = 5 raises the odds of 'yes' by a factor of 1.8".

    Parameters
    ----------
    feature : object
        Name of the feature.
    cell : object
        Its value in the row, or `UNKNOWN`.
    contribution : float
        Its value in the explanation.
    output_space : str
        Unit of the contribution.
    class_ : object
        Label of the class.
    n_classes : int
        Number of classes; 0 for a regression. A sum of log-odds is a product of odds only with two classes.

    Examples
    --------
    >>> from automl_explain.explainers.formatting._reasons import reason_text
    >>> reason_text("calls", 5, 0.5878, "log_odds", "yes", n_classes=2)
    "calls = 5 raises the odds of 'yes' by a factor of 1.8"
    >>> reason_text("age", 30, -2.5, "response")
    'age = 30 lowers the prediction by 2.50'
    """
    which = shortened(feature, WIDTH)
    which = which if cell is UNKNOWN else f"{which} = {cell_text(cell, WIDTH)}"
    size, verb = abs(contribution), direction(contribution)
    if not n_classes:
        what = "the prediction" if output_space == "response" else "the margin"
        return f"{which} {verb} {what} by {number_text(size)}"
    label = shortened(repr(python_value(class_)), WIDTH)
    factor = math.exp(min(size, 700.0))
    if n_classes == 2 and output_space == "log_odds" and factor <= LARGEST_FACTOR:
        return f"{which} {verb} the odds of {label} by a factor of {_factor_text(factor)}"
    what = OF_A_CLASS.get(output_space, "the output of {}").format(label)
    return f"{which} {verb} {what} by {number_text(size)}"


def _factor_text(factor: float) -> str:
    """A factor; a small one with more digits, which can be told from 1."""
    return f"{factor:.2g}" if factor >= 1.095 else f"{factor:.3g}"
