"""`RowSample`: some of the rows of a table that is explained in parts, evenly spaced over the whole table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.parts._row_sampling import BATCH_BYTES
from automl_explain.explainers.tables._table import stack_rows

MOST_ROWS = 2000
"""Maximum number of rows of a sample, unless their values take too much memory."""


class RowSample:
    """Explained rows whose numbers are multiples of a power of two, the smallest with which they are few enough.

    Which rows these are depends on the number of rows alone, not on how they come in blocks and parts.

    Parameters
    ----------
    first : int, default 0
        Number of the first row in the whole table.
    """

    def __init__(self, first: int = 0) -> None:
        self._next, self._step = first, 1
        self._kept: list[tuple[int, Explanation]] = []  # the number of the first row, and every step-th row from there

    def add(self, explanation: Explanation) -> None:
        """Add the rows that follow."""
        n_rows = explanation.num_examples
        offset = -self._next % self._step
        if offset < n_rows:
            self._kept.append((self._next + offset, explanation[offset :: self._step]))
        self._next += n_rows
        while sum(part.num_examples for _, part in self._kept) > _most_rows(explanation):
            self._widen()

    def explanation(self) -> Explanation:
        """Return the rows that were kept."""
        return joined([part for _, part in self._kept])

    def _widen(self) -> None:
        """Leave out every other row."""
        kept = []
        for first, part in self._kept:
            skip = (first // self._step) % 2
            if skip < part.num_examples:
                kept.append((first + skip * self._step, part[skip::2]))
        self._kept, self._step = kept, 2 * self._step


def sampled(n_rows: int, most: int, first: int = 0) -> range:
    """Return the numbers of the rows that a sample of `n_rows` rows from row `first` on has."""
    step = 1
    while len(found := range(first + -first % step, first + n_rows, step)) > most:
        step *= 2
    return found


def sample_of(counts: Sequence[int], samples: Sequence[Explanation]) -> Explanation:
    """Return the sample of a table from the samples of its parts, which have so many rows."""
    most, first = _most_rows(samples[0]), 0
    numbers: list[int] = []
    for count in counts:
        numbers += sampled(count, most, first)
        first += count
    wanted = set(sampled(first, most))
    return joined(samples)[[row for row, number in enumerate(numbers) if number in wanted]]


def joined(parts: Sequence[Explanation]) -> Explanation:
    """Return the rows of several explanations by one explainer, one after the other."""
    if len(parts) == 1:
        return parts[0]

    def rows(name: str, axis: int) -> Any:
        found = [getattr(part, name) for part in parts]
        return None if found[0] is None else np.concatenate(found, axis=axis)

    tables = [part.data for part in parts]
    known = [table for table in tables if table is not None]
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    return replace(
        parts[0],
        local_importance_values=rows("local_importance_values", -2),
        standard_errors=rows("standard_errors", -2),
        predictions=rows("predictions", 0),
        left_out=rows("left_out", -1),
        data=stack_rows(known) if len(known) == len(tables) else None,
        notes=tuple(notes),
        members=None,
    )


def _most_rows(explanation: Explanation) -> int:
    n_values = len(explanation.classes or (None,)) * explanation.num_features
    return max(1, min(MOST_ROWS, BATCH_BYTES // (8 * n_values)))
