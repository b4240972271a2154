"""A model's predictions computed from its structure, for callers that ask for very many of them."""

from __future__ import annotations

from typing import Any

from automl_explain.explainers._links import find_link
from automl_explain.explainers._model import FittedModel, Matrix, OutputSpace, Predict
from automl_explain.explainers._outputs import all_outputs
from automl_explain.explainers._trees import Trees

COMPARED_ROWS = 64
"""Rows of each table on which the structure's outputs are held against the library's own."""
WORTHWHILE = 1024
"""Rows from which the comparison is cheaper than the library's predictions."""


def structure_outputs(model: FittedModel, space: OutputSpace) -> Predict:
    """Return ``model.outputs[space]``, by the trees where these are many rows and give what the library gives.

    Every large table's first rows are predicted both ways; a link that does not reproduce the library's outputs there is
    not used, and the library predicts the table.
    """
    library = model.outputs[space]
    trees = model.structure
    if not isinstance(trees, Trees):
        return library

    def predict(table: Any) -> Matrix:
        if len(table) < WORTHWHILE:
            return library(table)
        sums = all_outputs(trees.predict(model.encode(table)).T, model).T
        compared = library(table[:COMPARED_ROWS])
        link = find_link(model.output_space, space, sums[:COMPARED_ROWS], compared)
        return library(table) if link is None else link(sums)

    return predict
