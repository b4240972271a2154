"""The values of image explanations by position: sums over the cells of a grid."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.image._values import ImageValues, pixels_of

GRID = (8, 8)
"""Rows and columns of the grid by default."""


def by_position(explanation: ImageValues, grid: Any = GRID) -> Explanation:
    """Return what `ImageExplanation.by_position` documents."""
    n_rows, n_columns = _checked(grid, explanation.segments.shape[1:])
    rows, columns = explanation.segments.shape[1:]
    row_of, column_of = np.arange(rows) * n_rows // rows, np.arange(columns) * n_columns // columns
    cell = (row_of[:, None] * n_columns + column_of).reshape(-1)
    n_cells = n_rows * n_columns
    values = np.empty((explanation.n_outputs, len(explanation), n_cells))
    for image in range(len(explanation)):
        for output, pixels in enumerate(pixels_of(explanation, image)):
            values[output, image] = np.bincount(cell, pixels.reshape(-1), minlength=n_cells)
    names = tuple(
        f"rows {_range(row_of == i)}, columns {_range(column_of == j)}" for i in range(n_rows) for j in range(n_columns)
    )
    by_class = explanation.is_classification and explanation.same_classes
    shown = slice(None) if by_class else slice(1)
    expected = explanation.base_values[shown].mean(axis=1)
    own = explanation.base_values[shown] - expected[:, None]
    note = f"values of images of {rows} x {columns} pixels, summed over a grid of {n_rows} x {n_columns} cells"
    if explanation.is_additive:
        note += "; left_out is the difference of an image's base value from the mean of all"
    if explanation.is_classification and not by_class:
        note += "; the values of each image are those of the class with its largest output"
    return Explanation(
        local_importance_values=values if by_class else values[0],
        expected_values=expected,
        features=names,
        classes=tuple(explanation.labels) if by_class else None,
        output_space=explanation.output_space,
        method=explanation.method,
        reason=explanation.reason,
        predictions=explanation.outputs[shown].T,
        is_raw=True,
        left_out=None if not explanation.is_additive else own if by_class else own[0],
        notes=(note, *explanation.notes),
        kind=explanation.kind,
        model_kind=explanation.model_kind,
    )


def _checked(grid: Any, size: tuple[int, int]) -> tuple[int, int]:
    whole = isinstance(grid, tuple | list) and len(grid) == 2 and all(isinstance(n, int | np.integer) for n in grid)
    if not whole or min(grid) < 1:
        raise InvalidInputError(
            f"The 'grid' parameter must be the rows and columns of a grid, such as (8, 8). Got {grid!r}."
        )
    return min(int(grid[0]), size[0]), min(int(grid[1]), size[1])


def _range(inside: Any) -> str:
    places = np.flatnonzero(inside)
    return f"{places[0]}-{places[-1]}" if len(places) > 1 else str(places[0])
