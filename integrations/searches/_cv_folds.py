"""The explanation of a cross-validated configuration: the mean over its folds, with the spread between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation


def mean_over_folds(parts: Sequence[Explanation]) -> Explanation:
    """Return the mean of the explanations of one configuration's models, one per fold, of the same rows.

    By linearity it is the explanation of the mean of the models' outputs. Its standard errors are those of the mean over
    the folds, combined with the standard errors of sampled parts. `fold_importances` has the importance in each fold.

    Parameters
    ----------
    parts : sequence of Explanation

    Raises
    ------
    InvalidInputError
        If the folds' models have different outputs, or different columns whose raw columns are not known.
    """
    parts = list(parts)
    if len(parts) == 1:
        return parts[0]
    if len({part.features for part in parts}) > 1:
        parts = _raw(parts)
    first = parts[0]
    if any((part.classes, part.output_space) != (first.classes, first.output_space) for part in parts):
        raise InvalidInputError(
            f"The folds' models differ in their classes or output space: {sorted({str(part.classes) for part in parts})}. "
            "Explain one fold, or split so that every fold has every class."
        )
    values = np.array([part.local_importance_values for part in parts])
    variance = values.var(axis=0, ddof=1) / len(parts)
    for part in parts:
        if part.standard_errors is not None:
            variance = variance + (part.standard_errors / len(parts)) ** 2
    outputs = [part.predictions for part in parts]
    known = [output for output in outputs if output is not None]
    return replace(
        first,
        local_importance_values=values.mean(axis=0),
        expected_values=np.mean([part.expected_values for part in parts], axis=0),
        predictions=np.mean(known, axis=0) if len(known) == len(parts) else None,
        reason=f"the mean over the models of {len(parts)} folds; each: {first.reason}",
        standard_errors=np.sqrt(variance),
        fold_importances=np.array([part.global_importance_values for part in parts]),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _raw(parts: list[Explanation]) -> list[Explanation]:
    """Return the parts over raw columns, for engineered columns that differ between folds, such as those of categories."""
    if all(part.is_raw or part.feature_map is not None for part in parts):
        raw = [part.get_raw_explanation() for part in parts]
        if len({part.features for part in raw}) == 1:
            return raw
    raise InvalidInputError(
        "The folds' models read different columns, and the raw columns behind them are not known. Fit the preprocessing "
        "on all training rows, or explain with feature_space='raw'."
    )
