"""Global importance with row weights and bootstrap intervals, and the comparison of two rankings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from automl_explain.explainers._arguments import check_seed, checked
from automl_explain.explainers._errors import ColumnMismatchError, InvalidInputError
from automl_explain.explainers.compiled._bootstrap import add_counted, draw_counts
from automl_explain.explainers.compiled._jit import run_blocks
from automl_explain.explainers.explanation._selection import Values
from automl_explain.explainers.explanation._values import ExplanationValues, ranking
from automl_explain.explainers.formatting._html import render
from automl_explain.explainers.formatting._names import counted
from automl_explain.explainers.formatting._numbers import number_text
from automl_explain.explainers.formatting._text_table import Column, TextTable

BLOCK_ROWS = 1024
"""Rows whose counts are drawn at a time: few enough for the counts of a resample to stay in the processor's cache."""
RESAMPLES_AT_ONCE = 128
"""Resamples of a step. Each step has a random generator of its own, so that values do not depend on the threads."""


MOST_RESAMPLES = 1_000_000
SHOWN = 15
"""Features that a notebook shows."""


@dataclass(frozen=True, eq=False)
class GlobalImportance:
    """Importance of each feature over a table, with bootstrap intervals; f features, C classes.

    Parameters
    ----------
    values, low, high : ndarray, shape (f,)
        Mean absolute value over rows and classes, in column order, and the ends of its interval.
    class_values, class_low, class_high : ndarray of shape (C, f), or None for a regression
        The same for each class.
    features : tuple of str
        Names of the columns.
    classes : tuple or None
        Class labels.
    confidence : float
        Share of resampled tables between `low` and `high`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import TabularExplainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> found = TabularExplainer(Ridge().fit(X, y), X).explain_global(X).global_importance(confidence=0.9)
    >>> found.to_frame(top_k=2).round(1).columns.tolist()
    ['importance', 'low', 'high']
    >>> bool((found.low <= found.values).all())
    True
    """

    values: Values
    low: Values
    high: Values
    class_values: Values | None
    class_low: Values | None
    class_high: Values | None
    features: tuple[str, ...]
    classes: tuple[Any, ...] | None
    confidence: float

    @checked
    def to_frame(self, top_k: int | None = None) -> pd.DataFrame:
        """Return importance, low and high by feature, most important first; ties keep the order of the columns.

        Parameters
        ----------
        top_k : int, optional
            Features returned. Default: all.

        Returns
        -------
        DataFrame
            A row per feature.

        Raises
        ------
        InvalidInputError
            If `top_k` is less than 1.
        """
        frame = pd.DataFrame(
            {"importance": self.values, "low": self.low, "high": self.high},
            index=pd.Index(self.features, name="feature"),
        )
        return frame.iloc[ranking(self.values)[:top_k]]

    def _repr_html_(self) -> str:
        lines = self.to_frame(SHOWN)
        columns = (Column("feature"), *(Column(head, is_number=True) for head in lines.columns))
        rows = tuple((name, *map(number_text, line)) for name, *line in lines.itertuples())
        n_rest = max(len(self.values) - SHOWN, 0)
        more = [counted(n_rest, "further feature")] if n_rest else []
        facts = [
            f"importance of {counted(len(self.values), 'feature')}, with {self.confidence:.0%} intervals over the rows",
            *more,
        ]
        return render("notebook/tables.html", facts=facts, tables=[("", TextTable(columns, rows))])


def measure_global_importance(
    explanation: ExplanationValues, sample_weight: Any, confidence: float, n_resamples: int, random_state: int
) -> GlobalImportance:
    """Return what `Explanation.global_importance` documents."""
    _check(confidence, n_resamples)
    check_seed(random_state)
    rows, weights = _rows_to_resample(explanation, sample_weight)
    n_blocks, f = len(explanation.classes or (None,)), explanation.num_features
    means = (weights @ rows / weights.sum()).reshape(n_blocks, f)
    resampled = _resample(rows, weights, n_resamples, random_state).reshape(-1, n_blocks, f)
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.nanquantile(resampled.mean(axis=1), ends, axis=0)
    class_low, class_high = np.nanquantile(resampled, ends, axis=0)
    by_class = explanation.is_classification
    return GlobalImportance(
        means.mean(axis=0),
        low,
        high,
        means if by_class else None,
        class_low if by_class else None,
        class_high if by_class else None,
        explanation.feature_labels,
        explanation.classes,
        confidence,
    )


def _rows_to_resample(explanation: ExplanationValues, sample_weight: Any) -> tuple[Values, Values]:
    """Return absolute values of rows, (n, C * f), and their weights; means of groups and their sizes for merged rows."""
    values, sums, sizes = explanation.local_importance_values, explanation.group_sums, explanation.group_sizes
    if values is None and sums is not None and sizes is not None:
        if sample_weight is not None:
            raise InvalidInputError(
                "The 'sample_weight' parameter needs the values of rows, which this explanation does not keep. Explain with "
                "include_local=True, or leave the weights out."
            )
        used = sizes > 0
        return sums[used].reshape(int(used.sum()), -1) / sizes[used, None], sizes[used]
    if values is None or not explanation.num_examples:
        raise InvalidInputError(
            f"Weighted importance and intervals need local values. This explanation by {explanation.method} has none; explain "
            "rows, with include_local=True."
        )
    blocks = np.abs(values if explanation.is_classification else values[None])  # (C, n, f)
    n = blocks.shape[1]
    return np.ascontiguousarray(blocks.transpose(1, 0, 2)).reshape(n, -1), _read_weights(sample_weight, n)


def compare_rankings(explanation: ExplanationValues, reference: ExplanationValues, top_k: int | None) -> float:
    """Return what `Explanation.validate_against` documents."""
    if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, int | np.integer) or top_k < 1):
        raise InvalidInputError(f"The 'top_k' parameter must be an integer, 1 or more. Got {top_k!r}.")
    if explanation.num_features != reference.num_features:
        raise ColumnMismatchError(
            f"Only explanations of the same features can be compared. Got {explanation.num_features} features and "
            f"{reference.num_features}."
        )
    own, gains = explanation.global_importance_values, np.maximum(reference.global_importance_values, 0.0)
    if explanation.features is not None and reference.features is not None:
        place = {name: j for j, name in enumerate(reference.features)}
        unknown = [name for name in explanation.features if name not in place]
        if unknown:
            raise ColumnMismatchError(f"The reference does not explain {unknown[:5]}; compare the same features.")
        gains = gains[[place[name] for name in explanation.features]]
    if not gains.any():
        raise InvalidInputError("All importances of the reference are 0, so no ranking can be compared with it.")
    if len(own) == 1:
        return 1.0
    from sklearn.metrics import ndcg_score  # here, because it takes a second to load

    return float(ndcg_score([gains], [own], k=top_k))


def _resample(rows: Values, weights: Values, n_resamples: int, random_state: int) -> Values:
    """Return the weighted means over rows drawn with replacement, one line per resample.

    How many rows a resample draws from each block of rows is multinomial; within a block, each row is drawn with equal
    probability. Together these are draws from all rows, and only the counts of one block are held at a time.
    """
    n = len(rows)
    starts = np.arange(0, n, BLOCK_ROWS)
    share = np.minimum(BLOCK_ROWS, n - starts) / n
    steps = range(0, n_resamples, RESAMPLES_AT_ONCE)
    seeds = dict(zip(steps, np.random.SeedSequence(random_state).spawn(len(steps)), strict=True))
    means = np.empty((n_resamples, rows.shape[1]))

    def step(first: int) -> int:
        size = min(RESAMPLES_AT_ONCE, n_resamples - first)
        rng = np.random.default_rng(seeds[first])
        draws = rng.multinomial(n, share, size=size)
        states = rng.integers(2**64, size=size, dtype=np.uint64)
        totals, total = np.zeros((size, rows.shape[1])), np.zeros(size)
        for block, start in enumerate(starts):
            part = slice(start, start + BLOCK_ROWS)
            counts = np.empty((size, len(weights[part])))
            draw_counts(np.ascontiguousarray(draws[:, block]), states, counts)
            add_counted(counts, rows[part], weights[part], totals, total)
        means[first : first + size] = totals / np.where(total > 0, total, np.nan)[:, None]
        return size

    run_blocks(step, list(steps), None)
    return means


def _check(confidence: Any, n_resamples: Any) -> None:
    if isinstance(confidence, bool) or not isinstance(confidence, float) or not 0 < confidence < 1:
        raise InvalidInputError(
            f"The 'confidence' parameter must lie between 0 and 1, such as 0.95. Got {confidence!r}."
        )
    if (
        isinstance(n_resamples, bool)
        or not isinstance(n_resamples, int | np.integer)
        or not (1 <= n_resamples <= MOST_RESAMPLES)
    ):
        raise InvalidInputError(
            f"The 'n_resamples' parameter must be an integer, 1 or more, and at most {MOST_RESAMPLES:,}. Got {n_resamples!r}."
        )


def _read_weights(sample_weight: Any, n: int) -> Values:
    if sample_weight is None:
        return np.ones(n)
    try:
        weights = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"The 'sample_weight' parameter must give a number for each row: {error}") from error
    if weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise InvalidInputError(
            f"The 'sample_weight' parameter must give a finite, non-negative number for each of the {n} rows, not all 0. "
            f"Got shape {weights.shape}."
        )
    return weights
