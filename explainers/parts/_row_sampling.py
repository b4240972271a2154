"""Which rows of a table are explained, and global values of large tables in batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl_explain.explainers._arguments import check_arguments, check_seed, checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.parts._partial_importance import PartialImportance
from automl_explain.explainers.tables._table import RowNumbers, Table, as_table, draw_rows

BATCH_ROWS = 4096
"""Maximum number of rows explained at a time if only global values are kept."""
BATCH_BYTES = 64 * 2**20
"""Maximum memory for the values of these rows."""


@dataclass(frozen=True)
class SamplingPolicy:
    """Which rows of a table a global explanation is computed from.

    Parameters
    ----------
    max_rows : int
        Maximum number of rows, drawn without replacement; all rows of a smaller table are explained.
    random_state : int, default 0
        Seed of the draw.

    Raises
    ------
    InvalidInputError
        If `max_rows` is not an integer of 1 or more, or `random_state` not one of 0 or more.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import LinearRegression
    >>> from automl_explain import SamplingPolicy, TabularExplainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> explainer = TabularExplainer(LinearRegression().fit(X, y), X)
    >>> explanation = explainer.explain_global(X, sampling_policy=SamplingPolicy(100))
    >>> explanation.num_examples, explanation.notes
    (100, ('rows: 100 of 442, drawn with seed 0',))
    """

    max_rows: int
    random_state: int = 0

    def __post_init__(self) -> None:
        whole = isinstance(self.max_rows, int | np.integer) and not isinstance(self.max_rows, bool)
        if not whole or self.max_rows < 1:
            raise InvalidInputError(
                f"The 'sampling_policy' parameter must be a SamplingPolicy, or a number of rows, 1 or more. "
                f"Got {self.max_rows!r}."
            )
        check_seed(self.random_state)

    def choose(self, table: Table) -> tuple[Table, str | None]:
        """Return the rows to explain, and a note if some rows are left out.

        Parameters
        ----------
        table : Table
            All rows.

        Returns
        -------
        tuple of Table and str or None
            The rows, and the note.
        """
        rows = self.choose_rows(len(table))
        if len(rows) == len(table):
            return table, None
        return table.take(rows), f"rows: {len(rows)} of {len(table)}, drawn with seed {self.random_state}"

    @checked
    def choose_rows(self, total: int) -> RowNumbers:
        """Return the positions of the rows to explain, out of `total`, in ascending order.

        Parameters
        ----------
        total : int
            Number of rows.

        Returns
        -------
        ndarray of int
            Row numbers from 0.
        """
        return draw_rows(total, int(self.max_rows), self.random_state)


def as_policy(given: Any) -> SamplingPolicy:
    """Return the policy given, or one for a number of rows."""
    return given if isinstance(given, SamplingPolicy) else SamplingPolicy(given)


def explain_table(
    explain_local: Callable[[Any], Explanation],
    X: Any,
    values_per_row: int,
    *,
    sampling_policy: Any,
    include_local: bool,
    batch_size: int | None,
) -> Explanation:
    """Explain a table as a whole with an explainer of rows.

    Parameters
    ----------
    explain_local : callable
        From rows to their explanation.
    X : table
    values_per_row : int
        Numbers that the explanation of a row holds.
    sampling_policy : SamplingPolicy, int or None
        Which rows are explained; None for all.
    include_local : bool
        Whether the values of rows are kept.
    batch_size : int or None
        Number of rows explained at a time if their values are not kept.
    """
    table, note = as_table(X), None
    if sampling_policy is not None:
        table, note = as_policy(sampling_policy).choose(table)
    if include_local:
        explanation = explain_local(table)
    else:
        n_rows = batch_rows(values_per_row) if batch_size is None else batch_size
        explanation = explain_in_batches(explain_local, table, n_rows)
    return explanation if note is None else replace(explanation, notes=(*explanation.notes, note))


def batch_rows(n_values: int) -> int:
    """Return how many rows of `n_values` values each are explained at a time."""
    return max(1, min(BATCH_ROWS, BATCH_BYTES // (8 * max(1, n_values))))


def explain_in_batches(explain: Callable[[Table], Explanation], table: Table, n_rows: int) -> Explanation:
    """Explain a table `n_rows` rows at a time and return its global values, without local ones."""
    check_arguments({"batch_size": n_rows})
    parts = PartialImportance()
    for start in range(0, len(table), n_rows):
        parts.add(explain(table.take(np.arange(start, min(start + n_rows, len(table))))))
    return parts.explanation()
