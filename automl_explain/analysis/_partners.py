"""Which feature a contribution depends on besides its own value: the strongest interaction that the values show.

The rule needs no library. Rows are divided into groups with about the same value of the feature: its categories, or up to
`GROUPS` equal parts of its range of ranks. Within a group the contributions would be equal if they depended on the feature
alone. Each other feature is divided into levels, its categories or `LEVELS` parts, and its strength is the share of the
contributions' variance within the groups that its levels explain, less what as many random levels would explain. The share is
that of omega squared, pooled over the groups.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.display._class_view import ClassView, data_of
from automl_explain.display._directions import is_category, series_of
from automl_explain.explainers.tables._column_codes import column_codes
from automl_explain.explainers.tables._table import Table

Values = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]
GROUPS = 10
"""Groups of rows with similar values of the feature."""
LEVELS = 3
"""Parts into which another feature's numbers are divided."""
MOST_LEVELS = 8
"""Categories that are told apart; the rarer ones are one level."""
FEWEST = 20
"""Rows below which no interaction is looked for."""
NOTABLE = 0.05
"""Share of the variance within groups below which an interaction is not shown."""


def interaction_strengths(view: ClassView, position: int) -> Values:
    """Return the strength of the interaction of a feature with each other one, (f,); 0 for itself and below chance.

    Parameters
    ----------
    view : ClassView
        With data.
    position : int
        Number of the feature.
    """
    data = data_of(view.explanation)
    strengths = np.zeros(view.values.shape[1])
    if data is None or len(view.values) < FEWEST:
        return strengths
    groups = levels_of(data, position, GROUPS)
    contributions = view.values[:, position]
    total = _within(contributions, groups)
    if total <= 1e-12 * max(float(np.sum(contributions**2)), 1e-300):
        return strengths
    for other in range(len(strengths)):
        if other != position:
            strengths[other] = _share(contributions, groups, levels_of(data, other, LEVELS), total)
    return strengths


def strongest_partner(view: ClassView, position: int) -> int | None:
    """Return the number of the feature with the strongest interaction; None if no interaction is notable."""
    strengths = interaction_strengths(view, position)
    best = int(np.argmax(strengths))
    return best if strengths[best] >= NOTABLE else None


def levels_of(data: Table, position: int, n_levels: int) -> Codes:
    """Return the level of each cell of a column: a category, or one of `n_levels` equal parts of the numbers."""
    series = series_of(data, position)
    if is_category(series):
        codes, _ = pd.factorize(series.astype(object), use_na_sentinel=False)
        common = np.argsort(-np.bincount(codes), kind="stable")[:MOST_LEVELS]
        return np.where(np.isin(codes, common), codes, -1)
    numbers = column_codes(series)
    known = np.isfinite(numbers)
    if len(np.unique(numbers[known])) <= n_levels:
        return np.asarray(pd.factorize(numbers, use_na_sentinel=False)[0], dtype=np.intp)
    ends = np.unique(np.quantile(numbers[known], np.linspace(0, 1, n_levels + 1)[1:-1]))
    return np.where(known, np.searchsorted(ends, np.where(known, numbers, 0.0), side="right"), -1)


def _within(values: Values, groups: Codes) -> float:
    """Sum of squares around the means of the groups."""
    _, inverse = np.unique(groups, return_inverse=True)
    sizes = np.bincount(inverse)
    means = np.bincount(inverse, weights=values) / sizes
    return float(np.sum((values - means[inverse]) ** 2))


def _share(values: Values, groups: Codes, levels: Codes, total: float) -> float:
    cells = groups.astype(np.int64) * (int(levels.max()) + 2) + levels + 1
    n_groups, n_cells = len(np.unique(groups)), len(np.unique(cells))
    left, freedom = _within(values, cells), len(values) - n_cells
    if freedom <= 0:
        return 0.0
    noise = left / freedom
    return max((total - left - (n_cells - n_groups) * noise) / (total + noise), 0.0)
