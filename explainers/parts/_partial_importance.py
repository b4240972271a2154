"""`PartialImportance`: global values of some of the rows of a table, which are merged with those of the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import ColumnMismatchError, InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._selection import Values

MOST_GROUPS, FEWEST_GROUPS = 1024, 32
"""Groups of rows whose sums are kept. Intervals from 1024 groups are 2% too wide or too narrow, from 32 groups 12%."""
MOST_SUMS = 2**21
"""Numbers of all groups together: with many features and classes there are fewer groups."""


class PartialImportance:
    """Global values of some of the rows of a table, without the values of the rows.

    The rows are dealt out to groups, and the sum of the absolute values of each group is kept, so that memory does not grow
    with the rows. The groups stand for rows in the bootstrap of `Explanation.global_importance`. Up to `MOST_GROUPS` rows,
    each row is a group. Sums carry their rounding errors, so that they do not depend on how the rows were divided, nor on
    the order of merging: the merged values differ by less than 1e-14 of their size.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import PartialImportance, TabularExplainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> explainer = TabularExplainer(Ridge().fit(X, y), X)
    >>> first, second = PartialImportance(), PartialImportance()
    >>> first.add(explainer.explain_local(X[:100]))
    >>> second.add(explainer.explain_local(X[100:]))
    >>> first.merge(second)
    >>> first.num_rows
    442
    >>> first.explanation().get_ranked_global_names(top_k=2)
    ['bmi', 's5']
    """

    def __init__(self) -> None:
        self._about: Explanation | None = None
        self._sums = self._rest = np.zeros((0, 0, 0))  # (groups, classes, features); their rounding errors
        self._sizes: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._largest_error = -1.0

    @property
    def num_rows(self) -> int:
        """Number of rows that were added."""
        return int(self._sizes.sum())

    @checked
    def add(self, explanation: Explanation) -> None:
        """Add the rows of an explanation, or those that were merged into it.

        Parameters
        ----------
        explanation : Explanation
            With local values, or what `explanation` of another part returned.

        Raises
        ------
        InvalidInputError
            If it has neither rows nor merged rows.
        ColumnMismatchError
            If it is of other features or classes, or of another model's output.
        """
        values = explanation.local_importance_values
        self._start(explanation)
        if values is not None:
            self._add_rows(np.abs(values if explanation.is_classification else values[None]))
            errors = explanation.standard_errors
            self._note(explanation, 0.0 if errors is None else float(errors.max(initial=0.0)))
        elif explanation.group_sums is not None and explanation.group_sizes is not None:
            sums = explanation.group_sums
            self._add_groups(sums if explanation.is_classification else sums[:, None])
            self._sizes += explanation.group_sizes.astype(np.int64)
            self._note(explanation, explanation.largest_error or 0.0)
        else:
            raise InvalidInputError(
                f"This explanation by {explanation.method} has neither rows nor merged rows, so that it cannot be merged. "
                "Explain rows, or parts of a table with PartialImportance."
            )

    @checked
    def merge(self, other: PartialImportance) -> None:
        """Add the rows of another part of the table.

        Parameters
        ----------
        other : PartialImportance
            The importance of other rows of the same table; it stays as it is.

        Raises
        ------
        ColumnMismatchError
            If it is of other features or classes, or of another model's output.
        """
        if other._about is None:
            return
        self._start(other._about)
        self._add_groups(other._sums)
        self._rest += other._rest
        self._sizes += other._sizes
        self._note(other._about, other._largest_error)

    def explanation(self) -> Explanation:
        """Return the global values of all rows added; `Explanation.global_importance` has their intervals.

        Notes are those of the rows with the largest standard error.

        Returns
        -------
        Explanation
            Without values of rows.

        Raises
        ------
        InvalidInputError
            If no row was added.
        """
        about = self._about
        if about is None or not self.num_rows:
            raise InvalidInputError("There must be at least one row to explain. All parts of the table are empty.")
        sums = self._sums + self._rest
        means = (
            np.ascontiguousarray(np.moveaxis(sums, 0, -1)).sum(axis=-1) / self.num_rows
        )  # contiguous: added pairwise
        by_class = about.is_classification
        return replace(
            about,
            global_values=means.mean(axis=0),
            class_values=means if by_class else None,
            group_sums=sums if by_class else sums[:, 0],
            group_sizes=self._sizes.astype(np.float64),
            largest_error=self._largest_error if self._largest_error > 0 else None,
        )

    # ---------------------------------------------------------------- private

    def _start(self, explanation: Explanation) -> None:
        """Make the groups for the first explanation; check that later ones are of the same values."""
        about = self._about
        if about is None:
            shape = len(explanation.classes or (None,)), explanation.num_features
            n_groups = max(FEWEST_GROUPS, min(MOST_GROUPS, MOST_SUMS // max(1, shape[0] * shape[1])))
            self._sums, self._rest = np.zeros((n_groups, *shape)), np.zeros((n_groups, *shape))
            self._sizes = np.zeros(n_groups, np.int64)
            self._about = without_rows(explanation)
            return
        for name in ("features", "classes", "output_space", "kind", "num_features"):
            own, theirs = getattr(about, name), getattr(explanation, name)
            if own != theirs:
                raise ColumnMismatchError(
                    f"Only explanations of the same model and features can be merged. Their {name!r} are {own} and {theirs}."
                )

    def _note(self, explanation: Explanation, error: float) -> None:
        """Keep what is said of the least certain rows: a tolerance that is met there is met by all rows."""
        if error > self._largest_error:
            self._about, self._largest_error = without_rows(explanation), error

    def _add_rows(self, values: Values) -> None:
        """Deal rows, (C, n, f), out to the groups, beginning where the last row was dealt."""
        n_groups, n_rows = len(self._sizes), values.shape[1]
        first = self.num_rows % n_groups
        row = 0
        while row < n_rows:
            count = min(n_groups - first, n_rows - row)
            self._add_groups(values[:, row : row + count].transpose(1, 0, 2), slice(first, first + count))
            self._sizes[first : first + count] += 1
            row, first = row + count, 0

    def _add_groups(self, values: Values, groups: slice = slice(None)) -> None:
        """Add values, (groups, C, f), to sums, and what rounding loses to their rest (Knuth's TwoSum)."""
        before = self._sums[groups]
        total = before + values
        part = total - before
        self._rest[groups] += (before - (total - part)) + (values - part)
        self._sums[groups] = total


def merged(parts: Iterable[Explanation]) -> Explanation:
    """Return the global values of all rows of several explanations.

    Parameters
    ----------
    parts : iterable of Explanation
        As `PartialImportance.add` takes them.
    """
    whole = PartialImportance()
    for part in parts:
        whole.add(part)
    return whole.explanation()


def without_rows(explanation: Explanation) -> Explanation:
    """Return the global values of an explanation, without those of its rows, their data and predictions."""
    by_class = explanation.local_importance_values is not None and explanation.is_classification
    return replace(
        explanation,
        local_importance_values=None,
        data=None,
        predictions=None,
        left_out=None,
        standard_errors=None,
        local_fidelity=None,
        intercepts=None,
        members=None,
        global_values=explanation.global_importance_values,
        class_values=explanation.per_class_values if by_class else explanation.class_values,
    )
