"""Linear models over rows that are scaled to unit length, as a function of sums over the columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.model._fitted_model import Composite, FittedModel, Prepared
from automl_explain.explainers.model._structures import Linear, Matrix

N_SUMS = 2
"""Sums beside those of the outputs: of the squares of a row, and of its cells that are not 0."""


def unit_rows(linear: Linear, encode: Callable[[Any], Matrix], why: str, *, n_classes: int) -> Composite:
    """Return the structure of a linear model that reads rows divided by their Euclidean length.

    Each output is a sum over the columns, divided by the root of the sum of squares. Coalitions are therefore evaluated from
    sums, without predicting masked rows. A row of zeros is not scaled.

    Parameters
    ----------
    linear : Linear
        The model of scaled rows.
    encode : callable
        Function from a table to the float64 matrix before the scaling.
    why : str
        Description of the model, shown in an explanation's `reason`.
    n_classes : int
        Number of classes; 1 for a regression. The output of the first of two classes is the negative of the second's.
    """
    n_outputs, n_columns = linear.coef.shape
    coef = np.zeros((n_outputs + N_SUMS, (1 + N_SUMS) * n_columns))
    coef[:n_outputs, :n_columns] = linear.coef
    for place in range(N_SUMS):
        coef[n_outputs + place, (1 + place) * n_columns : (2 + place) * n_columns] = 1.0

    def powers(table: Any) -> Matrix:
        matrix = np.asarray(encode(table), dtype=np.float64)
        return np.hstack([matrix, matrix**2, matrix != 0.0])

    def sums(matrix: Any) -> Matrix:
        return np.asarray(matrix @ coef.T)

    columns = FeatureMap(tuple(map(str, range(n_columns))), np.tile(np.arange(n_columns), 1 + N_SUMS))
    names = tuple(range(len(coef)))
    summed = FittedModel(
        {"response": sums}, "response", "multitarget", Linear(coef, np.zeros(len(coef))),
        classes=names, n_features=coef.shape[1], preprocessing=powers, n_raw=n_columns, feature_map=columns, name="sums",
    )  # fmt: skip
    member = FittedModel(
        {"response": lambda table: sums(powers(table))}, "response", "multitarget", Prepared(summed),
        classes=names, n_features=n_columns, name="sums",
    )  # fmt: skip
    return Composite(((member, "response"),), Scaled(linear.intercept, n_classes == 2 and n_outputs == 1), False, why)


@dataclass(frozen=True, eq=False)
class Scaled:
    """The outputs of a linear model of scaled rows from their sums. It is the `combine` function of a `Composite`.

    Parameters
    ----------
    intercept : ndarray of shape (k,)
    mirrored : bool
        Whether the negative of the only output comes before it.
    """

    intercept: Matrix
    mirrored: bool

    def __call__(self, sums: Matrix, rows: Any) -> Matrix:
        """Return the outputs of n rows, given their sums (n, k + 2)."""
        weighted, squares, filled = sums[:, :-N_SUMS], sums[:, -2], sums[:, -1]
        some = (filled > 0.5) & (squares > 0.0)  # the sums are made of differences, so that those of zeros are rounded
        length = np.sqrt(squares, out=np.ones_like(squares), where=some)
        scaled: Matrix = np.where(some[:, None], weighted / length[:, None], 0.0) + self.intercept
        return np.hstack([-scaled, scaled]) if self.mirrored else scaled
